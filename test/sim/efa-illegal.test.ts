/** What a driver may not do to an EFA function, the rule that it breaks, and the status that it gets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  allocMrCmd,
  aqCommand,
  createAhCmd,
  createCqCmd,
  createEqCmd,
  createQpCmd,
  deregMrCmd,
  destroyAhCmd,
  destroyCqCmd,
  destroyEqCmd,
  featureCmd,
  getStatsCmd,
  modifyQpCmd,
  numberCmd,
  OPCODE,
  QP_STATE,
  qpHandleCmd,
  regMrCmd,
  STATUS,
  setAenqCmd,
} from '../../src/defs/efa-admin.ts';
import { efaProfiles } from '../../src/devices/efa/profile.ts';
import { efaRules } from '../../src/devices/efa/rules.ts';
import type { Command } from '../../src/drivers/efa/admin.ts';
import { part } from '../../src/drivers/efa/provider.ts';
import type { Fields, Layout, Record32 } from '../../src/lib/layout.ts';
import { connect, EfaLab, type Node } from './efa-lab.ts';

function record<F extends Fields>(format: Layout<F>, values: Partial<Record<keyof F, number>>) {
  return Object.assign(format.create(), values) as Record32<F> & Command;
}

const seen = new Set<string>();

/** The rules that a node has broken since the last call. */
function broken({ refusals }: Node): string[] {
  const ids = refusals.splice(0).map(({ rule }) => rule.id.replace('efa/', ''));
  for (const id of ids) seen.add(id);
  return ids;
}

const { ILLEGAL_PARAMETER, RESOURCE_BUSY, UNSUPPORTED_OPCODE } = STATUS;
const base = 2 ** 33 + 0x10_0000;
const lo = base >>> 0;
const hi = Math.floor(base / 2 ** 32);
const outside = { lo: 0x7000_0000, hi: 0x70 };

const eq = { depth: 64, msix_vec: 1, entry_size_words: 4, event_bitmask: 1, ba_lo: lo, ba_hi: hi };
const cq = {
  ...{ cq_entry_size_words: 4, sub_cq_depth: 64, num_sub_cqs: 1 },
  ...{ cq_ba_lo: lo, cq_ba_hi: hi },
};
const qp = {
  ...{ qp_type: 2, send_queue_depth: 16, send_queue_ring_size: 1024 },
  ...{ recv_queue_depth: 16, recv_queue_ring_size: 256, rq_base_lo: lo, rq_base_hi: hi },
};
const mr = {
  ...{ mr_length_lo: 4096, phys_page_size_shift: 12, permissions: 1, iova_lo: 0x1000 },
  ...{ page0_lo: lo, page0_hi: hi },
};

