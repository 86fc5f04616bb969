/**
 * What the descriptors of a packet ask the device to do to it (82599 datasheet, 7.2.3.2 and 7.2.5):
 * sums, segmentation, a VLAN tag. The device looks at lengths that the driver gives, not at the
 * packet: checksums go where they say, inside tunnels too. Only segmentation needs right headers.
 */
import { TX_L4T, txContextDesc } from '../../defs/ixgbevf-descs.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import { write16 } from '../../net/bytes.ts';
import { internetChecksum } from '../../net/checksum.ts';
import { ethernet, etherType } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol, ipv4 } from '../../net/ipv4.ts';
import { finishPartial, sumVerdict } from '../../net/offload.ts';
import { Headers } from '../../net/parse.ts';
import { sctp, writeSctpChecksum } from '../../net/sctp.ts';
import { tcp } from '../../net/tcp.ts';
import { udp } from '../../net/udp.ts';
import { ixgbevfRules } from './rules.ts';

/** Where the L4 checksum stands, by L4T: UDP, TCP, SCTP. */
const places: readonly number[] = [udp.checksum, tcp.checksum, sctp.checksum];

export class TxContext {
  readonly desc = txContextDesc.create();
  readonly #inner = new Headers();

  clear(): void {
    this.desc.clear();
  }

  /** Bytes of all headers of a packet to be segmented. */
  get headerBytes(): number {
    return this.desc.MACLEN + this.desc.IPLEN + this.desc.L4LEN;
  }

  /** How much of a packet has to be copied before the device can work on it. */
  get neededBytes(): number {
    return this.headerBytes + sctp.minBytes;
  }

  /** Fills in the IPv4 header's checksum, over as many bytes as the context says. */
  insertIpv4Sum(frame: Frame): Rule | null {
    const { MACLEN: at, IPLEN: length, IPV4: isIpv4 } = this.desc;
    if (isIpv4 === 0 || length < ipv4.minBytes) return ixgbevfRules['tx-context-mismatch'];
    if (at + length > frame.headLength) return ixgbevfRules['tx-checksum-place'];
    write16(frame.head, at + ipv4.checksum, 0);
    write16(frame.head, at + ipv4.checksum, internetChecksum(frame.head, at, length));
    return null;
  }

  /** Fills in the L4 checksum; the driver has left the pseudo-header's sum in its place. */
  insertL4Sum(frame: Frame): Rule | null {
    const { MACLEN, IPLEN, L4T } = this.desc;
    const start = MACLEN + IPLEN;
    const place = places[L4T];
    if (place === undefined) return ixgbevfRules['tx-context-mismatch'];
    if (L4T === TX_L4T.SCTP)
      return writeSctpChecksum(frame, start) ? null : ixgbevfRules['tx-checksum-place'];
    if (!finishPartial(frame, start, start + place)) return ixgbevfRules['tx-checksum-place'];
    const h = frame.headers;
    frame.parse();
    const protocol = L4T === TX_L4T.TCP ? ipProtocol.tcp : ipProtocol.udp;
    if (h.l3Offset === MACLEN && h.l4Offset === start && h.l4Protocol === protocol)
      frame.l4Sum = sumVerdict.right;
    return null;
  }

  /** Prepares the frame for segmentation, if its headers are what the context says. */
  segment(frame: Frame): Rule | null {
    const { MACLEN, IPLEN, L4LEN, MSS, L4T, IPV4 } = this.desc;
    frame.mss = MSS;
    frame.parse();
    const isPlain = frame.headers.l3Offset === MACLEN;
    const h = isPlain ? frame.headers : this.#inner;
    if (!isPlain) {
      h.parseIp(frame.headView, MACLEN, frame.headLength, frame.length, true);
      frame.innerAt = MACLEN;
    }
    const fits =
      MSS > 0 &&
      L4T === TX_L4T.TCP &&
      h.ipVersion === (IPV4 === 1 ? 4 : 6) &&
      h.l4Protocol === ipProtocol.tcp &&
      h.l4Offset === MACLEN + IPLEN &&
      h.payloadOffset === MACLEN + IPLEN + L4LEN;
    return fits ? null : ixgbevfRules['tx-context-mismatch'];
  }
}

/** Puts a tag behind the addresses of a frame whose head has room for it. */
export function insertTag(frame: Frame, tag: number): void {
  const { head } = frame;
  const at = ethernet.type;
  head.copyWithin(at + ethernet.tagBytes, at, frame.headLength);
  write16(head, at, etherType.vlan);
  write16(head, at + 2, tag);
  frame.headLength += ethernet.tagBytes;
  frame.length += ethernet.tagBytes;
  if (frame.innerAt > 0) frame.innerAt += ethernet.tagBytes;
}
