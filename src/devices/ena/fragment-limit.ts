/**
 * How many IP fragments a function may send in a second: 1024 on EC2 (User Guide, network
 * performance), unless its driver has lifted the limit by FRAG_BYPASS. One too many is dropped.
 */
import { type Clock, nsPerSecond } from '../../lib/clock.ts';
import { ethernet, etherType } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { ipv4, ipv4Fragment } from '../../net/ipv4.ts';
import { ipv6, ipv6Next } from '../../net/ipv6.ts';

const fragmentBits = ipv4Fragment.more | ipv4Fragment.offsetMask;

export class FragmentLimit {
  /** 0: no limit. */
  readonly #perSecond: number;
  readonly #clock: Clock;
  #since = 0;
  #left: number;

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#left = perSecond;
  }

  allows(frame: Frame, isLifted: boolean): boolean {
    if (this.#perSecond === 0 || isLifted || !isFragment(frame)) return true;
    const now = this.#clock.now();
    if (now - this.#since >= nsPerSecond) {
      this.#since = now;
      this.#left = this.#perSecond;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}

/** By the head alone, behind one VLAN tag at most. */
function isFragment({ headView: head, headLength }: Frame): boolean {
  const isTagged = head.getUint16(ethernet.type) === etherType.vlan;
  const at = ethernet.bytes + (isTagged ? ethernet.tagBytes : 0);
  if (headLength < at + ipv4.minBytes) return false;
  const type = head.getUint16(at - 2);
  if (type === etherType.ipv4) return (head.getUint16(at + ipv4.fragment) & fragmentBits) !== 0;
  return type === etherType.ipv6 && head.getUint8(at + ipv6.nextHeader) === ipv6Next.fragment;
}
