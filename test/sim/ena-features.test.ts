/** Features that stock drivers seldom or never use, driven by the reference driver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AENQ_GROUP,
  AENQ_SYNDROME_UPDATE_HINTS,
  acqEntry,
  COMPLETION_POLICY,
  CUSTOMER_METRICS,
  createSqCmd,
  customerMetricsResp,
  eniStatsResp,
  extraFlagsResp,
  extraStringsResp,
  FEATURE,
  FLOW_RULE_BYTES,
  FLOW_STEERING_ACTION,
  FLOW_STEERING_CHOOSE_LOCATION,
  FLOW_TYPE,
  featureCmd,
  flowRule,
  flowSteeringResp,
  getStatsCmd,
  hashFunctionResp,
  moderationResp,
  OPCODE,
  phcReading,
  phcResp,
  SQ_DIRECTION,
  STATS_TYPE,
  STATUS,
  setFlowSteering,
  setFragBypass,
  setHashFunction,
  setHwTimestamp,
  setIndTable,
  setPhc,
  srdInfoResp,
} from '../../src/defs/ena-admin.ts';
import { enaRegisters } from '../../src/defs/ena-regs.ts';
import { enaProfiles } from '../../src/devices/ena/profile.ts';
import { nsPerMs, nsPerSecond } from '../../src/lib/clock.ts';
import { Allowance } from '../../src/switch/allowance/allowance.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { packet, plainFrame } from './naive-packets.ts';

const lo = (address: number): number => address % 2 ** 32;
const hi = (address: number): number => Math.floor(address / 2 ** 32);
const udp = (a: SimGuest, b: SimGuest, ip: 4 | 6, port: number): Uint8Array => {
  const payload = new Uint8Array(32);
  return packet({ from: a.mac, to: b.mac, ip, l4: 'udp', destinationPort: port, payload });
};

/** Which receive queue of `to` gets a frame of `from`, or -1. */
function queueOf(from: SimGuest, to: SimGuest, frame: Uint8Array): number {
  from.send(frame);
  from.driver.poll();
  const queue = to.driver.rx.findIndex((rx) => rx.next());
  for (const rx of to.driver.rx) rx.replenish();
  return queue;
}

test('doorbells in mapped memory do what trapped ones do, when they are polled', () => {
  const [, a, b] = pair({ device: { access: 'polled' }, driver: { txDepth: 32, rxDepth: 32 } });
  assert.ok(a.device.polls);
  const poll = (): void => {
    while (a.device.poll() || b.device.poll());
  };
  poll();
  for (let i = 0; i < 200; i++) {
    const frame = plainFrame(a.mac, b.mac, 60 + i, i);
    assert.ok(a.send(frame), `frame ${i}`);
    assert.deepEqual(b.receive(), [], 'nothing moves before somebody looks');
    poll();
    assert.deepEqual(b.receive(), [frame]);
    a.driver.poll();
    poll();
  }
  assert.deepEqual([...a.refusals, ...b.refusals], []);
  assert.equal(a.device.poll(), false);
});

test('every queue of 1024 wide entries has memory of its own', () => {
  const profile = enaProfiles.find(({ name }) => name === 'nitro-v5');
  assert.ok(profile);
  const [, a, b] = pair({
    device: { profile },
    driver: { placement: 'device', queuePairs: 8, txDepth: 1024 },
    memoryBytes: 96 << 20,
  });
  for (let queue = 0; queue < 8; queue++) {
    assert.equal(a.driver.tx[queue]?.isInDevice, true);
    assert.equal(a.driver.tx[queue]?.spec.depth, 1024);
    const frame = plainFrame(a.mac, b.mac, 200, queue);
    assert.ok(a.send(frame, queue));
    assert.deepEqual(b.receive(), [frame]);
  }
  assert.deepEqual(a.refusals, []);
});

