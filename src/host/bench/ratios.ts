/** Which figures are compared: each with a peer, or with what the machine can do at best. */
import { type Figure, type Ratio, ratioOf } from './figures.ts';

export type Kind = 'peer' | 'limit';

export type NamedRatio = Ratio & { readonly title: string; readonly kind: Kind };

type Pair = readonly [of: string, to: string, title: string, kind: Kind];

const ovs = [
  ['plain', 'one rule by port'],
  ['acl', 'L3/L4 rules'],
  ['ct', 'connection tracking'],
] as const;
const dpdk = [
  ['memif', 'memif'],
  ['null', 'net_null, copying'],
] as const;

const guestFigures = [
  ['tcp1.ab', 'TCP, 1 flow, a > b'],
  ['tcp1.ba', 'TCP, 1 flow, b > a'],
  ['tcp8.ab', 'TCP, 8 flows, a > b'],
  ['tcp8.ba', 'TCP, 8 flows, b > a'],
  ['udp64', 'UDP 64 B'],
  ['udp1400', 'UDP 1400 B'],
  ['rtt.p50', 'RTT p50'],
  ['rtt.p99', 'RTT p99'],
  ['rtt.p999', 'RTT p99.9'],
  ['cpu', 'host CPU per Gbit'],
  ['cpu.guest', 'guest CPU per Gbit'],
] as const;

const guestPeers = ['virtio', 'virtio-dgram', 'e1000e', 'igb', '82599vf'] as const;
const oneThread = 'one thread';

