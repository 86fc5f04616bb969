/**
 * A seeded fuzzer for an 82599 VF: a hostile driver writes anything anywhere and says anything to
 * the parent, next to a driver that behaves on the same switch. What must hold is what must hold
 * for ENA (`ena-fuzz.ts`): nothing throws, work is bounded, only memory that was handed over is
 * written, the other guest does not notice, and after a reset the function works again.
 */
import assert from 'node:assert/strict';
import { VF_MSG } from '../../src/defs/ixgbevf-mbx.ts';
import { ixgbevfRegisters, type VfRegister } from '../../src/defs/ixgbevf-regs.ts';
import { IxgbevfFunction } from '../../src/devices/ixgbevf/ixgbevf-function.ts';
import { ixgbevfProfiles } from '../../src/devices/ixgbevf/profile.ts';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import { type DriverSettings, IxgbevfDriver } from '../../src/drivers/ixgbevf/driver.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import { Diagnostics } from '../../src/lib/diagnostics.ts';
import { Prng } from '../../src/lib/prng.ts';
import { macBytes } from '../../src/net/ethernet.ts';
import type { FunctionHost } from '../../src/pci/function.ts';
import type { GuestMemory } from '../../src/pci/guest-memory.ts';
import type { SwitchPort } from '../../src/switch/port.ts';
import { Switch } from '../../src/switch/switch.ts';
import { mapped } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

const canary = 0xa5;
const guardBytes = 64 * 1024;
const poolBytes = 1 << 20;
const poolBase = 2 ** 33;
/** Mapped, but the fuzzer never says this address. */
const secretBase = 0x7a5c_0000_0000;
const victimBase = 2 ** 34;
const maxFramesPerAccess = 8192;
const hostileMac = 0x0200_0000_0001;
const victimMac = 0x0200_0000_0002;
const rings: DriverSettings = {
  tx: { depth: 32, bufferBytes: 2048 },
  rx: { depth: 32, bufferBytes: 2048, headerBytes: 128 },
  maxPolls: 2,
};
const registerNames = Object.keys(ixgbevfRegisters.registers) as VfRegister[];
const messageTypes = [...Object.values(VF_MSG), 0x00, 0x07, 0x0f, 0x55];

export class IxgbevfFuzz {
  readonly #prng: Prng;
  readonly #clock = new VirtualClock();
  readonly #switch = new Switch({ clock: this.#clock });
  readonly #everything = new Uint8Array(2 * guardBytes + 3 * poolBytes);
  /** The hostile guest's memory; the other one stands by for when this one is unmapped. */
  #pool: DmaArena;
  #spare: DmaArena;
  readonly #memory: GuestMemory;
  readonly #port: SwitchPort;
  readonly #device: IxgbevfFunction;
  readonly #victimDevice: IxgbevfFunction;
  readonly #victim: IxgbevfDriver;
  readonly #shadow: Uint8Array;
  readonly #polled: boolean;
  #driver: IxgbevfDriver;
  #mapped = true;
  #sent = 0;
  /** How often the hostile driver broke each rule: what a run has reached. */
  readonly refusals = new Diagnostics();
  /** The newest steps, for the report of a failure. */
  readonly log: string[] = [];

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.#everything.fill(canary);
    const part = (start: number, length: number) =>
      this.#everything.subarray(start, start + length);
    this.#pool = new DmaArena(part(guardBytes, poolBytes), poolBase);
    this.#spare = new DmaArena(part(guardBytes + poolBytes, poolBytes), poolBase);
    const secret = part(guardBytes + 2 * poolBytes, poolBytes);
    this.#memory = this.#pool.memory;
    this.#memory.add({ iova: secretBase, memory: secret, readable: true, writable: true });
    this.#polled = this.#prng.oneIn(3);
    const access = this.#polled ? 'polled' : 'posted';
    this.#port = this.#switch.addPort({ name: 'hostile', mac: hostileMac, mtu: 9710 });
    const profile = this.#prng.pick(ixgbevfProfiles);
    const options = { mac: macBytes(hostileMac), linkMbps: 10_000, profile, access } as const;
    const parent = { macIsSet: true, trusted: this.#prng.oneIn(2), rssQuery: true };
    const host = this.#host(this.#memory, this.refusals);
    this.#device = new IxgbevfFunction({ ...options, parent }, host, this.#port);
    this.#driver = this.#newDriver({});

    const arena = new DmaArena(poolBytes, victimBase);
    const other = this.#switch.addPort({ name: 'victim', mac: victimMac, mtu: 9710 });
    this.#victimDevice = new IxgbevfFunction(
      { mac: macBytes(victimMac), linkMbps: 10_000 },
      this.#host(arena.memory, new Diagnostics()),
      other,
    );
    this.#victim = new IxgbevfDriver(this.#victimDevice, arena, { ...rings, mtu: 9001 });
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