/** [what, rule, status, opcode, command] on a function with one completion queue and one queue pair. */
const refused: [string, string, number, number, () => Command][] = [
  ['an opcode that does not exist', 'unknown-opcode', 2, 21, () => record(aqCommand, {})],
  [
    'a feature that does not exist',
    'unsupported-feature',
    UNSUPPORTED_OPCODE,
    11,
    () => record(featureCmd, { feature_id: 8 }),
  ],
  [
    'setting what can only be read',
    'read-only-feature',
    ILLEGAL_PARAMETER,
    12,
    () => record(featureCmd, { feature_id: 1 }),
  ],
  [
    'reading what can only be set',
    'set-only-feature',
    ILLEGAL_PARAMETER,
    11,
    () => record(featureCmd, { feature_id: 6 }),
  ],
  [
    'event groups that are not reported',
    'aenq-groups',
    ILLEGAL_PARAMETER,
    12,
    () => record(setAenqCmd, { feature_id: 2, enabled_groups: 1 }),
  ],
  [
    'a host info page outside of memory',
    'host-info-memory',
    ILLEGAL_PARAMETER,
    12,
    () => record(featureCmd, { feature_id: 6, control_length: 184, control_addr_hi: 0x70 }),
  ],
  [
    'another operating system',
    'host-info-os',
    ILLEGAL_PARAMETER,
    12,
    () =>
      record(featureCmd, {
        feature_id: 6,
        control_length: 184,
        control_addr_lo: lo,
        control_addr_hi: hi,
      }),
  ],
  [
    'statistics of a type that does not exist',
    'stats-type',
    ILLEGAL_PARAMETER,
    13,
    () => record(getStatsCmd, { type: 5 }),
  ],
  [
    'statistics of a queue pair that does not exist',
    'stats-scope',
    ILLEGAL_PARAMETER,
    13,
    () => record(getStatsCmd, { scope: 1, scope_modifier: 77 }),
  ],
  [
    'an event queue of 3 entries',
    'eq-shape',
    ILLEGAL_PARAMETER,
    18,
    () => record(createEqCmd, { ...eq, depth: 3 }),
  ],
  [
    'an event queue with a vector that does not exist',
    'eq-vector',
    ILLEGAL_PARAMETER,
    18,
    () => record(createEqCmd, { ...eq, msix_vec: 9 }),
  ],
  [
    'an event queue outside of memory',
    'eq-memory',
    ILLEGAL_PARAMETER,
    18,
    () => record(createEqCmd, { ...eq, ba_lo: outside.lo, ba_hi: outside.hi }),
  ],
  [
    'reserved bits of an event queue',
    'reserved-bits',
    ILLEGAL_PARAMETER,
    18,
    () => record(createEqCmd, { ...eq, event_bitmask: 2 }),
  ],
  [
    'destroying an event queue that does not exist',
    'eq-unknown',
    ILLEGAL_PARAMETER,
    19,
    () => record(destroyEqCmd, { eqn: 7 }),
  ],
  [
    'freeing a domain that does not exist',
    'pd-unknown',
    ILLEGAL_PARAMETER,
    15,
    () => record(numberCmd, { number: 99 }),
  ],
  [
    'freeing a domain in use',
    'pd-in-use',
    RESOURCE_BUSY,
    15,
    () => record(numberCmd, { number: 0 }),
  ],
  [
    'freeing an access region that does not exist',
    'uar-unknown',
    ILLEGAL_PARAMETER,
    17,
    () => record(numberCmd, { number: 99 }),
  ],
  [
    'freeing an access region in use',
    'uar-in-use',
    RESOURCE_BUSY,
    17,
    () => record(numberCmd, { number: 0 }),
  ],
  [
    'a region of no bytes',
    'mr-length',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, mr_length_lo: 0 }),
  ],
  [
    'a region of too many pages',
    'mr-length',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, mr_length_hi: 2 }),
  ],
  [
    'a region in pages of 2 KiB',
    'mr-page-size',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, phys_page_size_shift: 11 }),
  ],
  [
    'permissions that do not exist',
    'mr-permissions',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, permissions: 8 }),
  ],
  [
    'a page that is not aligned',
    'mr-pages',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, page0_lo: lo + 8 }),
  ],
  [
    'a page outside of memory',
    'mr-pages',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, page0_lo: outside.lo, page0_hi: outside.hi }),
  ],
  [
    'five pages inline',
    'mr-page-list',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, mr_length_lo: 5 * 4096 }),
  ],
  [
    'a page list outside of memory',
    'mr-page-list',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, ctrl_data: 1, page0_lo: 8, page1_lo: 0x70 }),
  ],
  [
    'a page list that is too short',
    'mr-page-list',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, ctrl_data: 1, page0_lo: 4, page0_hi: lo, page1_lo: hi }),
  ],
  [
    'an indirect list outside of memory',
    'mr-page-list',
    ILLEGAL_PARAMETER,
    7,
    () =>
      record(regMrCmd, {
        ...mr,
        ctrl_data: 1,
        ctrl_data_indirect: 1,
        page0_lo: 20,
        page1_lo: 0x70,
      }),
  ],
  [
    'a region in a domain that does not exist',
    'pd-unknown',
    ILLEGAL_PARAMETER,
    7,
    () => record(regMrCmd, { ...mr, pd: 99 }),
  ],
  [
    'allocating a region of no pages',
    'mr-length',
    ILLEGAL_PARAMETER,
    20,
    () => record(allocMrCmd, {}),
  ],
  [
    'allocating a region in a domain that does not exist',
    'pd-unknown',
    ILLEGAL_PARAMETER,
    20,
    () => record(allocMrCmd, { pd: 9, max_pages: 1 }),
  ],
  [
    'deregistering what is not registered',
    'mr-unknown',
    ILLEGAL_PARAMETER,
    8,
    () => record(deregMrCmd, { l_key: 0x123456 }),
  ],
  [
    'an address handle in a domain that does not exist',
    'pd-unknown',
    ILLEGAL_PARAMETER,
    5,
    () => record(createAhCmd, { pd: 99 }),
  ],
  [
    'destroying a handle that does not exist',
    'ah-unknown',
    ILLEGAL_PARAMETER,
    6,
    () => record(destroyAhCmd, { ah: 99 }),
  ],
  [
    'a completion queue of 3 entries',
    'cq-shape',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, sub_cq_depth: 3 }),
  ],
  [
    'completion entries of 5 words',
    'cq-entry-size',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, cq_entry_size_words: 5 }),
  ],
  [
    'a source address in 4 words',
    'cq-entry-size',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, set_src_addr: 1 }),
  ],
  [
    'two sub queues where there is one',
    'cq-sub-cqs',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, num_sub_cqs: 2 }),
  ],
  [
    'a completion queue outside of memory',
    'cq-memory',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, cq_ba_hi: 0x70 }),
  ],
  [
    'a completion queue with reserved bits',
    'reserved-bits',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, reserved5: 1 }),
  ],
  [
    'a completion ring with a virtual address',
    'virtual-ring',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, virt: 1 }),
  ],
  [
    'a completion queue of an event queue that does not exist',
    'eq-unknown',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, interrupt_mode_enabled: 1, eqn: 5 }),
  ],
  [
    'a completion queue in an access region that does not exist',
    'uar-unknown',
    ILLEGAL_PARAMETER,
    9,
    () => record(createCqCmd, { ...cq, uar: 9 }),
  ],
  [
    'destroying a completion queue that does not exist',
    'cq-unknown',
    ILLEGAL_PARAMETER,
    10,
    () => record(destroyCqCmd, { cq_idx: 99 }),
  ],
  [
    'destroying a completion queue in use',
    'cq-in-use',
    RESOURCE_BUSY,
    10,
    () => record(destroyCqCmd, { cq_idx: 0 }),
  ],
  [
    'a queue pair of type 3',
    'qp-type',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, qp_type: 3 }),
  ],
  [
    'a queue pair with reserved bits',
    'reserved-bits',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, reserved: 1 }),
  ],
  [
    'a receive ring with a virtual address',
    'virtual-ring',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, rq_virt: 1 }),
  ],
  [
    'unsolicited writes to a datagram queue pair',
    'qp-flags',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, qp_type: 1, unsolicited_write_recv: 1 }),
  ],
  [
    'a queue pair in a domain that does not exist',
    'pd-unknown',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, pd: 9 }),
  ],
  [
    'a queue pair in an access region that does not exist',
    'uar-unknown',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, uar: 9 }),
  ],
  [
    'a send queue of 3 requests',
    'qp-shape',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, send_queue_depth: 3 }),
  ],
  [
    'a receive queue that does not fit its ring',
    'qp-shape',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, recv_queue_depth: 17 }),
  ],
  [
    'a queue pair of a completion queue that does not exist',
    'cq-unknown',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, send_cq_idx: 9 }),
  ],
  [
    'a receive queue outside of memory',
    'qp-memory',
    ILLEGAL_PARAMETER,
    1,
    () => record(createQpCmd, { ...qp, rq_base_hi: 0x70 }),
  ],
  [
    'changing a queue pair that does not exist',
    'qp-unknown',
    ILLEGAL_PARAMETER,
    2,
    () => record(modifyQpCmd, { qp_handle: 5 }),
  ],
  [
    'asking for a queue pair that does not exist',
    'qp-unknown',
    ILLEGAL_PARAMETER,
    3,
    () => record(qpHandleCmd, { qp_handle: 5 }),
  ],
  [
    'destroying a queue pair that does not exist',
    'qp-unknown',
    ILLEGAL_PARAMETER,
    4,
    () => record(qpHandleCmd, { qp_handle: 5 }),
  ],
  [
    'a state that cannot follow',
    'qp-transition',
    ILLEGAL_PARAMETER,
    2,
    () => record(modifyQpCmd, { modify_mask: 1, qp_state: QP_STATE.RTR }),
  ],
  [
    'a state that it is not in',
    'qp-transition',
    ILLEGAL_PARAMETER,
    2,
    () => record(modifyQpCmd, { modify_mask: 3, qp_state: QP_STATE.ERR, cur_qp_state: 1 }),
  ],
  [
    'nine retries',
    'qp-rnr-retry',
    ILLEGAL_PARAMETER,
    2,
    () => record(modifyQpCmd, { modify_mask: 0x20, rnr_retry: 9 }),
  ],
];

