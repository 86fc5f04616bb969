/**
 * Writes captures in pcapng (draft-ietf-opsawg-pcapng): a section, one interface per port with its
 * name, packets with nanosecond times, direction and a comment.
 *
 * Packets go into one of two buffers; the other one is on its way to the file. When both are full
 * the writer waits for the file or, if told to, drops packets and counts them; the count stands
 * in the interface statistics at the file's end.
 */
import { type ByteSink, FileSink } from './file-sink.ts';

const block = { section: 0x0a0d_0d0a, interface: 1, statistics: 5, packet: 6 } as const;
const option = {
  end: 0,
  comment: 1,
  name: 2,
  flags: 2,
  description: 3,
  application: 4,
  dropped: 5,
  speed: 8,
  resolution: 9,
} as const;
const byteOrderMagic = 0x1a2b_3c4d;
const ethernetLink = 1;
const nanoseconds = 9;
/** Headers, options and padding of a packet block, its comment apart. */
const packetOverhead = 64;
/** Worth a write of its own. */
const batchBytes = 64 * 1024;

/** As the interface's owner sees it; the values of the format. */
export const direction = { unknown: 0, inbound: 1, outbound: 2 } as const;

export type PcapngOptions = {
  /** Both buffers together; 8 MiB unless told. */
  readonly bufferBytes?: number;
  /** `drop`: a capture never holds up the data plane; `wait`, the default: it is complete. */
  readonly whenFull?: 'drop' | 'wait';
  /** Longer packets are cut to this; 256 KiB, which is none, unless told. */
  readonly snapBytes?: number;
  /** Wall-clock time, in ms since 1970, at time 0 of the packets' clock; 0 unless told. */
  readonly epochMs?: number;
};

export type CaptureInterface = {
  readonly name: string;
  readonly description?: string;
  readonly speedBps?: number;
};

export class PcapngWriter {
  /** Packets that found no room. */
  dropped = 0;
  /** Why writing has failed: from then on everything is dropped. */
  error: Error | null = null;
  /** Where the data of the packet that `begin` opened has its place. */
  bytes: Uint8Array;

  readonly #sink: ByteSink;
  readonly #snapBytes: number;
  readonly #waits: boolean;
  readonly #epochSeconds: number;
  readonly #epochNs: number;
  readonly #droppedBy: number[] = [];
  #view: DataView;
  #other: Uint8Array;
  #used = 0;
  #writing = false;
  #closed = false;
  /** Where the open packet block begins. */
  #open = 0;
  #captured = 0;

  constructor(sink: ByteSink, options: PcapngOptions = {}) {
    const half = Math.max(batchBytes * 4, (options.bufferBytes ?? 8 * 1024 * 1024) >>> 1);
    this.#sink = sink;
    this.#snapBytes = Math.min(options.snapBytes ?? 256 * 1024, half >>> 1);
    this.#waits = options.whenFull !== 'drop';
    const epochMs = options.epochMs ?? 0;
    this.#epochSeconds = Math.floor(epochMs / 1000);
    this.#epochNs = Math.round((epochMs - this.#epochSeconds * 1000) * 1e6);
    this.bytes = new Uint8Array(half);
    this.#other = new Uint8Array(half);
    this.#view = new DataView(this.bytes.buffer);
    this.#section();
  }

  /** A writer to a new file. Throws when it cannot be made. */
  static toFile(path: string, options: PcapngOptions = {}): PcapngWriter {
    return new PcapngWriter(new FileSink(path), options);
  }

