/**
 * For tests: a link that loses, repeats and reorders frames, in virtual time and by a seed, and a
 * TCP client that calls from behind it. The client is written from RFC 9293 apart from the server:
 * it sends again by a fixed time-out, and keeps what came early.
 */
import type { VirtualClock } from '../../lib/clock.ts';
import { nsPerMs } from '../../lib/clock.ts';
import type { Prng } from '../../lib/prng.ts';
import { Frame } from '../../net/frame.ts';
import { naiveChecksum, naiveSum } from '../../net/testing-packets.ts';
import type { TestEndpoint } from '../../switch/testing-endpoint.ts';

export type LinkFaults = {
  /** In percent of frames, each way. */
  readonly loss: number;
  readonly repeat: number;
  /** Delays are drawn from 0.1 ms up to this; two frames may so change places. */
  readonly delayMs: number;
};

/** Between a client and a port of the switch. */
export class TestLink {
  readonly #clock: VirtualClock;
  readonly #random: Prng;
  readonly #faults: LinkFaults;
  readonly #endpoint: TestEndpoint;
  readonly clients: TestClient[] = [];
  #seen = 0;

  constructor(clock: VirtualClock, random: Prng, faults: LinkFaults, endpoint: TestEndpoint) {
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
    this.#endpoint = endpoint;
    endpoint.onFlush = () => this.#collect();
  }

  send(bytes: Uint8Array): void {
    this.#carry(() => this.#endpoint.send(bytes));
  }

  #collect(): void {
    const { received } = this.#endpoint;
    for (; this.#seen < received.length; this.#seen++) {
      const bytes = received[this.#seen] as Uint8Array;
      const said = readTcp(bytes);
      this.#carry(() => {
        for (const client of this.clients) client.take(said);
      });
    }
  }

  #carry(arrive: () => void): void {
    const { loss, repeat, delayMs } = this.#faults;
    if (this.#random.below(100) < loss) return;
    const times = this.#random.below(100) < repeat ? 2 : 1;
    for (let i = 0; i < times; i++)
      this.#clock.after((0.1 + (this.#random.below(1000) / 1000) * delayMs) * nsPerMs, arrive);
  }
}

export const bit = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export type Ends = {
  readonly version: 4 | 6;
  readonly mac: readonly number[];
  readonly toMac: readonly number[];
  readonly address: readonly number[];
  readonly to: readonly number[];
  readonly port: number;
  readonly toPort: number;
};

export type Said = {
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly options: readonly number[];
  readonly payload: Uint8Array;
  /** Time to live, or hop limit. */
  readonly hops: number;
};

const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];

/** A whole frame with right checksums. */
export function tcpFrame(ends: Ends, said: Partial<Said>): Uint8Array {
  const options = said.options ?? [];
  const payload = said.payload ?? new Uint8Array(0);
  const l4 = [
    ...be16(ends.port),
    ...be16(ends.toPort),
    ...be32(said.sequence ?? 0),
    ...be32(said.acknowledgement ?? 0),
    (5 + options.length / 4) << 4,
    said.flags ?? bit.ack,
    ...be16(said.window ?? 65_535),
    ...[0, 0, 0, 0],
    ...options,
    ...payload,
  ];
  const pseudo = [...ends.address, ...ends.to, ...be32(l4.length), 0, 0, 0, 6];
  l4.splice(16, 2, ...be16(naiveChecksum([...pseudo, ...l4])));
  const l3 = ends.version === 4 ? header4(ends, l4.length) : header6(ends, l4.length);
  const type = ends.version === 4 ? [0x08, 0x00] : [0x86, 0xdd];
  return Uint8Array.from([...ends.toMac, ...ends.mac, ...type, ...l3, ...l4]);
}

function header4({ address, to }: Ends, l4Bytes: number): number[] {
  const header = [0x45, 0, ...be16(20 + l4Bytes), 0, 0, 0x40, 0, 64, 6, 0, 0, ...address, ...to];
  header.splice(10, 2, ...be16(naiveChecksum(header)));
  return header;
}

const header6 = ({ address, to }: Ends, l4Bytes: number): number[] => [
  ...[0x60, 0, 0, 0, ...be16(l4Bytes), 6, 64, ...address, ...to],
];