  /** Throws an AssertionError when something did not hold. */
  run(steps: number): void {
    if (!this.#prng.oneIn(4)) this.#bringUp();
    for (let i = 0; i < steps; i++) {
      this.#step();
      if (this.#polled && !this.#prng.oneIn(4)) this.#device.poll();
      if ((i & 15) === 15) this.#verify();
    }
    this.#verify();
    this.#recover();
  }

  // What the hostile driver does.

  #step(): void {
    const kinds = [
      ...new Array<() => void>(10).fill(() => this.#txDescriptors()),
      ...new Array<() => void>(4).fill(() => this.#rxDescriptors()),
      ...new Array<() => void>(5).fill(() => this.#message()),
      ...new Array<() => void>(4).fill(() => this.#victimTurn()),
      ...new Array<() => void>(2).fill(() => this.#registerWrite()),
      () => this.#anyAccess(),
      () => this.#clock.advance(this.#prng.below(1e9)),
    ];
    if (this.#prng.oneIn(20)) this.#rareStep();
    else this.#prng.pick(kinds)();
  }

  #rareStep(): void {
    const prng = this.#prng;
    const on = prng.oneIn(2);
    const kinds = [
      ...new Array<() => void>(4).fill(() => this.#bringUp()),
      () => this.#scribble(),
      () => this.#device.reset(prng.pick(['function', 'detach'])),
      () => this.#device.setLink(on),
      () => this.#device.setWire(on),
      () => this.#device.resetParent(),
      () => this.#device.administer({ what: 'trust', on }),
      () => this.#device.administer({ what: 'vlan', vlan: on ? 5 : 0, qos: 0 }),
      () => this.#device.setSpoofCheck(on),
      () => this.#setMapped(on),
      () => this.#device.config.write(prng.below(64) * 4, 4, prng.next()),
    ];
    prng.pick(kinds)();
  }

  #write(name: VfRegister, value: number, index = 0): void {
    this.#note(`${name}[${index}] = 0x${(value >>> 0).toString(16)}`);
    this.#driver.registers.write(name, value, index);
  }

  /** Unmapped memory is a canary from then on; what is mapped next is other memory. */
  #setMapped(isMapped: boolean): void {
    if (isMapped === this.#mapped) return;
    this.#note(isMapped ? 'map' : 'unmap');
    this.#mapped = isMapped;
    if (isMapped) {
      const { bytes } = this.#pool;
      this.#memory.add({ iova: poolBase, memory: bytes, readable: true, writable: true });
      return;
    }
    this.#memory.remove(poolBase, poolBytes);
    this.#pool.bytes.fill(canary);
    [this.#pool, this.#spare] = [this.#spare, this.#pool];
    this.#driver = this.#newDriver({});
  }

  #newDriver(options: DriverSettings): IxgbevfDriver {
    this.#pool.release(0);
    const seen = this.#polled ? mapped(this.#device) : this.#device;
    return new IxgbevfDriver(seen, this.#pool, { ...rings, ...options });
  }

  /** Behaves for once, so that there is a state worth disturbing. */
  #bringUp(): void {
    this.#note('bring up');
    this.#setMapped(true);
    this.#clock.advance(1e9); // a parent that resets itself is through
    this.#driver = this.#newDriver({
      split: this.#prng.oneIn(2) ? 0x1330 : 0,
      rx: {
        ...rings.rx,
        descType: this.#prng.pick(['LEGACY', 'ONE_BUFFER', 'SPLIT', 'SPLIT_ALWAYS'] as const),
        stripVlan: this.#prng.oneIn(2),
      },
      mtu: this.#prng.pick([1500, 9001]),
    });
    this.#driver.start();
    this.#device.poll();
  }

  #txDescriptors(): void {
    const queue = this.#prng.pick(this.#driver.tx.length > 0 ? this.#driver.tx : [null]);
    if (queue === null) {
      this.#registerWrite();
      return;
    }
    const count = 1 + this.#prng.below(5);
    const lengths = Array.from({ length: count }, () =>
      this.#prng.pick([0, 14, 60, 300, 1500, 9000]),
    );
    const total = lengths.reduce((sum, length) => sum + length, 0);
    const prng = this.#prng;
    if (prng.oneIn(2)) {
      const l4t = prng.below(4) << 11;
      const maclen = prng.pick([14, 18, 0, 50, 127]);
      const iplen = prng.pick([20, 40, 0, 511]);
      queue.put([
        iplen | (maclen << 9) | (prng.below(8) << 16),
        prng.next(),
        (prng.oneIn(2) ? 1 << 10 : 0) | l4t | (2 << 20) | (1 << 29),
        (prng.below(2) << 4) |
          (prng.pick([20, 8, 0, 60]) << 8) |
          (prng.pick([0, 48, 1448, 1]) << 16),
      ]);
    }
    for (const [i, length] of lengths.entries()) {
      if (prng.oneIn(30)) {
        queue.put([prng.next(), prng.next(), prng.next(), prng.next()]);
        continue;
      }
      const address = this.#address(length);
      const command = (i === count - 1 ? 1 << 24 : 0) | (prng.oneIn(2) ? 1 << 27 : 0);
      const vle = prng.oneIn(4) ? 1 << 30 : 0;
      const tse = prng.oneIn(4) ? 2 ** 31 : 0;
      const isLegacy = prng.oneIn(8);
      const format = isLegacy ? prng.below(16) << 16 : (3 << 20) | (1 << 29);
      const payload = total - (tse > 0 ? prng.pick([54, 74]) : 0);
      const popts = prng.below(4) << 8;
      queue.put([
        address % 2 ** 32,
        Math.floor(address / 2 ** 32),
        length | format | command | vle | tse,
        isLegacy ? prng.next() & 0xffff_ffff : popts | (Math.max(0, payload) * 2 ** 14),
      ]);
    }
    this.#note(`${count} Tx descriptors`);
    const before = this.#port.counters.get('tx_frames');
    queue.kick();
    const frames = this.#port.counters.get('tx_frames') - before;
    assert.ok(frames <= maxFramesPerAccess, `${frames} frames at once`);
    queue.reap();
  }

  #rxDescriptors(): void {
    const queue = this.#prng.pick(this.#driver.rx.length > 0 ? this.#driver.rx : [null]);
    if (queue === null) return;
    for (let n = this.#prng.below(4); n > 0; n--) {
      const at = queue.wordOf(this.#prng.below(queue.spec.depth));
      const address = this.#address(2048);
      const header = this.#address(128);
      const { words } = this.#pool;
      words[at] = address % 2 ** 32;
      words[at + 1] = Math.floor(address / 2 ** 32);
      words[at + 2] = header % 2 ** 32;
      words[at + 3] = Math.floor(header / 2 ** 32);
    }
    if (this.#prng.oneIn(2)) {
      while (queue.next());
      queue.replenish();
    } else this.#write('VFRDT', this.#prng.below(this.#prng.oneIn(4) ? 65_536 : 33), queue.index);
  }

  /** Anything to the parent, by the rules of the mailbox or without. */
  #message(): void {
    const prng = this.#prng;
    const first = prng.pick(messageTypes) | (prng.below(prng.oneIn(2) ? 2 : 256) << 16);
    const words = [first, ...Array.from({ length: 15 }, () => this.#word())];
    if (prng.oneIn(3)) words[1] = prng.below(12);
    this.#note(`message 0x${first.toString(16)}`);
    if (!prng.oneIn(4)) {
      this.#driver.mailbox.ask(words.slice(0, 1 + prng.below(16)));
      return;
    }
    for (const [i, word] of words.entries()) this.#driver.registers.write('VFMBMEM', word, i);
    this.#write('VFMAILBOX', prng.below(256));
    this.#driver.registers.read('VFMAILBOX');
  }

  #registerWrite(): void {
    const name = this.#prng.pick(registerNames);
    const { count } = ixgbevfRegisters.registers[name];
    this.#write(name, this.#word(), this.#prng.below(count));
  }

  #anyAccess(): void {
    const prng = this.#prng;
    const size = prng.pick([1, 2, 4] as const);
    const bar = prng.pick([0, 0, 0, 3, 1]);
    const offset = prng.below(0x4000 / size) * size;
    this.#device.read(bar, offset, size);
    if (prng.oneIn(2)) this.#device.write(bar, offset, size, this.#word() % 2 ** (8 * size));
  }

  /** The guest writes its own memory behind the device's back: rings, buffers, anything. */
  #scribble(): void {
    const { words } = this.#pool;
    const count = 1 + this.#prng.below(64);
    const at = this.#prng.below(words.length - count);
    for (let i = 0; i < count; i++) words[at + i] = this.#prng.next();
    this.#note(`scribble ${at}`);
  }

  #word(): number {
    const prng = this.#prng;
    return prng.pick([
      () => prng.next(),
      () => prng.below(64),
      () => 1 << prng.below(32),
      () => (1 << 25) | prng.below(1 << 10),
      () => prng.pick([0, 0xffff_ffff, 0x0200_0000, poolBase / 2 ** 32]),
    ])();
  }

