/** How the kernel has treated the calling thread so far: proc(5), schedstat. */
import { readFileSync } from 'node:fs';

export type ThreadTimes = {
  readonly cpuNs: number;
  /** It wanted to run, and others had the core. */
  readonly waitedNs: number;
};

export function threadTimes(): ThreadTimes {
  process.cpuUsage(); // for which the kernel brings the times up to date
  const line = readFileSync('/proc/thread-self/schedstat', 'utf8');
  const [cpuNs = 0, waitedNs = 0] = line.split(' ').map(Number);
  return { cpuNs, waitedNs };
}
