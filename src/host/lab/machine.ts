/** The machine as the numbers depend on it, and whether it is quiet enough to measure on. */

import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

export type HostFacts = {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
};

export function hostFacts(): HostFacts {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() || 'unknown',
    cores: all.length,
    kernel: release(),
    node: process.versions.node,
  };
}

/** CPU time of this process with all its threads so far, in seconds. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** CPU time of the whole machine so far, in seconds: busy, and all there was. proc_stat(5). */
export function machineCpu(): { busy: number; total: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, n) => sum + n, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { busy: (total - idle) / 100, total: total / 100 };
}

export type Quiet = {
  /** Share of one core that the lab itself still uses. */
  readonly own: number;
  /** Share of all cores that others use. */
  readonly others: number;
};

const WINDOW_MS = 400;
const QUIET_SHARE = 0.3;

/**
 * Waits until what `cpuSeconds` counts is nearly idle (guests settle for a while after their
 * boot), `maxMs` at most. Resolves with the last look.
 */
export async function waitUntilQuiet(
  cpuSeconds: () => number,
  maxMs: number,
  signal: AbortSignal,
): Promise<Quiet> {
  const end = performance.now() + maxMs;
  for (;;) {
    const start = performance.now();
    const [own, machine] = [cpuSeconds(), machineCpu()];
    await sleep(WINDOW_MS, undefined, { signal });
    const spent = cpuSeconds() - own;
    const now = machineCpu();
    const seconds = (performance.now() - start) / 1000;
    const others = (now.busy - machine.busy - spent) / Math.max(0.01, now.total - machine.total);
    const quiet = { own: spent / seconds, others: Math.max(0, others) };
    if (quiet.own < QUIET_SHARE || performance.now() > end) return quiet;
  }
}
