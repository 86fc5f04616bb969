import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rxCdesc, rxDesc, txCdesc, txDesc, txMetaDesc } from '../../defs/ena-io.ts';
import { resetReasons } from '../../defs/ena-regs.ts';
import { ConfigSpace } from '../../pci/config-space.ts';
import type { PciFunction } from '../../pci/function.ts';
import { DmaArena } from '../dma-arena.ts';
import { EnaMmio } from './mmio.ts';
import { RxQueue } from './rx-queue.ts';
import { TxOffload } from './tx-offload.ts';
import { TxQueue } from './tx-queue.ts';
import { Watchdog } from './watchdog.ts';

const base = 2 ** 33;

/** A function that only remembers what was written to BAR 0. */
class Recorder implements PciFunction {
  readonly model = 'recorder';
  readonly bars = [];
  readonly vectors = 2;
  readonly config = new ConfigSpace({
    vendorId: 0x1d0f,
    deviceId: 0xec20,
    revision: 0,
    classCode: 0x020000,
    subsystemVendorId: 0,
    subsystemId: 0,
    bars: [],
    capabilities: [],
  });
  readonly writes: [offset: number, value: number][] = [];
  read(): number {
    return 0;
  }
  write(_bar: number, offset: number, _size: number, value: number): void {
    this.writes.push([offset, value]);
  }
  reset(): void {}
}

function setUp() {
  const device = new Recorder();
  const arena = new DmaArena(1 << 20, base);
  const waits = { pause: () => {}, maxPolls: 3, watchdog: new Watchdog(null) };
  return { device, arena, mmio: new EnaMmio(device, arena, waits) };
}

function txSetUp() {
  const { device, arena, mmio } = setUp();
  const spec = {
    depth: 8,
    bufferBytes: 256,
    maxDescs: 5,
    maxHeaderBytes: 96,
    timeStamps: false,
    clock: null,
  };
  const queue = new TxQueue(mmio, arena, spec);
  queue.doorbellOffset = 0x1000;
  const desc = txDesc.create();
  const load = (slot: number) => {
    desc.load(arena.words, (arena.offset(queue.sqAddress) >>> 2) + slot * 4);
    return desc;
  };
  let completions = 0;
  const complete = (reqId: number): void => {
    const cdesc = txCdesc.create();
    cdesc.req_id = reqId;
    cdesc.phase = (completions >>> 3) & 1 ? 0 : 1;
    cdesc.store(arena.words, (arena.offset(queue.cqAddress) >>> 2) + (completions++ & 7) * 2);
  };
  return { device, arena, queue, load, complete };
}

test('a short frame is one descriptor with its bytes, its header length and a high address', () => {
  const { device, arena, queue, load } = txSetUp();
  const frame = Uint8Array.from({ length: 100 }, (_, i) => i);
  assert.ok(queue.send(frame, 10, 90));
  const desc = load(0);
  assert.deepEqual([desc.first, desc.last, desc.comp_req, desc.phase], [1, 1, 1, 1]);
  assert.deepEqual([desc.length, desc.header_length, desc.meta_desc], [90, 90, 0]);
  assert.equal(desc.addr_hi, 2);
  const at = desc.addr_hi * 2 ** 32 + desc.buff_addr_lo - base;
  assert.deepEqual([...arena.bytes.subarray(at, at + 90)], [...frame.subarray(10)]);
  assert.deepEqual(device.writes, []);
  queue.kick();
  queue.kick();
  assert.deepEqual(device.writes, [[0x1000, 1]]);
});

test('a long frame spans buffers, has one request id and frees them all when completed', () => {
  const { arena, queue, load, complete } = txSetUp();
  const frame = Uint8Array.from({ length: 700 }, (_, i) => i * 7);
  assert.ok(queue.send(frame, 0, 700));
  const pieces: number[] = [];
  for (const slot of [0, 1, 2]) {
    const desc = load(slot);
    assert.deepEqual([desc.first, desc.last], [slot === 0 ? 1 : 0, slot === 2 ? 1 : 0]);
    const at = desc.addr_hi * 2 ** 32 + desc.buff_addr_lo - base;
    pieces.push(...arena.bytes.subarray(at, at + desc.length));
  }
  assert.deepEqual(pieces, [...frame]);
  assert.equal(queue.room, 4);
  complete(load(0).req_id_lo);
  assert.equal(queue.reap(), 1);
  assert.equal(queue.room, 7);
});

test('the ring never fills up entirely, and the phase flips at each wrap', () => {
  const { queue, load, complete } = txSetUp();
  for (let round = 0; round < 100; round++) {
    const slot = queue.tail & 7;
    assert.equal(queue.ring.phase, (round >>> 3) & 1 ? 0 : 1);
    assert.ok(queue.send(new Uint8Array(60), 0, 60));
    complete(load(slot).req_id_lo);
    assert.equal(queue.reap(), 1);
  }
  let accepted = 0;
  while (queue.send(new Uint8Array(60), 0, 60)) accepted++;
  assert.equal(accepted, 6, 'one slot stays for a meta descriptor');
  assert.equal(queue.refused, 1);
});

