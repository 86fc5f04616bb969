/** Those who watch a switch, told together. What is to be cut up is told as the wire sees it. */
import { Frame } from '../net/frame.ts';
import { R, type Reason } from '../net/reasons.ts';
import { Segmenter } from '../net/segmentation.ts';
import type { SwitchPort } from './port.ts';
import type { Tap } from './tap.ts';

export class Taps {
  /** Somebody watches; without anybody a switch does nothing for them. */
  any = false;
  #taps: readonly Tap[] = [];
  readonly #segmenter = new Segmenter();
  readonly #segment = new Frame();

  add(tap: Tap): void {
    this.#taps = [...this.#taps, tap];
    this.any = true;
  }

  remove(tap: Tap): void {
    this.#taps = this.#taps.filter((other) => other !== tap);
    this.any = this.#taps.length > 0;
  }

  sent(frame: Frame, from: SwitchPort, verdict: Reason, rule: string | null): void {
    if (frame.mss === 0 || this.#segmenter.check(frame) !== R.delivered) {
      for (const tap of this.#taps) tap.sent(frame, from, verdict, rule);
      return;
    }
    this.#segmenter.begin(frame);
    while (this.#segmenter.next(this.#segment)) {
      this.#segment.parse();
      for (const tap of this.#taps) tap.sent(this.#segment, from, verdict, rule);
    }
  }

  /** What came by a trunk was sent elsewhere, and told as `queued` there. */
  offered(
    frame: Frame,
    to: SwitchPort,
    from: SwitchPort | null,
    verdict: Reason,
    rule: string | null,
    waited: boolean,
  ): void {
    const isLate = waited || (from !== null && from.trunk !== null);
    for (const tap of this.#taps) tap.offered(frame, to, from, verdict, rule, isLate);
  }

  /** Lets go of a sender's memory. */
  forget(): void {
    this.#segment.forget();
  }
}
