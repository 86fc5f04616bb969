// Random and mutated messages against a server with a fake function that does random DMA: no
// crash, no descriptor kept, nothing written outside of the windows.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after } from 'node:test';
import type { Prng } from '../lib/prng.ts';
import { seeded } from '../lib/testing-seed.ts';
import { createEventFd } from '../sys/eventfd.ts';
import { closeFd } from '../sys/fd.ts';
import { LinearMemory } from '../sys/linear-memory.ts';
import { createSharedMemory, mapFile } from '../sys/memory.ts';
import { socketPair } from '../sys/socket.ts';
import * as p from './protocol.ts';
import { payloadOf, type TestClient } from './testing-client.ts';
import { Harness } from './testing-harness.ts';

const rounds = 100;
const messagesPerRound = 40;

/** The guest: its middle is a window, and a part that may only be read; the rest are canaries. */
const guestBytes = 0x10000;
const window = { iova: 0x10_0000, offset: 0x4000, size: 0x4000 };
const readOnly = { iova: 0x20_0000, offset: 0x8000, size: 0x4000 };
const canary = 0xc5;

const linear = new LinearMemory();
const guest = createSharedMemory('guest', guestBytes);
const playground = createSharedMemory('playground', 0x10000);
const eventfds = Array.from({ length: 4 }, createEventFd);
const [socket] = socketPair();
const passable = [...eventfds, playground.fd, socket.fd, guest.fd];

class Fuzzer {
  readonly #random: Prng;
  readonly harness: Harness;
  client: TestClient;

  constructor(random: Prng) {
    this.#random = random;
    const mapper = random.oneIn(2) ? mapFile : linear.mapper;
    const writeMultiple = random.oneIn(2);
    this.harness = new Harness({ mappedBar: true, patienceMs: 1, writeMultiple, mapper });
    this.harness.fn.onWrite = () => this.#useMemory();
    this.client = this.#connect();
  }

  #connect(): TestClient {
    const client = this.harness.connect(!this.#random.oneIn(20));
    const { iova, offset, size } = window;
    if (!this.harness.connected || this.harness.endpoint.session?.isUsable !== true) return client;
    client.map(iova, size, { fds: [guest.fd], offset });
    client.map(readOnly.iova, size, { fds: [guest.fd], offset: readOnly.offset, flags: 1 });
    const serve = this.harness.far.onWait;
    this.harness.far.onWait = () => {
      const choice = this.#random.below(8);
      if (choice < 6) serve();
      else if (choice === 6) this.client.sendRaw(this.#message());
    };
    return client;
  }

  /** What a device does, at addresses that are near something. */
  #useMemory(): void {
    const random = this.#random;
    const { memory, interrupts } = this.harness.endpoint;
    const iova = random.pick([0, window.iova, readOnly.iova, 2 ** 32]) + this.#near(window.size);
    const length = 1 + random.below(random.pick([4, 64, 5000]));
    const bytes = new Uint8Array(length);
    if (random.oneIn(2)) memory.write(iova, bytes, 0, length);
    else memory.read(iova, length, bytes, 0);
    const range = memory.range(iova & ~3, 64, random.pick(['read', 'write', 'both'] as const));
    range?.pull(0, 4);
    interrupts.raise(random.below(12));
  }

  #near(limit: number): number {
    const around = this.#random.pick([0, 1, 4, limit - 4, limit, this.#random.below(limit)]);
    return Math.max(0, around + this.#random.below(3) - 1);
  }

