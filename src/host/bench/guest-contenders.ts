/** One NIC between two running guests as contenders: what iperf3 and ping make of it, and the CPU. */

import type { Vm } from '../guest/guest-vm.ts';
import { type GuestPair, guestBench } from '../lab/guest-bench.ts';
import { percentile } from '../lab/parsers.ts';
import type { FigureSpec, Unit } from './figures.ts';
import type { Contender } from './turns.ts';

/** iperf3 counts in whole seconds. */
const seconds = 1;
const pings = 300;
/** Of payload: with them frames have 64 and 1442 bytes. */
const payloads = [
  { id: 'udp64', title: 'UDP 64 B', bytes: 18 },
  { id: 'udp1400', title: 'UDP 1400 B', bytes: 1400 },
] as const;

type Names = readonly (readonly [id: string, title: string, unit: Unit])[];

/** By what is measured, so that NICs can take turns at each. */
export function guestContenders(pair: GuestPair, cpuSeconds: () => number): Contender[] {
  const bench = guestBench(pair, cpuSeconds);
  const contender = (names: Names, measure: () => Promise<readonly number[]>): Contender => ({
    figures: names.map(
      ([id, title, unit]): FigureSpec => ({
        ...{ id: `guest.${pair.nic}.${id}`, title: `${pair.nic}, ${title}`, unit },
      }),
    ),
    measure,
    close: async () => {},
  });
  const tcp = (id: string, title: string, flows: number, isReverse: boolean): Contender =>
    contender([[id, title, 'Gbit/s']], async () => {
      const run = await bench.tcp(flows, seconds, isReverse);
      return [run.gbit / run.seconds];
    });
  const guests = [pair.from, pair.to];
  return [
    contender(
      [
        ['rtt.p50', 'RTT p50', 'us'],
        ['rtt.p99', 'RTT p99', 'us'],
        ['rtt.p999', 'RTT p99.9', 'us'],
      ],
      async () => {
        const times = await bench.rtt(pings);
        return [50, 99, 99.9].map((percent) => percentile(times, percent));
      },
    ),
    contender(
      [
        ['tcp1.ab', 'TCP, 1 flow, a > b', 'Gbit/s'],
        ['cpu', 'host CPU', 's/Gbit'],
        ['cpu.guest', 'CPU that the guests see', 's/Gbit'],
      ],
      async () => {
        const before = await busyIn(guests);
        const run = await bench.tcp(1, seconds);
        const busy = (await busyIn(guests)) - before;
        return [run.gbit / run.seconds, run.cpu / run.gbit, busy / run.gbit];
      },
    ),
    tcp('tcp1.ba', 'TCP, 1 flow, b > a', 1, true),
    tcp('tcp8.ab', 'TCP, 8 flows, a > b', 8, false),
    tcp('tcp8.ba', 'TCP, 8 flows, b > a', 8, true),
    ...payloads.map(({ id, title, bytes }) =>
      contender([[id, title, 'kpps']], async () => {
        const run = await bench.udp(seconds, bytes);
        return [run.received / run.seconds / 1e3];
      }),
    ),
  ];
}

/** Seconds that the CPUs of guests were busy so far, as they see it (proc(5)). */
async function busyIn(guests: readonly Vm[]): Promise<number> {
  const all = await Promise.all(guests.map((vm) => vm.run('head -n 1 /proc/stat')));
  return all.reduce((sum, line) => {
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return sum + (user + nice + system + irq + softirq) / 100;
  }, 0);
}
