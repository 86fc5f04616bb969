/** Reads what the measuring tools print in a guest: iperf3's JSON (3.9 and later), ping's lines. */

/** A tool ran, and its output says why there is no number, or is not what was expected. */
export class MeasureError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MeasureError';
  }
}

export type TcpResult = {
  /** What the receiver got. */
  readonly bytes: number;
  readonly seconds: number;
};

export type UdpResult = {
  /** Datagrams that arrived. */
  readonly received: number;
  readonly lost: number;
  readonly seconds: number;
};

type IperfSum = {
  readonly bytes?: number;
  readonly seconds?: number;
  readonly packets?: number;
  readonly lost_packets?: number;
};

/** The receiver's side of an `iperf3 -J` run over TCP. @throws MeasureError */
export function parseIperfTcp(output: string): TcpResult {
  const { bytes, seconds } = received(output);
  if (!bytes || !seconds) throw new MeasureError('iperf3 moved no data');
  return { bytes, seconds };
}

/** The receiver's side of an `iperf3 -u -J` run. @throws MeasureError */
export function parseIperfUdp(output: string): UdpResult {
  const { packets, lost_packets: lost = 0, seconds } = received(output);
  if (!packets || !seconds || packets <= lost) throw new MeasureError('no datagram arrived');
  return { received: packets - lost, lost, seconds };
}

function received(output: string): IperfSum {
  let parsed: { error?: string; end?: { sum_received?: IperfSum } };
  try {
    parsed = JSON.parse(output) as typeof parsed;
  } catch {
    throw new MeasureError(`iperf3 gave no JSON: ${firstLine(output)}`);
  }
  if (parsed.error !== undefined) throw new MeasureError(`iperf3: ${parsed.error}`);
  const sum = parsed.end?.sum_received;
  if (sum === undefined) throw new MeasureError('iperf3 reported nothing of the receiver');
  return sum;
}

/** The round-trip times of each answer that `ping` printed, in microseconds. @throws MeasureError */
export function parsePing(output: string): number[] {
  const times = [...output.matchAll(/ time[=<]([\d.]+) ms/g)].map(([, ms]) =>
    Math.round(Number(ms) * 1000),
  );
  if (times.length === 0) throw new MeasureError(`ping had no answer: ${firstLine(output)}`);
  return times;
}

/** The nearest-rank percentile: the smallest value that `percent` of all do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.ceil((percent / 100) * sorted.length);
  const value = sorted[Math.max(0, rank - 1)];
  if (value === undefined) throw new Error('a percentile of nothing');
  return value;
}

/** The middle value; of an even number of values the mean of both middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new Error('a median of nothing');
  return (low + high) / 2;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 200) || 'it printed nothing';
}
