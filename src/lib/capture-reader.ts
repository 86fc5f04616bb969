/**
 * Reads captures: pcap with micro- or nanoseconds, pcapng (draft-ietf-opsawg-pcapng), either byte
 * order. A file is whoever's: every length is bounded before it is used, and what cannot be read is
 * an error that says where. A file that ends in the middle of a packet is read up to there.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** Why a capture cannot be read: one sentence, with the offset of what is wrong. */
export class CaptureError extends Error {
  constructor(message: string, offset: number) {
    super(`${message} (offset ${offset})`);
    this.name = 'CaptureError';
  }
}

/** One packet; valid during the call that it is given to. */
export type CapturedPacket = {
  /** Since the first packet of the file, in nanoseconds; not before the packet ahead of it. */
  timeNs: number;
  /** The captured bytes: `bytes[start .. start + captured]`. */
  bytes: Uint8Array;
  start: number;
  captured: number;
  /** On the wire. */
  length: number;
  /** LINKTYPE_ value of its interface. */
  link: number;
  /** As the interface's owner sees it: 0 unknown, 1 inbound, 2 outbound. */
  direction: number;
};

export type CaptureSummary = {
  readonly format: 'pcap' | 'pcapng';
  readonly packets: number;
  /** Where it ends too early, or null. */
  readonly truncatedAt: number | null;
  /** Packets whose time is before that of the one ahead of them. */
  readonly outOfOrder: number;
};

/** Gives `length` bytes at `offset`, or as many as there are. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

const block = { section: 0x0a0d_0d0a, interface: 1, old: 2, simple: 3, packet: 6 } as const;
const option = { end: 0, flags: 2, resolution: 9, offset: 14 } as const;
const byteOrderMagic = 0x1a2b_3c4d;
const maxBlockBytes = 16 * 1024 * 1024;
const maxInterfaces = 65_536;
const chunkBytes = 1024 * 1024;

/** @throws CaptureError, or the system's error when the file cannot be opened or read */
export function readCaptureFile(
  path: string,
  onPacket: (packet: CapturedPacket) => void,
): CaptureSummary {
  const fd = openSync(path, 'r');
  try {
    let room = new Uint8Array(chunkBytes);
    return readCapture((offset, length) => {
      if (room.length < length) room = new Uint8Array(length);
      let have = 0;
      for (let n = -1; n !== 0 && have < length; have += n)
        n = readSync(fd, room, have, length - have, offset + have);
      return room.subarray(0, have);
    }, onPacket);
  } finally {
    closeSync(fd);
  }
}

/** @throws CaptureError */
export function readCapture(
  readAt: ReadAt,
  onPacket: (packet: CapturedPacket) => void,
): CaptureSummary {
  return new CaptureReader(readAt, onPacket).read();
}

type Interface = {
  readonly link: number;
  readonly nsPerTick: number;
  /** Of its first packet: ticks in two halves, and what that is since the file's first packet. */
  high: number;
  low: number;
  baseNs: number;
  isFirst: boolean;
  readonly offsetSeconds: number;
};

class CaptureReader {
  readonly #readAt: ReadAt;
  readonly #onPacket: (packet: CapturedPacket) => void;
  readonly #packet: CapturedPacket;
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkAt = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #little = true;
  #interfaces: Interface[] = [];
  /** Seconds of the first packet's clock, or -1. */
  #epoch = -1;
  /** Times of the first packet, which is 0 for those who are told, and of the latest. */
  #firstNs = 0;
  #lastNs = 0;
  #packets = 0;
  #outOfOrder = 0;
  #truncatedAt: number | null = null;

  constructor(readAt: ReadAt, onPacket: (packet: CapturedPacket) => void) {
    this.#readAt = readAt;
    this.#onPacket = onPacket;
    const bytes = this.#chunk;
    const place = { bytes, start: 0, captured: 0, length: 0 };
    this.#packet = { timeNs: 0, ...place, link: 0, direction: 0 };
  }

