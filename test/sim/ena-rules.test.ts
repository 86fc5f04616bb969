/** Rules that no other test breaks, each broken once; and that no rule is without a test. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  createCqCmd,
  createSqCmd,
  FEATURE,
  FLOW_STEERING_ACTION,
  featureCmd,
  getStatsCmd,
  LLQ_ENTRY_SIZE,
  LLQ_HEADER,
  OPCODE,
  setFlowSteering,
  setHashFunction,
  setHashInput,
  setHostAttr,
  setHwTimestamp,
  setIndTable,
  setLlq,
  setMtu,
  setPhc,
} from '../../src/defs/ena-admin.ts';
import { txDesc } from '../../src/defs/ena-io.ts';
import { enaRegisters } from '../../src/defs/ena-regs.ts';
import { enaRules } from '../../src/devices/ena/rules.ts';
import type { AdminCommand } from '../../src/drivers/ena/admin-queue.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

type Values = Readonly<Record<string, number>>;
type Format = { create(): object };

const at = (name: keyof typeof enaRegisters.registers): number =>
  enaRegisters.registers[name].offset;
/** An address that no guest here has. */
const nowhere = 0x7fff;

function run(guest: SimGuest, format: Format, values: Values): number | undefined {
  return guest.driver.admin.execute(
    Object.assign(format.create(), values) as unknown as AdminCommand,
  )?.status;
}

const set =
  (format: Format, feature: number, values: Values = {}) =>
  (guest: SimGuest): void => {
    const head = { opcode: OPCODE.SET_FEATURE, feature_id: feature };
    assert.notEqual(run(guest, format, { ...head, ...values }), 0);
  };
const get =
  (feature: number, values: Values = {}) =>
  (guest: SimGuest): void => {
    const head = { opcode: OPCODE.GET_FEATURE, feature_id: feature };
    assert.notEqual(run(guest, featureCmd, { ...head, ...values }), 0);
  };

/** A control buffer of `words`, as the fields of a command. */
function control(guest: SimGuest, words: readonly number[]): Values {
  const address = guest.arena.alloc(1024);
  guest.arena.words.set(words, guest.arena.offset(address) >>> 2);
  return {
    ctrl_data_indirect: 1,
    control_length: 1024,
    control_addr_lo: address % 2 ** 32,
    control_addr_hi: Math.floor(address / 2 ** 32),
  };
}

/** Creates queues until the device has no more. */
function fill(guest: SimGuest, what: 'cq' | 'sq'): void {
  const { arena } = guest;
  const place = (): Values => {
    const address = arena.alloc(1024);
    return { lo: address % 2 ** 32, hi: Math.floor(address / 2 ** 32) };
  };
  for (let i = 0; i < 100; i++) {
    const { lo, hi } = place() as { lo: number; hi: number };
    const cq = { opcode: OPCODE.CREATE_CQ, cq_entry_size_words: 4, cq_depth: 16 };
    const made = guest.driver.admin.execute(
      Object.assign(createCqCmd.create(), { ...cq, cq_ba_lo: lo, cq_ba_hi: hi }),
    );
    if (what === 'cq' || made?.status !== 0) continue;
    const sq = place() as { lo: number; hi: number };
    const status = run(guest, createSqCmd, {
      ...{ opcode: OPCODE.CREATE_SQ, sq_direction: 2, placement_policy: 1, sq_depth: 16 },
      ...{ is_physically_contiguous: 1, cq_idx: (made.words[2] ?? 0) & 0xffff },
      ...{ sq_ba_lo: sq.lo, sq_ba_hi: sq.hi },
    });
    if (status !== 0) return;
  }
}

/** A descriptor whose pushed header is longer than the entry has room for. */
function longHeader(guest: SimGuest): void {
  const { driver } = guest;
  driver.resetDevice('NORMAL');
  driver.configureAdmin();
  driver.sendHostInfo();
  driver.readAttributes();
  guest.refusals.length = 0;
  const [queue] = driver.tx;
  assert.ok(queue?.isInDevice);
  driver.start();
  const desc = Object.assign(txDesc.create(), {
    ...{ length: 0, phase: 1, first: 1, last: 1, comp_req: 1, header_length: 255 },
  });
  const words = new Int32Array(4);
  desc.store(words, 0);
  driver.tx[0]?.put(words, true);
  driver.tx[0]?.kick();
}

const llqChoice = {
  header_location_enabled: LLQ_HEADER.INLINE,
  entry_size_enabled: LLQ_ENTRY_SIZE.B128,
  desc_num_before_header_enabled: 2,
};

