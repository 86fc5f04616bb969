/**
 * Sorting of hash inputs: with it both directions of a connection have the same hash. "Support swap
 * L3 addresses if DA is smaller than SA", and ports likewise, says the public header.
 */
import { Headers } from '../../net/parse.ts';

/** ena_admin_feature_rss_flow_hash_input */
export const INPUT_SORT = { L3: 1 << 1, L4: 1 << 2 } as const;

export class InputSort {
  /** Bits of `INPUT_SORT` that are switched on. */
  enabled = 0;
  readonly #sorted = new Headers();

  /** What is to be hashed: `h` itself, or as much of it as hashes look at, in order. */
  of(h: Headers): Headers {
    if (this.enabled === 0) return h;
    const sorted = this.#sorted;
    sorted.ipVersion = h.ipVersion;
    sorted.fragment = h.fragment;
    sorted.l4Protocol = h.l4Protocol;
    sorted.l4Offset = h.l4Offset;
    const isSwapped = (this.enabled & INPUT_SORT.L3) !== 0 && destinationIsSmaller(h);
    copyAddresses(h, sorted, isSwapped);
    const arePortsSwapped = (this.enabled & INPUT_SORT.L4) !== 0 && h.dstPort < h.srcPort;
    sorted.srcPort = arePortsSwapped ? h.dstPort : h.srcPort;
    sorted.dstPort = arePortsSwapped ? h.srcPort : h.dstPort;
    return sorted;
  }
}

function copyAddresses(from: Headers, to: Headers, isSwapped: boolean): void {
  to.src = isSwapped ? from.dst : from.src;
  to.src0 = isSwapped ? from.dst0 : from.src0;
  to.src1 = isSwapped ? from.dst1 : from.src1;
  to.src2 = isSwapped ? from.dst2 : from.src2;
  to.dst = isSwapped ? from.src : from.dst;
  to.dst0 = isSwapped ? from.src0 : from.dst0;
  to.dst1 = isSwapped ? from.src1 : from.dst1;
  to.dst2 = isSwapped ? from.src2 : from.dst2;
}

/** Addresses are compared as unsigned numbers, of four words where there are four. */
function destinationIsSmaller(h: Headers): boolean {
  if (h.ipVersion === 6) {
    if (h.dst0 !== h.src0) return h.dst0 >>> 0 < h.src0 >>> 0;
    if (h.dst1 !== h.src1) return h.dst1 >>> 0 < h.src1 >>> 0;
    if (h.dst2 !== h.src2) return h.dst2 >>> 0 < h.src2 >>> 0;
  }
  return h.dst >>> 0 < h.src >>> 0;
}
