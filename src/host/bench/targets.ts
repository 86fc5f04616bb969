/** What the project wants to reach, as ratios in one run; and whether this run has reached it. */
import { type Figure, type Ratio, ratioOf, spreadOf } from './figures.ts';

export type Target = {
  /** In the history, for good. */
  readonly id: string;
  readonly goal: string;
  readonly peer: string;
  readonly must: number;
  /** Or what else has to be so, in words: `reachesAim` knows. */
  readonly aim: number | string;
  /** Whether it is reached by being as large, or as small. */
  readonly by: 'more' | 'less';
  readonly measure: (figures: Figures) => Measured;
  /** The same of somebody else, which is told beside it and does not count. */
  readonly beside?: { readonly who: string; readonly measure: (figures: Figures) => Measured };
  readonly reachesAim?: (figures: Figures) => boolean;
};

/** The ratio, or why there is none. */
export type Measured = { readonly ratio: Ratio } | { readonly why: string };

export type Verdict = 'aim' | 'must' | 'missed' | 'not measured';

export type TargetResult = Omit<Target, 'measure' | 'beside' | 'reachesAim'> & {
  readonly ratio: Ratio | null;
  readonly beside: { readonly who: string; readonly ratio: Ratio } | null;
  readonly verdict: Verdict;
  /** Why it was not measured. */
  readonly why: string | null;
};

/** By id. */
export type Figures = ReadonlyMap<string, Figure>;

const pick =
  (of: string, to: string) =>
  (figures: Figures): Measured => {
    const ratio = ratioOf(figures.get(of), figures.get(to));
    if (ratio !== null) return { ratio };
    const missing = [of, to].find((id) => !figures.has(id));
    return {
      why: missing === undefined ? 'they did not take turns' : `${missing} was not measured`,
    };
  };

/** How much longer the slowest one in a hundred takes than every other. */
const tailOf =
  (id: string) =>
  (figures: Figures): Measured => {
    const ratio = ratioOf(figures.get(`${id}.p50`), figures.get(`${id}.p99`));
    return ratio === null ? { why: 'latency was not measured' } : { ratio };
  };

/** What gates, tracking and shaping add to bare forwarding, beside what they add to Open vSwitch. */
function increment(figures: Figures): Measured {
  const ids = ['ovs.path.vpc.64', 'ovs.path.bridge.64', 'ovs.ct.64', 'ovs.acl.64'] as const;
  const found = ids.map((id) => figures.get(id));
  const missing = ids.find((id) => !figures.has(id));
  if (missing !== undefined) return { why: `${missing} was not measured` };
  const [own, ownBare, peer, peerBare] = found.map(
    (figure) => figure?.samples.map((value) => 1e3 / value) ?? [],
  ) as [number[], number[], number[], number[]];
  const each = own.map((ns, i) => {
    const added = ns - (ownBare[i] as number);
    return added / ((peer[i] as number) - (peerBare[i] as number));
  });
  return { ratio: { of: ids[0], to: ids[2], ...spreadOf(each) } };
}

const guest = (metric: string, peer: string, own = 'ena') =>
  pick(`guest.${own}.${metric}`, `guest.${peer}.${metric}`);

/** QEMU has two sockets for its virtio-net: the one that is better at it counts. */
const virtio =
  (metric: string, own = 'ena') =>
  (figures: Figures): Measured => {
    const [stream, datagrams] = ['virtio', 'virtio-dgram'].map((peer) =>
      guest(metric, peer, own)(figures),
    );
    if (stream === undefined || datagrams === undefined || 'why' in datagrams)
      return stream ?? { why: 'unreachable: there are two' };
    return 'why' in stream || datagrams.ratio.median < stream.ratio.median ? datagrams : stream;
  };