for (const [what, rule, status, opcode, command] of refused)
  test(`${what}: ${rule}`, () => {
    const lab = new EfaLab(1);
    const { provider, arena } = lab.a;
    arena.words[(arena.offset(base) + 128) >>> 2] = 1; // os_type
    const ring = provider.createCq();
    provider.createQp(ring, {});
    assert.deepEqual(broken(lab.a), []);
    assert.equal(provider.admin.submit(opcode, command()), status);
    assert.deepEqual(broken(lab.a), [rule]);
  });

test('what is there only so often is refused when it is all taken', () => {
  const lab = new EfaLab(1);
  const { provider } = lab.a;
  const full = (rule: string, opcode: number, command: () => Command) => {
    let status = 0;
    for (let i = 0; i < 5000 && status === 0; i++)
      status = provider.admin.submit(opcode, command());
    assert.equal(status, STATUS.RESOURCE_ALLOCATION_FAILURE);
    assert.deepEqual(broken(lab.a), [rule]);
  };
  full('eq-limit', OPCODE.CREATE_EQ, () => record(createEqCmd, eq));
  full('cq-limit', OPCODE.CREATE_CQ, () => record(createCqCmd, cq));
  full('qp-limit', OPCODE.CREATE_QP, () => record(createQpCmd, qp));
  full('mr-limit', OPCODE.REG_MR, () => record(regMrCmd, mr));
  full('mr-limit', OPCODE.ALLOC_MR, () => record(allocMrCmd, { max_pages: 1 << 20 }));
  let n = 0;
  full('ah-limit', OPCODE.CREATE_AH, () => record(createAhCmd, { dest_addr_0: n++ }));
  full('pd-limit', OPCODE.ALLOC_PD, () => record(numberCmd, {}));
  full('uar-limit', OPCODE.ALLOC_UAR, () => record(numberCmd, {}));
});

