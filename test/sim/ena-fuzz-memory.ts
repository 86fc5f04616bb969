/**
 * The hostile guest's memory: a pool that is mapped and unmapped, with canaries around it in the
 * same buffer. Its bytes are shared, or only messages reach them, or the upper quarter of them.
 */
import assert from 'node:assert/strict';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { GuestMemory, RemoteDma } from '../../src/pci/guest-memory.ts';
import { linearBytes } from './fuzz-linear.ts';

export type Sharing = 'shared' | 'messages' | 'both';

export const poolBytes = 1 << 20;
export const poolBase = 2 ** 33;
/** Mapped, but the fuzzer never says this address. */
const secretBase = 0x7a5c_0000_0000;
const guardBytes = 64 * 1024;
const canary = 0xa5;

export class FuzzMemory {
  /** The pool that is mapped, or was last; another one stands by. */
  pool: DmaArena;
  /** What the device sees: always the same, whichever pool is mapped. */
  readonly seen: GuestMemory;
  readonly sharing: Sharing;
  /** Whether the client refuses some of what messages ask for. */
  refuses = false;
  readonly #prng: Prng;
  readonly #everything: Uint8Array;
  /** Where it begins in linear memory. */
  readonly #linear: number;
  #spare: DmaArena;
  #isMapped = true;

  constructor(prng: Prng) {
    this.#prng = prng;
    const { bytes, linear } = linearBytes('hostile', 2 * guardBytes + 3 * poolBytes);
    this.#everything = bytes.fill(canary);
    this.#linear = linear;
    this.sharing = prng.pick(['shared', 'shared', 'messages', 'both']);
    const part = (start: number) => this.#everything.subarray(start, start + poolBytes);
    this.pool = new DmaArena(part(guardBytes), poolBase);
    this.#spare = new DmaArena(part(guardBytes + poolBytes), poolBase);
    this.seen = this.pool.memory;
    this.seen.clear();
    const secret = part(guardBytes + 2 * poolBytes);
    const place = { linear: linear + guardBytes + 2 * poolBytes };
    this.seen.add({ iova: secretBase, memory: secret, readable: true, writable: true, ...place });
    this.#map();
  }

  /** Unmapped memory is a canary from then on; what is mapped next is other memory. */
  setMapped(isMapped: boolean): boolean {
    if (isMapped === this.#isMapped) return false;
    this.#isMapped = isMapped;
    if (isMapped) this.#map();
    else {
      this.seen.remove(poolBase, poolBytes);
      this.pool.bytes.fill(canary);
      [this.pool, this.#spare] = [this.#spare, this.pool];
    }
    return true;
  }

  #map(): void {
    const { bytes } = this.pool;
    const access = { readable: true, writable: true };
    const shared = { shared: poolBytes, messages: 0, both: (poolBytes / 4) * 3 }[this.sharing];
    const linear = this.#linear + bytes.byteOffset - this.#everything.byteOffset;
    if (shared > 0)
      this.seen.add({ iova: poolBase, memory: bytes.subarray(0, shared), linear, ...access });
    if (shared === poolBytes) return;
    const memory = { sizeBytes: poolBytes - shared, remote: this.#client(bytes, shared) };
    this.seen.add({ iova: poolBase + shared, memory, ...access });
  }

  /** Answers messages about the bytes from `least` on. */
  #client(bytes: Uint8Array, least: number): RemoteDma {
    const place = (iova: number, { length }: Uint8Array): number => {
      const at = iova - poolBase;
      assert.ok(at >= least && at + length <= poolBytes, `a message about ${at} + ${length}`);
      return this.refuses && this.#prng.oneIn(4) ? -1 : at;
    };
    return {
      read: (iova, into) => {
        const at = place(iova, into);
        if (at >= 0) into.set(bytes.subarray(at, at + into.length));
        return at >= 0;
      },
      write: (iova, from) => {
        const at = place(iova, from);
        if (at >= 0) bytes.set(from, at);
        return at >= 0;
      },
    };
  }

  /** Throws an AssertionError when anything else than the pool was written to. */
  verify(): void {
    const end = guardBytes + 2 * poolBytes;
    for (const guard of [
      this.#everything.subarray(0, guardBytes),
      this.#everything.subarray(end),
      this.#spare.bytes,
    ])
      assert.ok(isUntouched(guard), 'a canary was overwritten');
  }
}

const untouched = new Uint8Array(poolBytes + guardBytes).fill(canary);
const isUntouched = (bytes: Uint8Array): boolean =>
  Buffer.compare(bytes, untouched.subarray(0, bytes.length)) === 0;
