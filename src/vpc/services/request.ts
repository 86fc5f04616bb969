/**
 * A request to one of the network's services, in private memory: copied once, whole, and only then
 * checked and read. Larger ones than any service takes, fragments, and wrong checksums are refused.
 */
import { read16 } from '../../net/bytes.ts';
import { fold, internetChecksum, pseudoHeaderSum, sumBytes } from '../../net/checksum.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol, ipv4 } from '../../net/ipv4.ts';
import { ipv6 } from '../../net/ipv6.ts';
import { sumVerdict } from '../../net/offload.ts';
import { fragment } from '../../net/parse.ts';
import { udp } from '../../net/udp.ts';

export class Request {
  readonly bytes: Uint8Array;

  constructor(maxBytes: number) {
    this.bytes = new Uint8Array(maxBytes);
  }

  /** Takes a parsed frame over IP whose L4 header is known; false when it is not to be answered. */
  take(frame: Frame): boolean {
    const h = frame.headers;
    if (frame.length > this.bytes.length || h.malformed || h.fragment !== fragment.none)
      return false;
    if (h.l4Offset < 0) return false;
    frame.copyTo(this.bytes, 0);
    return this.#hasRightSums(frame);
  }

  /** The end of a UDP payload, or -1: the datagram says that it is longer than its packet. */
  udpEnd(frame: Frame): number {
    const { l4Offset, ipEnd } = frame.headers;
    const length = read16(this.bytes, l4Offset + udp.length);
    const end = l4Offset + length;
    return length < udp.bytes || end > ipEnd ? -1 : end;
  }

  #hasRightSums({ headers: h, l4Sum }: Frame): boolean {
    const { bytes } = this;
    if (h.ipVersion === 4) {
      const length = ((bytes[h.l3Offset] as number) & 15) * 4;
      if (sumBytes(bytes, h.l3Offset, length) !== 0xffff) return false;
    }
    // A sum that a NIC computed just now is right.
    if (l4Sum === sumVerdict.right) return true;
    const length = h.ipEnd - h.l4Offset;
    if (h.l4Protocol === ipProtocol.icmp) return internetChecksum(bytes, h.l4Offset, length) === 0;
    if (h.l4Protocol === ipProtocol.udp && read16(bytes, h.l4Offset + udp.checksum) === 0)
      return h.ipVersion === 4;
    const [at, size] = h.ipVersion === 4 ? [ipv4.source, 4] : [ipv6.source, 16];
    const pseudo = pseudoHeaderSum(bytes, h.l3Offset + at, size, h.l4Protocol, length);
    return fold(pseudo + sumBytes(bytes, h.l4Offset, length)) === 0xffff;
  }
}