/** What a frame of the server's says; its checksums must be right. */
export function readTcp(bytes: Uint8Array): Said & { readonly port: number } {
  const frame = new Frame();
  frame.load(bytes, 0, bytes.length);
  frame.parse();
  const { l3Offset, l4Offset, ipEnd, ipVersion } = frame.headers;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const l4 = bytes.subarray(l4Offset, ipEnd);
  const [from, size] = ipVersion === 4 ? [l3Offset + 12, 8] : [l3Offset + 8, 32];
  const pseudo = [...bytes.subarray(from, from + size), ...be32(l4.length), 0, 0, 0, 6];
  if (naiveSum([...pseudo, ...l4]) !== 0xffff) throw new Error('a wrong TCP checksum was sent');
  if (ipVersion === 4 && naiveSum(bytes.subarray(l3Offset, l3Offset + 20)) !== 0xffff)
    throw new Error('a wrong IPv4 checksum was sent');
  const words = ((bytes[l4Offset + 12] as number) >>> 4) * 4;
  return {
    port: view.getUint16(l4Offset + 2),
    sequence: view.getUint32(l4Offset + 4),
    acknowledgement: view.getUint32(l4Offset + 8),
    flags: bytes[l4Offset + 13] as number,
    window: view.getUint16(l4Offset + 14),
    options: [...bytes.subarray(l4Offset + 20, l4Offset + words)],
    payload: bytes.slice(l4Offset + words, ipEnd),
    hops: bytes[l3Offset + (ipVersion === 4 ? 8 : 7)] as number,
  };
}

/** Calls, says `request`, ends its side at once if `half`, and reads until the server ends. */
export class TestClient {
  readonly #clock: VirtualClock;
  readonly #link: TestLink;
  readonly #ends: Ends;
  readonly #request: Uint8Array;
  readonly #half: boolean;
  readonly #mss: number;
  readonly #piece: number;
  readonly #iss: number;
  /** Bytes of sequence space that the server has acknowledged: SYN, request, FIN. */
  #acked = 0;
  #irs = -1;
  #window = 0;
  /** What came, by its place in the stream; and the place of the server's FIN, or -1. */
  readonly #pieces = new Map<number, Uint8Array>();
  #finAt = -1;
  #taken = 0;
  readonly answer: number[] = [];
  closed = false;
  reset = false;
  hops = 0;

  constructor(
    clock: VirtualClock,
    link: TestLink,
    ends: Ends,
    request: Uint8Array,
    options: { half?: boolean; mss?: number; piece?: number; iss?: number } = {},
  ) {
    this.#clock = clock;
    this.#link = link;
    this.#ends = ends;
    this.#request = request;
    this.#half = options.half ?? false;
    this.#mss = options.mss ?? 1460;
    this.#piece = options.piece ?? 1400;
    this.#iss = options.iss ?? 1000;
    link.clients.push(this);
    this.#again();
  }

  take(said: ReturnType<typeof readTcp>): void {
    if (said.port !== this.#ends.port || this.reset) return;
    if ((said.flags & bit.rst) !== 0) {
      this.reset = !this.closed;
      return;
    }
    this.hops = said.hops;
    this.#window = said.window;
    if ((said.flags & bit.syn) !== 0) this.#irs = said.sequence;
    if (this.#irs < 0) return;
    this.#acked = Math.max(this.#acked, (said.acknowledgement - this.#iss) | 0);
    const at = ((said.sequence - this.#irs) | 0) - 1;
    if (said.payload.length > 0) this.#pieces.set(at, said.payload);
    if ((said.flags & bit.fin) !== 0) this.#finAt = at + said.payload.length;
    this.#read();
    if (said.payload.length > 0 || (said.flags & (bit.fin | bit.syn)) !== 0) this.#say(false);
  }

  /** Moves what is in order from the pieces to the answer. */
  #read(): void {
    for (let more = true; more; ) {
      more = false;
      for (const [at, piece] of this.#pieces) {
        if (at > this.#taken || at + piece.length <= this.#taken) continue;
        this.answer.push(...piece.subarray(this.#taken - at));
        this.#taken = at + piece.length;
        more = true;
      }
    }
  }

  get #ended(): boolean {
    return this.#finAt >= 0 && this.#taken >= this.#finAt;
  }

  #again(): void {
    if (this.reset || this.closed) return;
    this.#say(true);
    this.#clock.after(300 * nsPerMs, () => this.#again());
  }

  /** An acknowledgement; with `again`, also what the server has not acknowledged. */
  #say(again: boolean): void {
    const { length } = this.#request;
    const done = this.#acked >= length + 2;
    const acknowledgement = this.#irs + 1 + this.#taken + (this.#ended ? 1 : 0);
    if (this.#irs < 0) {
      const options = [2, 4, ...be16(this.#mss)];
      this.#tell({ sequence: this.#iss, flags: bit.syn, options });
      return;
    }
    const base = { acknowledgement, flags: bit.ack };
    let at = Math.max(0, this.#acked - 1);
    this.#tell({ ...base, sequence: this.#iss + 1 + Math.min(at, length + (done ? 1 : 0)) });
    if (done && this.#ended) this.closed = true;
    if (!again || done) return;
    for (let room = this.#window; at < length && room > 0; ) {
      const piece = this.#request.subarray(at, at + Math.min(this.#piece, room));
      this.#tell({ ...base, sequence: this.#iss + 1 + at, payload: piece });
      at += piece.length;
      room -= piece.length;
    }
    if (at === length && (this.#half || this.#ended))
      this.#tell({ ...base, sequence: this.#iss + 1 + length, flags: bit.ack | bit.fin });
  }

  #tell(said: Partial<Said>): void {
    this.#link.send(tcpFrame(this.#ends, said));
  }
}
