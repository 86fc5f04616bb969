/** What the network itself answers: all who might are asked, of what is to be cut up for each segment. */
import { Frame } from '../net/frame.ts';
import { Segmenter } from '../net/segmentation.ts';
import type { SwitchPort } from './port.ts';
import { notMine, type Responder } from './responder.ts';

/** Takes answers. */
type Outlet = { send(to: SwitchPort, frame: Frame): void };

export class Responders {
  readonly #outlet: Outlet;
  readonly #responders: Responder[] = [];
  readonly #segmenter = new Segmenter();
  readonly #segment = new Frame();
  readonly #reply = new Frame();

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  add(responder: Responder): void {
    this.#responders.push(responder);
  }

  /** The verdict, or `notMine`; of several segments that of the last one. */
  ask(frame: Frame, from: SwitchPort): number {
    if (frame.mss === 0) return this.#askOne(frame, from);
    let verdict = notMine;
    this.#segmenter.begin(frame);
    while (this.#segmenter.next(this.#segment)) {
      this.#segment.parse();
      verdict = this.#askOne(this.#segment, from);
    }
    return verdict;
  }

  /** Lets go of a sender's memory. */
  forget(): void {
    this.#segment.forget();
  }

  #askOne(frame: Frame, from: SwitchPort): number {
    const reply = this.#reply;
    for (let i = 0; i < this.#responders.length; i++) {
      reply.clear();
      const verdict = (this.#responders[i] as Responder).respond(frame, reply, from);
      if (verdict === notMine) continue;
      if (reply.length > 0) this.#outlet.send(from, reply);
      return verdict;
    }
    return notMine;
  }
}
