/** When a sender hears that its packets are gone, by every policy; and time stamps in completions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COMPLETION_POLICY,
  createSqCmd,
  OPCODE,
  PLACEMENT,
  SQ_DIRECTION,
  STATUS,
} from '../../src/defs/ena-admin.ts';
import { txDesc } from '../../src/defs/ena-io.ts';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

const lo = (address: number): number => address % 2 ** 32;
const hi = (address: number): number => Math.floor(address / 2 ** 32);

/** Makes the driver's transmit queue anew with another policy; the status of the command. */
function remake(a: SimGuest, policy: number, headAddress: number): number | undefined {
  const [queue] = a.driver.tx;
  assert.ok(queue);
  a.driver.commands.destroySq(queue.sqIndex, SQ_DIRECTION.TX);
  queue.clear();
  queue.ring.place(a.arena.words, a.arena.offset(queue.sqAddress) >>> 2);
  const cmd = Object.assign(createSqCmd.create(), {
    opcode: OPCODE.CREATE_SQ,
    sq_direction: SQ_DIRECTION.TX,
    placement_policy: PLACEMENT.HOST,
    completion_policy: policy,
    is_physically_contiguous: 1,
    cq_idx: queue.cqIndex,
    sq_depth: queue.spec.depth,
    sq_ba_lo: lo(queue.sqAddress),
    sq_ba_hi: hi(queue.sqAddress),
    sq_head_writeback_lo: lo(headAddress),
    sq_head_writeback_hi: hi(headAddress),
  });
  return a.driver.admin.execute(cmd)?.status;
}

/** Sends a frame of one descriptor that wants a completion, or not. */
function send(a: SimGuest, b: SimGuest, id: number, wanted: boolean): void {
  const [queue] = a.driver.tx;
  assert.ok(queue);
  const address = a.arena.alloc(2048);
  a.arena.bytes.set(plainFrame(a.mac, b.mac, 60, id), a.arena.offset(address));
  const desc = Object.assign(txDesc.create(), {
    ...{ length: 60, phase: queue.ring.phase, first: 1, last: 1, comp_req: wanted ? 1 : 0 },
    ...{ req_id_lo: id, buff_addr_lo: lo(address), addr_hi: hi(address) },
  });
  const words = new Int32Array(4);
  desc.store(words, 0);
  queue.put(words, true);
  queue.kick();
}

for (const [name, policy] of Object.entries(COMPLETION_POLICY))
  test(`policy ${name}: what is sent, wanted or not, is told as the policy says`, () => {
    const [, a, b] = pair({ driver: { txDepth: 32, rxDepth: 64 } });
    const headAddress = a.arena.alloc(64);
    assert.equal(remake(a, policy, headAddress), STATUS.SUCCESS);
    const [queue] = a.driver.tx;
    assert.ok(queue);
    const cqAt = a.arena.offset(queue.cqAddress) >>> 2;
    /** Request ids of the completions that there are in the first turn of the ring. */
    const completed = (): number[] => {
      const ids: number[] = [];
      for (let at = cqAt; ((a.arena.words[at] as number) >>> 24) & 1; at += 2)
        ids.push((a.arena.words[at] as number) & 0xffff);
      return ids;
    };
    const head = (): number => a.arena.words[a.arena.offset(headAddress) >>> 2] as number;
    const wanted = [true, false, false, true, false];
    const seen = wanted.map((isWanted, id) => {
      send(a, b, id, isWanted);
      return [completed(), head()];
    });
    const told = wanted.flatMap((isWanted, id) => (isWanted ? [id] : []));
    const upTo = (ids: readonly number[], last: number): number[] => ids.filter((id) => id <= last);
    const ids = [0, 1, 2, 3, 4];
    const expected: Record<string, (id: number) => [number[], number]> = {
      DESC: (id) => [upTo(ids, id), 0],
      DESC_ON_DEMAND: (id) => [upTo(told, id), 0],
      HEAD_ON_DEMAND: (id) => [[], (upTo(told, id).at(-1) ?? -1) + 1],
      HEAD: (id) => [[], id + 1],
    };
    assert.deepEqual(
      seen,
      ids.map((id) => expected[name]?.(id)),
    );
    assert.equal(b.receive().length, 5);
    assert.deepEqual(a.refusals, []);
  });

test('no head is written outside of memory, and none for a receive queue', () => {
  const [, a] = pair();
  assert.equal(remake(a, COMPLETION_POLICY.HEAD, 0x40), STATUS.ILLEGAL_PARAMETER);
  assert.match(a.refusals.at(-1) ?? '', /^ena\/sq-memory/);
  assert.equal(remakeFails(a, COMPLETION_POLICY.HEAD), STATUS.ILLEGAL_PARAMETER);
  assert.match(a.refusals.at(-1) ?? '', /^ena\/sq-completion-policy/);
});

