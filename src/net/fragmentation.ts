/**
 * An IPv4 packet cut into fragments (RFC 791, section 3.2), for a way with a smaller MTU. Options
 * that are not to be copied stand in the first fragment only, and are "no operation" in the others.
 */
import { read16, write16 } from './bytes.ts';
import { type Frame, maxFrameBytes } from './frame.ts';
import { ipv4, ipv4Fragment } from './ipv4.ts';
import { writeIpv4Checksum } from './offload.ts';

const copied = 0x80;
const option = { end: 0, noOperation: 1 } as const;

export class Fragmenter {
  readonly #whole = new Uint8Array(maxFrameBytes);
  readonly #piece: Uint8Array;
  readonly #mtu: number;
  #l3 = 0;
  #headerBytes = 0;
  #end = 0;
  /** The next byte of payload, in the frame. */
  #at = 0;
  /** Of the packet: its offset in the datagram that it may be a fragment of, and "more follow". */
  #offset = 0;
  #more = 0;

  constructor(mtu: number) {
    this.#mtu = mtu;
    this.#piece = new Uint8Array(mtu + 64);
  }

  /** Starts on a parsed frame with an IPv4 packet that may be cut. */
  begin(frame: Frame): void {
    frame.copyTo(this.#whole, 0);
    this.#l3 = frame.headers.l3Offset;
    this.#headerBytes = ((this.#whole[this.#l3] as number) & 15) * 4;
    this.#at = this.#l3 + this.#headerBytes;
    this.#end = frame.headers.ipEnd;
    const bits = read16(this.#whole, this.#l3 + ipv4.fragment);
    this.#offset = bits & ipv4Fragment.offsetMask;
    this.#more = bits & ipv4Fragment.more;
  }

  /** Fills `out` with the next fragment; false when there is none. Valid until the next call. */
  next(out: Frame): boolean {
    const left = this.#end - this.#at;
    if (left <= 0) return false;
    const room = this.#mtu - this.#headerBytes;
    const bytes = left <= room ? left : room & ~7;
    const piece = this.#piece;
    const payloadAt = this.#l3 + this.#headerBytes;
    piece.set(this.#whole.subarray(0, payloadAt));
    piece.set(this.#whole.subarray(this.#at, this.#at + bytes), payloadAt);
    const more = bytes < left ? ipv4Fragment.more : this.#more;
    write16(piece, this.#l3 + ipv4.totalLength, this.#headerBytes + bytes);
    write16(piece, this.#l3 + ipv4.fragment, this.#offset | more);
    writeIpv4Checksum(piece, this.#l3);
    out.load(piece, 0, payloadAt + bytes);
    if (this.#at === payloadAt) this.#dropOptions();
    this.#at += bytes;
    this.#offset += bytes >>> 3;
    return true;
  }

  /** After the first fragment. */
  #dropOptions(): void {
    const whole = this.#whole;
    const end = this.#l3 + this.#headerBytes;
    for (let at = this.#l3 + ipv4.minBytes; at < end; ) {
      const kind = whole[at] as number;
      if (kind === option.end) return;
      const said = kind === option.noOperation ? 1 : at + 1 < end ? (whole[at + 1] as number) : 0;
      const bytes = said < 1 || at + said > end ? end - at : said;
      if ((kind & copied) === 0) whole.fill(option.noOperation, at, at + bytes);
      at += bytes;
    }
  }
}