  /** A number that some limit is near to. */
  #word(): number {
    const random = this.#random;
    const values = [0, 1, 2, 4, 7, 8, 9, 16, 24, 32, 256, 0x1000, 0x4000, 0x10000, 0x7fff_ffff];
    if (random.oneIn(6)) return random.next();
    return (random.pick(values) + random.below(3) - 1) >>> 0;
  }

  #page(): [number, number] {
    const random = this.#random;
    if (random.oneIn(8)) return [this.#word(), this.#word()];
    return [random.below(32) * 0x1000, random.oneIn(10) ? random.below(4) : 0];
  }

  /** A payload that is mostly in order. */
  #payload(cmd: number): Uint8Array {
    const random = this.#random;
    const small = () => (random.oneIn(8) ? this.#word() : random.below(9));
    const place = [random.oneIn(8) ? this.#word() : this.#near(0x4000), random.oneIn(20) ? 1 : 0];
    const count = random.oneIn(8) ? random.below(300) : random.pick([1, 2, 4, 8]);
    switch (cmd) {
      case p.VFIO_USER_DMA_MAP:
        return payloadOf([32, small(), ...this.#page(), ...this.#page(), ...this.#page()]);
      case p.VFIO_USER_DMA_UNMAP:
        return payloadOf([24, random.below(4), ...this.#page(), ...this.#page()]);
      case p.VFIO_USER_DEVICE_SET_IRQS: {
        const flags = (1 << random.below(3)) | (8 << random.below(3));
        const bytes = new Uint8Array(random.oneIn(2) ? 0 : random.below(10));
        return payloadOf([20, flags, small(), small(), small()], bytes);
      }
      case p.VFIO_USER_REGION_READ:
        return payloadOf([...place, small(), count]);
      case p.VFIO_USER_REGION_WRITE:
        return payloadOf([...place, small(), count], new Uint8Array(count).fill(random.next()));
      case p.VFIO_USER_REGION_WRITE_MULTI: {
        const writes = Array.from({ length: random.below(5) }, () => [
          ...[this.#near(0x4000), 0, random.below(8), random.below(10), random.next(), 0],
        ]);
        return payloadOf([writes.length, 0, ...writes.flat()]);
      }
      default:
        return payloadOf([random.pick([16, 32, 64, 4096]), 0, small(), 0, 0, 0, 0, 0]);
    }
  }

  #message(): Uint8Array {
    const random = this.#random;
    const cmd = random.oneIn(15)
      ? random.below(20)
      : random.pick([2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 15]);
    const payload = this.#payload(cmd);
    const flags = random.oneIn(3) ? 0x10 : random.oneIn(30) ? random.below(64) : 0;
    const size = random.oneIn(60) ? this.#word() : 16 + payload.length;
    let bytes = new Uint8Array([
      ...payloadOf([((cmd << 16) | random.below(100)) >>> 0, size, flags, 0]),
      ...payload,
    ]);
    if (random.oneIn(6) && bytes.length > 16)
      bytes[16 + random.below(bytes.length - 16)] = random.next();
    if (random.oneIn(60)) bytes[random.below(bytes.length)] = random.next();
    if (random.oneIn(80)) bytes = bytes.slice(0, random.below(bytes.length));
    return bytes;
  }

  #fds(): number[] {
    const random = this.#random;
    if (!random.oneIn(3)) return [];
    const count = random.oneIn(10) ? random.below(20) : 1 + random.below(2);
    // The guest's own file is not passed again: that would open windows onto the canaries.
    return Array.from({ length: count }, () => random.pick(passable.slice(0, -1)));
  }

  /** Vectors set up as they should be: a mutation hardly ever gets that right. */
  #setVectors(): void {
    const fds = [this.#random.pick(eventfds), this.#random.pick(eventfds)];
    const flags = p.VFIO_IRQ_SET_DATA_EVENTFD | (8 << this.#random.below(3));
    const words = [20, flags, p.VFIO_PCI_MSIX_IRQ_INDEX, this.#random.below(7), 2];
    this.client.send(p.VFIO_USER_DEVICE_SET_IRQS, payloadOf(words), { fds });
  }

  step(): void {
    const random = this.#random;
    if (random.oneIn(10)) this.#setVectors();
    const message = this.#message();
    const cut = random.oneIn(5) ? random.below(message.length) : 0;
    const fds = this.#fds();
    if (cut > 0) this.client.sendRaw(message.subarray(0, cut), random.oneIn(2) ? fds : []);
    if (cut > 0 && random.oneIn(2)) this.harness.turn();
    this.client.sendRaw(message.subarray(cut), fds);
    if (!random.oneIn(4)) this.harness.turn();
    if (random.oneIn(50)) this.harness.near.capacityBytes = random.pick([10, 100, 2 ** 20]);
    this.client.serveRemote();
    if (random.oneIn(4)) this.#useMemory();
    this.harness.fn.log.length = 0;
    if (!this.harness.connected) this.reconnect();
  }

  reconnect(): void {
    this.close();
    this.client = this.#connect();
  }

  close(): void {
    this.client.close();
    for (let i = 0; i < 1000 && this.harness.connected; i++) this.harness.turn();
  }
}

function canariesLive(): boolean {
  const { bytes } = guest;
  const end = window.offset + window.size;
  for (let i = 0; i < guestBytes; i++)
    if ((i < window.offset || i >= end) && bytes[i] !== canary) return false;
  return true;
}

after(() => {
  for (const fd of passable) closeFd(fd);
});

seeded('random messages do no harm', async (random) => {
  guest.bytes.fill(canary);
  const fuzzer = new Fuzzer(random);
  fuzzer.close();
  const before = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < rounds; round++) {
    fuzzer.reconnect();
    for (let i = 0; i < messagesPerRound; i++) fuzzer.step();
    fuzzer.close();
    assert.equal(fuzzer.harness.connected, false, `round ${round}: still connected`);
    const now = readdirSync('/proc/self/fd').length;
    assert.equal(now, before, `round ${round}: ${now - before} descriptors were kept`);
    assert.ok(canariesLive(), `round ${round}: written outside of the windows`);
    // Memory is unmapped from the event loop.
    if (round % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const counts = fuzzer.harness.diagnostics.counts();
  assert.ok((counts['vfio-user/request'] ?? 0) > rounds, 'the fuzzer reaches the handlers');
});
