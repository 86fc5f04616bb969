/**
 * What a VPC's resolver answers, whatever a query came by: `answer` is given a message and writes
 * another one. It knows the names of `Zones`; all others are for an upstream, if there is one. There
 * is none unless the host provides it, and then the answer is SERVFAIL: a resolver that reaches
 * nobody does not know whether a name exists, and NXDOMAIN would be a lie that is cached.
 *
 * Answers are recursive and not authoritative, with 60 s to live, as EC2's are.
 */
import { DnsAnswer, DnsQuery, dns, dnsClass, dnsCode, dnsType, nameBytes } from '../../net/dns.ts';
import type { DirectorySource, VpcEntry } from './directory.ts';
import { type NameRecords, type Zone, Zones } from './zones.ts';

const ttlSeconds = 60;
/** The rest of a zone's SOA record, behind `ns0.ZONE`: mailbox, serial, refresh, retry, expire, minimum. */
const soa = Uint8Array.from([
  ...nameBytes('hostmaster.amazon.com'),
  ...[2012103100, 3600, 3600, 3600, ttlSeconds].flatMap((n) => [
    n >>> 24,
    (n >>> 16) & 255,
    (n >>> 8) & 255,
    n & 255,
  ]),
]);

/** What `answer` returns instead of a length. */
export const noAnswer = 0;
export const askUpstream = -1;

export class Resolver {
  /** Answers by kind, for people. */
  readonly counts = { answered: 0, noData: 0, noName: 0, failed: 0, refused: 0, malformed: 0 };
  readonly #query = new DnsQuery();
  readonly #source: DirectorySource;
  readonly #hasUpstream: boolean;
  /** Made when first asked for; entries belong to one directory. */
  readonly #zones = new WeakMap<VpcEntry, Zones>();

  constructor(source: DirectorySource, hasUpstream: boolean) {
    this.#source = source;
    this.#hasUpstream = hasUpstream;
  }

  /**
   * Answers `bytes[at .. end]`, a message in private memory, into `out[to ..]`. Returns where the
   * answer ends, `noAnswer`, or `askUpstream`: somebody else may know. `isStream`: the answer
   * may fill `out`, not only what the client takes by UDP.
   */
  answer(
    vpc: VpcEntry,
    bytes: Uint8Array,
    at: number,
    end: number,
    out: Uint8Array,
    to: number,
    isStream: boolean,
  ): number {
    const query = this.#query;
    const form = query.read(bytes, at, end);
    if (form < 0) {
      this.counts.malformed++;
      return noAnswer;
    }
    const writer = this.#begin(bytes, at, out, to, isStream);
    if (form !== dnsCode.noError) {
      this.counts[form === dnsCode.formatError ? 'malformed' : 'refused']++;
      return writer.end(query, form);
    }
    const isTransfer = query.type === dnsType.axfr || query.type === dnsType.ixfr;
    if (isTransfer || (query.class !== dnsClass.internet && query.class !== dnsClass.any)) {
      this.counts.refused++;
      return writer.end(query, dnsCode.refused);
    }
    return this.#search(this.#zonesOf(vpc), writer);
  }

  /** What is said when an upstream did not answer: where it ends, as `answer` does. */
  failure(bytes: Uint8Array, at: number, end: number, out: Uint8Array, to: number): number {
    this.counts.failed++;
    if (this.#query.read(bytes, at, end) !== dnsCode.noError) return noAnswer;
    return this.#begin(bytes, at, out, to, false).end(this.#query, dnsCode.serverFailure);
  }

  #begin(bytes: Uint8Array, at: number, out: Uint8Array, to: number, isStream: boolean): DnsAnswer {
    const { questionEnd, maxBytes } = this.#query;
    const room = out.length - to;
    const writer = new DnsAnswer(out);
    const limit = isStream ? room : Math.min(room, maxBytes);
    writer.begin(to, limit, bytes, at + dns.bytes, questionEnd - dns.bytes);
    return writer;
  }

  #zonesOf(vpc: VpcEntry): Zones {
    let zones = this.#zones.get(vpc);
    if (zones === undefined) {
      zones = new Zones(vpc, this.#source.directory);
      this.#zones.set(vpc, zones);
    }
    return zones;
  }

  #search(zones: Zones, writer: DnsAnswer): number {
    const query = this.#query;
    const records = zones.find(query.name);
    const zone = zones.zoneOf(query.name);
    if (records === undefined) {
      if (zone?.isWhole) {
        this.counts.noName++;
        this.#authority(writer, zone, false);
        return writer.end(query, dnsCode.nameError);
      }
      if (this.#hasUpstream) return askUpstream;
      this.counts.failed++;
      return writer.end(query, dnsCode.serverFailure);
    }
    if (this.#write(records, zone, writer)) this.counts.answered++;
    else {
      this.counts.noData++;
      if (zone !== undefined) this.#authority(writer, zone, false);
    }
    return writer.end(query, dnsCode.noError);
  }

  /** False: the name has nothing of that type. */
  #write(records: NameRecords | null, zone: Zone | undefined, writer: DnsAnswer): boolean {
    const { type, name } = this.#query;
    const is = (one: number): boolean => type === one || type === dnsType.any;
    let found = 0;
    if (zone?.name === name && is(dnsType.soa)) {
      this.#authority(writer, zone, true);
      found++;
    }
    if (records === null) return found > 0;
    for (const address of is(dnsType.a) ? records.addresses : []) {
      writer.address(ttlSeconds, address);
      found++;
    }
    for (const address of is(dnsType.aaaa) ? records.addresses6 : []) {
      writer.address6(ttlSeconds, address);
      found++;
    }
    for (const pointer of is(dnsType.ptr) ? records.pointers : []) {
      writer.pointer(ttlSeconds, nameBytes(pointer));
      found++;
    }
    return found > 0;
  }

  /** The zone's SOA record. Its name ends the question's, and is pointed to there. */
  #authority(writer: DnsAnswer, zone: Zone, isAnswer: boolean): void {
    const zoneBytes = zone.name.length + 2;
    const typeAndClass = 4;
    writer.authority(ttlSeconds, this.#query.questionEnd - typeAndClass - zoneBytes, soa, isAnswer);
  }
}
