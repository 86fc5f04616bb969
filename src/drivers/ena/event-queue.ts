/**
 * ENA's asynchronous event notification queue (AENQ): link changes, keep-alives and whatever else
 * the device reports, in 64-byte entries owned by a phase bit. The driver returns entries by
 * writing how far it has read. Follows `ena_com_aenq_intr_handler`.
 */
import {
  AENQ_ENTRY_BYTES,
  AENQ_GROUP,
  AENQ_SYNDROME_UPDATE_HINTS,
  aenqHints,
  aenqKeepAlive,
  aenqLinkChange,
} from '../../defs/ena-admin.ts';
import type { Record32 } from '../../lib/layout.ts';
import type { DmaArena } from '../dma-arena.ts';
import type { EnaMmio } from './mmio.ts';

export const ENA_ASYNC_QUEUE_DEPTH = 16;
const words = AENQ_ENTRY_BYTES >>> 2;
/** Events of other groups that are kept. */
const maxKept = 64;

/** An event whose group has no handler here. */
export type DeviceEvent = {
  readonly group: number;
  readonly syndrome: number;
  readonly words: Int32Array;
};

/** What the last keep-alive told: packets, since the device was made. */
export type KeepAlive = {
  readonly rxDrops: number;
  readonly txDrops: number;
  readonly rxOverruns: number;
};

export class EventQueue {
  readonly depth: number;
  /** DMA address of the ring. */
  readonly address: number;
  /** Null until the device has reported it. */
  linkUp: boolean | null = null;
  linkChanges = 0;
  keepAlives = 0;
  keepAlive: KeepAlive | null = null;
  /** The newest events of all other groups, oldest first. */
  others: DeviceEvent[] = [];
  /** The device asked for a reset. */
  resetRequested = false;
  /** Runs for new hints, which the record holds until the next ones. */
  onHints: (hints: Record32<typeof aenqHints.fields>) => void = () => {};
  readonly #mmio: EnaMmio;
  readonly #memory: Int32Array;
  readonly #word: number;
  readonly #link = aenqLinkChange.create();
  readonly #alive = aenqKeepAlive.create();
  readonly #hints = aenqHints.create();
  #head: number;
  #phase = 1;

  constructor(mmio: EnaMmio, arena: DmaArena, depth = ENA_ASYNC_QUEUE_DEPTH) {
    this.depth = depth;
    this.#head = depth;
    this.#mmio = mmio;
    this.#memory = arena.words;
    this.address = arena.alloc(depth * AENQ_ENTRY_BYTES);
    this.#word = arena.offset(this.address) >>> 2;
  }

  /** Empties the ring and tells the device where it is: once after each reset. */
  configure(): void {
    this.#memory.fill(0, this.#word, this.#word + this.depth * words);
    this.#head = this.depth;
    this.#phase = 1;
    this.linkUp = null;
    this.resetRequested = false;
    this.#mmio.writeAddress('AENQ_BASE_LO', 'AENQ_BASE_HI', this.address);
    this.#mmio.write('AENQ_CAPS', this.depth | (AENQ_ENTRY_BYTES << 16));
  }

  /** Gives all entries to the device: it may report from now on. */
  enable(): void {
    this.#mmio.write('AENQ_HEAD_DB', this.depth);
  }

  /** Handles what has been reported; returns how many events there were. */
  poll(): number {
    let count = 0;
    for (; count < this.depth; count++) {
      const at = this.#word + (this.#head & (this.depth - 1)) * words;
      this.#link.load(this.#memory, at);
      if (this.#link.phase !== this.#phase) break;
      this.#handle(at);
      this.#head = (this.#head + 1) & 0xffff;
      if ((this.#head & (this.depth - 1)) === 0) this.#phase ^= 1;
    }
    if (count > 0) this.#mmio.write('AENQ_HEAD_DB', this.#head);
    return count;
  }

  #handle(at: number): void {
    const link = this.#link;
    if (link.group === AENQ_GROUP.LINK_CHANGE) {
      this.linkUp = link.link_status === 1;
      this.linkChanges++;
      return;
    }
    if (link.group === AENQ_GROUP.KEEP_ALIVE) {
      const alive = this.#alive;
      alive.load(this.#memory, at);
      this.keepAlives++;
      this.keepAlive = {
        rxDrops: alive.rx_drops_low + alive.rx_drops_high * 2 ** 32,
        txDrops: alive.tx_drops_low + alive.tx_drops_high * 2 ** 32,
        rxOverruns: alive.rx_overruns_low + alive.rx_overruns_high * 2 ** 32,
      };
      return;
    }
    const { group, syndrome } = link;
    if (group === AENQ_GROUP.DEVICE_REQUEST_RESET) this.resetRequested = true;
    if (group === AENQ_GROUP.NOTIFICATION && syndrome === AENQ_SYNDROME_UPDATE_HINTS) {
      this.#hints.load(this.#memory, at);
      this.onHints(this.#hints);
    }
    this.others.push({ group, syndrome, words: this.#memory.slice(at, at + words) });
    if (this.others.length > maxKept) this.others.shift();
  }
}
