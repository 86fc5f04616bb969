/** Watchers of a switch: captures, traces, tests. Without one, the switch does nothing for them. */
import type { Frame } from '../net/frame.ts';
import type { Reason } from '../net/reasons.ts';
import type { SwitchPort } from './port.ts';

export interface Tap {
  /**
   * `port` sent the frame (as on the wire, parsed) and the switch decided. `rule`: the one that
   * decided, in words for people; null when none did.
   */
  sent(frame: Frame, port: SwitchPort, verdict: Reason, rule: string | null): void;
  /**
   * The frame was offered to `port`. `from`: the sender, or null: the network itself. `waited`: it
   * was sent earlier, and told as `queued` then.
   */
  offered(
    frame: Frame,
    port: SwitchPort,
    from: SwitchPort | null,
    verdict: Reason,
    rule: string | null,
    waited: boolean,
  ): void;
}
