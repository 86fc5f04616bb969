/**
 * A seeded fuzzer for EFA: a hostile guest says anything to its function and to the network, next to two
 * guests that behave on the same switch. What must hold whatever the first one does:
 *
 * - nothing throws, and one access does a bounded amount of work;
 * - outside of the memory that the hostile guest handed over nothing of it is written: canaries lie
 *   around it, in the same buffer, and in a DMA window that is never named;
 * - of a good guest's memory only its rings' answers, its posted buffers and the region that it lets
 *   others write change, and only that region and its messages are ever read out;
 * - the good guests' messages keep arriving;
 * - after a reset the function works again.
 *
 * The same seed replays the same run.
 */
import assert from 'node:assert/strict';
import { OPCODE, QP_STATE } from '../../src/defs/efa-admin.ts';
import { EfaFunction } from '../../src/devices/efa/efa-function.ts';
import { efaProfiles } from '../../src/devices/efa/profile.ts';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import type { Command } from '../../src/drivers/efa/admin.ts';
import { EfaProvider, part, type Region } from '../../src/drivers/efa/provider.ts';
import type { ProviderQp } from '../../src/drivers/efa/queue-pair.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import { Diagnostics } from '../../src/lib/diagnostics.ts';
import { Prng } from '../../src/lib/prng.ts';
import { etherType, writeEthernet } from '../../src/net/ethernet.ts';
import { Frame } from '../../src/net/frame.ts';
import type { GuestMemory } from '../../src/pci/guest-memory.ts';
import type { SwitchPort } from '../../src/switch/port.ts';
import { Switch } from '../../src/switch/switch.ts';

const canary = 0xa5;
const guardBytes = 64 * 1024;
const poolBytes = 4 << 20;
const canaries = Buffer.alloc(2 * guardBytes + 2 * poolBytes, canary);
const poolBase = 2 ** 33;
/** Mapped, but the fuzzer never says this address. */
const secretBase = 0x7a5c_0000_0000;
const goodBase = 2 ** 34;
const macs = [0x0200_0000_0001, 0x0200_0000_0002, 0x0200_0000_0003] as const;
const maxPacketsPerAccess = 20_000;
const hostile = 0;

type Good = {
  readonly provider: EfaProvider;
  readonly arena: DmaArena;
  readonly qp: ProviderQp;
  /** What everybody may write and read, and where its messages come and go. */
  readonly open: Region & { readonly dma: number };
  readonly inbox: Region & { readonly dma: number };
  readonly shadow: Uint8Array;
  posted: number;
};

