/**
 * A NAT gateway: connections from inside leave under its public address and a port of its own; only
 * what belongs to one of them comes back (EC2 User Guide, "NAT gateway basics"). It translates TCP,
 * UDP and ICMP echoes, errors about them, and fragments of UDP only.
 */
import { nsPerSecond } from '../../lib/clock.ts';
import type { Prng } from '../../lib/prng.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { fragment } from '../../net/parse.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { tcpFlag } from '../../net/tcp.ts';
import { NatTable, type NatTableOptions } from './nat-table.ts';
import { hasPorts, identifierOf, Quoted, samePort, setDestination, setSource } from './rewrite.ts';

const openingFlags = tcpFlag.syn | tcpFlag.ack | tcpFlag.rst;
/** First fragments from outside that are remembered, and for how long. */
const fragments = 256;
const fragmentNs = 30 * nsPerSecond;

export class NatGateway {
  readonly publicAddress: number;
  readonly table: NatTable;
  readonly #quoted = new Quoted();
  /** Of a first fragment from outside: who sent it, its identification, who gets the others. */
  readonly #fragmentFrom = new Int32Array(fragments);
  readonly #fragmentId = new Int32Array(fragments).fill(-1);
  readonly #fragmentTo = new Int32Array(fragments);
  readonly #fragmentAt = new Float64Array(fragments);

  constructor(publicAddress: number, random: Prng, options: NatTableOptions) {
    this.publicAddress = publicAddress;
    this.table = new NatTable(random, options);
  }

  /** Translates a parsed frame from inside, which is the caller's own. */
  outward(frame: Frame, now: number): Reason {
    const h = frame.headers;
    if (h.fragment !== fragment.none && h.l4Protocol !== ipProtocol.udp) return R.natUntranslatable;
    if (h.fragment === fragment.later) {
      setSource(frame, this.publicAddress, samePort);
      return R.delivered;
    }
    if (this.#quoted.read(frame)) return this.#errorOutward(frame, now);
    const identifier = identifierOf(frame);
    if (identifier < 0 && !hasPorts(h.l4Protocol)) return R.natUntranslatable;
    const srcPort = identifier < 0 ? h.srcPort : identifier;
    const { table } = this;
    const { l4Protocol: protocol, tcpFlags: flags } = h;
    let slot = table.findOutward(protocol, h.src, srcPort, h.dst, h.dstPort, flags, now);
    if (slot < 0) {
      if (protocol === ipProtocol.tcp && (flags & openingFlags) !== tcpFlag.syn)
        return R.natConnectionUnknown;
      slot = table.begin(protocol, h.src, srcPort, h.dst, h.dstPort, now);
    }
    if (slot < 0) return R.natPortsExhausted;
    setSource(frame, this.publicAddress, table.portOf(slot));
    return R.delivered;
  }

  /** Translates a parsed frame from outside, which is the caller's own. */
  inward(frame: Frame, now: number): Reason {
    const h = frame.headers;
    if (h.fragment !== fragment.none && h.l4Protocol !== ipProtocol.udp) return R.natUntranslatable;
    if (h.fragment === fragment.later) return this.#laterInward(frame, now);
    if (this.#quoted.read(frame)) return this.#errorInward(frame, now);
    const identifier = identifierOf(frame);
    if (identifier < 0 && !hasPorts(h.l4Protocol)) return R.natUntranslatable;
    const port = identifier < 0 ? h.dstPort : identifier;
    const { table } = this;
    const slot = table.findInward(h.l4Protocol, h.src, h.srcPort, port, h.tcpFlags, now);
    if (slot < 0) return R.natConnectionUnknown;
    const to = table.srcOf(slot);
    if (h.fragment === fragment.first) this.#keepFirst(frame, to, now);
    setDestination(frame, to, table.srcPortOf(slot));
    return R.delivered;
  }

  /** An error that somebody inside sends about what came from outside. */
  #errorOutward(frame: Frame, now: number): Reason {
    const q = this.#quoted;
    if (q.dstPort < 0 && q.srcPort < 0) return R.natConnectionUnknown;
    const isEcho = q.protocol === ipProtocol.icmp;
    const inside = isEcho ? q.srcPort : q.dstPort;
    const remote = isEcho ? 0 : q.srcPort;
    const slot = this.table.findOutward(q.protocol, q.dst, inside, q.src, remote, 0, now);
    if (slot < 0) return R.natConnectionUnknown;
    q.setDestination(frame.head, this.publicAddress, this.table.portOf(slot));
    setSource(frame, this.publicAddress, samePort);
    return R.delivered;
  }

  /** An error from outside about what was sent from inside. */
  #errorInward(frame: Frame, now: number): Reason {
    const q = this.#quoted;
    if (q.srcPort < 0 || q.src !== this.publicAddress) return R.natConnectionUnknown;
    const remote = q.protocol === ipProtocol.icmp ? 0 : q.dstPort;
    const slot = this.table.findInward(q.protocol, q.dst, remote, q.srcPort, 0, now);
    if (slot < 0) return R.natConnectionUnknown;
    const to = this.table.srcOf(slot);
    q.setSource(frame.head, to, this.table.srcPortOf(slot));
    setDestination(frame, to, samePort);
    return R.delivered;
  }

  #keepFirst(frame: Frame, to: number, now: number): void {
    const { src, identification } = frame.headers;
    const at = placeOf(src, identification);
    this.#fragmentFrom[at] = src;
    this.#fragmentId[at] = identification;
    this.#fragmentTo[at] = to;
    this.#fragmentAt[at] = now;
  }

  #laterInward(frame: Frame, now: number): Reason {
    const { src, identification } = frame.headers;
    const at = placeOf(src, identification);
    const known = this.#fragmentFrom[at] === src && this.#fragmentId[at] === identification;
    if (!known || now - (this.#fragmentAt[at] as number) > fragmentNs) return R.fragmentUnknown;
    setDestination(frame, this.#fragmentTo[at] as number, samePort);
    return R.delivered;
  }
}

/** A newer packet takes the place of an older one. */
const placeOf = (src: number, identification: number): number =>
  (Math.imul(src ^ Math.imul(identification, 0x85eb_ca6b), 0x9e37_79b1 | 0) >>> 24) & 255;
