/**
 * Captures a switch's frames into pcapng: one interface per port, the verdict and the rule that
 * decided as a comment.
 *
 * Directions are the guest's: what it sends is outbound. Each frame is written once, where it was
 * sent; with `both`, where it was received too, as a capture in every guest would show it. What the
 * network itself sends is written where it is received.
 */
import type { Clock } from '../lib/clock.ts';
import { direction, type PcapngWriter } from '../lib/pcapng.ts';
import { formatMac } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { R, type Reason, type ReasonName, reasonNames, reasons } from '../net/reasons.ts';
import type { SwitchPort } from './port.ts';
import type { Tap } from './tap.ts';

const maxRuleComments = 4096;

export class PcapTap implements Tap {
  readonly #writer: PcapngWriter;
  readonly #clock: Clock;
  readonly #both: boolean;
  readonly #interfaces = new Map<SwitchPort, number>();
  /** By verdict, where no rule decided. */
  readonly #comments: readonly Uint8Array[] = reasonNames.map((name) => commentOf(name, null));
  /** By verdict and rule; a policy has a bounded number of rules, but there may be many policies. */
  readonly #ruleComments = new Map<string, Uint8Array>();

  /** `clock`: the writer's `epochMs` is the time at which it says 0. */
  constructor(writer: PcapngWriter, clock: Clock, options: { readonly both?: boolean } = {}) {
    this.#writer = writer;
    this.#clock = clock;
    this.#both = options.both ?? false;
  }

  sent(frame: Frame, port: SwitchPort, verdict: Reason, rule: string | null): void {
    this.#write(frame, port, direction.outbound, this.#comment(verdict, rule));
  }

  offered(
    frame: Frame,
    port: SwitchPort,
    from: SwitchPort | null,
    verdict: Reason,
    rule: string | null,
  ): void {
    if (verdict === R.queued || (from !== null && !this.#both)) return;
    this.#write(frame, port, direction.inbound, this.#comment(verdict, rule));
  }

  #comment(verdict: Reason, rule: string | null): Uint8Array {
    if (rule === null) return this.#comments[verdict] as Uint8Array;
    const name = reasonNames[verdict] as ReasonName;
    const key = `${name} ${rule}`;
    let comment = this.#ruleComments.get(key);
    if (comment === undefined) {
      if (this.#ruleComments.size >= maxRuleComments) this.#ruleComments.clear();
      comment = commentOf(name, rule);
      this.#ruleComments.set(key, comment);
    }
    return comment;
  }

  #write(frame: Frame, port: SwitchPort, dir: number, comment: Uint8Array): void {
    const writer = this.#writer;
    const id = this.#interfaces.get(port) ?? this.#add(port);
    if (id < 0) return;
    const at = writer.begin(id, this.#clock.now(), frame.length, comment.length);
    if (at < 0) return;
    frame.copyPart(0, writer.captured(frame.length), writer.bytes, at);
    writer.end(dir, comment);
  }

  #add(port: SwitchPort): number {
    const mac = port.mac === null ? {} : { description: formatMac(port.mac) };
    const id = this.#writer.addInterface({ name: port.name, ...mac });
    if (id >= 0) this.#interfaces.set(port, id);
    return id;
  }
}

/** `sgEgressNone: no outbound rule ... matches [sg-0a1]` */
const commentOf = (name: ReasonName, rule: string | null): Uint8Array =>
  new TextEncoder().encode(`${name}: ${reasons[name][1]}${rule === null ? '' : ` [${rule}]`}`);
