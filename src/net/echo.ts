/** How an echo request (ICMP, RFC 792; ICMPv6, RFC 4443) is answered: it is sent back. */
import { read32, write32 } from './bytes.ts';
import { ethernet, readMac, writeMac } from './ethernet.ts';
import { icmp, icmp6Type, icmpType, writeIcmp6Checksum, writeIcmpChecksum } from './icmp.ts';
import { ipProtocol, ipv4 } from './ipv4.ts';
import { ipv6 } from './ipv6.ts';
import { writeIpv4Checksum } from './offload.ts';
import type { Headers } from './parse.ts';

export const isEchoRequest = (h: Headers): boolean =>
  h.ipVersion === 4
    ? h.l4Protocol === ipProtocol.icmp && h.icmpType === icmpType.echoRequest
    : h.l4Protocol === ipProtocol.icmp6 && h.icmpType === icmp6Type.echoRequest;

/**
 * Makes an echo request the reply to itself, in place: addresses change places, and `mac` is
 * who sends it. `bytes` is a whole frame whose headers are `h`.
 */
export function turnEcho(bytes: Uint8Array, h: Headers, mac: number): void {
  const { l3Offset, l4Offset, ipEnd } = h;
  writeMac(bytes, ethernet.destination, readMac(bytes, ethernet.source));
  writeMac(bytes, ethernet.source, mac);
  const [source, words] = h.ipVersion === 4 ? [ipv4.source, 1] : [ipv6.source, 4];
  for (let i = 0; i < words; i++) {
    const at = l3Offset + source + 4 * i;
    const asked = read32(bytes, at + 4 * words);
    write32(bytes, at + 4 * words, read32(bytes, at));
    write32(bytes, at, asked);
  }
  const length = ipEnd - l4Offset;
  if (h.ipVersion === 4) {
    bytes[l3Offset + ipv4.timeToLive] = 64;
    writeIpv4Checksum(bytes, l3Offset);
    bytes[l4Offset + icmp.type] = icmpType.echoReply;
    writeIcmpChecksum(bytes, l4Offset, length);
  } else {
    bytes[l3Offset + ipv6.hopLimit] = 64;
    bytes[l4Offset + icmp.type] = icmp6Type.echoReply;
    writeIcmp6Checksum(bytes, l3Offset, l4Offset, length);
  }
}
