import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AENQ_GROUP,
  aqCommand,
  createCqCmd,
  createSqCmd,
  destroyCqCmd,
  destroySqCmd,
  featureCmd,
  getStatsCmd,
  OPCODE,
  PLACEMENT,
  SQ_DIRECTION,
  STATUS,
  setAenq,
} from '../../src/defs/ena-admin.ts';
import { rxDesc, txDesc } from '../../src/defs/ena-io.ts';
import { DEV_STS } from '../../src/defs/ena-regs.ts';
import type { AdminCommand } from '../../src/drivers/ena/admin-queue.ts';
import type { Fields, Layout, Record32 } from '../../src/lib/layout.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

/** The rules that `guest` has broken since the last call. */
function broken(guest: SimGuest): string[] {
  const ids = guest.refusals.map((line) => line.split(':')[0] as string);
  guest.refusals.length = 0;
  return ids;
}

function record<F extends Fields>(format: Layout<F>, values: Partial<Record<keyof F, number>>) {
  return Object.assign(format.create(), values) as Record32<F>;
}

const ringBytes = 16_384;

/** Commands that are refused without any harm: [what, rule, status, command]. */
const refused: [string, string, number, (g: SimGuest) => AdminCommand][] = [
  [
    'an opcode that does not exist',
    'unknown-opcode',
    STATUS.BAD_OPCODE,
    () => record(aqCommand, { opcode: 5 }) as unknown as AdminCommand,
  ],
  [
    'a feature that does not exist',
    'unsupported-feature',
    STATUS.UNSUPPORTED_OPCODE,
    () => record(featureCmd, { opcode: OPCODE.GET_FEATURE, feature_id: 9 }),
  ],
  [
    'setting what can only be read',
    'read-only-feature',
    STATUS.ILLEGAL_PARAMETER,
    () => record(featureCmd, { opcode: OPCODE.SET_FEATURE, feature_id: 1 }),
  ],
  [
    'event groups that are not reported',
    'aenq-groups',
    STATUS.ILLEGAL_PARAMETER,
    () =>
      record(setAenq, { opcode: OPCODE.SET_FEATURE, feature_id: 26, enabled_groups: 0x8000_0000 }),
  ],
  [
    'statistics of a queue that is not there',
    'stats-scope',
    STATUS.ILLEGAL_PARAMETER,
    () => record(getStatsCmd, { opcode: OPCODE.GET_STATS, queue_idx: 15 }),
  ],
  [
    'a CQ whose depth is no power of two',
    'cq-shape',
    STATUS.ILLEGAL_PARAMETER,
    (g) => cq(g, { cq_depth: 48 }),
  ],
  [
    'a CQ with entries of 3 words',
    'cq-entry-size',
    STATUS.ILLEGAL_PARAMETER,
    (g) => cq(g, { cq_entry_size_words: 3 }),
  ],
  [
    'a CQ on a vector that is not there',
    'cq-vector',
    STATUS.ILLEGAL_PARAMETER,
    (g) => cq(g, { msix_vector: 99 }),
  ],
  [
    'a CQ outside of memory',
    'cq-memory',
    STATUS.ILLEGAL_PARAMETER,
    (g) => cq(g, { cq_ba_hi: 0x7fff }),
  ],
  [
    'an SQ for a CQ that is not there',
    'cq-unknown',
    STATUS.ILLEGAL_PARAMETER,
    (g) => sq(g, { cq_idx: 9 }),
  ],
  [
    'an SQ with no direction',
    'sq-direction',
    STATUS.ILLEGAL_PARAMETER,
    (g) => sq(g, { sq_direction: 3 }),
  ],
  [
    'an SQ in pieces',
    'sq-contiguous',
    STATUS.ILLEGAL_PARAMETER,
    (g) => sq(g, { is_physically_contiguous: 0 }),
  ],
  [
    'an SQ whose depth is no power of two',
    'sq-shape',
    STATUS.ILLEGAL_PARAMETER,
    (g) => sq(g, { sq_depth: 1000 }),
  ],
  [
    'an SQ outside of memory',
    'sq-memory',
    STATUS.ILLEGAL_PARAMETER,
    (g) => sq(g, { sq_ba_hi: 0x7fff }),
  ],
  [
    'an SQ in device memory before LLQ was set up',
    'llq-not-configured',
    STATUS.ILLEGAL_PARAMETER,
    (g) => sq(g, { placement_policy: PLACEMENT.DEV, sq_direction: SQ_DIRECTION.TX }),
  ],
  [
    'destroying an SQ that is not there',
    'sq-unknown',
    STATUS.ILLEGAL_PARAMETER,
    () => record(destroySqCmd, { opcode: OPCODE.DESTROY_SQ, sq_idx: 7, sq_direction: 1 }),
  ],
  [
    'destroying an SQ of the other direction',
    'sq-unknown',
    STATUS.ILLEGAL_PARAMETER,
    (g) =>
      record(destroySqCmd, {
        opcode: OPCODE.DESTROY_SQ,
        sq_idx: g.driver.tx[0]?.sqIndex ?? 0,
        sq_direction: SQ_DIRECTION.RX,
      }),
  ],
  [
    'destroying a CQ that is in use',
    'cq-in-use',
    STATUS.ILLEGAL_PARAMETER,
    (g) =>
      record(destroyCqCmd, { opcode: OPCODE.DESTROY_CQ, cq_idx: g.driver.tx[0]?.cqIndex ?? 0 }),
  ],
];

