/**
 * DNS messages (RFC 1035, EDNS of RFC 6891): reading a query, writing its answer.
 *
 * Whoever asks is not trusted: lengths and counts are checked against the message, names are at
 * most 255 bytes, and a compressed name in a query is refused, which no client sends and which is
 * what loops are made of. Work is bounded by the message's length.
 */
import { read16, write16, write32 } from './bytes.ts';
import { type Ipv6Address, writeIpv6Address } from './ipv6.ts';

export const dns = {
  id: 0,
  flags: 2,
  questions: 4,
  answers: 6,
  authority: 8,
  additional: 10,
  bytes: 12,
  port: 53,
} as const;

export const dnsFlag = {
  response: 0x8000,
  opcode: 0x7800,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
} as const;

/** Response codes; those above 15 need EDNS. */
export const dnsCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;

export const dnsType = {
  a: 1,
  soa: 6,
  ptr: 12,
  aaaa: 28,
  opt: 41,
  ixfr: 251,
  axfr: 252,
  any: 255,
} as const;

export const dnsClass = { internet: 1, any: 255 } as const;

/** What a client can take that says nothing (RFC 1035, 4.2.1), and what we can (RFC 6891). */
export const dnsSize = { least: 512, ours: 4096 } as const;

const maxNameBytes = 255;
const maxLabelBytes = 63;

export class DnsQuery {
  id = 0;
  flags = 0;
  /** In lower case, without the root's dot. A dot within a label is `\046` (RFC 4343). */
  name = '';
  type = 0;
  class = 0;
  /** Where the question ends, from the header on. */
  questionEnd = 0;
  hasEdns = false;
  ednsVersion = 0;
  /** "DNSSEC OK", to be repeated. */
  dnssecOk = false;
  /** The largest UDP message that the client takes. */
  maxBytes: number = dnsSize.least;

  /**
   * Reads `bytes[start .. end]`. Returns the response code that its form deserves, or -1 when it
   * deserves no answer at all: it has no header, or is an answer itself.
   */
  read(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < dns.bytes) return -1;
    this.id = read16(bytes, start + dns.id);
    this.flags = read16(bytes, start + dns.flags);
    this.questionEnd = dns.bytes;
    this.hasEdns = false;
    this.maxBytes = dnsSize.least;
    if ((this.flags & dnsFlag.response) !== 0) return -1;
    if ((this.flags & dnsFlag.opcode) !== 0) return dnsCode.notImplemented;
    if (read16(bytes, start + dns.questions) !== 1) return dnsCode.formatError;
    const at = this.#question(bytes, start + dns.bytes, end);
    if (at < 0) return dnsCode.formatError;
    this.questionEnd = at - start;
    let records = 0;
    for (const count of [dns.answers, dns.authority, dns.additional])
      records += read16(bytes, start + count);
    return this.#records(bytes, at, end, records);
  }

  /** Returns where the question ends, or -1. */
  #question(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let name = '';
    for (;;) {
      const length = at < end ? (bytes[at] as number) : 0xff;
      if (length > maxLabelBytes || at + 1 + length > end) return -1;
      if (at + 1 + length - start > maxNameBytes) return -1;
      at++;
      if (length === 0) break;
      if (name !== '') name += '.';
      for (let i = 0; i < length; i++) name += textOf(bytes[at + i] as number);
      at += length;
    }
    if (at + 4 > end) return -1;
    this.name = name;
    this.type = read16(bytes, at);
    this.class = read16(bytes, at + 2);
    return at + 4;
  }

  /** Looks for the one OPT record among what follows the question. */
  #records(bytes: Uint8Array, start: number, end: number, count: number): number {
    let at = start;
    for (let n = 0; n < count; n++) {
      const name = at;
      at = skipName(bytes, at, end);
      if (at < 0 || at + 10 > end) return dnsCode.formatError;
      const type = read16(bytes, at);
      const next = at + 10 + read16(bytes, at + 8);
      if (next > end) return dnsCode.formatError;
      if (type === dnsType.opt) {
        if (this.hasEdns || at !== name + 1) return dnsCode.formatError;
        this.hasEdns = true;
        this.maxBytes = Math.min(Math.max(read16(bytes, at + 2), dnsSize.least), dnsSize.ours);
        this.ednsVersion = bytes[at + 5] as number;
        this.dnssecOk = ((bytes[at + 6] as number) & 0x80) !== 0;
      }
      at = next;
    }
    return this.hasEdns && this.ednsVersion > 0 ? dnsCode.badVersion : dnsCode.noError;
  }
}

/** Names outside the question may be compressed: a pointer ends them, and is not followed. */
function skipName(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end && at - start < maxNameBytes; ) {
    const length = bytes[at] as number;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > maxLabelBytes) return -1;
    at += 1 + length;
  }
  return -1;
}

