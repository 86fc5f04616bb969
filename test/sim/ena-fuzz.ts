/**
 * A seeded fuzzer for an ENA function: a hostile driver writes anything anywhere, next to a driver
 * that behaves on the same switch. What must hold whatever the first one does:
 *
 * - nothing throws, and one access does a bounded amount of work;
 * - only memory that was handed over is written: canaries lie around the hostile guest's memory,
 *   in the same buffer, and in a DMA window that is never named;
 * - of the other guest's memory only its rings' answers and its posted buffers change, its driver
 *   sees no broken completion, and its frames keep arriving;
 * - after a reset the function works again.
 *
 * The function is reached in every way that there is: doorbells trapped, or mapped and polled; memory
 * that is shared, or that only messages reach, or both. The same seed replays the same run.
 */
import assert from 'node:assert/strict';
import { LLQ_HEADER } from '../../src/defs/ena-admin.ts';
import { EnaFunction } from '../../src/devices/ena/ena-function.ts';
import { enaProfiles } from '../../src/devices/ena/profile.ts';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import { EnaDriver, type EnaDriverOptions } from '../../src/drivers/ena/driver.ts';
import { TxQueue } from '../../src/drivers/ena/tx-queue.ts';
import type { FastPath } from '../../src/fastpath/fast-path.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import { Diagnostics } from '../../src/lib/diagnostics.ts';
import { Prng } from '../../src/lib/prng.ts';
import type { FunctionHost, PciFunction } from '../../src/pci/function.ts';
import type { GuestMemory } from '../../src/pci/guest-memory.ts';
import { Switch } from '../../src/switch/switch.ts';
import { CountingPort } from './counting-port.ts';
import { FuzzMemory, poolBase, poolBytes } from './ena-fuzz-memory.ts';
import { FuzzValues } from './ena-fuzz-values.ts';
import { mapped } from './ena-lab.ts';
import { beginLinear, linearBytes, openFastPath } from './fuzz-linear.ts';
import { packet, plainFrame } from './naive-packets.ts';

const victimBase = 2 ** 34;
const [hostile, victim] = [0x0200_0000_0001, 0x0200_0000_0002];
/** Ethernet, IPv4, UDP. */
const datagramHeaders = 42;
const maxFramesPerAccess = 8192;
const smallRings = { txDepth: 32, rxDepth: 32, maxPolls: 1 };

/** A submission queue that the fuzzer knows of: where its entries are, and how far apart. */
type KnownQueue = {
  isTx: boolean;
  words: Int32Array;
  firstWord: number;
  entryWords: number;
  depth: number;
  doorbell: number;
  tail: number;
};

export class EnaFuzz {
  readonly #prng: Prng;
  readonly #values: FuzzValues;
  readonly #clock = new VirtualClock();
  readonly #switch = new Switch({ clock: this.#clock });
  readonly #memory: FuzzMemory;
  readonly #port: CountingPort;
  readonly #device: EnaFunction;
  /** The function as a guest sees it: stores to mapped doorbells are no traps. */
  readonly #seen: PciFunction;
  readonly #hasHeaderRing: boolean;
  /** Mapped doorbells; empty when they are trapped. */
  readonly #doorbellWords: Int32Array;
  /** How the function is reached, for the report of a failure. */
  readonly ways: string;
  readonly #fast: FastPath | null;
  readonly #victim: EnaDriver;
  readonly #shadow: Uint8Array;
  #driver: EnaDriver;
  #queues: KnownQueue[] = [];
  /** The memory BAR, and the size of its entries as last chosen. */
  readonly #deviceWords: Int32Array;
  #llqEntryWords = 32;
  /** Commands in a row that the device did not answer. */
  #unanswered = 0;
  #sent = 0;
  /** How often the hostile driver broke each rule: what a run has reached. */
  readonly refusals = new Diagnostics();
  /** The newest steps, for the report of a failure. */
  readonly log: string[] = [];