function cq(g: SimGuest, values: Partial<Record<keyof typeof createCqCmd.fields, number>>) {
  const address = g.arena.alloc(ringBytes);
  return record(createCqCmd, {
    opcode: OPCODE.CREATE_CQ,
    interrupt_mode_enabled: 1,
    cq_entry_size_words: 4,
    cq_depth: 64,
    msix_vector: 1,
    cq_ba_lo: address % 2 ** 32,
    cq_ba_hi: Math.floor(address / 2 ** 32),
    ...values,
  });
}

function sq(g: SimGuest, values: Partial<Record<keyof typeof createSqCmd.fields, number>>) {
  const made = g.driver.admin.execute(cq(g, {}));
  assert.equal(made?.status, STATUS.SUCCESS);
  const address = g.arena.alloc(ringBytes);
  return record(createSqCmd, {
    opcode: OPCODE.CREATE_SQ,
    sq_direction: SQ_DIRECTION.RX,
    placement_policy: PLACEMENT.HOST,
    is_physically_contiguous: 1,
    cq_idx: (made?.words[2] ?? 0) & 0xffff,
    sq_depth: 64,
    sq_ba_lo: address % 2 ** 32,
    sq_ba_hi: Math.floor(address / 2 ** 32),
    ...values,
  });
}

const small = { driver: { txDepth: 32, rxDepth: 32 }, memoryBytes: 4 << 20 };

for (const [what, rule, status, command] of refused)
  test(`${what} is refused by name, and nothing else happens`, () => {
    const [, a, b] = pair(small);
    const made = command(a);
    broken(a);
    assert.equal(a.driver.admin.execute(made)?.status, status);
    assert.deepEqual(broken(a), [`ena/${rule}`]);
    const frame = plainFrame(a.mac, b.mac, 99, 1);
    assert.ok(a.send(frame));
    assert.deepEqual(b.receive(), [frame]);
  });

test('receive completions are not written into entries that are too small for them', () => {
  const [, a] = pair(small);
  const made = a.driver.admin.execute(cq(a, { cq_entry_size_words: 2 }));
  const index = (made?.words[2] ?? 0) & 0xffff;
  assert.equal(made?.status, STATUS.SUCCESS);
  const queue = sq(a, { cq_idx: index });
  assert.equal(a.driver.admin.execute(queue)?.status, STATUS.ILLEGAL_PARAMETER);
  assert.deepEqual(broken(a), ['ena/cq-entry-size']);
});

/** One descriptor of a 60-byte frame that lies in the arena, correct but for `values`. */
function tx(g: SimGuest, values: Partial<Record<keyof typeof txDesc.fields, number>>): void {
  const queue = g.driver.tx[0];
  assert.ok(queue);
  const address = g.arena.alloc(4096);
  const desc = record(txDesc, {
    length: 60,
    phase: queue.ring.phase,
    first: 1,
    last: 1,
    comp_req: 1,
    buff_addr_lo: address % 2 ** 32,
    addr_hi: Math.floor(address / 2 ** 32),
    ...values,
  });
  const words = new Int32Array(4);
  desc.store(words, 0);
  queue.put(words, true);
}

