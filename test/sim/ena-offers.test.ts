/** What each generation offers, asked one by one: features, statistics, properties. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  acqEntry,
  basicStatsResp,
  CAPABILITY,
  CUSTOMER_METRICS,
  customerMetricsResp,
  EXTRA_PROPERTIES_STRING_BYTES,
  extraFlagsResp,
  extraStringsResp,
  FEATURE,
  featureCmd,
  getStatsCmd,
  OPCODE,
  STATS_SCOPE,
  STATS_TYPE,
  STATUS,
} from '../../src/defs/ena-admin.ts';
import { type EnaProfile, enaProfiles, permissive } from '../../src/devices/ena/profile.ts';
import type { AdminCommand } from '../../src/drivers/ena/admin-queue.ts';
import { Allowance } from '../../src/switch/allowance/allowance.ts';
import { pair, type SimGuest, SimLab } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

const bufferBytes = 8192;

/** A command with a buffer for its answer; the status, and where the buffer is. */
function ask(guest: SimGuest, command: Record<string, unknown>, values: Record<string, number>) {
  const address = guest.arena.alloc(bufferBytes);
  Object.assign(command, {
    ctrl_data_indirect: 1,
    control_length: bufferBytes,
    control_addr_lo: address % 2 ** 32,
    control_addr_hi: Math.floor(address / 2 ** 32),
    ...values,
  });
  const done = guest.driver.admin.execute(command as unknown as AdminCommand);
  assert.ok(done);
  return { ...done, at: guest.arena.offset(address) };
}

function started(profile: EnaProfile): SimGuest {
  const driver = { txDepth: 64, rxDepth: 64 };
  const guest = new SimLab().add({ device: { profile }, driver, memoryBytes: 8 << 20 });
  guest.driver.start();
  return guest;
}

const setOnly: readonly number[] = [
  FEATURE.FRAG_BYPASS,
  FEATURE.MTU,
  FEATURE.HOST_ATTR_CONFIG,
  FEATURE.FLOW_STEERING_CONFIG,
];

for (const profile of enaProfiles) {
  test(`${profile.name}: every feature id is answered, or is unsupported, as the card reports`, () => {
    const guest = started(profile);
    assert.equal(guest.driver.attributes.supported_features >>> 0, profile.features);
    for (let id = 0; id < 256; id++) {
      const values = { opcode: OPCODE.GET_FEATURE, feature_id: id };
      const { status } = ask(guest, featureCmd.create(), values);
      const offered = id < 32 && ((profile.features >>> id) & 1) !== 0;
      const expected = setOnly.includes(id) ? STATUS.ILLEGAL_PARAMETER : STATUS.SUCCESS;
      assert.equal(status, offered ? expected : STATUS.UNSUPPORTED_OPCODE, `feature ${id}`);
    }
    const named = Object.values(FEATURE) as number[];
    const all = Array.from({ length: 32 }, (_, id) => id);
    const offered = all.filter((id) => (profile.features >>> id) & 1);
    assert.deepEqual(
      offered.filter((id) => !named.includes(id)),
      [],
      'no feature is offered that the public headers do not name',
    );
    if (profile === permissive) assert.deepEqual(offered, named);
  });

  test(`${profile.name}: statistics are those that its capabilities promise`, () => {
    const guest = started(profile);
    assert.equal(guest.driver.attributes.capabilities, profile.capabilities);
    const has = (bit: number): boolean => (profile.capabilities & bit) !== 0;
    for (const [type, offered] of [
      [STATS_TYPE.BASIC, true],
      [STATS_TYPE.EXTENDED, true],
      [STATS_TYPE.ENI, has(CAPABILITY.ENI_STATS)],
      [STATS_TYPE.ENA_SRD, has(CAPABILITY.ENA_SRD_INFO)],
      [STATS_TYPE.CUSTOMER_METRICS, has(CAPABILITY.CUSTOMER_METRICS)],
      [5, false],
    ] as const) {
      const values = { opcode: OPCODE.GET_STATS, type, requested_metrics_lo: 0x3f };
      const { status } = ask(guest, getStatsCmd.create(), values);
      assert.equal(status, offered ? STATUS.SUCCESS : STATUS.UNSUPPORTED_OPCODE, `type ${type}`);
    }
  });
}

test('customer metrics are those that were asked for, one after the other', () => {
  const guest = started(permissive);
  guest.port.setAllowance(new Allowance({ connections: 2 ** 32 + 16 }, 0));
  const { counters } = guest.port;
  for (const [i, name] of CUSTOMER_METRICS.slice(0, 3).entries())
    counters.values[counters.index(name)] = 11 + i;
  counters.values[counters.index('tx_trackingFull')] = 8;
  counters.values[counters.index('rx_trackingFull')] = 6;
  counters.values[counters.index('tx_linkLocalExceeded')] = 15;
  const values = [11, 12, 13, 14, 15, 2 ** 32 + 16];
  for (let asked = 0; asked < 2 ** (CUSTOMER_METRICS.length + 1); asked++) {
    const command = { opcode: OPCODE.GET_STATS, type: STATS_TYPE.CUSTOMER_METRICS };
    const record = getStatsCmd.create();
    const { status, words, at } = ask(guest, record, { ...command, requested_metrics_lo: asked });
    assert.equal(status, STATUS.SUCCESS);
    const answer = customerMetricsResp.create();
    answer.load(words, 0);
    assert.equal(answer.reported_metrics_lo, asked & 0x3f);
    const wanted = values.filter((_, i) => (asked >> i) & 1);
    const found = wanted.map((_, i) => {
      const [low, high] = guest.arena.words.subarray((at >>> 2) + 2 * i, (at >>> 2) + 2 * i + 2);
      return ((low ?? 0) >>> 0) + (high ?? 0) * 2 ** 32;
    });
    assert.deepEqual(found, wanted);
    guest.arena.release(guest.arena.mark() - bufferBytes);
  }
});