test('accesses and doorbells that no driver makes', () => {
  const lab = new EfaLab(1);
  const { device, provider } = lab.a;
  const qpn = provider.createQp(provider.createCq(), { upTo: QP_STATE.INIT });
  const check = (rule: string, act: () => void) => {
    act();
    assert.deepEqual(broken(lab.a), [rule]);
  };
  check('bad-register', () => device.read(0, 0x70, 4));
  check('bad-register', () => device.write(0, 0x70, 4, 0));
  check('register-access-size', () => device.write(0, 0x10, 2, 0));
  check('register-access-size', () => device.read(0, 0x10, 1));
  check('bad-register', () => device.write(4, 16, 4, 1));
  check('register-access-size', () => device.write(4, 0, 2, 1));
  check('register-access-size', () => device.write(2, 0, 2, 1));
  check('doorbell-unknown', () => device.write(4, 0x5000, 4, 1));
  check('doorbell-unknown', () => device.write(4, 0x5008, 4, 1));
  check('doorbell-unknown', () => device.write(4, 0x10_5000, 4, 1));
  check('doorbell-state', () => qpn.send({ ah: 0, qp: 0, qkey: 0 }, 1, Uint8Array.of(1)));
  check('doorbell-range', () => device.write(4, 0, 4, 500));
  check('doorbell-range', () => device.write(4, 8, 4, 500));
  provider.modify(qpn.handle, QP_STATE.RESET);
  check('doorbell-state', () => device.write(4, 8, 4, 1));
  check('eq-unknown', () => device.write(0, 0x68, 4, 0x8000_0003));
  check('admin-doorbell', () => device.write(0, 0x2c, 4, 5000));
  check('admin-vector', () => device.write(0, 0x28, 4, (20 << 24) | (64 << 16) | 32));
  check('admin-vector', () => device.write(0, 0x34, 4, (20 << 24) | (64 << 16) | 32));
  check('admin-queue-shape', () => device.write(0, 0x18, 4, (64 << 16) | 3));
  check('admin-queue-memory', () => device.write(0, 0x2c, 4, 1));
  device.write(0, 0x64, 4, 0x70);
  check('readless-address', () => device.write(0, 0x5c, 4, 0));
  assert.equal(device.read(2, 0, 4), 0);
  device.write(1, 0, 4, 0);
});