function rx(g: SimGuest, values: Partial<Record<keyof typeof rxDesc.fields, number>>): void {
  const queue = g.driver.rx[0];
  assert.ok(queue);
  const address = g.arena.alloc(4096);
  const desc = record(rxDesc, {
    length: 2048,
    phase: queue.phase,
    first: 1,
    last: 1,
    comp_req: 1,
    buff_addr_lo: address % 2 ** 32,
    buff_addr_hi: Math.floor(address / 2 ** 32),
    ...values,
  });
  const words = new Int32Array(4);
  desc.store(words, 0);
  queue.put(words);
}

/** A receive queue without buffers, then those that `post` posts, then a frame. */
function receiveInto(a: SimGuest, b: SimGuest, post: () => void): void {
  const queue = a.driver.rx[0];
  assert.ok(queue);
  a.driver.queues.destroyOne(queue);
  a.driver.queues.createOne(queue, 1);
  a.driver.rss.spread([queue.sqIndex]);
  post();
  queue.kick();
  b.send(plainFrame(b.mac, a.mac, 1000, 1));
}

/** What no card survives: [what, rule, how]. */
const fatal: [string, string, (a: SimGuest, b: SimGuest) => void][] = [
  ['a Tx descriptor of the last turn of the ring', 'tx-stale-phase', (a) => tx(a, { phase: 0 })],
  ['a packet without a beginning', 'tx-first-last', (a) => tx(a, { first: 0 })],
  [
    'a packet that begins twice',
    'tx-first-last',
    (a) => {
      tx(a, { last: 0 });
      tx(a, {});
    },
  ],
  ['a reserved bit in a Tx descriptor', 'tx-reserved', (a) => tx(a, { reserved1: 1 })],
  ['a Tx buffer outside of memory', 'tx-bad-address', (a) => tx(a, { addr_hi: 0x7fff })],
  ['TSO without a segment size', 'tx-no-meta', (a) => tx(a, { tso_en: 1, l4_proto_idx: 12 })],
  [
    'a packet of too many descriptors',
    'tx-too-many-descs',
    (a) => {
      for (let i = 0; i < 22; i++) tx(a, { first: i === 0 ? 1 : 0, last: 0 });
    },
  ],
  [
    'an Rx descriptor of the last turn of the ring',
    'rx-stale-phase',
    (a, b) => receiveInto(a, b, () => rx(a, { phase: 0 })),
  ],
  [
    'an Rx buffer outside of memory',
    'rx-bad-address',
    (a, b) => receiveInto(a, b, () => rx(a, { buff_addr_hi: 0x7fff })),
  ],
  [
    'a doorbell beyond the ring',
    'doorbell-range',
    (a) => a.driver.mmio.writeAt(a.driver.tx[0]?.doorbellOffset ?? 0, 33),
  ],
];

for (const [what, rule, how] of fatal)
  test(`${what} stops the function, tells its driver, disturbs nobody else, and is reset away`, () => {
    const [, a, b] = pair(small);
    how(a, b);
    a.driver.tx[0]?.kick();
    assert.ok(broken(a).includes(`ena/${rule}`));
    assert.notEqual(a.driver.mmio.read('DEV_STS') & DEV_STS.fatalError, 0);
    a.driver.events.poll();
    const told = a.driver.events.others.map(({ group }) => group);
    assert.deepEqual(told, [AENQ_GROUP.FATAL_ERROR]);
    assert.equal(b.driver.mmio.read('DEV_STS') & DEV_STS.fatalError, 0);
    b.driver.poll();
    a.driver.start('GENERIC');
    for (const guest of [a, b]) guest.receive();
    const frame = plainFrame(a.mac, b.mac, 77, 2);
    assert.ok(a.send(frame));
    assert.deepEqual(b.receive(), [frame]);
    assert.equal(a.driver.mmio.read('DEV_STS') & DEV_STS.fatalError, 0);
  });

test('an admin command of the last turn of the ring is not executed', () => {
  const [, a] = pair(small);
  const { admin } = a.driver;
  const command = record(featureCmd, { opcode: OPCODE.GET_FEATURE, feature_id: 27 });
  command.phase = 1 - admin.phase;
  admin.put(command);
  admin.ring();
  assert.equal(admin.poll(), null);
  assert.deepEqual(broken(a), ['ena/admin-stale-phase']);
});

test('an admin doorbell beyond the ring executes nothing', () => {
  const [, a] = pair(small);
  a.driver.admin.ring(a.driver.admin.tail + 33);
  assert.equal(a.driver.admin.poll(), null);
  assert.deepEqual(broken(a), ['ena/admin-doorbell']);
});