test('a rule of flow steering sends its flow to its queue, ahead of the hash', () => {
  const [, a, b] = pair({ driver: { queuePairs: 4 }, memoryBytes: 32 << 20 });
  const rule = b.arena.alloc(FLOW_RULE_BYTES);
  const add = (type: number, queue: number, fill: (params: DataView) => void): number => {
    const bytes = b.arena.bytes.subarray(b.arena.offset(rule), b.arena.offset(rule) + 128).fill(0);
    fill(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    const cmd = setFlowSteering.create();
    cmd.opcode = OPCODE.SET_FEATURE;
    cmd.feature_id = FEATURE.FLOW_STEERING_CONFIG;
    cmd.ctrl_data_indirect = 1;
    cmd.control_length = FLOW_RULE_BYTES;
    cmd.control_addr_lo = lo(rule);
    cmd.control_addr_hi = hi(rule);
    cmd.action = FLOW_STEERING_ACTION.ADD_RULE;
    cmd.flow_type = type;
    cmd.rx_q_idx = queue;
    cmd.rule_location = FLOW_STEERING_CHOOSE_LOCATION;
    return b.driver.commands.run('add', cmd, flowSteeringResp).rule_location;
  };
  const port = (params: DataView, value: number): void => {
    params.setUint16(flowRule.dst_port, value, true);
    params.setUint16(flowRule.dst_port_mask, 0xffff, true);
  };
  for (let queue = 0; queue < 4; queue++) {
    add(FLOW_TYPE.IPV4_UDP, queue, (params) => port(params, 5000 + queue));
    add(FLOW_TYPE.IPV6_UDP, queue, (params) => port(params, 6000 + queue));
  }
  for (let queue = 0; queue < 4; queue++) {
    assert.equal(queueOf(a, b, udp(a, b, 4, 5000 + queue)), queue);
    assert.equal(queueOf(a, b, udp(a, b, 6, 6000 + queue)), queue);
  }
  const free = queueOf(a, b, udp(a, b, 4, 7000));
  const other = (free + 1) % 4;
  const location = add(FLOW_TYPE.IPV4, other, (params) => {
    for (let i = 0; i < 4; i++) params.setUint8(flowRule.src_ip_mask + i, 0xff);
    params.setUint32(flowRule.src_ip, 0x0a00_0000 + (a.mac & 255));
  });
  assert.equal(queueOf(a, b, udp(a, b, 4, 7000)), other);
  const command = (action: number, at: number): number | undefined => {
    const cmd = setFlowSteering.create();
    cmd.opcode = OPCODE.SET_FEATURE;
    cmd.feature_id = FEATURE.FLOW_STEERING_CONFIG;
    cmd.action = action;
    cmd.rule_location = at;
    return b.driver.admin.execute(cmd)?.status;
  };
  assert.equal(command(FLOW_STEERING_ACTION.REMOVE_RULE, location), STATUS.SUCCESS);
  assert.equal(queueOf(a, b, udp(a, b, 4, 7000)), free);
  assert.equal(command(FLOW_STEERING_ACTION.REMOVE_RULE, location), STATUS.ILLEGAL_PARAMETER);
  assert.equal(command(9, 0), STATUS.ILLEGAL_PARAMETER);
  assert.equal(command(FLOW_STEERING_ACTION.REMOVE_ALL_RULES, 0), STATUS.SUCCESS);
  assert.throws(() => add(FLOW_TYPE.IPV4, 4, () => {}), /ILLEGAL_PARAMETER/);
});

test('the hardware clock answers 125 times a second, and says so when it does not', () => {
  const [lab, a] = pair();
  const page = a.arena.alloc(4096);
  const doorbell = a.driver.commands.getFeature(FEATURE.PHC_CONFIG, phcResp).doorbell_offset;
  assert.equal(doorbell, enaRegisters.registers.PHC_DB.offset);
  a.device.write(0, doorbell, 4, 1);
  assert.match(a.refusals.at(-1) ?? '', /^ena\/phc-not-configured/);
  const configure = (address: number, length: number): void => {
    const cmd = setPhc.create();
    cmd.output_lo = lo(address);
    cmd.output_hi = hi(address);
    cmd.output_length = length;
    a.driver.commands.setFeature(FEATURE.PHC_CONFIG, cmd);
  };
  assert.throws(() => configure(page, 16), /ILLEGAL_PARAMETER/);
  assert.throws(() => configure(0x40, 64), /ILLEGAL_PARAMETER/);
  configure(page, 4096);
  const read = (request: number) => {
    a.device.write(0, doorbell, 4, request);
    const reading = phcReading.create();
    reading.load(a.arena.words, a.arena.offset(page) >>> 2);
    assert.equal(reading.req_id, request);
    return reading;
  };
  lab.clock.advance(5 * nsPerSecond + 7);
  const first = read(2);
  assert.equal(first.timestamp_hi * 2 ** 32 + first.timestamp_lo, lab.clock.now());
  assert.ok(first.error_bound > 0 && first.error_flags === 0);
  for (let i = 0; i < 124; i++) assert.equal(read(3 + i).error_flags, 0);
  assert.notEqual(read(200).error_flags, 0);
  lab.clock.advance(nsPerSecond);
  assert.equal(read(201).error_flags, 0);
});

test('statistics of every type say what the allowances say', () => {
  const [, a, b] = pair({ port: { express: { udp: true } } });
  a.port.setAllowance(new Allowance({ connections: 450_878 }, 0));
  for (let i = 0; i < 9; i++) a.send(udp(a, b, 4, 1000 + i));
  b.send(udp(b, a, 4, 1));
  const { counters } = a.port;
  counters.values[counters.index('bw_in_allowance_exceeded')] = 1;
  counters.values[counters.index('pps_allowance_exceeded')] = 2 ** 33 + 5;
  const stats = (type: number, bytes: number) => {
    const cmd = getStatsCmd.create();
    cmd.opcode = OPCODE.GET_STATS;
    cmd.type = type;
    const buffer = a.arena.alloc(64 + bytes);
    cmd.control_length = bytes;
    cmd.control_addr_lo = lo(buffer);
    cmd.control_addr_hi = hi(buffer);
    cmd.requested_metrics_lo = 0x3f;
    return { cmd, at: a.arena.offset(buffer) };
  };
  const { commands } = a.driver;
  const eni = commands.run('eni', stats(STATS_TYPE.ENI, 0).cmd, eniStatsResp);
  assert.equal(eni.bw_in_allowance_exceeded_lo, 1);
  assert.deepEqual([eni.pps_allowance_exceeded_lo, eni.pps_allowance_exceeded_hi], [5, 2]);
  const srd = commands.run('srd', stats(STATS_TYPE.ENA_SRD, 0).cmd, srdInfoResp);
  assert.deepEqual(
    [srd.flags_lo, srd.ena_srd_tx_pkts_lo, srd.ena_srd_eligible_tx_pkts_lo, srd.ena_srd_rx_pkts_lo],
    [3, 9, 9, 1],
  );
  const { cmd, at } = stats(STATS_TYPE.CUSTOMER_METRICS, 48);
  const customer = commands.run('customer', cmd, customerMetricsResp);
  assert.equal(customer.reported_metrics_lo, 0x3f);
  const available = CUSTOMER_METRICS.indexOf('conntrack_allowance_available');
  assert.equal(a.arena.words[(at >>> 2) + 2 * available], 450_878);
  const text = stats(STATS_TYPE.EXTENDED, 1024);
  commands.run('extended', text.cmd, acqEntry);
  const lines = Buffer.from(a.arena.bytes.subarray(text.at, text.at + 200)).toString();
  assert.match(lines, /^txBytes \d+\n/);
  const small = stats(STATS_TYPE.CUSTOMER_METRICS, 8);
  assert.equal(a.driver.admin.execute(small.cmd)?.status, STATUS.ILLEGAL_PARAMETER);
});

test('the head of a transmit queue can be written back instead of completions', () => {
  const [, a, b] = pair();
  const word = a.arena.alloc(64);
  const { commands, tx } = a.driver;
  const queue = tx[0];
  assert.ok(queue);
  commands.destroySq(queue.sqIndex, SQ_DIRECTION.TX);
  const cmd = createSqCmd.create();
  cmd.opcode = OPCODE.CREATE_SQ;
  cmd.sq_direction = SQ_DIRECTION.TX;
  cmd.placement_policy = 1;
  cmd.completion_policy = COMPLETION_POLICY.HEAD;
  cmd.is_physically_contiguous = 1;
  cmd.cq_idx = queue.cqIndex;
  cmd.sq_depth = queue.spec.depth;
  cmd.sq_ba_lo = lo(queue.sqAddress);
  cmd.sq_ba_hi = hi(queue.sqAddress);
  cmd.sq_head_writeback_lo = lo(word);
  cmd.sq_head_writeback_hi = hi(word);
  assert.equal(a.driver.admin.execute(cmd)?.status, STATUS.SUCCESS);
  queue.clear();
  for (let i = 1; i <= 3; i++) {
    a.send(plainFrame(a.mac, b.mac, 60, i));
    assert.equal(a.arena.words[a.arena.offset(word) >>> 2], i);
  }
  assert.equal(b.receive().length, 3);
});

test('a lone frame is told at once, those that follow when the delay since then has passed', () => {
  const [lab, a, b] = pair({ driver: { interrupts: true } });
  assert.equal(
    b.driver.commands.getFeature(FEATURE.INTERRUPT_MODERATION, moderationResp)
      .intr_delay_resolution,
    1,
  );
  const raised = (): number => b.interrupts[1] ?? 0;
  b.driver.queues.arm(500, 64);
  lab.clock.advance(nsPerMs);
  const before = raised();
  a.send(plainFrame(a.mac, b.mac, 60, 0));
  assert.equal(raised(), before + 1, 'nothing has come for long');
  b.driver.queues.arm(500, 64);
  for (let i = 0; i < 10; i++) {
    a.send(plainFrame(a.mac, b.mac, 60, i));
    lab.clock.advance(20_000);
  }
  assert.equal(raised(), before + 1, '200 us are less than 500');
  lab.clock.advance(310_000);
  assert.equal(raised(), before + 2, 'one for all ten');
});

test('transmit completions wait for their delay, a lone one for a frame or a millisecond', () => {
  const [lab, a, b] = pair({ driver: { interrupts: true } });
  const raised = (): number => a.interrupts[1] ?? 0;
  const arm = (delayUs: number): void => {
    lab.clock.advance(nsPerMs);
    a.driver.queues.arm(0, delayUs);
  };
  arm(64);
  lab.clock.advance(nsPerMs);
  arm(64);
  const before = raised();
  a.send(plainFrame(a.mac, b.mac, 60, 1));
  lab.clock.advance(990_000);
  assert.equal(raised(), before, 'it is alone');
  lab.clock.advance(20_000);
  assert.equal(raised(), before + 1, 'nothing came that it could be told with');
  arm(64);
  a.send(plainFrame(a.mac, b.mac, 60, 2));
  a.send(plainFrame(a.mac, b.mac, 60, 3));
  lab.clock.advance(63_000);
  assert.equal(raised(), before + 1);
  lab.clock.advance(2000);
  assert.equal(raised(), before + 2, 'two doorbells: the delay counts');
  arm(64);
  a.send(plainFrame(a.mac, b.mac, 60, 4));
  b.send(plainFrame(b.mac, a.mac, 60, 5));
  assert.equal(raised(), before + 3);
  lab.clock.advance(nsPerMs);
  assert.equal(raised(), before + 3, 'both were told');
  arm(0);
  a.send(plainFrame(a.mac, b.mac, 60, 6));
  assert.equal(raised(), before + 4, 'without a delay at once');
});

test('RSS by CRC32, one entry of the table by command and by register', () => {
  const [, a, b] = pair({ driver: { queuePairs: 2 }, memoryBytes: 16 << 20 });
  const { commands, rx } = b.driver;
  const crc32 = 1 << 2;
  const key = b.arena.alloc(64);
  b.arena.words[b.arena.offset(key) >>> 2] = 10;
  const set = setHashFunction.create();
  set.selected_func = crc32;
  commands.setFeature(FEATURE.RSS_HASH_FUNCTION, set, { address: key, length: 48 });
  const got = commands.getFeature(FEATURE.RSS_HASH_FUNCTION, hashFunctionResp);
  assert.equal(got.selected_func, crc32);
  const hashes = new Set<number>();
  for (let port = 1; port <= 50; port++) {
    a.send(udp(a, b, port % 2 === 0 ? 4 : 6, port));
    for (const queue of rx) if (queue.next()) hashes.add(queue.hash);
    for (const queue of rx) queue.replenish();
  }
  assert.ok(hashes.size > 45, `${hashes.size} hashes of 50 flows`);
  const frame = udp(a, b, 4, 99);
  const before = queueOf(a, b, frame);
  const target = rx[1 - before]?.sqIndex ?? 0;
  a.send(frame);
  const mask = (b.driver.rss.getTable()?.length ?? 0) - 1;
  const index = ([...rx].find((queue) => queue.next())?.hash ?? 0) & mask;
  for (const queue of rx) queue.replenish();
  const one = setIndTable.create();
  one.inline_index = index;
  one.inline_cq_idx = target;
  commands.setFeature(FEATURE.RSS_INDIRECTION_TABLE_CONFIG, one);
  assert.equal(queueOf(a, b, frame), 1 - before);
  const update = enaRegisters.registers.RSS_IND_ENTRY_UPDATE.offset;
  b.device.write(0, update, 4, index | ((rx[before]?.sqIndex ?? 0) << 16));
  assert.equal(queueOf(a, b, frame), before);
  b.device.write(0, update, 4, index | (999 << 16));
  assert.match(b.refusals.at(-1) ?? '', /^ena\/rss-entry-update/);
  one.inline_cq_idx = 999;
  assert.throws(
    () => commands.setFeature(FEATURE.RSS_INDIRECTION_TABLE_CONFIG, one),
    /ILLEGAL_PARAMETER/,
  );
});

test('settings that only say yes or no, and properties of which there are none', () => {
  const [, a] = pair();
  const { commands } = a.driver;
  commands.setFeature(FEATURE.FRAG_BYPASS, setFragBypass.create());
  const stamps = setHwTimestamp.create();
  stamps.tx = 2;
  assert.throws(() => commands.setFeature(FEATURE.HW_TIMESTAMP, stamps), /ILLEGAL_PARAMETER/);
  assert.equal(commands.getFeature(FEATURE.EXTRA_PROPERTIES_STRINGS, extraStringsResp).count, 0);
  assert.equal(commands.getFeature(FEATURE.EXTRA_PROPERTIES_FLAGS, extraFlagsResp).flags, 0);
  assert.throws(() => commands.getFeature(FEATURE.MTU, acqEntry), /ILLEGAL_PARAMETER/);
  const readOnly = featureCmd.create();
  assert.throws(() => commands.setFeature(FEATURE.LINK_CONFIG, readOnly), /ILLEGAL_PARAMETER/);
});

test('the owner of a function can ask its driver for a reset, notify it, and give it hints', () => {
  const [, a] = pair({ driver: { eventGroups: 1 } });
  assert.equal(a.device.requestReset(), false, 'the driver has not enabled that event');
  const [, b] = pair();
  assert.equal(b.device.requestReset(), true);
  assert.equal(b.device.notify(5), true);
  assert.equal(b.device.hint({ driver_watchdog_timeout: 7000 }), true);
  b.driver.poll();
  const { DEVICE_REQUEST_RESET, CONF_NOTIFICATIONS, NOTIFICATION } = AENQ_GROUP;
  assert.deepEqual(
    b.driver.events.others.map(({ group, syndrome, words }) => [group, syndrome, words[4]]),
    [
      [DEVICE_REQUEST_RESET, 0, 0],
      [CONF_NOTIFICATIONS, 0, 5],
      [NOTIFICATION, AENQ_SYNDROME_UPDATE_HINTS, 7000 << 16],
    ],
  );
});
