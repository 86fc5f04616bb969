/** What EFA functions say of themselves, and memory that only the client can reach. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  acqEntry,
  aenqResp,
  deviceAttrResp,
  eventQueueAttrResp,
  FEATURE,
  featureCmd,
  hostInfo,
  hwHintsResp,
  OPCODE,
  queueAttr1Resp,
  queueAttr2Resp,
  regMrCmd,
  regMrResp,
} from '../../src/defs/efa-admin.ts';
import { OP } from '../../src/defs/efa-io.ts';
import { EfaFunction } from '../../src/devices/efa/efa-function.ts';
import { gidOf, macOf } from '../../src/devices/efa/gid.ts';
import { efaProfiles } from '../../src/devices/efa/profile.ts';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import { EfaProvider, part } from '../../src/drivers/efa/provider.ts';
import { Diagnostics } from '../../src/lib/diagnostics.ts';
import { noFaults } from '../../src/srd/faults.ts';
import { connect, EfaLab } from './efa-lab.ts';

for (const profile of efaProfiles)
  test(`${profile.name} says what it is`, () => {
    const lab = new EfaLab(1, { profile });
    const { provider, arena, device, refusals } = lab.a;
    const attributes = provider.feature(FEATURE.DEVICE_ATTR, deviceAttrResp);
    assert.equal(attributes.device_caps, profile.deviceCaps);
    assert.equal(attributes.max_rdma_size, profile.maxRdmaBytes);
    assert.equal(attributes.page_size_cap_lo, 0x7fff_f000);
    assert.equal(attributes.max_link_speed_gbps, 100);
    assert.equal(device.config.read(2, 2), profile.deviceId);
    const queues = provider.feature(FEATURE.QUEUE_ATTR_1, queueAttr1Resp);
    assert.equal(queues.sub_cqs_per_cq, profile.subCqsPerCq);
    assert.equal(queues.max_tx_batch, profile.maxTxBatch);
    const events = provider.feature(FEATURE.EVENT_QUEUE_ATTR, eventQueueAttrResp);
    assert.equal(events.max_eq, profile.eventQueues);
    assert.equal(provider.feature(FEATURE.AENQ_CONFIG, aenqResp).enabled_groups, 0x1e);
    assert.equal(provider.feature(FEATURE.HW_HINTS, hwHintsResp).poll_interval, 0);
    const second = (profile.features & (1 << FEATURE.QUEUE_ATTR_2)) !== 0;
    if (second)
      assert.equal(provider.feature(FEATURE.QUEUE_ATTR_2, queueAttr2Resp).inline_buf_size_ex, 32);
    else assert.throws(() => provider.feature(FEATURE.QUEUE_ATTR_2, queueAttr2Resp), /UNSUPPORTED/);
    refusals.length = 0;
    const page = arena.alloc(4096);
    const info = hostInfo.create();
    info.driver_ver = (2 << 24) | (17 << 16);
    info.store(arena.words, arena.offset(page) >>> 2);
    const command = featureCmd.create();
    command.feature_id = FEATURE.HOST_INFO;
    command.control_length = hostInfo.sizeBytes;
    command.control_addr_lo = page >>> 0;
    command.control_addr_hi = Math.floor(page / 2 ** 32);
    provider.admin.run('SET_FEATURE', OPCODE.SET_FEATURE, command, acqEntry);
    assert.deepEqual(refusals, []);
    assert.equal(device.requestReset(), false);
    device.setLink();
  });

test('an address and its MAC are each other', () => {
  for (const mac of [0x0200_0000_0001, 0xfedc_ba98_7654, 1]) assert.equal(macOf(gidOf(mac)), mac);
  const gid = gidOf(0x0200_0000_0001);
  assert.equal(macOf([gid[0], 1, gid[2], gid[3]]), 0);
  assert.equal(macOf([gid[0], 0, gid[2], 0]), 0);
});

test('a region of physical addresses is all of memory', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const { provider, arena } = lab.a;
  const command = regMrCmd.create();
  command.mem_addr_phy_mode_en = 1;
  command.permissions = 1;
  command.mr_length_hi = 1 << 16;
  const made = provider.admin.run('REG_MR', OPCODE.REG_MR, command, regMrResp);
  const dma = arena.alloc(4096);
  arena.bytes[arena.offset(dma)] = 77;
  const to = lab.b.provider.buffer(4096);
  pair.b.receive(1, [part(to)]);
  pair.a.send(pair.toB, 1, [{ lkey: made.l_key, address: dma, length: 1 }]);
  pair.a.send(pair.toB, 2, [{ lkey: made.l_key, address: 2 ** 45, length: 1 }]);
  assert.deepEqual(
    pair.cqA.drain().map(({ status }) => status),
    [0, 5],
  );
  assert.equal(lab.b.arena.bytes[lab.b.arena.offset(to.dma)], 77);
});

test('buffers in memory that only the client can reach work as well', () => {
  const lab = new EfaLab(1);
  const bytes = new Uint8Array(1 << 20);
  const base = 2 ** 35;
  // rings are mapped, buffers are not
  const arena = new DmaArena(4 << 20, 2 ** 33);
  const at = (iova: number, length: number) => bytes.subarray(iova - base, iova - base + length);
  let reads = 0;
  arena.memory.add({
    iova: base,
    memory: {
      sizeBytes: bytes.length,
      remote: {
        read: (iova: number, into: Uint8Array) => {
          reads++;
          into.set(at(iova, into.length));
          return true;
        },
        write: (iova: number, from: Uint8Array) => {
          at(iova, from.length).set(from);
          return true;
        },
      },
    },
    readable: true,
    writable: true,
  });
  const mac = 0x0200_0000_0009;
  const device = new EfaFunction(
    { mac, linkMbps: 1000, secret: Uint32Array.of(1, 2, 3, 4) },
    {
      ...{ memory: arena.memory, clock: lab.clock, diagnostics: new Diagnostics() },
      interrupts: { raise: () => {} },
      deviceMemory: (sizeBytes) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) }),
    },
    lab.network.addPort({ name: 'remote', mac, fabric: true }),
  );
  const provider = new EfaProvider(device, arena);
  provider.start();
  lab.nodes.push({ device, provider, arena, refusals: [], raised: [], traced: [] });
  const pair = connect(lab);
  const local = lab.a.provider.buffer(65_536);
  const far = provider.register(base, 65_536);
  for (let i = 0; i < 20_000; i++) bytes[i] = i * 13;
  const region = { rkey: far.rkey, address: far.address, length: 20_000 };
  pair.a.rdma(OP.RDMA_READ, pair.toB, 1, part(local, 0, 20_000), region);
  lab.settle();
  const got = lab.a.arena.bytes.subarray(lab.a.arena.offset(local.dma));
  assert.equal(pair.cqA.drain()[0]?.status, 0);
  assert.deepEqual(got.subarray(0, 20_000), bytes.subarray(0, 20_000));
  assert.ok(reads > 0);
  const back = { rkey: far.rkey, address: far.address + 32_768, length: 10_000 };
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 2, part(local, 0, 10_000), back);
  lab.settle();
  assert.equal(pair.cqA.drain()[0]?.status, 0);
  assert.deepEqual(bytes.subarray(32_768, 42_768), bytes.subarray(0, 10_000));
});

test('in posted mode a completion queue that is behind reports at once', () => {
  const lab = new EfaLab(1, { access: 'posted' });
  const { provider, device, raised } = lab.a;
  const eqn = provider.createEq(2);
  const cq = provider.createCq({ eqn, entryWords: 4 });
  const qp = provider.createQp(cq, { qkey: 1 });
  device.write(0, 0x68, 4, (0x8000_0000 | eqn) >>> 0);
  qp.send({ ah: 99, qp: 1, qkey: 1 }, 1, Uint8Array.of(1));
  raised.length = 0;
  device.write(4, cq.doorbell, 4, 0x8000_0000); // it has read none of one
  assert.deepEqual(raised, [2]);
  assert.equal(cq.drain()[0]?.status, 4);
  assert.equal(cq.total, 1);
});

test('what is left of a burst goes on in the next turn', () => {
  const lab = new EfaLab();
  const pair = connect(lab, { type: 1, sqDepth: 1024, rqDepth: 64 });
  for (let i = 0; i < 1000; i++)
    pair.a.send({ ...pair.toB, ah: 500 }, i, Uint8Array.of(1), undefined, i === 999);
  const other = lab.a.provider.createQp(pair.cqA, { type: 1, sqDepth: 1024 });
  for (let i = 0; i < 1000; i++)
    other.send({ ...pair.toB, ah: 500 }, i, Uint8Array.of(1), undefined, i === 999);
  lab.settle(2);
  const stats = lab.a.provider.stats('MESSAGES', pair.a.number);
  assert.equal(stats['send_wrs'], 0);
  lab.a.device.setRate(1e9);
  lab.a.device.setRate(null);
});

test("a function's own counters say what a bad fabric did, and what SRD did about it", () => {
  const faults = { ...noFaults, seed: 5, lossPpm: 100_000, jitterNs: 50_000 };
  const lab = new EfaLab(2, { faults });
  const pair = connect(lab);
  const [from, to] = [lab.a.provider.buffer(1 << 20), lab.b.provider.buffer(1 << 20)];
  const at = { rkey: to.rkey, address: to.address, length: 1 << 20 };
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 1, part(from), at);
  lab.settle(500);
  assert.equal(pair.cqA.drain()[0]?.status, 0);
  const { names, read } = lab.a.device.ownCounters;
  const values = new Float64Array(names.length);
  read(values);
  const count = (name: string): number => values[names.indexOf(name)] ?? NaN;
  assert.equal(count('efa_write_wrs'), 1);
  assert.equal(count('efa_write_bytes'), 1 << 20);
  assert.equal(count('efa_retrans_pkts'), lab.a.provider.stats('NETWORK')['retrans_pkts']);
  assert.ok(count('efa_retrans_pkts') > 0 && count('fabric_lost') > 0);
  assert.ok(count('fabric_delayed') > 118, 'more than its packets were delayed');
});

test('a trace names commands with their features and statuses, and what a reset was for', () => {
  const lab = new EfaLab(1);
  const { traced, provider, device } = lab.a;
  assert.ok(traced.includes('admin GET_FEATURE DEVICE_ATTR -> SUCCESS'), traced.join('; '));
  assert.ok(traced.includes('admin ALLOC_PD -> SUCCESS'));
  assert.throws(() => provider.free(OPCODE.DEALLOC_PD, 999));
  assert.equal(traced.at(-1), 'admin DEALLOC_PD -> ILLEGAL_PARAMETER');
  device.reset('detach');
  assert.match(traced.slice(-2).join('; '), /reset \(detach\); .*trapped \d+ times/);
});

test('accesses to nothing, or of an odd size, are refused and read as zero', () => {
  const lab = new EfaLab(1);
  const { device, refusals } = lab.a;
  device.write(4, 3, 1, 1);
  device.write(2, 3, 1, 1);
  device.write(0, 0x7c, 4, 1);
  assert.equal(device.read(0, 0x7c, 4), 0);
  assert.equal(device.read(2, 0, 4), 0);
  assert.deepEqual(
    refusals.map(({ rule }) => rule.id),
    ['register-access-size', 'register-access-size', 'bad-register', 'bad-register'].map(
      (name) => `efa/${name}`,
    ),
  );
});

test('a limited rate is kept by SRD, and lifted again', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const [from, to] = [lab.a.provider.buffer(1 << 20), lab.b.provider.buffer(1 << 20)];
  const at = { rkey: to.rkey, address: to.address, length: 1 << 20 };
  lab.a.device.setRate(100e6);
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 1, part(from), at);
  lab.settle(60);
  assert.deepEqual(pair.cqA.drain(), [], '8 Mbit take more than 60 ms at 100 Mbit/s');
  lab.settle(40);
  assert.equal(pair.cqA.drain()[0]?.status, 0);
  lab.a.device.setRate(null);
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 2, part(from), at);
  lab.settle(1);
  assert.equal(pair.cqA.drain()[0]?.status, 0);
});