export class EfaFuzz {
  readonly #prng: Prng;
  readonly #clock = new VirtualClock();
  readonly #network = new Switch({ clock: this.#clock });
  readonly #everything = new Uint8Array(2 * guardBytes + 2 * poolBytes);
  readonly #pool: DmaArena;
  readonly #memory: GuestMemory;
  readonly #device: EfaFunction;
  readonly #provider: EfaProvider;
  readonly #rogue: SwitchPort;
  readonly #good: Good[] = [];
  readonly #frame = new Frame();
  #qps: ProviderQp[] = [];
  #regions: Region[] = [];
  #ahs: number[] = [];
  #mapped = true;
  #messages = 0;
  readonly refusals = new Diagnostics();
  /** The newest steps, for the report of a failure. */
  readonly log: string[] = [];

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.#everything.fill(canary);
    const part = (start: number, length: number) =>
      this.#everything.subarray(start, start + length);
    this.#pool = new DmaArena(part(guardBytes, poolBytes), poolBase);
    this.#memory = this.#pool.memory;
    const secret = part(guardBytes + poolBytes, poolBytes);
    this.#memory.add({ iova: secretBase, memory: secret, readable: true, writable: true });
    const port = this.#network.addPort({ name: 'hostile', mac: macs[hostile], fabric: true });
    this.#rogue = this.#network.addPort({ name: 'rogue', fabric: true });
    const access = this.#prng.pick(['llq', 'polled', 'posted'] as const);
    const profile = this.#prng.pick(efaProfiles);
    this.#device = new EfaFunction(
      { mac: macs[hostile], linkMbps: 1000, profile, access, secret: Uint32Array.of(9, 8, 7, 6) },
      this.#host(this.#memory, this.refusals),
      port,
    );
    this.#provider = new EfaProvider(this.#device, this.#pool);
    for (const i of [1, 2] as const) this.#good.push(this.#makeGood(i));
  }

  #host(memory: GuestMemory, diagnostics: Diagnostics) {
    return {
      ...{ memory, diagnostics, clock: this.#clock },
      interrupts: { raise: () => {} },
      deviceMemory: (sizeBytes: number) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) }),
    };
  }

  #makeGood(i: 1 | 2): Good {
    const arena = new DmaArena(2 << 20, goodBase + i * 2 ** 30);
    const port = this.#network.addPort({ name: `good${i}`, mac: macs[i], fabric: true });
    const device = new EfaFunction(
      { mac: macs[i], linkMbps: 1000, secret: Uint32Array.of(i, 2, 3, 4) },
      this.#host(arena.memory, new Diagnostics()),
      port,
    );
    const provider = new EfaProvider(device, arena);
    provider.start();
    const qp = provider.createQp(provider.createCq(), { qkey: 0x11, rnrRetry: 7 });
    const open = provider.buffer(8192);
    const inbox = provider.buffer(16_384, 1);
    return { provider, arena, qp, open, inbox, shadow: arena.bytes.slice(), posted: 0 };
  }

  /** Throws an AssertionError when something did not hold. */
  run(steps: number): void {
    this.#bringUp();
    for (let i = 0; i < steps; i++) {
      const before = this.#device.counts.tx_pkts;
      this.#step();
      const packets = this.#device.counts.tx_pkts - before;
      assert.ok(packets <= maxPacketsPerAccess, `${packets} packets at once`);
      if ((i & 31) === 31) this.#verify();
    }
    this.#verify();
    this.#recover();
  }

  #note(text: string): void {
    this.log.push(text);
    if (this.log.length > 40) this.log.shift();
  }

  // What the hostile guest does.

  #step(): void {
    const kinds: (readonly [number, string, () => void])[] = [
      [8, 'command', () => this.#command()],
      [12, 'request', () => this.#request()],
      [6, 'receive', () => this.#postReceive()],
      [6, 'good', () => this.#goodTurn()],
      [6, 'frame', () => this.#rogueFrame()],
      [3, 'doorbell', () => this.#doorbell()],
      [3, 'register', () => this.#register()],
      [4, 'time', () => this.#clock.advance(this.#prng.below(2e6))],
      [1, 'long', () => this.#clock.advance(this.#prng.below(2e9))],
      [2, 'poll', () => void this.#device.poll()],
      [1, 'scribble', () => this.#scribble()],
      [1, 'map', () => this.#setMapped(this.#prng.oneIn(2))],
      [1, 'bring up', () => this.#bringUp()],
      [1, 'reset', () => this.#device.reset(this.#prng.pick(['function', 'detach']))],
      [
        1,
        'config',
        () => this.#device.config.write(this.#prng.below(64) * 4, 4, this.#prng.next()),
      ],
    ];
    let at = this.#prng.below(kinds.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, name, act] of kinds) {
      at -= weight;
      if (at >= 0) continue;
      this.#note(name);
      act();
      return;
    }
  }

  #bringUp(): void {
    this.#setMapped(true);
    this.#pool.release(0x4_0000);
    this.#qps = [];
    this.#regions = [];
    this.#ahs = [];
    this.#quietly(() => {
      const provider = this.#provider;
      provider.start();
      const cq = provider.createCq({ depth: 64 });
      this.#qps = [0, 1].map(() => provider.createQp(cq, { qkey: 0x11, rnrRetry: 7 }));
      this.#regions = [provider.buffer(65_536, 1), provider.buffer(4096, 1)];
      this.#ahs = [
        ...this.#good.map((good) => provider.createAh(good.provider.gid)),
        provider.createAh(provider.gid),
        provider.createAh([1, 2, 3, 4]),
      ];
    });
  }

  /** A driver's own complaint is no failure of the device. */
  #quietly(act: () => void): void {
    try {
      act();
    } catch (error) {
      const own = /no answer|was not read|not ready|did not|: [A-Z_]+$|do not fit/;
      if (!(error instanceof Error) || !own.test(error.message)) throw error;
    }
  }

  #address(): number {
    const prng = this.#prng;
    return prng.pick([
      () => poolBase + prng.below(poolBytes),
      () => poolBase + prng.below(poolBytes / 4096) * 4096,
      () => poolBase + poolBytes - prng.below(64),
      () => poolBase - prng.below(64),
      () => goodBase + 2 ** 30 + prng.below(2 << 20),
      () => prng.next() * 2 ** 16,
      () => this.#prng.pick(this.#regions)?.address ?? 0,
    ])();
  }

  #small(): number {
    const prng = this.#prng;
    return prng.pick([0, 1, 2, 3, 4, 8, 16, 64, 255, 256, 4096, 65_535, prng.below(1024)]);
  }

  /** Any opcode, with words that may mean something. */
  #command(): void {
    const words = new Int32Array(16);
    const prng = this.#prng;
    for (let i = 1; i < 16; i++) words[i] = prng.oneIn(3) ? prng.next() : this.#small();
    const at = 2 + prng.below(12);
    const address = this.#address();
    words[at] = address;
    words[at + 1] = Math.floor(address / 2 ** 32);
    if (prng.oneIn(2)) words[1] = this.#small();
    const opcode = prng.oneIn(20) ? prng.below(256) : 1 + prng.below(20);
    if (opcode === OPCODE.REG_MR && prng.oneIn(2)) this.#goodRegion(words);
    let flags = 0;
    if (prng.oneIn(3)) flags |= 1 << 25;
    if (prng.oneIn(4)) flags |= 1 << 26;
    const command: Command = {
      ...{ opcode: 0, phase: 0, command_id: 0 },
      store(into, to) {
        into.set(words, to);
        into[to] = this.command_id | (this.opcode << 16) | (this.phase << 24) | flags;
      },
    };
    this.#quietly(() => void this.#provider.admin.submit(opcode, command));
  }

  /** A region that is nearly right. */
  #goodRegion(words: Int32Array): void {
    const prng = this.#prng;
    words.fill(0);
    for (let i = 0; i < 4; i++) {
      const page = prng.oneIn(8) ? this.#address() : poolBase + prng.below(1000) * 4096;
      words[2 + 2 * i] = page;
      words[3 + 2 * i] = Math.floor(page / 2 ** 32);
    }
    words[10] = prng.below(5 * 4096);
    words[12] = (prng.oneIn(8) ? prng.below(32) : 12) | (prng.below(8) << 8);
    words[14] = prng.next();
    words[15] = prng.below(0x1_0000);
  }

  #anyQp(): ProviderQp | undefined {
    return this.#qps[this.#prng.below(Math.max(1, this.#qps.length))];
  }

  #request(): void {
    const qp = this.#anyQp();
    if (qp === undefined) return;
    const prng = this.#prng;
    const words = new Int32Array(16);
    const good = prng.pick(this.#good);
    const region = prng.pick(this.#regions);
    const op = prng.oneIn(10) ? prng.below(16) : prng.below(3);
    const length = prng.pick([0, 1, 64, 4096, 8192, 8928, 8929, 20_000, 65_536, prng.next()]);
    const ctrl = prng.oneIn(30) ? prng.next() & 0xff : (3 << 2) | (1 << 4);
    const phase = prng.oneIn(30) ? 1 - qp.phase : qp.phase;
    words[0] =
      prng.below(0x1_0000) |
      (op << 16) |
      (prng.below(2) << 20) |
      (1 << 23) |
      ((ctrl | phase) << 24);
    if (prng.oneIn(6)) words[0] |= 1 << 21;
    words[1] = (prng.oneIn(4) ? prng.below(65_536) : good.qp.number) | (prng.below(4) << 16);
    words[2] = prng.next();
    words[3] = prng.oneIn(6) ? prng.below(2000) : (prng.pick(this.#ahs) ?? 0);
    words[4] = prng.oneIn(10) ? prng.next() : 0x11;
    if (op === 0 || op > 2) {
      for (const i of [8, 12]) {
        words[i] = prng.oneIn(3) ? length : prng.below(5000);
        words[i + 1] = prng.oneIn(8) ? prng.next() & 0xff_ffff : (region?.lkey ?? 0);
        const address = prng.oneIn(6) ? this.#address() : (region?.address ?? 0);
        words[i + 2] = address;
        words[i + 3] = Math.floor(address / 2 ** 32);
      }
    } else {
      words[1] = (words[1] & 0xffff) | (1 << 16);
      words[8] = length;
      words[9] = prng.oneIn(3) ? prng.next() : good.open.rkey;
      const remote = prng.oneIn(3) ? this.#address() : good.open.address + prng.below(9000);
      words[10] = remote;
      words[11] = Math.floor(remote / 2 ** 32);
      words[12] = prng.oneIn(10) ? prng.next() : length;
      words[13] = region?.lkey ?? 0;
      const local = region?.address ?? 0;
      words[14] = local;
      words[15] = Math.floor(local / 2 ** 32);
    }
    qp.post(words, !prng.oneIn(4));
  }

  #postReceive(): void {
    const qp = this.#anyQp();
    const region = this.#prng.pick(this.#regions);
    if (qp === undefined || region === undefined) return;
    const prng = this.#prng;
    qp.receive(
      prng.below(0x1_0000),
      Array.from({ length: 1 + prng.below(3) }, () => ({
        lkey: prng.oneIn(6) ? prng.next() & 0xff_ffff : region.lkey,
        address: prng.oneIn(6) ? this.#address() : region.address + prng.below(region.length),
        length: prng.below(9000),
      })),
    );
  }

  #doorbell(): void {
    const prng = this.#prng;
    const offset = prng.oneIn(4)
      ? prng.below(0x80_000) * 4
      : prng.below(512) * 4096 + prng.below(3) * 8;
    this.#device.write(
      4,
      offset,
      prng.oneIn(10) ? 2 : 4,
      prng.oneIn(3) ? prng.next() : this.#small(),
    );
    if (prng.oneIn(3)) this.#device.write(2, prng.below(1 << 22) * 4, 4, prng.next());
  }

  #register(): void {
    const prng = this.#prng;
    const offset = prng.oneIn(8) ? prng.below(0x1000) * 4 : prng.below(27) * 4;
    const size = prng.pick([4, 4, 4, 4, 2, 1] as const);
    if (prng.oneIn(3)) this.#device.read(prng.below(6), offset, size);
    else {
      const value = prng.pick([prng.next(), this.#small(), this.#address() >>> 0, 1, 0]);
      this.#device.write(0, offset, size, value >>> 0);
    }
  }

  /** Writes over its own memory, rings included. */
  #scribble(): void {
    const at = this.#prng.below(poolBytes / 4 - 64);
    for (let i = 0; i < 64; i++) this.#pool.words[at + i] = this.#prng.next();
  }

  #setMapped(mapped: boolean): void {
    if (mapped === this.#mapped) return;
    this.#mapped = mapped;
    if (!mapped) this.#memory.remove(poolBase, poolBytes);
    else
      this.#memory.add({
        iova: poolBase,
        memory: this.#pool.bytes,
        readable: true,
        writable: true,
      });
  }

  /** Somebody without an EFA forges packets. */
  #rogueFrame(): void {
    const prng = this.#prng;
    const frame = this.#frame;
    const bytes = new Uint8Array(14 + 52 + prng.below(200));
    for (let i = 14; i < bytes.length; i++) bytes[i] = prng.next();
    // not in the name of a good guest: the switch's source check is for that
    writeEthernet(
      bytes,
      prng.pick(macs),
      prng.pick([macs[hostile], 0x0200_0000_0099]),
      etherType.srd,
    );
    const view = new DataView(bytes.buffer);
    bytes[14] = prng.oneIn(20) ? prng.next() : 1;
    bytes[15] = prng.below(6);
    bytes[16] = prng.below(6);
    bytes[17] = prng.below(4);
    if (prng.oneIn(2)) view.setUint32(14 + 8, 0);
    if (prng.oneIn(2)) view.setUint32(14 + 12, prng.below(3000));
    const good = prng.pick(this.#good);
    view.setUint16(14 + 20, prng.oneIn(3) ? prng.below(1024) : good.qp.number);
    if (prng.oneIn(2)) view.setUint32(14 + 24, 0x11);
    view.setUint16(14 + 32, prng.oneIn(6) ? prng.below(65_536) : bytes.length - 66);
    if (prng.oneIn(2)) view.setUint32(14 + 36, good.open.rkey);
    frame.load(bytes, 0, bytes.length);
    this.#rogue.transmit(frame);
    this.#rogue.flush();
  }

  // What the good guests do, and what must hold.

  /** They post buffers for each other, and a message; what has come is taken. */
  #goodTurn(): void {
    const [a, b] = this.#good as [Good, Good];
    for (const good of [a, b])
      while (good.posted < 8) {
        good.qp.receive(good.posted, [part(good.inbox, good.posted * 2048, 2048)]);
        good.posted++;
      }
    const ah = a.provider.createAh(b.provider.gid);
    const imm = ++this.#messages;
    a.qp.send({ ah, qp: b.qp.number, qkey: 0x11 }, imm & 0xffff, Uint8Array.of(1, 2, 3), imm);
    a.provider.destroyAh(ah);
    const sent = a.qp.cq.drain();
    assert.ok(
      sent.some(({ isSend, requestId }) => isSend && requestId === (imm & 0xffff)),
      'the message has no completion',
    );
    const own = sent.find(({ isSend, requestId }) => isSend && requestId === (imm & 0xffff));
    const got = b.qp.cq.drain();
    if (own?.status === 0)
      assert.ok(
        got.some((one) => one.imm === imm),
        'the message has not come',
      );
    else assert.equal(own?.status, 1); // its receiver was not ready, and the handle is gone
    for (const good of [a, b]) {
      const taken = (good === a ? sent : got).filter(({ isSend }) => !isSend).length;
      good.posted = Math.max(0, good.posted - taken);
    }
  }

  #verify(): void {
    for (const [start, end] of [
      [0, guardBytes],
      [guardBytes + poolBytes, this.#everything.length],
    ] as const)
      assert.ok(
        canaries.subarray(start, end).equals(this.#everything.subarray(start, end)),
        'memory that was not handed over has changed',
      );
    for (const { arena, shadow, open, inbox } of this.#good) {
      // rings and answers come first in the arena; behind the buffers there is nothing
      const first = arena.offset(open.dma);
      const openEnd = first + open.length;
      const inboxStart = arena.offset(inbox.dma);
      const end = inboxStart + inbox.length;
      for (const [from, to] of [
        [openEnd, inboxStart],
        [end, arena.bytes.length],
      ] as const)
        assert.ok(
          Buffer.from(arena.bytes.subarray(from, to)).equals(shadow.subarray(from, to)),
          "a good guest's memory has changed",
        );
    }
  }

  /** After a reset the function works. */
  #recover(): void {
    this.#device.reset('function');
    this.#bringUp();
    const provider = this.#provider;
    const cq = provider.createCq();
    const qp = provider.createQp(cq, { qkey: 5 });
    assert.equal(provider.query(qp.handle).qp_state, QP_STATE.RTS);
    const buffer = provider.buffer(4096, 1);
    qp.receive(1, [part(buffer)]);
    const to = { ah: provider.createAh(provider.gid), qp: qp.number, qkey: 5 };
    qp.send(to, 2, Uint8Array.of(7));
    this.#device.poll();
    assert.deepEqual(
      cq.drain().map(({ status }) => status),
      [0, 0],
    );
  }
}