export const targets: readonly Target[] = [
  ...(['tcp1.ab', 'tcp1.ba'] as const).flatMap((metric, i): Target[] => {
    const way = i === 0 ? 'a > b' : 'b > a';
    const goal = `in guests: TCP, one flow, ${way}, frames whole (large-receive)`;
    const who = 'default profile';
    return [
      {
        ...{ id: `${metric}.whole/virtio`, goal, peer: 'virtio-net', must: 2, aim: 4, by: 'more' },
        measure: virtio(metric, 'ena-whole'),
        beside: { who, measure: virtio(metric) },
      },
      {
        ...{ id: `${metric}.whole/e1000e`, goal, peer: 'e1000e', must: 3, aim: 8, by: 'more' },
        measure: guest(metric, 'e1000e', 'ena-whole'),
        beside: { who, measure: guest(metric, 'e1000e') },
      },
    ];
  }),
  {
    id: 'udp64/virtio',
    ...{ goal: 'in guests: UDP 64 B', peer: 'virtio-net', must: 1, aim: 2, by: 'more' },
    measure: virtio('udp64'),
  },
  {
    id: 'rtt/virtio',
    ...{ goal: 'in guests: RTT p50', peer: 'virtio-net', must: 1, aim: 2, by: 'more' },
    measure: virtio('rtt.p50'),
  },
  {
    id: 'cpu/virtio',
    ...{ goal: 'in guests: host CPU per Gbit', peer: 'virtio-net', must: 1, aim: 2, by: 'more' },
    measure: virtio('cpu'),
  },
  {
    id: 'path64/ovs-ct',
    ...{ goal: '64 B, gates, tracking, shaping, 256 flows', peer: 'OVS-DPDK, connection tracking' },
    ...{ must: 3, aim: 6, by: 'more', measure: pick('ovs.path.vpc.64', 'ovs.ct.64') },
  },
  {
    id: 'path1500/ovs-ct',
    ...{ goal: 'the same, 1500 B', peer: 'OVS-DPDK, connection tracking' },
    ...{ must: 1.2, aim: 2, by: 'more', measure: pick('ovs.path.vpc.1500', 'ovs.ct.1500') },
  },
  {
    id: 'path64/ovs-acl',
    ...{ goal: 'the same, 64 B', peer: 'OVS-DPDK, L3/L4 rules', must: 0.7, aim: 1.5, by: 'more' },
    measure: pick('ovs.path.vpc.64', 'ovs.acl.64'),
  },
  {
    id: 'path9001/memcpy',
    ...{ goal: '9001 B copy path', peer: 'memcpy, one core', must: 0.6, aim: 0.8, by: 'more' },
    measure: pick('path.bridge.9001', 'limit.copy.9001'),
  },
  {
    id: 'path.gates/ovs',
    ...{ goal: 'gates, tracking, shaping on forwarding', peer: "OVS's own increment" },
    ...{ must: 0.2, aim: 0.1, by: 'less', measure: increment },
  },
  {
    id: 'path.flows/1',
    ...{ goal: '100,000 flows', peer: 'our 1 flow', must: 0.5, aim: 0.8, by: 'more' },
    measure: pick('path.flows.100000', 'path.flows.1'),
  },
  {
    id: 'workers/1',
    ...{ goal: 'two workers', peer: 'our one worker', must: 1.5, aim: 1.8, by: 'more' },
    measure: pick('workers.2', 'workers.1'),
    beside: { who: 'two processes', measure: pick('limit.workers.2', 'workers.1') },
  },
  {
    id: 'path.p99/p50',
    ...{ goal: 'p99 at half load', peer: 'our p50', must: 3, aim: 'no collection', by: 'less' },
    measure: tailOf('path.latency'),
    beside: { who: 'numbers as slow', measure: tailOf('path.latency.served') },
    reachesAim: (figures) => figures.get('path.latency.collections')?.max === 0,
  },
];

export const judge = (figures: Figures): TargetResult[] =>
  targets.map(({ measure, beside: other, reachesAim, ...target }) => {
    const measured = measure(figures);
    if ('why' in measured)
      return {
        ...{ ...target, ratio: null, beside: null, verdict: 'not measured', why: measured.why },
      };
    const { ratio } = measured;
    const verdict = verdictOn(target, ratio.median, reachesAim?.(figures));
    const theirs = other?.measure(figures);
    const beside =
      other === undefined || theirs === undefined || 'why' in theirs
        ? null
        : { who: other.who, ratio: theirs.ratio };
    return { ...target, ratio, beside, verdict, why: null };
  });

/** @param isAimReached where the aim is no number */
export function verdictOn(
  { must, aim, by }: Pick<Target, 'must' | 'aim' | 'by'>,
  value: number,
  isAimReached = false,
): Verdict {
  const reaches = (bound: number): boolean => (by === 'more' ? value >= bound : value <= bound);
  if (!reaches(must)) return 'missed';
  return (typeof aim === 'number' ? reaches(aim) : isAimReached) ? 'aim' : 'must';
}