  constructor(seed: number) {
    beginLinear();
    this.#prng = new Prng(seed);
    this.#values = new FuzzValues(this.#prng, poolBase, poolBytes);
    this.#memory = new FuzzMemory(this.#prng);
    this.#port = new CountingPort(this.#switch.addPort({ name: 'hostile', mac: 0x0200_0000_0001 }));
    const queuePairs = 4;
    const mine = Uint8Array.of(2, 0, 0, 0, 0, 1);
    const profile = this.#prng.pick(enaProfiles);
    const access = this.#prng.pick(['posted', 'llq', 'llq', 'polled', 'polled'] as const);
    const isFast = this.#prng.oneIn(2);
    this.#fast = isFast ? openFastPath(this.#switch) : null;
    this.ways = `${access}, ${this.#memory.sharing}, ${isFast ? 'fast' : 'one by one'}`;
    const options = { mac: mine, linkMbps: 10_000, queuePairs, profile, access } as const;
    this.#device = new EnaFunction(
      options,
      this.#host(this.#memory.seen, this.refusals),
      this.#port,
    );
    this.#seen = access === 'polled' ? mapped(this.#device) : this.#device;
    this.#hasHeaderRing = (profile.llqHeaderLocations & LLQ_HEADER.RING) !== 0;
    this.#driver = new EnaDriver(this.#seen, this.#memory.pool, smallRings);
    const doorbells = this.#device.bars[0]?.memory?.bytes ?? new Uint8Array(0);
    const { buffer, byteOffset, length } = doorbells;
    this.#doorbellWords = new Int32Array(buffer, byteOffset + (length >>> 1), length >>> 4);
    const bar = this.#device.bars[1]?.memory?.bytes ?? new Uint8Array(0);
    this.#deviceWords = new Int32Array(bar.buffer, bar.byteOffset, bar.length >>> 2);