  read(): CaptureSummary {
    if (!this.#have(0, 4)) throw new CaptureError('it is too short for a capture', 0);
    const magic = this.#view.getUint32(0);
    if (magic >>> 16 === 0x1f8b)
      throw new CaptureError('it is compressed: unpack it first, by gunzip', 0);
    const format = magic === block.section ? 'pcapng' : 'pcap';
    if (format === 'pcapng') this.#readBlocks();
    else this.#readRecords(magic);
    const truncatedAt = this.#truncatedAt;
    return { format, packets: this.#packets, truncatedAt, outOfOrder: this.#outOfOrder };
  }

  // pcap.

  #readRecords(magic: number): void {
    const kinds = new Map([
      [0xa1b2_c3d4, { little: false, nsPerTick: 1000 }],
      [0xd4c3_b2a1, { little: true, nsPerTick: 1000 }],
      [0xa1b2_3c4d, { little: false, nsPerTick: 1 }],
      [0x4d3c_b2a1, { little: true, nsPerTick: 1 }],
    ]);
    const kind = kinds.get(magic);
    if (kind === undefined) throw new CaptureError('it is neither pcap nor pcapng', 0);
    this.#little = kind.little;
    if (!this.#have(0, 24)) throw new CaptureError('the header of the file is cut', 0);
    const link = this.#u32(20) & 0x0fff_ffff;
    for (let at = 24; this.#have(at, 16); ) {
      const seconds = this.#u32(at);
      const fraction = this.#u32(at + 4) * kind.nsPerTick;
      const captured = this.#u32(at + 8);
      const length = this.#u32(at + 12);
      if (captured > maxBlockBytes)
        throw new CaptureError(`a packet of ${captured} bytes, at most ${maxBlockBytes}`, at);
      if (!this.#have(at + 16, captured)) {
        this.#truncatedAt = at;
        return;
      }
      if (this.#epoch < 0) this.#epoch = seconds;
      this.#tell(at + 16, captured, length, link, 0, (seconds - this.#epoch) * 1e9 + fraction);
      at += 16 + captured;
      if (this.#isEnd(at)) return;
      if (!this.#have(at, 16)) {
        this.#truncatedAt = at;
        return;
      }
    }
  }

  // pcapng.

  #readBlocks(): void {
    for (let at = 0; !this.#isEnd(at); ) {
      if (!this.#have(at, 12)) {
        this.#truncatedAt = at;
        return;
      }
      const type = this.#u32(at);
      if (type === block.section || this.#view.getUint32(this.#in(at)) === block.section)
        this.#section(at);
      const length = this.#u32(at + 4);
      if (length < 12 || length % 4 !== 0 || length > maxBlockBytes)
        throw new CaptureError(`a block of ${length} bytes`, at);
      if (!this.#have(at, length)) {
        this.#truncatedAt = at;
        return;
      }
      if (this.#u32(at + length - 4) !== length)
        throw new CaptureError('the two lengths of a block differ', at);
      this.#block(this.#u32(at), at, length);
      at += length;
    }
  }

  /** Byte order counts for the section; interfaces are counted anew. */
  #section(at: number): void {
    const magic = this.#view.getUint32(this.#in(at + 8));
    if (magic === byteOrderMagic) this.#little = false;
    else if (magic === 0x4d3c_2b1a) this.#little = true;
    else throw new CaptureError('a section without a byte order', at);
    this.#interfaces = [];
  }

  #block(type: number, at: number, length: number): void {
    const end = at + length - 4;
    switch (type) {
      case block.interface:
        this.#addInterface(at, end);
        return;
      case block.packet:
        this.#enhanced(at, end, this.#needs(at, length, 32) && this.#u32(at + 8));
        return;
      case block.old:
        this.#enhanced(at, end, this.#needs(at, length, 32) && this.#u16(at + 8));
        return;
      case block.simple: {
        this.#needs(at, length, 16);
        const original = this.#u32(at + 8);
        const captured = Math.min(original, length - 16);
        const { link } = this.#interface(0, at);
        this.#tell(at + 12, captured, original, link, 0, this.#lastNs);
      }
    }
  }

  #needs(at: number, length: number, least: number): true {
    if (length < least) throw new CaptureError(`a block of ${length} bytes is too short`, at);
    return true;
  }

  #addInterface(at: number, end: number): void {
    this.#needs(at, end + 4 - at, 20);
    if (this.#interfaces.length >= maxInterfaces)
      throw new CaptureError(`more than ${maxInterfaces} interfaces`, at);
    let nsPerTick = 1000;
    let offsetSeconds = 0;
    this.#options(at + 16, end, (code, where, length) => {
      if (code === option.resolution && length >= 1) {
        const exponent = this.#u8(where);
        nsPerTick = 1e9 / (exponent < 128 ? 10 ** exponent : 2 ** (exponent & 127));
      } else if (code === option.offset && length >= 8) {
        const [low, high] = this.#little ? [where, where + 4] : [where + 4, where];
        offsetSeconds = (this.#u32(high) | 0) * 2 ** 32 + this.#u32(low);
      }
    });
    const link = this.#u16(at + 8);
    const unknown = { high: 0, low: 0, baseNs: 0, isFirst: true };
    this.#interfaces.push({ link, nsPerTick, offsetSeconds, ...unknown });
  }

  #interface(id: number, at: number): Interface {
    const found = this.#interfaces[id];
    if (found === undefined)
      throw new CaptureError(`a packet of interface ${id}, which there is not`, at);
    return found;
  }

