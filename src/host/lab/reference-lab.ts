/** The lab without QEMU: the same topology and measurements, with reference guests. */

import { type ChosenFunction, dataplaneConfig } from '../nic/functions.ts';
import { SetupError } from '../packages/errors.ts';
import type { LabContext, LabRun } from './context.ts';
import { functionsOf } from './instances.ts';
import { hostFacts } from './machine.ts';
import { measureAll } from './measure.ts';
import { referenceBench } from './reference-bench.ts';
import { Fabric, type ReferenceGuest } from './reference-guest.ts';
import type { InstanceFacts } from './report.ts';

const dhcpMs = 3000;

const noVpc =
  'Reference guests cannot be in a VPC, as they speak no TCP: use --guest linux, or virtfn explain.';
const NOTE =
  'Reference guests run in this process and have no TCP: flows are verified transfers over UDP.';

export async function runReferenceLab(context: LabContext): Promise<LabRun> {
  const { topology, observer, signal } = context;
  if (topology.vpc !== undefined) throw new SetupError('no-vpc', noVpc);
  observer.step('Starting functions and their reference drivers, in this process');
  const functions = functionsOf(topology, '.');
  const config = dataplaneConfig(functions, { network: topology.network });
  const { mtu, rounds, seconds, pings } = topology.measure;
  const fabric = new Fabric(functions, config, {
    ...{ mtu, signal },
    onRefusal: (name, { rule, detail }) => observer.note(`${name}: refused ${rule.id}: ${detail}`),
  });
  if (!(await fabric.dhcp(dhcpMs)))
    throw new Error(`Not every reference guest got an address within ${dhcpMs / 1000} s.`);
  const instances = fabric.guests.map((guest, i): InstanceFacts => {
    const { type = '', nic = 'ena' } = topology.instances[i] ?? {};
    return factsOf(guest, type, nic, functions[i]);
  });
  observer.detail(instances.map(({ name, address }) => `${name} ${address}`).join(', '));
  observer.step('Measuring');
  const [from, to] = fabric.guests as [ReferenceGuest, ReferenceGuest];
  const comparison = await measureAll([referenceBench(fabric, from, to)], topology.measure, {
    isFailure: () => false,
    onRun: (text, fraction) => observer.detail(text, fraction),
  });
  observer.detail(comparison.map(({ nic }) => nic).join(', '));
  return {
    report: {
      machine: {
        ...hostFacts(),
        ...{ qemu: null, accelerator: null, accelerator_reason: null, guest_kernel: null },
        access_reason: null,
      },
      instances,
      measured: {
        ...{ from: from.name, to: to.name, transport: 'verified-udp' },
        ...{ rounds, seconds, pings, mtu },
      },
      comparison,
      reachability: null,
      notes: [NOTE],
    },
    doors: [],
  };
}

function factsOf(
  { name, driver, address }: ReferenceGuest,
  type: string,
  nic: InstanceFacts['nic'],
  fn: ChosenFunction | undefined,
): InstanceFacts {
  return {
    ...{ name, type, nic, driver: 'virtfn-reference', driver_version: '' },
    ...{
      interface: null,
      pci: null,
      mac: fn?.mac ?? '',
      link_mbps: driver.linkSpeedMbps(),
      address,
    },
    ...{ mtu: driver.nic.mtu, kernel: null, cpus: 0, access: fn?.access ?? 'posted' },
  };
}
