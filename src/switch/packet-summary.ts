/** What a frame is, as plain data for people and other threads: who to whom, and what about. */
import { arp, arpOperation, isArpForIpv4 } from '../net/arp.ts';
import { read16, read32 } from '../net/bytes.ts';
import { ethernet, etherType, formatMac, readMac } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { formatIpv4, ipProtocol } from '../net/ipv4.ts';
import { formatIpv6, ipv6, readIpv6 } from '../net/ipv6.ts';
import { fragment } from '../net/parse.ts';

export type IpSummary = {
  readonly kind: 'ip';
  readonly source: string;
  readonly destination: string;
  /** -1: behind headers that cannot be followed. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly tcpFlags?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly fragment?: 'first' | 'later';
};

export type PacketSummary =
  | IpSummary
  | {
      readonly kind: 'arp';
      readonly operation: 'request' | 'reply';
      readonly source: string;
      readonly destination: string;
    }
  /** Neither IP nor ARP, or nothing that can be parsed: MACs. */
  | {
      readonly kind: 'ethernet';
      readonly source: string;
      readonly destination: string;
      readonly etherType: number;
    };

/** `frame` is parsed. */
export function summarize(frame: Frame): PacketSummary {
  const h = frame.headers;
  if (h.ipVersion !== 0) return summarizeIp(frame);
  const { head, headLength } = frame;
  const at = h.l3Offset;
  if (h.etherType === etherType.arp && headLength >= at + arp.bytes && isArpForIpv4(head, at))
    return {
      kind: 'arp',
      operation: read16(head, at + arp.operation) === arpOperation.request ? 'request' : 'reply',
      source: formatIpv4(read32(head, at + arp.senderAddress)),
      destination: formatIpv4(read32(head, at + arp.targetAddress)),
    };
  if (headLength < ethernet.bytes)
    return { kind: 'ethernet', source: '?', destination: '?', etherType: 0 };
  return {
    kind: 'ethernet',
    source: formatMac(readMac(head, ethernet.source)),
    destination: formatMac(readMac(head, ethernet.destination)),
    etherType: h.etherType,
  };
}

function summarizeIp({ headers: h, head }: Frame): IpSummary {
  const { tcp, udp, icmp, icmp6 } = ipProtocol;
  const known = h.l4Offset >= 0;
  const protocol = h.l4Protocol;
  const hasPorts = known && (protocol === tcp || protocol === udp);
  const isIcmp = known && (protocol === icmp || protocol === icmp6);
  const at = h.l3Offset;
  return {
    kind: 'ip',
    source: h.ipVersion === 4 ? formatIpv4(h.src) : formatIpv6(readIpv6(head, at + ipv6.source)),
    destination:
      h.ipVersion === 4 ? formatIpv4(h.dst) : formatIpv6(readIpv6(head, at + ipv6.destination)),
    protocol,
    ...(hasPorts && { sourcePort: h.srcPort, destinationPort: h.dstPort }),
    ...(known && protocol === tcp && { tcpFlags: h.tcpFlags }),
    ...(isIcmp && { icmpType: h.icmpType, icmpCode: h.icmpCode }),
    ...(h.fragment === fragment.first && { fragment: 'first' }),
    ...(h.fragment === fragment.later && { fragment: 'later' }),
  };
}