  #enhanced(at: number, end: number, id: number): void {
    const of = this.#interface(id, at);
    const captured = this.#u32(at + 20);
    const data = at + 28;
    if (captured > end - data)
      throw new CaptureError(`a packet of ${captured} bytes in a block that ends before`, at);
    let direction = 0;
    const options = data + ((captured + 3) & ~3);
    if (this.#u32(at) === block.packet)
      this.#options(options, end, (code, where, length) => {
        if (code === option.flags && length >= 4) direction = this.#u32(where) & 3;
      });
    const timeNs = this.#time(of, this.#u32(at + 12), this.#u32(at + 16));
    this.#tell(data, captured, this.#u32(at + 24), of.link, direction, timeNs);
  }

  /** Exact between packets of one interface, however long ago 1970 is. */
  #time(of: Interface, high: number, low: number): number {
    if (of.isFirst) {
      const seconds = ((high * 2 ** 32 + low) * of.nsPerTick) / 1e9 + of.offsetSeconds;
      if (this.#epoch < 0) this.#epoch = seconds;
      of.baseNs = (seconds - this.#epoch) * 1e9;
      of.high = high;
      of.low = low;
      of.isFirst = false;
    }
    return of.baseNs + ((high - of.high) * 2 ** 32 + (low - of.low)) * of.nsPerTick;
  }

  #options(
    from: number,
    end: number,
    each: (code: number, at: number, length: number) => void,
  ): void {
    for (let at = from; at + 4 <= end; ) {
      const code = this.#u16(at);
      const length = this.#u16(at + 2);
      if (code === option.end) return;
      if (at + 4 + length > end) throw new CaptureError('an option that ends behind its block', at);
      each(code, at + 4, length);
      at += 4 + ((length + 3) & ~3);
    }
  }

  // Both.

  #tell(
    at: number,
    captured: number,
    length: number,
    link: number,
    direction: number,
    timeNs: number,
  ): void {
    const packet = this.#packet;
    if (this.#packets === 0) {
      this.#firstNs = timeNs;
      this.#lastNs = timeNs;
    } else if (timeNs < this.#lastNs) this.#outOfOrder++;
    this.#lastNs = Math.max(this.#lastNs, timeNs);
    packet.timeNs = this.#lastNs - this.#firstNs;
    packet.bytes = this.#chunk;
    packet.start = this.#in(at);
    packet.captured = captured;
    packet.length = Math.max(length, captured);
    packet.link = link;
    packet.direction = direction;
    this.#packets++;
    this.#onPacket(packet);
  }

  #isEnd(at: number): boolean {
    return !this.#have(at, 1);
  }

  /** Whether the file has these bytes; they are in the chunk then. */
  #have(at: number, length: number): boolean {
    const from = at - this.#chunkAt;
    if (from >= 0 && from + length <= this.#chunk.length) return true;
    this.#chunk = this.#readAt(at, Math.max(chunkBytes, length));
    this.#chunkAt = at;
    this.#view = new DataView(this.#chunk.buffer, this.#chunk.byteOffset, this.#chunk.length);
    return this.#chunk.length >= length;
  }

  /** Where a byte of the file is in the chunk. */
  #in(at: number): number {
    return at - this.#chunkAt;
  }

  #u8(at: number): number {
    return this.#view.getUint8(this.#in(at));
  }

  #u16(at: number): number {
    return this.#view.getUint16(this.#in(at), this.#little);
  }

  #u32(at: number): number {
    return this.#view.getUint32(this.#in(at), this.#little);
  }
}