/** A receive queue with a policy that only transmit queues have. */
function remakeFails(a: SimGuest, policy: number): number | undefined {
  const [queue] = a.driver.rx;
  assert.ok(queue);
  a.driver.commands.destroySq(queue.sqIndex, SQ_DIRECTION.RX);
  const cmd = Object.assign(createSqCmd.create(), {
    opcode: OPCODE.CREATE_SQ,
    sq_direction: SQ_DIRECTION.RX,
    placement_policy: PLACEMENT.HOST,
    completion_policy: policy,
    is_physically_contiguous: 1,
    cq_idx: queue.cqIndex,
    sq_depth: queue.spec.depth,
    sq_ba_lo: lo(queue.sqAddress),
    sq_ba_hi: hi(queue.sqAddress),
  });
  return a.driver.admin.execute(cmd)?.status;
}

test('packets are stamped when they leave and when they arrive, in entries of 4 and 8 words', () => {
  const driver = { timeStamps: true, txDepth: 32, rxDepth: 32 };
  const [lab, a, b] = pair({ driver });
  assert.deepEqual([a.driver.tx[0]?.cdescWords, b.driver.rx[0]?.cdescWords], [4, 8]);
  const stampOf = (queue: { stampLo: number; stampHi: number } | undefined): number =>
    (queue?.stampHi ?? -1) * 2 ** 32 + ((queue?.stampLo ?? -1) >>> 0);
  for (let i = 0; i < 100; i++) {
    lab.clock.advance(i * 7919 + nsPerSecond / 8);
    const now = Math.floor(lab.clock.now());
    const frame = plainFrame(a.mac, b.mac, 60 + i, i);
    assert.ok(a.send(frame));
    assert.ok(b.driver.rx[0]?.next());
    assert.equal(stampOf(b.driver.rx[0]), now);
    assert.equal(a.driver.tx[0]?.reap(), 1);
    assert.equal(stampOf(a.driver.tx[0]), now);
    b.driver.rx[0]?.replenish();
  }
  // Turned off the words are zero.
  a.driver.commands.setTimeStamps(false, false);
  b.driver.commands.setTimeStamps(false, false);
  assert.ok(a.send(plainFrame(a.mac, b.mac, 60, 1)));
  assert.ok(b.driver.rx[0]?.next());
  a.driver.tx[0]?.reap();
  assert.deepEqual([stampOf(a.driver.tx[0]), stampOf(b.driver.rx[0])], [0, 0]);
  assert.deepEqual([...a.refusals, ...b.refusals], []);
});

test('small entries are left as they are when packets are stamped', () => {
  const [, a, b] = pair({ driver: { txDepth: 32, rxDepth: 32 } });
  for (const { driver } of [a, b]) driver.commands.setTimeStamps(true, true);
  for (let i = 0; i < 100; i++) {
    const frame = plainFrame(a.mac, b.mac, 60 + i, i);
    assert.ok(a.send(frame));
    assert.deepEqual(b.receive(), [frame]);
    a.driver.poll();
  }
  assert.equal(a.driver.fault ?? b.driver.fault, null);
});

for (const entryWords of [2, 4, 8])
  test(`completions of packets sent have ${entryWords} words, and wrap around`, () => {
    const [, a, b] = pair({ driver: { txDepth: 32, rxDepth: 64 } });
    const [queue] = a.driver.tx;
    assert.ok(queue);
    a.driver.commands.setTimeStamps(true, false);
    a.driver.commands.destroySq(queue.sqIndex, SQ_DIRECTION.TX);
    a.driver.commands.destroyCq(queue.cqIndex);
    const address = a.arena.alloc(32 * entryWords * 4);
    queue.clear();
    queue.ring.place(a.arena.words, a.arena.offset(queue.sqAddress) >>> 2);
    const cq = { address, depth: 32, entryWords, vector: 1, interrupts: false };
    const { cq_idx: cqIndex } = a.driver.commands.createCq(cq);
    const { sqAddress } = queue;
    const sq = { direction: SQ_DIRECTION.TX, cqIndex, address: sqAddress, depth: 32 };
    queue.doorbellOffset = a.driver.commands.createSq(sq).sq_doorbell_offset;
    for (let i = 0; i < 100; i++) {
      send(a, b, i, true);
      const at = (a.arena.offset(address) >>> 2) + (i & 31) * entryWords;
      const entry = [...a.arena.words.subarray(at, at + entryWords)];
      const [first = 0, second = 0, ...rest] = entry;
      const phase = (i >>> 5) & 1 ? 0 : 1;
      assert.deepEqual([first & 0xffff, (first >>> 24) & 1], [i, phase]);
      assert.equal(second >>> 16, i + 1, 'how far the ring was read');
      assert.deepEqual(rest.slice(2), entryWords === 8 ? [0, 0, 0, 0] : []);
      a.arena.release(a.arena.mark() - 2048);
      b.receive();
    }
    assert.deepEqual(a.refusals, []);
  });
