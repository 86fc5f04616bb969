/**
 * The frame seam: a device sees a `Port`, the switch sees an `Endpoint`. Neither knows more.
 *
 * Everything runs to completion: `transmit` judges the frame, copies it into the receivers'
 * buffers and returns the verdict. `flush` ends a burst: only then do receivers publish their
 * completions and raise interrupts, so that both cost once per burst.
 */
import type { Frame } from './frame.ts';
import type { Reason } from './reasons.ts';

/** The switch's side: what a device may ask. */
export interface Port {
  /** Gives the switch a frame; it is done with it when the call returns. */
  transmit(frame: Frame): Reason;
  /** The sender's burst is over. */
  flush(): void;
  /** Buffers were posted: frames that were waiting for them may come now. */
  drain(): void;
  /** From now on `endpoint` is given the frames of this port; null: nobody is. */
  connect(endpoint: Endpoint | null): void;
}

/** The device's side: what the switch may ask. */
export interface Endpoint {
  /**
   * Offers a frame. `delivered`: it was copied. `rxNoBuffer`: no buffer is free, the frame may
   * be offered again after `drain`. Any other reason: it is dropped for that reason.
   */
  receive(frame: Frame): Reason;
  /** No more frames in this burst: publish completions, raise interrupts. */
  flush(): void;
}