test('one queue has statistics of its own, and the text of extended ones lists them all', () => {
  const driver = { queuePairs: 2, txDepth: 64, rxDepth: 64 };
  const [, a, b] = pair({ driver, memoryBytes: 8 << 20 });
  for (let i = 0; i < 5; i++) assert.ok(a.send(plainFrame(a.mac, b.mac, 100, i), 1));
  assert.equal(b.receive().length, 5);
  const of = (guest: SimGuest, queue: number, scope: number) => {
    const values = { opcode: OPCODE.GET_STATS, type: STATS_TYPE.BASIC, scope, queue_idx: queue };
    const done = ask(guest, getStatsCmd.create(), values);
    assert.equal(done.status, STATUS.SUCCESS);
    const stats = basicStatsResp.create();
    stats.load(done.words, 0);
    return [stats.tx_pkts_low, stats.tx_bytes_low, stats.rx_pkts_low, stats.rx_bytes_low];
  };
  const { SPECIFIC_QUEUE, ETH_TRAFFIC } = STATS_SCOPE;
  assert.deepEqual(of(a, a.driver.tx[1]?.sqIndex ?? 0, SPECIFIC_QUEUE), [5, 500, 0, 0]);
  assert.deepEqual(of(a, a.driver.rx[0]?.sqIndex ?? 0, SPECIFIC_QUEUE), [0, 0, 0, 0]);
  assert.deepEqual(of(a, 0, SPECIFIC_QUEUE), [5, 500, 0, 0], 'all of them: as drivers mean it');
  assert.deepEqual(of(a, 3, ETH_TRAFFIC), [5, 500, 0, 0]);
  const perQueue = b.driver.rx.map((queue) => of(b, queue.sqIndex, SPECIFIC_QUEUE)[2] ?? 0);
  assert.equal((perQueue[0] ?? 0) + (perQueue[1] ?? 0), 5);
  const values = { opcode: OPCODE.GET_STATS, type: STATS_TYPE.EXTENDED };
  const { at } = ask(a, getStatsCmd.create(), values);
  const text = Buffer.from(a.arena.bytes.subarray(at, at + 400)).toString();
  assert.match(text, /^txPackets 5\n/m);
  assert.match(text, new RegExp(`^txQueue${a.driver.tx[1]?.sqIndex}Packets 5\n`, 'm'));
});

test('extra properties have names in the buffer and a bit each', () => {
  const extraProperties = [
    { name: 'first', on: false },
    { name: 'a-name-of-31-characters-at-most', on: true },
  ];
  const guest = started({ ...permissive, extraProperties });
  const address = guest.arena.alloc(bufferBytes);
  const { commands } = guest.driver;
  const strings = (length: number): number =>
    commands.getFeature(FEATURE.EXTRA_PROPERTIES_STRINGS, extraStringsResp, 0, { address, length })
      .count;
  assert.equal(strings(bufferBytes), 2);
  const start = guest.arena.offset(address);
  const names = [0, 1].map((i) => {
    const from = start + i * EXTRA_PROPERTIES_STRING_BYTES;
    const bytes = guest.arena.bytes.subarray(from, from + EXTRA_PROPERTIES_STRING_BYTES);
    return Buffer.from(bytes).toString().replace(/\0+$/, '');
  });
  assert.deepEqual(
    names,
    extraProperties.map(({ name }) => name),
  );
  assert.equal(commands.getFeature(FEATURE.EXTRA_PROPERTIES_FLAGS, extraFlagsResp).flags, 2);
  assert.throws(() => strings(63), /ILLEGAL_PARAMETER/);
  assert.throws(() => commands.getFeature(FEATURE.FRAG_BYPASS, acqEntry), /ILLEGAL_PARAMETER/);
});

test('the table of features in the README is what the profiles offer', () => {
  const page = readFileSync(new URL('../../../src/devices/ena/README.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| \d+( \d+)? +\|/.test(line));
  const columns = enaProfiles.filter(({ name }) => name !== 'strict');
  const described = new Set<number>();
  for (const row of rows) {
    const [ids = '', , ...marks] = row.split('|').slice(1, -1);
    for (const id of ids.trim().split(' ').map(Number)) {
      described.add(id);
      const offered = columns.map(({ features }) => ((features >>> id) & 1) !== 0);
      const claimed = marks.slice(0, columns.length).map((mark) => mark.trim() !== '·');
      assert.deepEqual(claimed, offered, row);
    }
  }
  assert.deepEqual(
    [...described].sort((x, y) => x - y),
    Object.values(FEATURE),
  );
});
