/**
 * Measures NICs in rounds: in each, every NIC is asked the same by the same means, one after the
 * other, so that what else happens on the machine hits all of them. What a round is made of is the
 * bench's matter (guest-bench.ts, reference-bench.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeasureError, median, percentile } from './parsers.ts';
import { METRICS, type Metric, type Nic, type NicResult } from './report.ts';

/** One way to send traffic from the first instance to the second. */
export interface Bench {
  readonly nic: Nic;
  readonly driver: string;
  readonly linkMbps: number | null;
  /** Bits and seconds that the receiver counted, and host CPU seconds spent meanwhile. */
  tcp(flows: number, seconds: number): Promise<{ gbit: number; seconds: number; cpu: number }>;
  /** Datagrams of 18 bytes (64-byte frames), as fast as they go: how many arrived. */
  udp(seconds: number): Promise<{ received: number; seconds: number }>;
  /** Round-trip times in microseconds. */
  rtt(count: number): Promise<number[]>;
}

/** What the run before has left in queues has gone after this long. */
const CALM_MS = 200;

export type Plan = { rounds: number; seconds: number; pings: number; mtu: number };

type Tally = {
  bench: Bench;
  samples: { [M in Metric]?: number[] };
  failures: { [M in Metric]?: string };
  rtts: number[];
};

/**
 * @param onRun told before each run: what is measured now, and which part of all runs is done
 * @throws what is no MeasureError or GuestError: being interrupted, a fault of ours
 */
export async function measureAll(
  benches: readonly Bench[],
  plan: Plan,
  options: {
    isFailure: (error: unknown) => boolean;
    onRun: (text: string, fraction: number) => void;
  },
): Promise<NicResult[]> {
  const tallies = benches.map((bench): Tally => ({ bench, samples: {}, failures: {}, rtts: [] }));
  const runs = plan.rounds * tallies.length * RUNS.length;
  let done = 0;
  for (let round = 1; round <= plan.rounds; round++)
    for (const tally of tallies)
      for (const run of RUNS) {
        const { nic } = tally.bench;
        options.onRun(`round ${round} of ${plan.rounds}: ${nic} ${run.title}`, done++ / runs);
        try {
          await run.run(tally, plan);
        } catch (error) {
          if (!(error instanceof MeasureError) && !options.isFailure(error)) throw error;
          for (const metric of run.metrics) tally.failures[metric] = (error as Error).message;
        }
      }
  return tallies.map((tally) => resultOf(tally, plan.mtu));
}

type Run = {
  title: string;
  metrics: readonly Metric[];
  run: (tally: Tally, plan: Plan) => Promise<void>;
};

/** The round-trip time first: after a flood a queue may still be draining. */
const RUNS: readonly Run[] = [
  {
    title: 'round-trip time',
    metrics: ['rtt_p50_us', 'rtt_p99_us'],
    run: async (tally, { pings }) => {
      await sleep(CALM_MS);
      const times = await tally.bench.rtt(pings);
      tally.rtts.push(...times);
      add(tally, 'rtt_p50_us', percentile(times, 50));
      add(tally, 'rtt_p99_us', percentile(times, 99));
    },
  },
  {
    title: 'TCP, 1 flow',
    metrics: ['tcp_gbps', 'host_cpu_s_per_gbit'],
    run: async (tally, { seconds }) => {
      const run = await tally.bench.tcp(1, seconds);
      add(tally, 'tcp_gbps', run.gbit / run.seconds);
      add(tally, 'host_cpu_s_per_gbit', run.cpu / run.gbit);
    },
  },
  {
    title: 'TCP, 4 flows',
    metrics: ['tcp4_gbps'],
    run: async (tally, { seconds }) => {
      const run = await tally.bench.tcp(4, seconds);
      add(tally, 'tcp4_gbps', run.gbit / run.seconds);
    },
  },
  {
    title: 'UDP, 64-byte frames',
    metrics: ['udp64_pps'],
    run: async (tally, { seconds }) => {
      const run = await tally.bench.udp(seconds);
      add(tally, 'udp64_pps', run.received / run.seconds);
    },
  },
];

function add(tally: Tally, metric: Metric, value: number): void {
  const samples = tally.samples[metric] ?? [];
  tally.samples[metric] = samples;
  samples.push(value);
}

/** Medians of the rounds; round-trip percentiles are of all answers together. */
function resultOf({ bench, samples, failures, rtts }: Tally, mtu: number): NicResult {
  const value = (metric: Metric): number | null => {
    const values = samples[metric];
    if (values === undefined || failures[metric] !== undefined) return null;
    if (metric === 'rtt_p50_us') return percentile(rtts, 50);
    if (metric === 'rtt_p99_us') return percentile(rtts, 99);
    return rounded(metric, median(values));
  };
  const numbers = Object.fromEntries(METRICS.map((metric) => [metric, value(metric)]));
  const kept = Object.entries(samples).map(([metric, values]) => [
    metric,
    values.map((sample) => rounded(metric as Metric, sample)),
  ]);
  return {
    nic: bench.nic,
    driver: bench.driver,
    link_mbps: bench.linkMbps,
    ...(numbers as Record<Metric, number | null>),
    mtu,
    samples: Object.fromEntries(kept),
    failures,
  };
}

/** Digits that mean something. */
function rounded(metric: Metric, value: number): number {
  return metric === 'udp64_pps' ? Math.round(value) : Math.round(value * 1000) / 1000;
}