const broken: readonly [rule: keyof typeof enaRules, how: (guest: SimGuest) => void][] = [
  ['bad-register', ({ device }) => assert.equal(device.read(0, 0x1f0, 4), 0)],
  ['bad-register', ({ device }) => device.write(0, 0x1f0, 4, 1)],
  ['register-access-size', ({ device }) => assert.equal(device.read(0, at('CAPS'), 2), 0)],
  ['register-access-size', ({ device }) => device.write(0, at('DEV_CTL'), 1, 1)],
  [
    'readless-address',
    ({ device, driver }) => {
      device.write(0, at('MMIO_RESP_HI'), 4, nowhere);
      assert.equal(driver.mmio.read('VERSION'), 0xffff_ffff);
    },
  ],
  [
    'readless-address',
    ({ device, driver }) => {
      device.reset('function'); // behind the driver's back: the address is forgotten
      assert.equal(driver.mmio.read('VERSION'), 0xffff_ffff);
    },
  ],
  ['admin-queue-shape', ({ device }) => device.write(0, at('AQ_CAPS'), 4, (64 << 16) | 33)],
  ['admin-queue-shape', ({ device }) => device.write(0, at('AENQ_CAPS'), 4, (32 << 16) | 16)],
  [
    'admin-queue-memory',
    ({ device, driver }) => {
      device.write(0, at('AQ_BASE_HI'), 4, nowhere);
      device.write(0, at('AQ_CAPS'), 4, (64 << 16) | 32);
      driver.admin.ring(1);
    },
  ],
  ['control-buffer', get(FEATURE.RSS_HASH_INPUT, { ctrl_data_indirect: 1, control_length: 8 })],
  [
    'control-buffer',
    get(FEATURE.RSS_HASH_INPUT, { ctrl_data: 1, control_length: 4096, control_addr_hi: nowhere }),
  ],
  ['set-only-feature', get(FEATURE.MTU)],
  ['timestamp-mode', set(setHwTimestamp, FEATURE.HW_TIMESTAMP, { rx: 2 })],
  ['phc-memory', set(setPhc, FEATURE.PHC_CONFIG, { output_hi: nowhere, output_length: 64 })],
  [
    'phc-rate',
    (guest) => {
      const address = guest.arena.alloc(64);
      run(guest, setPhc, {
        ...{ opcode: OPCODE.SET_FEATURE, feature_id: FEATURE.PHC_CONFIG, output_length: 64 },
        ...{ output_lo: address % 2 ** 32, output_hi: Math.floor(address / 2 ** 32) },
      });
      for (let i = 0; i <= 125; i++) guest.device.write(0, at('PHC_DB'), 4, i);
    },
  ],
  [
    'flow-steering',
    set(setFlowSteering, FEATURE.FLOW_STEERING_CONFIG, {
      ...{ action: FLOW_STEERING_ACTION.REMOVE_RULE, rule_location: 5 },
    }),
  ],
  [
    'rss-input',
    (guest) => {
      const fields = new Array<number>(64).fill(0).fill(0x3f, 16, 32);
      set(setHashInput, FEATURE.RSS_HASH_INPUT, control(guest, fields))(guest);
    },
  ],
  [
    'rss-function',
    (guest) => {
      const both = { selected_func: 6, ...control(guest, [10]) };
      set(setHashFunction, FEATURE.RSS_HASH_FUNCTION, both)(guest);
    },
  ],
  [
    'rss-function',
    (guest) => {
      const half = { selected_func: 2, ...control(guest, [5]) };
      set(setHashFunction, FEATURE.RSS_HASH_FUNCTION, half)(guest);
    },
  ],
  [
    'rss-table-entry',
    (guest) => {
      const table = { size: 4, inline_index: 0xffff_ffff, ...control(guest, [77]) };
      set(setIndTable, FEATURE.RSS_INDIRECTION_TABLE_CONFIG, table)(guest);
    },
  ],
  ['mtu-range', set(setMtu, FEATURE.MTU, { mtu: 127 })],
  ['mtu-range', set(setMtu, FEATURE.MTU, { mtu: 9217 })],
  ['host-info-memory', set(setHostAttr, FEATURE.HOST_ATTR_CONFIG, { os_info_hi: nowhere })],
  [
    'debug-area-memory',
    set(setHostAttr, FEATURE.HOST_ATTR_CONFIG, { debug_hi: nowhere, debug_area_size: 64 }),
  ],
  ['llq-choice', set(setLlq, FEATURE.LLQ, { ...llqChoice, descriptors_stride_enabled: 3 })],
  ['llq-choice', set(setLlq, FEATURE.LLQ, { ...llqChoice, header_location_enabled: 3 })],
  ['llq-header', longHeader],
  ['cq-limit', (guest) => fill(guest, 'cq')],
  ['sq-limit', (guest) => fill(guest, 'sq')],
  [
    'sq-placement',
    (guest) => run(guest, createSqCmd, { opcode: OPCODE.CREATE_SQ, sq_direction: 2 }),
  ],
  ['stats-type', (guest) => run(guest, getStatsCmd, { opcode: OPCODE.GET_STATS, type: 9 })],
  ['doorbell-unknown', ({ device }) => device.write(0, 0x4000 + 64 * 15, 4, 1)],
  ['tx-too-long', (guest) => assert.ok(guest.send(plainFrame(guest.mac, guest.mac + 1, 1519, 1)))],
];

for (const [rule, how] of broken)
  test(`${rule}: it is broken, named, and the neighbour is not disturbed`, () => {
    const [, a, b] = pair({
      driver: { placement: 'device', txDepth: 32, rxDepth: 32 },
      memoryBytes: 4 << 20,
    });
    how(a);
    const ids = new Set(a.refusals.map((line) => line.split(':')[0]));
    assert.deepEqual([...ids], [`ena/${rule}`]);
    assert.deepEqual(b.refusals, []);
    a.driver.start();
    for (const guest of [a, b]) guest.receive();
    const frame = plainFrame(b.mac, a.mac, 77, 2);
    assert.ok(b.send(frame));
    assert.deepEqual(a.receive(), [frame]);
  });

test('no rule of the card is without a test that breaks it', () => {
  const directory = new URL('../../../test/sim/', import.meta.url);
  const tests = readdirSync(directory)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(new URL(name, directory), 'utf8'))
    .join('\n');
  const untested = Object.keys(enaRules).filter(
    (key) =>
      ![`'${key}'`, `ena/${key}`, `ena\\/${key}`, `: '${key}`].some((s) => tests.includes(s)),
  );
  assert.deepEqual(untested, []);
});