    const own = linearBytes('victim', poolBytes);
    const arena = new DmaArena(own.bytes.fill(0), victimBase, own.linear);
    const port = this.#switch.addPort({ name: 'victim', mac: 0x0200_0000_0002 });
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 2);
    const host = this.#host(arena.memory, new Diagnostics());
    const device = new EnaFunction({ mac, linkMbps: 10_000 }, host, port);
    this.#victim = new EnaDriver(device, arena, { ...smallRings, mtu: 9000 });
    this.#victim.start();
    this.#shadow = arena.bytes.slice();
  }

  #host(memory: GuestMemory, diagnostics: Diagnostics): FunctionHost {
    return {
      memory,
      interrupts: { raise: () => {} },
      clock: this.#clock,
      deviceMemory: (sizeBytes: number) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) }),
      diagnostics,
    };
  }

  /** Frames that went by the fast path. */
  get fastFrames(): number {
    return this.#fast?.frames ?? 0;
  }

  /** Throws an AssertionError when something did not hold. */
  run(steps: number): void {
    if (!this.#prng.oneIn(4)) {
      this.#bringUp();
      this.#remakeRxQueues();
    }
    for (let i = 0; i < steps; i++) {
      this.#bounded(() => this.#step());
      this.#poll(2);
      if ((i & 15) === 15) this.#verify();
    }
    this.#verify();
    this.#recover();
  }

  #bounded<T>(access: () => T): T {
    this.#port.frames = 0;
    const result = access();
    assert.ok(this.#port.frames <= maxFramesPerAccess, `${this.#port.frames} frames at once`);
    return result;
  }

  /** The host looks at mapped doorbells a few times; each look is bounded as an access is. */
  #poll(times: number): void {
    for (let i = 0; i < times && this.#bounded(() => this.#device.poll()); i++);
  }

  // What the hostile driver does.

  #step(): void {
    const isDead = (this.#device.read(0, 0x58, 4) & 0x20) !== 0 || this.#unanswered > 2;
    if (isDead && this.#prng.oneIn(4)) {
      this.#bringUp();
      if (!this.#prng.oneIn(3)) this.#remakeRxQueues();
      return;
    }
    const kinds = [
      ...new Array<() => void>(12).fill(() => this.#descriptors()),
      ...new Array<() => void>(8).fill(() => this.#command()),
      ...new Array<() => void>(4).fill(() => this.#victimTurn()),
      () => this.#rawCommand(),
      () => this.#doorbell(),
      () => this.#smallRegisters(),
      () => this.#anyRead(),
      () => this.#clock.advance(this.#prng.below(3e9)),
    ];
    if (this.#prng.oneIn(20)) this.#rareStep();
    else this.#prng.pick(kinds)();
  }

  #rareStep(): void {
    const prng = this.#prng;
    const kinds = [
      () => this.#bringUp(),
      () => this.#registerWrite(),
      () => this.#anyWrite(),
      () => this.#scribble(),
      () => this.#device.reset(prng.pick(['function', 'detach'])),
      () => this.#device.setLink(prng.oneIn(2)),
      () => this.#setMapped(prng.oneIn(2)),
      () => this.#device.config.write(prng.below(64) * 4, 4, prng.next()),
      () => this.#write(0x54, this.#values.word()),
      () => this.#mappedDoorbells(),
      () => {
        this.#memory.refuses = prng.oneIn(2);
      },
    ];
    prng.pick(kinds)();
  }

  #write(offset: number, value: number): void {
    this.#note(`write ${offset.toString(16)} = ${value.toString(16)}`);
    // Now and then a client traps what it could have mapped.
    const fn = this.#prng.oneIn(8) ? this.#device : this.#seen;
    fn.write(0, offset, 4, value >>> 0);
  }

  /** Anything in the page of mapped doorbells, between and behind the doorbells as well. */
  #mappedDoorbells(): void {
    const words = this.#doorbellWords;
    if (words.length === 0) return;
    for (let i = this.#prng.below(32); i >= 0; i--) {
      const at = this.#prng.oneIn(2) ? this.#prng.below(8) * 16 : this.#prng.below(words.length);
      words[at] = this.#prng.oneIn(2) ? this.#prng.below(64) : this.#values.word();
    }
  }

  #setMapped(mapped: boolean): void {
    if (!this.#memory.setMapped(mapped)) return;
    this.#note(mapped ? 'map' : 'unmap');
    if (!mapped) this.#newDriver({});
  }

  #newDriver(options: Partial<EnaDriverOptions>): void {
    this.#memory.pool.release(0);
    this.#driver = new EnaDriver(this.#seen, this.#memory.pool, { ...smallRings, ...options });
    this.#queues = [];
  }

  /** Behaves for once, so that there is a state worth disturbing. */
  #bringUp(): void {
    this.#note('bring up');
    this.#unanswered = 0;
    this.#memory.refuses = false;
    this.#setMapped(true);
    this.#newDriver({
      llqHeaders: this.#hasHeaderRing && this.#prng.oneIn(2) ? 'ring' : 'inline',
      placement: this.#prng.pick(['host', 'device']),
      queuePairs: 1 + this.#prng.below(2),
      mtu: this.#prng.pick([1500, 9000]),
    });
    this.#driver.start();
    for (const isTx of [true, false])
      for (const queue of isTx ? this.#driver.tx : this.#driver.rx) {
        const ring = queue instanceof TxQueue ? queue.ring : null;
        if (ring?.shape.headerBytes) this.#llqEntryWords = ring.shape.entryBytes >>> 2;
        this.#queues.push({
          isTx,
          words: ring?.words ?? this.#memory.pool.words,
          firstWord: ring?.at ?? this.#memory.pool.offset(queue.sqAddress) >>> 2,
          entryWords: (ring?.shape.entryBytes ?? 16) >>> 2,
          depth: queue.spec.depth,
          doorbell: queue.doorbellOffset,
          tail: queue.tail,
        });
      }
  }

  /** Receive queues without buffers: those that the fuzzer posts come first. */
  #remakeRxQueues(): void {
    for (const queue of this.#queues) if (!queue.isTx) queue.tail = 0;
    for (const [i, queue] of this.#driver.rx.entries()) {
      this.#driver.queues.destroyOne(queue);
      this.#driver.queues.createOne(queue, 1 + i);
    }
    this.#driver.rss.spread(this.#driver.rx.map((queue) => queue.sqIndex));
  }

  #descriptors(): void {
    if (this.#queues.length === 0) {
      this.#doorbell();
      return;
    }
    const queue = this.#prng.pick(this.#queues);
    if (queue.isTx && this.#prng.oneIn(2)) {
      this.#plainBurst(queue);
      return;
    }
    const count = 1 + this.#prng.below(6);
    // A full receive ring mostly has its newest descriptors changed behind the device's back.
    if (!queue.isTx && queue.tail + count > queue.depth && !this.#prng.oneIn(20))
      queue.tail = (queue.tail - count) & 0xffff;
    for (let i = 0; i < count; i++) {
      const phase = (queue.tail & queue.depth) === 0 ? 1 : 0;
      const { words } = queue;
      const word = queue.firstWord + (queue.tail & (queue.depth - 1)) * queue.entryWords;
      if (word + 4 > words.length) break;
      const isFirst = i === 0;
      const isLast = i === count - 1;
      if (queue.isTx) this.#values.txDescriptor(words, word, phase, isFirst, isLast);
      else this.#values.rxDescriptor(words, word, phase);
      queue.tail = (queue.tail + 1) & 0xffff;
    }
    this.#note(`${count} ${queue.isTx ? 'Tx' : 'Rx'} descriptors`);
    this.#write(queue.doorbell, queue.tail);
  }

  #command(): void {
    const made = this.#values.command();
    this.#note(`command ${made.name}`);
    const done = this.#driver.admin.execute(made.record);
    this.#unanswered = done === null ? this.#unanswered + 1 : 0;
    if (done?.status !== 0) return;
    if (made.name === 'SET_FEATURE llq') this.#llqEntryWords = made.llqEntryBytes >>> 2;
    if (made.createdSq === null) return;
    const { isTx, isInDevice, address, depth } = made.createdSq;
    const [, , , doorbell, llqOffset] = done.words as unknown as number[];
    this.#queues.push({
      isTx,
      words: isInDevice ? this.#deviceWords : this.#memory.pool.words,
      firstWord: (isInDevice ? (llqOffset ?? 0) : this.#memory.pool.offset(address)) >>> 2,
      entryWords: isInDevice ? this.#llqEntryWords : 4,
      depth,
      doorbell: doorbell ?? 0,
      tail: 0,
    });
    if (this.#queues.length > 12) this.#queues.shift();
  }

  /** An entry of any words at the admin queue's tail, and any doorbell. */
  #rawCommand(): void {
    const { admin } = this.#driver;
    const at = (this.#memory.pool.offset(admin.sqAddress) >>> 2) + (admin.tail & 31) * 16;
    this.#values.garbage(this.#memory.pool.words, at, 16);
    this.#write(0x2c, this.#prng.oneIn(3) ? this.#values.word() : admin.tail + 1);
    admin.poll();
  }

  #doorbell(): void {
    const offset = 0x4000 + this.#prng.below(10) * 64;
    this.#write(offset, this.#prng.oneIn(2) ? this.#prng.below(40) : this.#values.word());
  }

  /** Single table entries, the clock, and interrupt registers with any delays. */
  #smallRegisters(): void {
    this.#write(0x68, (this.#prng.below(12) << 16) | this.#prng.below(140));
    this.#write(0x100, this.#values.word());
    this.#write(0x5000 + this.#prng.below(6) * 16, this.#values.word() | (1 << 30));
  }

  #registerWrite(): void {
    const offset = this.#prng.below(0x108 / 4) * 4;
    const isAddress = [0x10, 0x20, 0x38, 0x60].includes(offset);
    if (!isAddress) {
      this.#write(offset, this.#values.word());
      return;
    }
    const address = this.#values.address();
    this.#write(offset, address % 2 ** 32);
    this.#write(offset + 4, Math.floor(address / 2 ** 32));
  }

  #anyWrite(): void {
    const size = this.#prng.pick([1, 2, 4] as const);
    const offset = this.#prng.below(0x8000 / size) * size;
    this.#note(`write${size} ${offset.toString(16)}`);
    this.#device.write(0, offset, size, this.#values.word());
  }

  #anyRead(): void {
    const size = this.#prng.pick([1, 2, 4] as const);
    this.#device.read(0, this.#prng.below(0x8000 / size) * size, size);
    this.#write(0x5c, this.#values.word());
  }

  /** The guest writes its own memory behind the device's back: rings, buffers, anything. */
  #scribble(): void {
    const words = 1 + this.#prng.below(64);
    const at = this.#prng.below((this.#memory.pool.mark() >>> 2) + 1);
    const { length } = this.#memory.pool.words;
    this.#values.garbage(this.#memory.pool.words, Math.min(at, length - words), words);
    this.#note(`scribble ${at}`);
  }

  // The driver that behaves, and what must hold.

  #victimTurn(): void {
    const driver = this.#victim;
    const tx = driver.tx[0];
    assert.ok(tx);
    for (let n = this.#prng.below(8); n >= 0; n--) {
      const length = 60 + this.#prng.below(this.#prng.oneIn(3) ? 8954 : 1440);
      const isIp = length > 100 && !this.#prng.oneIn(3);
      const frame = isIp ? this.#datagram(2, 1, length) : plainFrame(victim, hostile, length, 0);
      frame[length - 1] = this.#sent++;
      tx.send(frame, 0, length);
    }
    tx.kick();
    driver.poll();
    for (const rx of driver.rx) {
      while (rx.next());
      rx.replenish();
    }
    this.#shadow.set(driver.arena.bytes);
  }

  /** What the fast path is for: IPv4, UDP (or TCP), with a sum that may be wrong. */
  #datagram(from: number, to: number, length: number, l4: 'udp' | 'tcp' = 'udp'): Uint8Array {
    const payload = new Uint8Array(length - datagramHeaders).fill(this.#sent);
    const macs = { from: 0x0200_0000_0000 + from, to: 0x0200_0000_0000 + to };
    return packet({ ...macs, ip: 4, l4, payload });
  }

  /** Datagrams by whole descriptors, or TCP to be cut up by two each, most of which are right. */
  #plainBurst(queue: KnownQueue): void {
    const { pool } = this.#memory;
    const [l4, most] = this.#prng.pick([['udp', 1000] as const, ['tcp', 9000] as const]);
    const frame = this.#datagram(1, 2, 120 + this.#prng.below(most), l4);
    const at = this.#prng.below(poolBytes - 10_240) & ~63;
    pool.bytes.set(frame, at);
    const count = 4 + this.#prng.below(12);
    for (let i = 0; i < count; i++) {
      const phase = (queue.tail & queue.depth) === 0 ? 1 : 0;
      const word = queue.firstWord + (queue.tail & (queue.depth - 1)) * queue.entryWords;
      if (word + 4 > queue.words.length) break;
      const what = { iova: poolBase + at, length: frame.length, place: l4 === 'tcp' ? i % 2 : -1 };
      this.#values.goodDescriptor(queue.words, word, phase, what);
      if (this.#prng.oneIn(12)) queue.words[word + this.#prng.below(4)] = this.#values.word();
      queue.tail = (queue.tail + 1) & 0xffff;
    }
    this.#note(`${count} datagrams`);
    this.#write(queue.doorbell, queue.tail);
  }

  #verify(): void {
    this.#memory.verify();
    assert.equal(this.#victim.fault, null, 'the other driver was given a broken completion');
    let from = 0;
    const { arena, admin, events, mmio, tx, rx } = this.#victim;
    const open: [address: number, bytes: number][] = [
      [admin.cqAddress, 32 * 64],
      [events.address, 16 * 64],
      [mmio.respAddress, 8],
      ...tx.map((q): [number, number] => [q.cqAddress, q.spec.depth * 8]),
      ...rx.map((q): [number, number] => [q.cqAddress, q.spec.depth * 16]),
      ...rx.map((q): [number, number] => [q.bufferAddress, q.spec.depth * q.spec.bufferBytes]),
    ];
    open.sort(([x], [y]) => x - y);
    for (const [address, bytes] of [...open, [victimBase + poolBytes, 0] as const]) {
      const until = arena.offset(address);
      const same = Buffer.compare(
        arena.bytes.subarray(from, until),
        this.#shadow.subarray(from, until),
      );
      assert.equal(same, 0, `the other guest's memory changed in ${from} .. ${until}`);
      from = until + bytes;
    }
  }

  /** A proper driver takes the function over, and frames pass both ways. */
  #recover(): void {
    this.#note('recover');
    this.#device.setLink(true);
    this.#bringUp();
    for (let i = 0; i < 8; i++) this.#victimTurn();
    this.#poll(8);
    const [tx, rx] = [this.#driver.tx[0], this.#victim.rx[0]];
    const [back, own] = [this.#victim.tx[0], this.#driver.rx];
    assert.ok(tx && rx && back);
    for (let taken = 1; taken > 0; ) {
      taken = 0;
      for (const queue of own) {
        for (; queue.next(); taken++);
        queue.replenish();
      }
      this.#poll(8);
    }
    const there = plainFrame(0x0200_0000_0001, 0x0200_0000_0002, 777, 1);
    assert.ok(tx.send(there, 0, there.length));
    tx.kick();
    this.#poll(8);
    assert.ok(rx.next(), 'after a reset the function sends no more');
    assert.equal(rx.length, 777);
    const again = plainFrame(0x0200_0000_0002, 0x0200_0000_0001, 555, 2);
    back.reap();
    assert.ok(back.send(again, 0, again.length));
    back.kick();
    const got = own.find((queue) => queue.next());
    assert.equal(got?.length, 555, 'after a reset the function receives no more');
    this.#verifyTail();
  }

  #verifyTail(): void {
    this.#shadow.set(this.#victim.arena.bytes);
    this.#verify();
  }

  #note(what: string): void {
    this.log.push(what);
    if (this.log.length > 30) this.log.shift();
  }
}