  /** Mostly of the pool, with room for so many bytes. */
  #address(length: number): number {
    const prng = this.#prng;
    if (prng.oneIn(40)) return prng.pick([0, 0xffff_f000, poolBase + poolBytes - 1, 2 ** 51]);
    return poolBase + prng.below(poolBytes - length);
  }

  // The driver that behaves, and what must hold.

  #victimTurn(): void {
    const [tx] = this.#victim.tx;
    assert.ok(tx);
    for (let n = this.#prng.below(8); n >= 0; n--) {
      const length = 60 + this.#prng.below(this.#prng.oneIn(3) ? 8954 : 1440);
      tx.send(plainFrame(victimMac, hostileMac, length, this.#sent++), 0, length);
    }
    tx.kick();
    this.#victim.poll();
    for (const rx of this.#victim.rx) {
      while (rx.next());
      rx.replenish();
    }
    this.#shadow.set(this.#victim.arena.bytes);
  }

  #verify(): void {
    const end = guardBytes + 2 * poolBytes;
    for (const guard of [
      this.#everything.subarray(0, guardBytes),
      this.#everything.subarray(end),
      this.#spare.bytes,
    ])
      assert.ok(isUntouched(guard), 'a canary was overwritten');
    const { arena, tx, rx } = this.#victim;
    const open: [address: number, bytes: number][] = [
      ...tx.map((q): [number, number] => [q.address, q.spec.depth * 16]),
      ...rx.map((q): [number, number] => [q.address, q.spec.depth * 16]),
      ...rx.map((q): [number, number] => [q.bufferAddress, q.spec.depth * q.spec.bufferBytes]),
    ];
    open.sort(([x], [y]) => x - y);
    let from = 0;
    for (const [address, bytes] of [...open, [victimBase + poolBytes, 0] as const]) {
      const until = arena.offset(address);
      const now = arena.bytes.subarray(from, until);
      const same = Buffer.compare(now, this.#shadow.subarray(from, until));
      assert.equal(same, 0, `the other guest's memory changed in ${from} .. ${until}`);
      from = until + bytes;
    }
  }

  /** A proper driver takes the function over, and frames pass both ways. */
  #recover(): void {
    this.#note('recover');
    this.#device.administer({ what: 'vlan', vlan: 0, qos: 0 });
    this.#device.administer({ what: 'mac', mac: hostileMac });
    this.#device.setLink(true);
    this.#device.setWire(true);
    this.#bringUp();
    this.#victimTurn();
    for (const queue of [...this.#victim.rx, ...this.#driver.rx]) {
      while (queue.next());
      queue.replenish();
    }
    this.#device.poll();
    const there = plainFrame(hostileMac, victimMac, 777, 1);
    const [tx] = this.#driver.tx;
    assert.ok(tx);
    assert.ok(tx.send(there, 0, there.length));
    tx.kick();
    this.#device.poll();
    const got = this.#victim.rx.find((queue) => queue.next());
    assert.equal(got?.length, 777, 'after a reset the function sends no more');
    const back = plainFrame(victimMac, hostileMac, 555, 2);
    const [own] = this.#victim.tx;
    assert.ok(own);
    assert.ok(own.send(back, 0, back.length));
    own.kick();
    const taken = this.#driver.rx.find((queue) => queue.next());
    assert.equal(taken?.length, 555, 'after a reset the function receives no more');
    this.#shadow.set(this.#victim.arena.bytes);
    this.#verify();
  }

  #note(what: string): void {
    this.log.push(what);
    if (this.log.length > 30) this.log.shift();
  }
}

const untouched = new Uint8Array(poolBytes + guardBytes).fill(canary);
const isUntouched = (bytes: Uint8Array): boolean =>
  Buffer.compare(bytes, untouched.subarray(0, bytes.length)) === 0;