test('an admin command with the phase of another turn waits', () => {
  const lab = new EfaLab(1);
  const { device, arena } = lab.a;
  device.write(0, 0x10, 4, lo);
  device.write(0, 0x14, 4, hi);
  device.write(0, 0x18, 4, (64 << 16) | 32);
  arena.words.fill(0, arena.offset(base) >>> 2, (arena.offset(base) >>> 2) + 16);
  device.write(0, 0x2c, 4, 1);
  assert.deepEqual(broken(lab.a), ['admin-stale-phase']);
});

test('more requests at once than the generation takes, and events that nobody reads', () => {
  const lab = new EfaLab(2, { profile: efaProfiles.find(({ name }) => name === 'efa1') as never });
  const pair = connect(lab);
  for (let i = 0; i < 20; i++) pair.a.send(pair.toB, i, Uint8Array.of(1), undefined, i === 19);
  assert.deepEqual(broken(lab.a), ['tx-batch']);
  const { provider, device } = lab.a;
  const eqn = provider.createEq(1, 1);
  const ring = provider.createCq({ eqn });
  const qpe = provider.createQp(ring, {});
  assert.throws(() => {
    const command = record(destroyEqCmd, { eqn });
    assert.equal(provider.admin.submit(OPCODE.DESTROY_EQ, command), 0);
  });
  assert.deepEqual(broken(lab.a), ['eq-in-use']);
  for (let i = 0; i < 3; i++) {
    device.write(4, ring.doorbell, 4, 0x8000_0000);
    qpe.send({ ...pair.toB, ah: 99 }, i, Uint8Array.of(1));
  }
  assert.ok(broken(lab.a).includes('eq-overrun'));
});

test('every rule can be broken', () => {
  // those of the data path are in efa-statuses.test.ts
  const elsewhere = ['wqe-', 'rqe-', 'rkey', 'fast-reg'];
  const never = Object.keys(efaRules).filter(
    (key) => !seen.has(key) && !elsewhere.some((start) => key.startsWith(start)),
  );
  assert.deepEqual(never, []);
});

