/** A cache line to another thread and back, by Node: what two data-plane threads could tell each other. */
import { Worker } from 'node:worker_threads';
import type { Contender } from './turns.ts';

/** Three words, far from each other: how many went there, how many came back, whether it is wanted. */
const far = 1024;
const there = 0;
const back = far;
const wanted = 2 * far;

const peer = `
const { workerData } = require('node:worker_threads');
const words = new Int32Array(workerData);
for (;;) {
  Atomics.wait(words, ${wanted}, 0);
  let seen = Atomics.load(words, ${back});
  while (Atomics.load(words, ${wanted}) === 1) {
    const next = Atomics.load(words, ${there});
    if (next !== seen) Atomics.store(words, ${back}, (seen = next));
  }
}`;

export async function spinContender(): Promise<Contender> {
  const shared = new SharedArrayBuffer(4 * 3 * far);
  const words = new Int32Array(shared);
  const worker = new Worker(peer, { eval: true, workerData: shared });
  await new Promise<void>((resolve, reject) => {
    worker.once('online', resolve);
    worker.once('error', reject);
  });
  return {
    figures: [
      { id: 'node.line', title: 'cache line to another thread and back, by Node', unit: 'ns' },
    ],
    measure: async (ms) => [trips(words, ms)],
    close: async () => void (await worker.terminate()),
  };
}

function trips(words: Int32Array, ms: number): number {
  Atomics.store(words, wanted, 1);
  Atomics.notify(words, wanted);
  const start = performance.now();
  let count = 0;
  let now = start;
  do {
    for (let i = 0; i < 64; i++, count++) {
      const next = Atomics.add(words, there, 1) + 1;
      while (Atomics.load(words, back) !== next);
    }
    now = performance.now();
  } while (now - start < ms);
  Atomics.store(words, wanted, 0);
  return ((now - start) * 1e6) / count;
}