  /** The new interface's number; -1 when there is no room for it now. */
  addInterface(of: CaptureInterface): number {
    const name = text(of.name);
    const description = text(of.description ?? '');
    if (!this.#room(96 + name.length + description.length)) return -1;
    const start = this.#start(block.interface);
    this.#put16(ethernetLink);
    this.#put16(0);
    this.#put32(this.#snapBytes);
    this.#option(option.name, name);
    if (description.length > 0) this.#option(option.description, description);
    if (of.speedBps !== undefined) {
      this.#optionHead(option.speed, 8);
      this.#put64(of.speedBps);
    }
    this.#option(option.resolution, Uint8Array.of(nanoseconds));
    this.#finish(start);
    return this.#droppedBy.push(0) - 1;
  }

  /**
   * Opens a packet of `length` bytes at `timeNs` of the packets' clock. Returns where in `bytes`
   * its first `captured(length)` bytes are to be put, before `end` is called; -1: dropped.
   */
  begin(interfaceId: number, timeNs: number, length: number, commentBytes: number): number {
    const captured = this.captured(length);
    if (!this.#room(packetOverhead + captured + commentBytes)) {
      this.dropped++;
      this.#droppedBy[interfaceId] = (this.#droppedBy[interfaceId] as number) + 1;
      return -1;
    }
    this.#open = this.#start(block.packet);
    this.#captured = captured;
    this.#put32(interfaceId);
    this.#putTime(timeNs);
    this.#put32(captured);
    this.#put32(length);
    return this.#used;
  }

  /** How many bytes of a packet are kept. */
  captured(length: number): number {
    return Math.min(length, this.#snapBytes);
  }

  /** Closes the packet that `begin` opened. `comment`: UTF-8, as long as was announced; or empty. */
  end(dir: number, comment: Uint8Array): void {
    this.#used += this.#captured;
    this.#pad();
    if (comment.length > 0) this.#option(option.comment, comment);
    this.#optionHead(option.flags, 4);
    this.#put32(dir);
    this.#finish(this.#open);
    if (this.#used >= batchBytes) this.flush();
  }

  /** Sends what is buffered on its way, unless a write is under way already. */
  flush(): void {
    if (this.#writing || this.#used === 0 || this.#closed) return;
    const full = this.bytes.subarray(0, this.#used);
    this.#swap();
    if (this.error !== null) return;
    this.#writing = true;
    this.#sink.write(full, (error) => {
      this.#writing = false;
      this.error ??= error;
    });
  }

  /** Writes the rest, with statistics, before it returns. Throws when that fails. */
  close(): void {
    if (this.#closed) return;
    for (const [id, dropped] of this.#droppedBy.entries()) this.#statistics(id, dropped);
    this.#closed = true;
    try {
      if (this.error !== null) throw this.error;
      this.#sink.writeNow(this.bytes.subarray(0, this.#used));
    } finally {
      this.#used = 0;
      this.#sink.close();
    }
  }

  /** Makes room for `size` bytes, leaving some for the statistics; false when there is none. */
  #room(size: number): boolean {
    if (this.#closed || this.error !== null) return false;
    const limit = this.bytes.length - 64 * (this.#droppedBy.length + 1);
    if (this.#used + size <= limit) return true;
    this.flush();
    if (this.#used + size > limit && this.#waits) this.#flushNow();
    return this.#used + size <= limit;
  }

  /** Empties the buffer while the other one is still on its way. */
  #flushNow(): void {
    try {
      this.#sink.writeNow(this.bytes.subarray(0, this.#used));
    } catch (error) {
      this.error = error as Error;
    }
    this.#used = 0;
  }

  #swap(): void {
    const bytes = this.bytes;
    this.bytes = this.#other;
    this.#other = bytes;
    this.#view = new DataView(this.bytes.buffer);
    this.#used = 0;
  }

  #section(): void {
    const start = this.#start(block.section);
    this.#put32(byteOrderMagic);
    this.#put16(1);
    this.#put16(0);
    this.#put32(0xffff_ffff); // the section's length: unknown
    this.#put32(0xffff_ffff);
    this.#option(option.application, text('virtfn'));
    this.#finish(start);
  }

  #statistics(id: number, dropped: number): void {
    const start = this.#start(block.statistics);
    this.#put32(id);
    this.#putTime(0);
    this.#optionHead(option.dropped, 8);
    this.#put64(dropped);
    this.#finish(start);
  }

  #start(type: number): number {
    const start = this.#used;
    this.#put32(type);
    this.#put32(0); // the block's length, when it is known
    return start;
  }

  /** Ends the options and writes the block's length at both of its ends. */
  #finish(start: number): void {
    this.#put32(option.end);
    const length = this.#used + 4 - start;
    this.#put32(length);
    this.#view.setUint32(start + 4, length, true);
  }

  #option(code: number, value: Uint8Array): void {
    this.#optionHead(code, value.length);
    this.bytes.set(value, this.#used);
    this.#used += value.length;
    this.#pad();
  }

  #optionHead(code: number, length: number): void {
    this.#put16(code);
    this.#put16(length);
  }

  #pad(): void {
    while ((this.#used & 3) !== 0) this.bytes[this.#used++] = 0;
  }

  #put16(value: number): void {
    this.#view.setUint16(this.#used, value, true);
    this.#used += 2;
  }

  #put32(value: number): void {
    this.#view.setUint32(this.#used, value, true);
    this.#used += 4;
  }

  #put64(value: number): void {
    this.#put32(value % 2 ** 32);
    this.#put32(Math.floor(value / 2 ** 32));
  }

  /** Nanoseconds since 1970 need 61 bits: high and low halves, from exact parts. */
  #putTime(timeNs: number): void {
    const sum = timeNs + this.#epochNs;
    const more = Math.floor(sum / 1e9);
    const ns = Math.floor(sum - more * 1e9);
    const seconds = this.#epochSeconds + more;
    const upper = Math.floor(seconds / 65_536) * 1e9;
    const lower = (seconds % 65_536) * 1e9 + ns;
    const middle = (upper % 65_536) * 65_536 + lower;
    this.#put32(Math.floor(upper / 65_536) + Math.floor(middle / 2 ** 32));
    this.#put32(middle % 2 ** 32);
  }
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