test('fast registration gives an allocated region bytes, and invalidation takes them away', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const { provider, arena } = lab.a;
  const region = provider.allocateRegion(4);
  const dma = arena.alloc(4096);
  arena.bytes[arena.offset(dma)] = 42;
  const iova = 0x5000;
  const fastReg = (lkey: number, address = dma) => {
    const words = new Int32Array(16);
    words[0] = 7 | (3 << 16) | (1 << 23) | (1 << 26) | (1 << 27) | (1 << 28) | (pair.a.phase << 24);
    words[8] = lkey;
    words[9] = 1 | (12 << 8);
    words[10] = iova;
    words[12] = 4096;
    words[14] = address >>> 0;
    words[15] = Math.floor(address / 2 ** 32);
    pair.a.post(words);
  };
  const lkey = (region.lkey & ~0xff) | ((region.lkey + 1) & 0xff);
  fastReg(lkey ^ 0x10_0000);
  fastReg(lkey, dma + 8);
  fastReg(lkey);
  assert.deepEqual(
    pair.cqA.drain().map(({ status }) => status),
    [5, 5, 0],
  );
  const to = lab.b.provider.buffer(4096);
  pair.b.receive(1, [part(to)]);
  pair.a.send(pair.toB, 1, [{ lkey, address: iova, length: 1 }]);
  assert.equal(pair.cqA.drain()[0]?.status, 0);
  assert.equal(lab.b.arena.bytes[lab.b.arena.offset(to.dma)], 42);
  const words = new Int32Array(16);
  words[0] = 8 | (4 << 16) | (1 << 23) | (1 << 26) | (1 << 27) | (1 << 28);
  words[8] = lkey;
  pair.a.post(words);
  pair.a.send(pair.toB, 1, [{ lkey, address: iova, length: 1 }]);
  assert.deepEqual(
    pair.cqA.drain().map(({ status }) => status),
    [0, 5],
  );
  provider.deregister(lkey);
});

test('an armed completion queue tells of the next completion, once', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const { provider, device, raised } = lab.a;
  const eqn = provider.createEq(3);
  const ring = provider.createCq({ eqn });
  const qpe = provider.createQp(ring, {});
  const fail = () => qpe.send({ ...pair.toB, ah: 99 }, 1, Uint8Array.of(1));
  const events = () => raised.filter((vector) => vector === 3).length;
  device.write(0, 0x68, 4, (0x8000_0000 | eqn) >>> 0);
  fail();
  assert.equal(events(), 0);
  device.write(4, ring.doorbell, 4, 0x8000_0001);
  assert.equal(events(), 0);
  fail();
  fail();
  assert.equal(events(), 1);
  device.write(4, ring.doorbell, 4, 0x8000_0003);
  fail();
  assert.equal(events(), 1); // the event queue is not armed
  device.write(0, 0x68, 4, (0x8000_0000 | eqn) >>> 0);
  assert.equal(events(), 2);
});

test('keep-alives come every second, and a masked vector waits', () => {
  const lab = new EfaLab(1);
  const { provider, device, raised } = lab.a;
  lab.clock.advance(3.5e9);
  provider.admin.pollEvents();
  assert.equal(provider.admin.events.get(4), 3);
  raised.length = 0;
  device.write(0, 0x4c, 4, 1);
  lab.clock.advance(2e9);
  assert.deepEqual(raised, []);
  device.write(0, 0x4c, 4, 0);
  assert.deepEqual(raised, [0]);
});

test('keys of one function tell nothing of each other', () => {
  const lab = new EfaLab(1);
  const { provider } = lab.a;
  const regions = Array.from({ length: 200 }, () => provider.buffer(4096));
  const random = (key: number) => (key & 0xff) | ((key >>> 20) << 8);
  assert.ok(new Set(regions.map(({ rkey }) => random(rkey))).size > 190);
  for (const { lkey } of regions) assert.ok(lkey < 2 ** 24);
  const differences = regions
    .slice(1)
    .map(({ rkey }, i) => random(rkey) - random(regions[i]?.rkey ?? 0));
  assert.ok(new Set(differences).size > 190);
});

test('page lists in one piece and in chained chunks name the same memory', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const { provider, arena } = lab.b;
  for (const indirect of [false, true]) {
    const mark = arena.mark();
    const dma = arena.alloc(8 << 20);
    const region = provider.register(dma, 8 << 20, 7, { indirect });
    const at = arena.offset(dma) + (7 << 20);
    arena.bytes[at] = indirect ? 9 : 8;
    const local = lab.a.provider.buffer(4096);
    const remote = { rkey: region.rkey, address: region.address + (7 << 20), length: 1 };
    pair.a.rdma(1, pair.toB, 1, part(local, 0, 1), remote);
    lab.settle();
    assert.equal(pair.cqA.drain()[0]?.status, 0);
    assert.equal(lab.a.arena.bytes[lab.a.arena.offset(local.dma)], indirect ? 9 : 8);
    provider.deregister(region.lkey);
    arena.release(mark);
  }
});
