/**
 * Receive-side scaling as the parent has set it up for all of its functions (82599 datasheet,
 * 7.1.2.8): key, fields and table are its own, the function chooses how many bits of an entry
 * count (VFPSRTYPE.RQPL).
 */

import { RSS_TYPE } from '../../defs/ixgbevf-descs.ts';
import { RETA_ENTRIES, RSS_KEY_WORDS } from '../../defs/ixgbevf-mbx.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { fragment, type Headers } from '../../net/parse.ts';
import { rssInput, Toeplitz } from '../../net/toeplitz.ts';

/** The key of Microsoft's specification; real parents make one up. */
const key = Uint8Array.from([
  0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
  0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
  0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
]);
/** ixgbe's choice: UDP by addresses only, so that fragments stay together. */
const inputs = rssInput.ipv4 | rssInput.tcp4 | rssInput.ipv6 | rssInput.tcp6;

export class ParentRss {
  readonly key = key.subarray(0, RSS_KEY_WORDS * 4);
  readonly table: Uint8Array;
  readonly #toeplitz = new Toeplitz(key);

  constructor(queuePairs: number) {
    this.table = Uint8Array.from({ length: RETA_ENTRIES }, (_, i) => i % queuePairs);
  }

  hash(headers: Headers): number {
    return this.#toeplitz.hashPacket(headers, inputs);
  }

  /** RSS_TYPE: what the hash is of. */
  typeOf(headers: Headers): number {
    if (headers.ipVersion === 0) return RSS_TYPE.none;
    const isTcp =
      headers.fragment === fragment.none &&
      headers.l4Offset >= 0 &&
      headers.l4Protocol === ipProtocol.tcp;
    if (headers.ipVersion === 4) return isTcp ? RSS_TYPE.ipv4Tcp : RSS_TYPE.ipv4;
    return isTcp ? RSS_TYPE.ipv6Tcp : RSS_TYPE.ipv6;
  }

  /** The queue for a hash of which `bits` bits of the table's entry count. */
  queueOf(hash: number, bits: number): number {
    return (this.table[hash & (RETA_ENTRIES - 1)] as number) & ((1 << bits) - 1);
  }
}
