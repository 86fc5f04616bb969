/**
 * What to watch out for with an instance type: the sentences that a colleague who has been bitten
 * before would say. Each has its source.
 */
import {
  fullCreditsGbit,
  type NetworkAllowance,
  networkAllowance,
  refillSeconds,
} from '../allowance.ts';
import { familyOf, gbpsInText, hasCredits, type InstanceType } from '../instance-type.ts';
import { cardGbps } from './cards.ts';
import { nitroVersionOf } from './nitro-versions.ts';

export type Note = {
  /** One word for what it is about, the same for all types. */
  readonly topic: string;
  readonly text: string;
  readonly source: string;
};

const userGuide = (page: string): string => `EC2 User Guide, "${page}"`;
const API = 'DescribeInstanceTypes';
const NITRO = 'EC2 Instance Types Guide, "Instances built on the AWS Nitro System"';

/** @param relatives types of the same family, for the smallest one that can do what this cannot */
export function notesOn(type: InstanceType, relatives: readonly InstanceType[]): Note[] {
  const allowance = networkAllowance(type);
  return [
    ...driverNotes(type),
    ...bandwidthNotes(type, allowance),
    ...flowNotes(type, allowance),
    ...queueNotes(type),
    ...efaNotes(type, relatives),
    ...platformNotes(type),
    ...catalogueNotes(type),
  ];
}

function driverNotes({ name, ena, vf82599 }: InstanceType): Note[] {
  if (ena === 'required')
    return [
      {
        topic: 'image',
        text: `EC2 refuses to launch it from an image whose enaSupport is off (InvalidParameterCombination); with the flag set and no ena driver inside, ${name} starts and is never reachable.`,
        source: `${userGuide('Troubleshoot the ENA kernel driver')}; rancher/os#2160`,
      },
    ];
  if (ena === 'supported')
    return [
      {
        topic: 'image',
        text: 'Boots without ENA too, then on the stock network adapter (vif) and slower. With enaSupport set and no driver inside it is unreachable: stop it, --no-ena-support, start.',
        source: userGuide('Troubleshoot the ENA kernel driver'),
      },
    ];
  if (vf82599)
    return [
      {
        topic: 'image',
        text: 'Needs ixgbevf 2.14.2 or later, HVM, and sriovNetSupport=simple, which nobody can take back. Without it ethtool -i says vif.',
        source: userGuide('Enhanced networking with the Intel 82599 VF'),
      },
    ];
  return [
    {
      topic: 'image',
      text: 'No enhanced networking: neither ENA nor an 82599 virtual function.',
      source: API,
    },
  ];
}

function bandwidthNotes(type: InstanceType, allowance: NetworkAllowance): Note[] {
  const { vcpus, baselineGbps, peakGbps } = type;
  const notes: Note[] = [];
  if (hasCredits(type)) {
    const { burstMinutes } = allowance;
    const full = formatGigabytes(fullCreditsGbit(allowance, 'out') / 8);
    const idle = formatMinutes(refillSeconds(allowance, 'out') / 60);
    notes.push({
      topic: 'credits',
      text: `${peakGbps} Gbps is a burst on credits, and best effort. A bucket per direction, full at launch, holds ${full} above the baseline: ${round(burstMinutes.value)} minutes of it (${burstMinutes.provenance}), then ${baselineGbps} Gbps. Empty, it is full again after ${idle} idle, if credits come at the rate of the baseline.`,
      source: userGuide('Amazon EC2 instance network bandwidth'),
    });
  }
  if (type.networkCards > 1)
    notes.push({
      topic: 'cards',
      text: `The bandwidth lies on ${type.networkCards} network cards: an interface on one of them has ${round(cardGbps(type).peak)} Gbps at most.`,
      source: `${API}, NetworkCards`,
    });
  const { gatewayGbps } = allowance;
  if (gatewayGbps.value < peakGbps)
    notes.push({
      topic: 'internet',
      text: `Through an internet or local gateway ${round(gatewayGbps.value)} Gbps at most${vcpus < 32 ? ', as it has less than 32 vCPUs' : ', half of the bandwidth'}.`,
      source: userGuide('Amazon EC2 instance network bandwidth'),
    });
  return notes;
}

function flowNotes(type: InstanceType, allowance: NetworkAllowance): Note[] {
  const { singleFlowGbps, singleFlowPlacedGbps, singleFlowExpressGbps } = allowance;
  if (type.peakGbps <= singleFlowGbps.value) return [];
  const placed =
    singleFlowPlacedGbps.value > singleFlowGbps.value
      ? `${singleFlowPlacedGbps.value} in a cluster placement group`
      : 'and it cannot be in a cluster placement group';
  const express =
    singleFlowExpressGbps.value === null
      ? 'it has no ENA Express'
      : `${singleFlowExpressGbps.value} by ENA Express (same zone, both ends, MTU 8900 at most)`;
  return [
    {
      topic: 'one flow',
      text: `A single flow has ${singleFlowGbps.value} Gbps, ${placed}; ${express}.`,
      source: userGuide('Amazon EC2 instance network bandwidth'),
    },
  ];
}

