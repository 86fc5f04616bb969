import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rxCdesc, txCdesc } from '../../defs/ena-io.ts';
import { GuestMemory } from '../../pci/guest-memory.ts';
import { CompletionQueue } from './completion-queue.ts';
import type { Vectors } from './vectors.ts';

const depth = 64;

function queue(entryBytes: number) {
  const words = new Int32Array((depth * entryBytes) / 4);
  const memory = GuestMemory.over(new Uint8Array(words.buffer), 0x1000);
  const signals: boolean[] = [];
  const vectors = {
    signal: (_: number, isRx: boolean) => signals.push(isRx),
  } as unknown as Vectors;
  const shape = { index: 0, iova: 0x1000, depth, entryBytes, vector: 1, interrupts: true };
  const cq = new CompletionQueue(shape, memory, vectors);
  assert.ok(cq.ring.attach());
  return { cq, words, signals };
}

/** How many entries a driver sees that waits for each one's phase bit, in their order. */
function visible(words: Int32Array, entryWords: number, phase: number): number {
  const isThere = (i: number): boolean =>
    (((words[i * entryWords] as number) >>> txCdesc.fields.phase.lsb) & 1) === phase;
  let count = 0;
  while (count < depth && isThere(count)) count++;
  return count;
}

test('entries are seen in groups while the burst lasts, and all of them when it ends', () => {
  const { cq, words, signals } = queue(txCdesc.sizeBytes);
  const seen: number[] = [];
  for (let i = 0; i < 40; i++) {
    cq.pushTx(i, 3, i + 1, null);
    seen.push(visible(words, 2, 1));
  }
  assert.deepEqual([seen[30], seen[31], seen[39]], [0, 32, 32]);
  assert.deepEqual(signals, []);
  cq.flush();
  assert.equal(visible(words, 2, 1), 40);
  assert.deepEqual(signals, [false]);
  cq.flush();
  assert.deepEqual(signals, [false]);
});

test('the phase turns with the ring, and nothing is lost where it does', () => {
  const { cq, words } = queue(txCdesc.sizeBytes);
  for (let i = 0; i < depth + 5; i++) cq.pushTx(i, 3, 0x1_2345 + i, null);
  cq.flush();
  assert.equal(visible(words, 2, 0), 5);
  const entry = txCdesc.create();
  for (let i = 0; i < depth; i++) {
    entry.load(words, i * 2);
    const n = i < 5 ? depth + i : i;
    assert.deepEqual(
      [entry.req_id, entry.status, entry.sub_qid, entry.sq_head_idx, entry.phase],
      [n, 0, 3, (0x2345 + n) & 0xffff, i < 5 ? 0 : 1],
    );
  }
});

test('a receive entry holds what it is told, without room for a time stamp', () => {
  const { cq, words, signals } = queue(rxCdesc.sizeBytes);
  cq.pushRx(1 << rxCdesc.fields.last.lsb, 0xffff, 0xabcd, -2, 7, null);
  cq.flush();
  const entry = rxCdesc.create();
  entry.load(words, 0);
  assert.deepEqual(
    [entry.last, entry.length, entry.req_id, entry.hash, entry.sub_qid, entry.phase],
    [1, 0xffff, 0xabcd, 0xffff_fffe, 7, 1],
  );
  assert.deepEqual(signals, [true]);
});