const pairs: readonly Pair[] = [
  ...[64, 1500, 9001].flatMap((bytes): Pair[] => [
    [`path.bridge.${bytes}`, `limit.copy.${bytes}`, `Ethernet, ${bytes} B, to memcpy`, 'limit'],
    [`path.vpc.${bytes}`, `limit.copy.${bytes}`, `VPC, ${bytes} B, to memcpy`, 'limit'],
    [`path.vpc.${bytes}`, `path.bridge.${bytes}`, `VPC to Ethernet, ${bytes} B`, 'peer'],
    [
      ...([`bridge.${bytes}`, `copy.${bytes}`] as const),
      ...([`${oneThread}: Ethernet, ${bytes} B, to a copy in TypeScript`, 'peer'] as const),
    ],
    [
      ...([`vpc.${bytes}`, `bridge.${bytes}`] as const),
      ...([`${oneThread}: VPC to Ethernet, ${bytes} B`, 'peer'] as const),
    ],
  ]),
  ...[64, 1500].map(
    (bytes): Pair => [
      ...([`vpc.${bytes}`, `yardstick.${bytes}.256`] as const),
      ...([`${oneThread}: VPC, ${bytes} B, to the same loop in C`, 'peer'] as const),
    ],
  ),
  ...['tso', 'tso.jumbo', 'tso.whole'].map(
    (id): Pair => [
      ...([`path.${id}`, 'limit.copy.65054', `${id}: 64 KiB to memcpy`, 'limit'] as const),
    ],
  ),
  ...[256, 1000, 100_000, 1_000_000].map(
    (count): Pair => [
      ...([`path.flows.${count}`, 'path.flows.1', `${count} flows to one`, 'peer'] as const),
    ],
  ),
  ...[100_000, 1_000_000].map(
    (count): Pair => [
      ...([`flows.${count}`, `yardstick.64.${count}`] as const),
      ...([`${oneThread}: ${count} flows to the same loop in C`, 'peer'] as const),
    ],
  ),
  ...[8, 64].map(
    (count): Pair => [
      ...([`path.functions.${count}`, 'path.functions.2'] as const),
      ...([`${count} functions to two`, 'peer'] as const),
    ],
  ),
  ...[64, 1500].flatMap((bytes): Pair[] => [
    [
      ...([`82599vf.${bytes}`, `bridge.${bytes}`] as const),
      ...([`${oneThread}: 82599 VF to ENA, ${bytes} B`, 'peer'] as const),
    ],
    [
      ...([`llq.${bytes}`, `bridge.${bytes}`] as const),
      ...([`${oneThread}: ENA with LLQ to ENA without, ${bytes} B`, 'peer'] as const),
    ],
  ]),
  ...[64, 1500].flatMap((bytes): Pair[] => [
    ...ovs.map(
      ([rules, title]): Pair => [
        ...([`ovs.path.vpc.${bytes}`, `ovs.${rules}.${bytes}`] as const),
        ...([`VPC, ${bytes} B, to OVS, ${title}`, 'peer'] as const),
      ],
    ),
    ...ovs.map(
      ([rules, title]): Pair => [
        ...([`ovs.own.vpc.${bytes}`, `ovs.${rules}.${bytes}`] as const),
        ...([`${oneThread}: VPC, ${bytes} B, to OVS, ${title}`, 'peer'] as const),
      ],
    ),
    ...ovs.map(
      ([rules, title]): Pair => [
        ...([`ovs.own.switch.${bytes}`, `ovs.${rules}.${bytes}`] as const),
        ...([`VPC's switch alone, ${bytes} B, to OVS, ${title}`, 'peer'] as const),
      ],
    ),
    ...dpdk.map(
      ([kind, title]): Pair => [
        ...([`dpdk.path.bridge.${bytes}`, `dpdk.${kind}.${bytes}`] as const),
        ...([`Ethernet, ${bytes} B, to ${title}`, 'peer'] as const),
      ],
    ),
    [`linux.path.vpc.${bytes}`, `linux.udp.${bytes}`, `VPC, ${bytes} B, to Linux`, 'peer'],
  ]),
  ...['', '.1500'].flatMap((suffix): Pair[] =>
    (
      [
        ['workers.2', 'half across'],
        ['workers.2.within', 'each its own'],
        ['workers.2.across', 'all across'],
      ] as const
    ).map(
      ([id, title]): Pair => [
        ...([`${id}${suffix}`, `workers.1${suffix}`] as const),
        ...([`two workers to one, ${title}, ${suffix === '' ? 64 : 1500} B`, 'peer'] as const),
      ],
    ),
  ),
  ...['', '.1500'].map(
    (suffix): Pair => [
      ...([`workers.2${suffix}`, `limit.workers.2${suffix}`] as const),
      `two workers, half across, to two processes, ${suffix === '' ? 64 : 1500} B`,
      'limit',
    ],
  ),
  ...guestFigures.flatMap(([metric, title]) =>
    guestPeers.map(
      (nic): Pair => [
        ...([`guest.ena.${metric}`, `guest.${nic}.${metric}`] as const),
        ...([`in guests, ${title}: ENA to ${nic}`, 'peer'] as const),
      ],
    ),
  ),
  ...guestFigures.flatMap(([metric, title]) =>
    [...guestPeers, 'ena'].map(
      (nic): Pair => [
        ...([`guest.ena-whole.${metric}`, `guest.${nic}.${metric}`] as const),
        ...([`in guests, ${title}: ENA, frames whole, to ${nic}`, 'peer'] as const),
      ],
    ),
  ),
  ...[64, 1500].flatMap((bytes): Pair[] => [
    ...(
      [
        ['vpc', "a VPC's gates"],
        ['made', 'sums made'],
        ['verified', 'sums verified'],
      ] as const
    ).map(
      ([what, title]): Pair => [
        ...([`switch.${what}.${bytes}`, `switch.bridge.${bytes}`] as const),
        ...([`switch alone, ${bytes} B, ${title}, to Ethernet`, 'peer'] as const),
      ],
    ),
  ]),
  ['guest.ena.rtt.p50', 'guest.limit.socket', 'in guests, RTT p50: ENA to a socket', 'limit'],
  ['guest.ena.tcp1.ab', 'guest.limit.copy', 'in guests, TCP, 1 flow: ENA to memcpy', 'limit'],
  ['path.latency.p50', 'latency.line', 'half load, p50, to a cache line', 'limit'],
  ['path.latency.p50', 'path.latency.served.p50', 'half load, p50, to numbers as slow', 'limit'],
  ['path.latency.p99', 'path.latency.served.p99', 'half load, p99, to numbers as slow', 'limit'],
  ['path.latency.p99', 'path.latency.bare.p99', 'half load, p99, to the machine alone', 'limit'],
  [
    'path.latency.p999',
    'path.latency.bare.p999',
    'half load, p99.9, to the machine alone',
    'limit',
  ],
  ['node.line', 'limit.line', 'cache line by Node to one by C', 'limit'],
];

/** Those whose figures this run has. */
export function ratiosOf(figures: ReadonlyMap<string, Figure>): NamedRatio[] {
  return pairs.flatMap(([of, to, title, kind]) => {
    const ratio = ratioOf(figures.get(of), figures.get(to));
    return ratio === null ? [] : [{ ...ratio, title, kind }];
  });
}