function queueNotes(type: InstanceType): Note[] {
  const { vcpus, queues, maxQueues, flexibleQueues, ena } = type;
  if (ena === 'unsupported' || queues === null) return [];
  if (flexibleQueues && maxQueues !== null && maxQueues > queues)
    return [
      {
        topic: 'queues',
        text: `An interface starts with ${queues} queues and can have ${maxQueues} (EnaQueueCount); they come from one pool per card.`,
        source: userGuide('ENA queues'),
      },
    ];
  if (queues < vcpus)
    return [
      {
        topic: 'queues',
        text: `${queues} queues per interface for ${vcpus} vCPUs: not every CPU has one of its own.`,
        source: `${API}, DefaultEnaQueueCountPerInterface`,
      },
    ];
  return [];
}

function efaNotes(type: InstanceType, relatives: readonly InstanceType[]): Note[] {
  const nitro = nitroVersionOf(type);
  if (type.efaInterfaces > 0)
    return [
      {
        topic: 'EFA',
        text: `Up to ${type.efaInterfaces}, one per network card, attached at launch or when stopped. Its security group must allow all traffic to and from itself; EFA traffic stays in its subnet's zone and VPC.${nitro === null ? '' : ` Nitro v${nitro.version} has EFA v${nitro.version - 2}.`}`,
        source: userGuide('Elastic Fabric Adapter'),
      },
    ];
  const [smallest] = relatives
    .filter(({ efaInterfaces, hypervisor }) => efaInterfaces > 0 && hypervisor !== 'metal')
    .sort((a, b) => a.vcpus - b.vcpus);
  if (smallest === undefined) return [];
  return [
    {
      topic: 'EFA',
      text: `Not on this size: ${familyOf(type)} has EFA from ${smallest.name} on.`,
      source: `${API}, EfaSupported`,
    },
  ];
}

function platformNotes(type: InstanceType): Note[] {
  const nitro = nitroVersionOf(type)?.version ?? 0;
  const notes: Note[] = [];
  if (nitro >= 4)
    notes.push({
      topic: 'driver',
      text: `Nitro v${nitro}: Linux 5.9 or a distribution's kernel of the guide's table, DPDK 20.11. ${nitro >= 5 ? 'With an ena driver before 2.2.9 interfaces fail to attach.' : 'An ena driver of 2.2.9g or later is recommended.'} No traffic mirroring.`,
      source: NITRO,
    });
  if (nitro >= 6)
    notes.push({
      topic: 'tracking',
      text: 'An idle TCP connection is forgotten after 350 seconds unless told otherwise; 5 days on older ones.',
      source: userGuide('Security group connection tracking'),
    });
  if (type.architectures.includes('arm64'))
    notes.push({
      topic: 'boot',
      text: 'Arm: the image must be arm64 and boot by UEFI with ACPI.',
      source: 'EC2 Instance Types Guide, "Linux instances with AWS Graviton processors"',
    });
  if (type.bandwidthWeightings.length > 1)
    notes.push({
      topic: 'weighting',
      text: `Bandwidth can be moved between network and EBS: ${type.bandwidthWeightings.join(', ')}. The packet rate stays.`,
      source: userGuide('Bandwidth weighting'),
    });
  return notes;
}

function catalogueNotes(type: InstanceType): Note[] {
  const notes: Note[] = [];
  const inText = gbpsInText(type.performance);
  if (inText !== null && Math.abs(inText - type.peakGbps) > inText * 0.05)
    notes.push({
      topic: 'figures',
      text: `EC2's API contradicts itself: ${type.performance}, and ${type.peakGbps} Gbps as its peak.`,
      source: API,
    });
  const cardsSay = type.cards.reduce((sum, { peakGbps }) => sum + (peakGbps ?? 0), 0);
  if (type.networkCards > 1 && Math.abs(cardsSay - type.peakGbps) > 0.05 * type.peakGbps)
    notes.push({
      topic: 'figures',
      text: `Its ${type.networkCards} cards say ${cardsSay} Gbps together, its performance text ${type.peakGbps}.`,
      source: API,
    });
  return notes;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

const formatGigabytes = (gigabytes: number): string =>
  gigabytes >= 1000 ? `${(gigabytes / 1000).toPrecision(3)} TB` : `${gigabytes.toPrecision(3)} GB`;

const formatMinutes = (minutes: number): string =>
  minutes >= 120 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes)} minutes`;
