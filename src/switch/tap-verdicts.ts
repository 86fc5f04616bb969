/**
 * Tells what the switch decided about each frame, as plain data: what `virtfn trace` prints. A frame
 * is told once, where it was sent; frames of the network itself where they arrive; and once more
 * when one that had to wait was lost after all. What does not pass the filter costs a few
 * comparisons; what goes beyond the rate is counted only.
 */
import { type Clock, nsPerMs, nsPerSecond } from '../lib/clock.ts';
import { arp } from '../net/arp.ts';
import { read32 } from '../net/bytes.ts';
import { etherType } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { hasIpv4, hasIpv6, type Prefix, parsePrefix } from '../net/prefix.ts';
import { R, type Reason, type ReasonName, reasonNames } from '../net/reasons.ts';
import { type PacketSummary, summarize } from './packet-summary.ts';
import type { SwitchPort } from './port.ts';
import type { Tap } from './tap.ts';

export type Verdict = {
  /** Of the switch's clock. */
  readonly timeNs: number;
  readonly reason: ReasonName;
  /** In words for people; null: no rule decided. */
  readonly rule: string | null;
  /** The port that sent it; null: the network itself did. */
  readonly from: string | null;
  /** The port that it was for; null: it did not come so far. */
  readonly to: string | null;
  readonly bytes: number;
  readonly packet: PacketSummary;
};

/** What is to be told: a frame has to pass all of it. Plain data. */
export type VerdictFilter = {
  /** Each is one end of the frame: a port, or one of these prefixes. */
  readonly ends?: readonly { readonly port?: string; readonly prefixes: readonly string[] }[];
  /** TCP's and UDP's, of either end. */
  readonly ports?: readonly number[];
  readonly reasons?: readonly ReasonName[];
};

/** Frames that were told, and how many passed the filter but not the rate since the last time. */
export type VerdictListener = (verdicts: readonly Verdict[], leftOut: number) => void;

export type VerdictTapOptions = {
  readonly filter?: VerdictFilter;
  /** Frames a second that are told at most, after a first burst of as many. */
  readonly perSecond: number;
};

/** Verdicts are told together, this long after the first of them. */
const gatherNs = 20 * nsPerMs;

type End = { readonly port: string | undefined; readonly prefixes: readonly Prefix[] };

export class VerdictTap implements Tap {
  readonly #clock: Clock;
  readonly #tell: VerdictListener;
  readonly #perSecond: number;
  readonly #ends: readonly End[];
  readonly #ports: readonly number[] | null;
  /** By reason: 1 for those to be told. */
  readonly #wanted = new Uint8Array(reasonNames.length);
  #gathered: Verdict[] = [];
  #leftOut = 0;
  #credit: number;
  #creditAt: number;
  #due: { cancel(): void } | null = null;
  /** Whom the last frame was offered to, and its destination. */
  #to: SwitchPort | null = null;
  #toAddress = 0;
  readonly #address = [0, 0, 0, 0] as [number, number, number, number];

  /** Throws for a prefix that is none. */
  constructor(clock: Clock, options: VerdictTapOptions, tell: VerdictListener) {
    const { ends = [], ports, reasons } = options.filter ?? {};
    this.#clock = clock;
    this.#tell = tell;
    this.#perSecond = options.perSecond;
    this.#credit = options.perSecond;
    this.#creditAt = clock.now();
    this.#ends = ends.map(({ port, prefixes }) => ({ port, prefixes: prefixes.map(parsePrefix) }));
    this.#ports = ports ?? null;
    for (const [code, name] of reasonNames.entries())
      this.#wanted[code] = reasons === undefined || reasons.includes(name) ? 1 : 0;
  }

  sent(frame: Frame, port: SwitchPort, verdict: Reason, rule: string | null): void {
    const to = this.#to !== null && frame.headers.dst === this.#toAddress ? this.#to : null;
    this.#consider(frame, port, to, verdict, rule);
  }

  offered(
    frame: Frame,
    port: SwitchPort,
    from: SwitchPort | null,
    verdict: Reason,
    rule: string | null,
    waited: boolean,
  ): void {
    if (from !== null && !waited) {
      this.#to = port;
      this.#toAddress = frame.headers.dst;
    } else if (from === null || (verdict !== R.delivered && verdict !== R.queued))
      this.#consider(frame, from, port, verdict, rule);
  }

  /** Tells what was gathered, and no more after that. */
  close(): void {
    this.#flush();
  }

  #consider(
    frame: Frame,
    from: SwitchPort | null,
    to: SwitchPort | null,
    verdict: Reason,
    rule: string | null,
  ): void {
    if (this.#wanted[verdict] === 0 || !this.#passes(frame, from, to)) return;
    if (!this.#mayTell()) {
      this.#leftOut++;
      return;
    }
    this.#gathered.push({
      timeNs: this.#clock.now(),
      reason: reasonNames[verdict] as ReasonName,
      rule,
      from: from?.name ?? null,
      to: to?.name ?? null,
      bytes: frame.length,
      packet: summarize(frame),
    });
  }

  /** Pays for one, and sees to it that somebody hears of it or of its being left out. */
  #mayTell(): boolean {
    this.#due ??= this.#clock.after(gatherNs, () => this.#flush());
    const now = this.#clock.now();
    const earned = ((now - this.#creditAt) / nsPerSecond) * this.#perSecond;
    this.#credit = Math.min(this.#perSecond, this.#credit + earned);
    this.#creditAt = now;
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }

  #flush(): void {
    this.#due?.cancel();
    this.#due = null;
    const verdicts = this.#gathered;
    const leftOut = this.#leftOut;
    this.#gathered = [];
    this.#leftOut = 0;
    if (verdicts.length > 0 || leftOut > 0) this.#tell(verdicts, leftOut);
  }

  // The filter.

  #passes(frame: Frame, from: SwitchPort | null, to: SwitchPort | null): boolean {
    const h = frame.headers;
    const ports = this.#ports;
    if (ports !== null && !ports.includes(h.srcPort) && !ports.includes(h.dstPort)) return false;
    for (let i = 0; i < this.#ends.length; i++) {
      const { port, prefixes } = this.#ends[i] as End;
      const isPort = port !== undefined && (from?.name === port || to?.name === port);
      if (!isPort && !this.#isWithin(frame, prefixes)) return false;
    }
    return true;
  }

  #isWithin(frame: Frame, prefixes: readonly Prefix[]): boolean {
    for (let i = 0; i < prefixes.length; i++)
      if (this.#touches(frame, prefixes[i] as Prefix)) return true;
    return false;
  }

  /** One of the frame's addresses is in the prefix. */
  #touches(frame: Frame, prefix: Prefix): boolean {
    const h = frame.headers;
    if (h.ipVersion === 4) return hasIpv4(prefix, h.src) || hasIpv4(prefix, h.dst);
    if (h.ipVersion === 6)
      return (
        hasIpv6(prefix, this.#words(h.src0, h.src1, h.src2, h.src)) ||
        hasIpv6(prefix, this.#words(h.dst0, h.dst1, h.dst2, h.dst))
      );
    const at = h.l3Offset;
    if (h.etherType !== etherType.arp || frame.headLength < at + arp.bytes) return false;
    return (
      hasIpv4(prefix, read32(frame.head, at + arp.senderAddress)) ||
      hasIpv4(prefix, read32(frame.head, at + arp.targetAddress))
    );
  }

  #words(a: number, b: number, c: number, d: number): [number, number, number, number] {
    const words = this.#address;
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
    return words;
  }
}
