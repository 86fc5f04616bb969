/** A worker for tests: sends back what comes by its trunk, and sleeps whenever nothing does. */
import { workerData } from 'node:worker_threads';
import { Prng } from '../../lib/prng.ts';
import { Poller } from '../../sys/poller.ts';
import { type TrunkLines, WorkerTrunks } from './trunk-lines.ts';

export type EchoData = { readonly lines: TrunkLines; readonly frames: number };

/** Longer than a test may last: a wake-up that is lost is seen. */
const foreverMs = 60_000;

const { lines, frames } = workerData as EchoData;
const poller = new Poller();
const trunks = new WorkerTrunks(lines, poller);
const [trunk] = trunks.to.filter((one) => one !== null);
const random = new Prng(7);

for (let count = 0; trunk !== undefined && count < frames; ) {
  for (let most = 1 + random.below(60); most > 0 && trunk.next(); most--, count++)
    while (!trunk.push(trunk.kind, trunk.to, trunk.from, trunk.frame)) trunk.flush();
  trunk.release();
  trunk.flush();
  if (count < frames && trunks.sleep()) poller.wait(foreverMs);
  trunks.wake();
}