function textOf(byte: number): string {
  if (byte >= 0x41 && byte <= 0x5a) return String.fromCharCode(byte + 32);
  if (byte === 0x2e) return '\\046';
  if (byte === 0x5c) return '\\092';
  return String.fromCharCode(byte);
}

/** The bytes of a name of ours, which is known to be right. */
export function nameBytes(name: string): Uint8Array {
  const bytes: number[] = [];
  for (const label of name === '' ? [] : name.split('.'))
    bytes.push(label.length, ...new TextEncoder().encode(label));
  return Uint8Array.from([...bytes, 0]);
}

/** Writes one answer. What does not fit any more is left out, and the answer is truncated. */
export class DnsAnswer {
  readonly #bytes: Uint8Array;
  #start = 0;
  #at = 0;
  #limit = 0;
  #truncated = false;
  #counts = { answers: 0, authority: 0 };

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** `question`: what was asked, as it was asked; `limit`: bytes of the message at most. */
  begin(at: number, limit: number, question: Uint8Array, from: number, length: number): void {
    this.#start = at;
    this.#bytes.fill(0, at, at + dns.bytes);
    for (let i = 0; i < length; i++) this.#bytes[at + dns.bytes + i] = question[from + i] as number;
    this.#at = at + dns.bytes + length;
    this.#limit = at + limit;
    this.#truncated = false;
    this.#counts = { answers: 0, authority: 0 };
  }

  address(ttl: number, address: number): void {
    if (!this.#record(dns.bytes, dnsType.a, ttl, 4)) return;
    write32(this.#bytes, this.#at, address);
    this.#at += 4;
    this.#counts.answers++;
  }

  address6(ttl: number, address: Ipv6Address): void {
    if (!this.#record(dns.bytes, dnsType.aaaa, ttl, 16)) return;
    writeIpv6Address(this.#bytes, this.#at, address);
    this.#at += 16;
    this.#counts.answers++;
  }

  pointer(ttl: number, name: Uint8Array): void {
    if (!this.#record(dns.bytes, dnsType.ptr, ttl, name.length)) return;
    this.#put(name);
    this.#counts.answers++;
  }

  /** `zoneAt`: where the zone's name stands in the message; it is the end of the question's. */
  authority(ttl: number, zoneAt: number, soa: Uint8Array, isAnswer: boolean): void {
    if (!this.#record(zoneAt, dnsType.soa, ttl, 6 + soa.length)) return;
    this.#put(Uint8Array.of(3, 0x6e, 0x73, 0x30, 0xc0 | (zoneAt >>> 8), zoneAt));
    this.#put(soa);
    if (isAnswer) this.#counts.answers++;
    else this.#counts.authority++;
  }

  /** Header and OPT record; returns where the message ends. */
  end(query: DnsQuery, code: number): number {
    const bytes = this.#bytes;
    const at = this.#start;
    const kept = dnsFlag.opcode | dnsFlag.recursionDesired | dnsFlag.checkingDisabled;
    let flags = dnsFlag.response | dnsFlag.recursionAvailable | (query.flags & kept) | (code & 15);
    if (this.#truncated) flags |= dnsFlag.truncated;
    write16(bytes, at + dns.id, query.id);
    write16(bytes, at + dns.flags, flags);
    write16(bytes, at + dns.questions, this.#at > at + dns.bytes ? 1 : 0);
    write16(bytes, at + dns.answers, this.#counts.answers);
    write16(bytes, at + dns.authority, this.#counts.authority);
    if (!query.hasEdns) return this.#at;
    write16(bytes, at + dns.additional, 1);
    const opt = this.#at;
    bytes.fill(0, opt, opt + optBytes);
    write16(bytes, opt + 1, dnsType.opt);
    write16(bytes, opt + 3, dnsSize.ours);
    bytes[opt + 5] = code >>> 4;
    bytes[opt + 7] = query.dnssecOk ? 0x80 : 0;
    return opt + optBytes;
  }

  /** A record's fixed part, its name a pointer; false when it would not fit. */
  #record(nameAt: number, type: number, ttl: number, dataBytes: number): boolean {
    const bytes = this.#bytes;
    if (this.#at + 12 + dataBytes + optBytes > this.#limit) {
      this.#truncated = true;
      return false;
    }
    write16(bytes, this.#at, 0xc000 | nameAt);
    write16(bytes, this.#at + 2, type);
    write16(bytes, this.#at + 4, dnsClass.internet);
    write32(bytes, this.#at + 6, ttl);
    write16(bytes, this.#at + 10, dataBytes);
    this.#at += 12;
    return true;
  }

  #put(data: Uint8Array): void {
    this.#bytes.set(data, this.#at);
    this.#at += data.length;
  }
}

const optBytes = 11;
