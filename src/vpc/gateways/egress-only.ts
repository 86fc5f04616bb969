/**
 * An egress-only internet gateway's memory: IPv6 packets leave as they are, and only what answers
 * them comes back (Amazon VPC User Guide, "Egress-only internet gateways": it is stateful).
 */
import { nsPerSecond } from '../../lib/clock.ts';
import type { Prng } from '../../lib/prng.ts';
import { read16 } from '../../net/bytes.ts';
import type { Frame } from '../../net/frame.ts';
import { icmp, icmp6FirstInformational } from '../../net/icmp.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { ipv6 } from '../../net/ipv6.ts';
import { Headers } from '../../net/parse.ts';
import { SlotTable } from './slot-table.ts';

/** Not documented; as long as a NAT gateway's. */
const idleNs = 350 * nsPerSecond;
const sweeps = 8;
const icmpIdentifier = 4;

export class EgressOnlyGateway {
  readonly #flows: SlotTable;
  readonly #seenAt: Float64Array;
  readonly #used: Uint8Array;
  readonly #quoted = new Headers();
  #hand = 0;

  /** `flows`: at most; a power of two. */
  constructor(random: Prng, flows = 65_536) {
    this.#flows = new SlotTable(10, flows, random);
    this.#seenAt = new Float64Array(flows);
    this.#used = new Uint8Array(flows);
  }

  get count(): number {
    return this.#flows.count;
  }

  /** Remembers a parsed IPv6 frame that leaves; false when there is no room for its flow. */
  leaves(frame: Frame, now: number): boolean {
    const key = this.#flows.key;
    if (!this.#writeKey(frame, frame.headers, true)) return true;
    let slot = this.#flows.find();
    if (slot < 0) {
      const wanted = Int32Array.from(key);
      this.#sweep(now);
      key.set(wanted);
      slot = this.#flows.add();
      if (slot < 0) return false;
      this.#used[slot] = 1;
    }
    this.#seenAt[slot] = now;
    return true;
  }

  /** Whether a parsed IPv6 frame from outside answers one that left. */
  mayEnter(frame: Frame, now: number): boolean {
    const h = frame.headers;
    const isError = h.l4Protocol === ipProtocol.icmp6 && h.icmpType < icmp6FirstInformational;
    const found = isError ? this.#readQuoted(frame) : this.#writeKey(frame, h, false);
    const slot = found ? this.#flows.find() : -1;
    if (slot < 0 || now - (this.#seenAt[slot] as number) >= idleNs) return false;
    this.#seenAt[slot] = now;
    return true;
  }

  /** An error is about a packet that left: its key is that packet's own. */
  #readQuoted(frame: Frame): boolean {
    const q = this.#quoted;
    const at = frame.headers.l4Offset + icmp.headerBytes;
    if (frame.headers.l4Offset < 0 || at + ipv6.bytes > frame.headLength) return false;
    // What is quoted is cut off: its length is not held against it.
    q.parseIp(frame.headView, at, frame.headLength, frame.headLength, true);
    return q.ipVersion === 6 && this.#writeKey(frame, q, true);
  }

  /** The inner end, the outer end, the ports and the protocol; false when there is no such key. */
  #writeKey(frame: Frame, h: Headers, leaving: boolean): boolean {
    const key = this.#flows.key;
    if (h.ipVersion !== 6 || h.l4Offset < 0) return false;
    const inner = leaving ? 0 : 4;
    const outer = 4 - inner;
    key[inner] = h.src0;
    key[inner + 1] = h.src1;
    key[inner + 2] = h.src2;
    key[inner + 3] = h.src;
    key[outer] = h.dst0;
    key[outer + 1] = h.dst1;
    key[outer + 2] = h.dst2;
    key[outer + 3] = h.dst;
    key[8] = leaving ? (h.srcPort << 16) | h.dstPort : (h.dstPort << 16) | h.srcPort;
    key[9] = h.l4Protocol;
    if (h.l4Protocol !== ipProtocol.icmp6) return true;
    const at = h.l4Offset + icmpIdentifier;
    if (h.icmpType < icmp6FirstInformational || at + 2 > frame.headLength) return false;
    key[8] = read16(frame.head, at);
    return true;
  }

  #sweep(now: number): void {
    const { capacity } = this.#flows;
    for (let n = Math.min(sweeps, capacity); n > 0; n--) {
      const slot = this.#hand;
      this.#hand = slot + 1 === capacity ? 0 : slot + 1;
      if (this.#used[slot] !== 1 || now - (this.#seenAt[slot] as number) < idleNs) continue;
      this.#flows.remove(slot);
      this.#used[slot] = 0;
    }
  }
}
