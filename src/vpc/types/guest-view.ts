/** What a guest of an instance type finds: the driver it needs, how fast, how many queues. */
import { familyOf, type InstanceType } from '../instance-type.ts';
import { cardGbps } from './cards.ts';
import { nitroVersionOf } from './nitro-versions.ts';

export type Driver = 'ena' | 'ixgbevf' | 'vif';

export type GuestView = {
  /** What binds to the network interface, best first; the last one needs nothing from the image. */
  readonly drivers: readonly Driver[];
  /** Without this driver no network at all. */
  readonly requiredDriver: 'ena' | null;
  /** The instance's attribute that gives it the first of the drivers. */
  readonly attribute: 'enaSupport' | 'sriovNetSupport' | null;
  readonly linkMbps: number;
  /** Queue pairs of an interface as launched, and at most; null: not published. */
  readonly queuePairs: number | null;
  readonly maxQueuePairs: number | null;
  /** One for administration (of the 82599 VF: its mailbox), one per pair; null: not published. */
  readonly msixVectors: number | null;
  /** What EC2 gives an interface inside of a VPC; null: not published for this type. */
  readonly mtu: number | null;
  /** The profile of our ENA device of the same generation; null: not known, or no ENA. */
  readonly enaProfile: string | null;
};

/** An 82599 VF has two queue pairs on EC2, whatever the API says of ENA's. */
const VF_QUEUES = 2;
const VF_LINK_MBPS = 10_000;
/** "Network MTU" lists who has jumbo frames; these families are older than that. */
const withoutJumboFrames = ['c1', 'cc2', 'm1', 'm2', 't1'];

export function guestView(type: InstanceType): GuestView {
  const base = {
    mtu: withoutJumboFrames.includes(familyOf(type)) ? null : 9001,
    requiredDriver: type.ena === 'required' ? ('ena' as const) : null,
    enaProfile: enaProfileOf(type),
  };
  if (type.ena !== 'unsupported')
    return {
      ...base,
      drivers: type.ena === 'required' ? ['ena'] : ['ena', 'vif'],
      attribute: 'enaSupport',
      linkMbps: linkMbpsOf(type),
      queuePairs: type.queues,
      maxQueuePairs: type.maxQueues,
      msixVectors: type.queues === null ? null : type.queues + 1,
    };
  if (type.vf82599)
    return {
      ...base,
      ...{ drivers: ['ixgbevf', 'vif'], attribute: 'sriovNetSupport', linkMbps: VF_LINK_MBPS },
      ...{ queuePairs: VF_QUEUES, maxQueuePairs: VF_QUEUES, msixVectors: VF_QUEUES + 1 },
    };
  return {
    ...base,
    ...{ drivers: ['vif'], attribute: null, linkMbps: linkMbpsOf(type) },
    ...{ queuePairs: null, maxQueuePairs: null, msixVectors: null },
  };
}

/** The first network card's peak. */
export function linkMbpsOf(type: InstanceType): number {
  return Math.round(cardGbps(type).peak * 1000);
}

function enaProfileOf(type: InstanceType): string | null {
  const nitro = nitroVersionOf(type);
  return type.ena === 'unsupported' || nitro === null ? null : `nitro-v${nitro.version}`;
}