test('a meta descriptor is written when offloads change, and only then', () => {
  const { arena, queue, load } = txSetUp();
  const tso = new TxOffload({
    l3: 'ipv4',
    l4: 'tcp',
    l3Csum: true,
    l4Csum: 'partial',
    mss: 1460,
    l3Length: 20,
    l4Length: 32,
  });
  for (let i = 0; i < 2; i++) assert.ok(queue.send(new Uint8Array(200), 0, 200, tso));
  assert.equal(queue.tail, 3);
  const meta = txMetaDesc.create();
  meta.load(arena.words, arena.offset(queue.sqAddress) >>> 2);
  assert.deepEqual([meta.meta_desc, meta.first, meta.ext_valid, meta.meta_store], [1, 1, 1, 1]);
  assert.equal(meta.mss_lo + meta.mss_hi * 1024, 1460);
  assert.deepEqual([meta.l3_hdr_off, meta.l3_hdr_len, meta.l4_hdr_len_in_words], [14, 20, 8]);
  assert.deepEqual([load(1).first, load(1).tso_en, load(1).l4_csum_partial], [0, 1, 1]);
  assert.deepEqual([load(2).first, load(2).l3_proto_idx, load(2).l4_proto_idx], [1, 8, 12]);
});

test('a completion of a packet that was not sent is a fault, and ends the queue', () => {
  const { queue, complete } = txSetUp();
  queue.send(new Uint8Array(60), 0, 60);
  complete(5);
  assert.equal(queue.reap(), 0);
  assert.equal(queue.fault, resetReasons.indexOf('INV_TX_REQ_ID'));
});

function rxSetUp() {
  const { device, arena, mmio } = setUp();
  const queue = new RxQueue(mmio, arena, {
    depth: 8,
    bufferBytes: 128,
    maxDescs: 3,
    timeStamps: false,
  });
  queue.doorbellOffset = 0x2000;
  const desc = rxDesc.create();
  const posted = (slot: number) => {
    desc.load(arena.words, (arena.offset(queue.sqAddress) >>> 2) + slot * 4);
    return desc;
  };
  let completions = 0;
  /** As a device would: one completion per piece. */
  const complete = (
    pieces: [reqId: number, length: number][],
    l4 = 0,
    ends = true,
    begins = true,
  ): void => {
    for (const [i, [reqId, length]] of pieces.entries()) {
      const cdesc = rxCdesc.create();
      cdesc.l4_proto_idx = l4;
      cdesc.first = begins && i === 0 ? 1 : 0;
      cdesc.last = ends && i === pieces.length - 1 ? 1 : 0;
      cdesc.length = length;
      cdesc.req_id = reqId;
      cdesc.hash = 0xdeadbeef;
      cdesc.phase = (completions >>> 3) & 1 ? 0 : 1;
      cdesc.store(arena.words, (arena.offset(queue.cqAddress) >>> 2) + (completions++ & 7) * 4);
    }
  };
  queue.refill();
  queue.kick();
  return { device, arena, queue, posted, complete };
}

test('all buffers but one are posted, each under its own request id', () => {
  const { device, queue, posted } = rxSetUp();
  assert.deepEqual(device.writes, [[0x2000, 7]]);
  assert.equal(queue.postedBuffers, 7);
  const ids = new Set(Array.from({ length: 7 }, (_, slot) => posted(slot).req_id));
  assert.equal(ids.size, 7);
  assert.deepEqual([posted(0).length, posted(0).phase, posted(0).comp_req], [128, 1, 1]);
});

test('a packet in several buffers is one view; its buffers are posted again', () => {
  const { arena, queue, posted, complete } = rxSetUp();
  const ids = [0, 1, 2].map((slot) => posted(slot).req_id);
  for (const [i, slot] of [0, 1, 2].entries()) {
    const at = posted(slot).buff_addr_lo + posted(slot).buff_addr_hi * 2 ** 32 - base;
    arena.bytes.fill(i + 1, at, at + 128);
  }
  complete(
    [
      [ids[0] as number, 128],
      [ids[1] as number, 128],
      [ids[2] as number, 5],
    ],
    12,
  );
  assert.ok(queue.next());
  assert.deepEqual([queue.length, queue.pieces, queue.l4Proto], [261, 3, 12]);
  assert.equal(queue.hash >>> 0, 0xdeadbeef);
  const copy = new Uint8Array(300);
  assert.equal(queue.copy(copy, 2), 261);
  assert.deepEqual([copy[2], copy[129], copy[130], copy[262], copy[263]], [1, 1, 2, 3, 0]);
  assert.equal(queue.next(), false);
  queue.replenish();
  assert.equal(queue.postedBuffers, 7);
});

test('a packet whose last completion has not come yet is not there', () => {
  const { queue, posted, complete } = rxSetUp();
  const [a, b] = [posted(0).req_id, posted(1).req_id];
  complete([[a, 128]], 0, false);
  assert.equal(queue.next(), false);
  complete([[b, 1]], 0, true, false);
  assert.ok(queue.next());
  assert.deepEqual([queue.length, queue.fault], [129, 0]);
});

for (const [what, reason, pieces] of [
  ['a request id beyond the ring', 'INV_RX_REQ_ID', [[8, 10]]],
  [
    'the same request id twice',
    'INV_RX_REQ_ID',
    [
      [0, 10],
      [0, 10],
    ],
  ],
  ['more bytes than the buffer has', 'RX_DESCRIPTOR_MALFORMED', [[0, 129]]],
  [
    'more buffers than a packet may have',
    'TOO_MANY_RX_DESCS',
    [
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 1],
    ],
  ],
] as const)
  test(`a completion with ${what} is a fault, not a packet`, () => {
    const { queue, complete } = rxSetUp();
    complete(pieces as unknown as [number, number][]);
    assert.equal(queue.next(), false);
    assert.equal(queue.fault, resetReasons.indexOf(reason));
    assert.equal(queue.receivedFrames, 0);
  });
