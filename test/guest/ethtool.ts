/** What `ethtool` prints in a guest, as data. */
import type { Vm } from '../../src/host/guest/guest-vm.ts';

export type Rings = { readonly rx: number; readonly tx: number; readonly push: number };
export type Indirection = {
  /** The queue of each place in the table. */
  readonly table: readonly number[];
  /** As the driver wrote it; null: the card has none that can be read. */
  readonly key: Uint8Array | null;
  /** The hash function that is on, or null. */
  readonly function: string | null;
};

/** `-k`: names of the features that are on, and of those that can be changed. */
export async function features(
  vm: Vm,
  iface: string,
): Promise<{ on: Set<string>; changeable: Set<string> }> {
  const lines = (await vm.run(`ethtool -k ${iface}`)).split('\n');
  const found = lines.map((line) => /^\s*([\w-]+): (on|off)( \[fixed\])?/.exec(line));
  const names = (keep: (state: string, fixed: boolean) => boolean): Set<string> =>
    new Set(
      found.flatMap((match) =>
        match !== null && keep(match[2] ?? '', match[3] !== undefined) ? [match[1] ?? ''] : [],
      ),
    );
  return { on: names((state) => state === 'on'), changeable: names((_, fixed) => !fixed) };
}

/** `-S`: every statistic. */
export async function statistics(vm: Vm, iface: string): Promise<Record<string, number>> {
  const text = await vm.run(`ethtool -S ${iface}`);
  return Object.fromEntries(
    [...text.matchAll(/^\s*([\w.-]+): (\d+)$/gm)].map(([, name, value]) => [name, Number(value)]),
  );
}

/** `-S`: packets that each receive queue has had. */
export async function rxCounts(vm: Vm, iface: string): Promise<number[]> {
  const all = await statistics(vm, iface);
  const counts: number[] = [];
  for (let queue = 0; all[`queue_${queue}_rx_cnt`] !== undefined; queue++)
    counts.push(all[`queue_${queue}_rx_cnt`] as number);
  return counts;
}

/** `-g`: the largest rings, and those there are. `push`: bytes of header in a low-latency entry. */
export async function rings(vm: Vm, iface: string): Promise<{ max: Rings; now: Rings }> {
  const [max = '', now = ''] = (await vm.run(`ethtool -g ${iface}`)).split('Current hardware');
  const parse = (text: string): Rings => ({
    rx: numberAt(text, /^RX:\s+(\d+)/m),
    tx: numberAt(text, /^TX:\s+(\d+)/m),
    push: numberAt(text, /^TX push buff len:\s+(\d+)/m),
  });
  return { max: parse(max), now: parse(now) };
}

/** `-l`: queue pairs. */
export async function channels(vm: Vm, iface: string): Promise<{ max: number; now: number }> {
  const [max = '', now = ''] = (await vm.run(`ethtool -l ${iface}`)).split('Current hardware');
  const combined = /^Combined:\s+(\d+)/m;
  return { max: numberAt(max, combined), now: numberAt(now, combined) };
}

/** `-x` */
export async function indirection(vm: Vm, iface: string): Promise<Indirection> {
  // Its exit code is not 0 where the card has no key to show.
  const text = (await vm.exec(`ethtool -x ${iface}`)).stdout;
  const rows = [...text.matchAll(/^\s*\d+:((?:\s+\d+)+)$/gm)];
  const key = /^([0-9a-f]{2}(?::[0-9a-f]{2})+)$/m.exec(text)?.[1];
  return {
    table: rows.flatMap(([, row = '']) => row.trim().split(/\s+/).map(Number)),
    key: key === undefined ? null : Uint8Array.from(Buffer.from(key.replaceAll(':', ''), 'hex')),
    function: /^\s+(\w+): on$/m.exec(text)?.[1] ?? null,
  };
}

/** `-c`: microseconds of delay, and whether the driver adapts them. */
export async function coalescing(
  vm: Vm,
  iface: string,
): Promise<{ rx: number; tx: number; adaptive: boolean }> {
  const text = await vm.run(`ethtool -c ${iface}`);
  return {
    rx: numberAt(text, /^rx-usecs:\s+(\d+)/m),
    tx: numberAt(text, /^tx-usecs:\s+(\d+)/m),
    adaptive: /^Adaptive RX: on/m.test(text),
  };
}

/** Whether the stock driver's module has this text in it: what a driver can do, it names. */
export async function driverKnows(vm: Vm, text: string): Promise<boolean> {
  const { code } = await vm.exec(
    `grep -q "${text}" $(modinfo -n ena 2> /dev/null || ${FIND_DRIVER})`,
  );
  return code === 0;
}

const FIND_DRIVER = "find /lib/modules/ -name 'ena.ko'";

/** NaN where it is not there. */
function numberAt(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? Number.NaN);
}
