/**
 * Where a received packet is split between header and packet buffer (82599 datasheet, 7.1.10), and
 * what its descriptor says of headers and sums (7.1.6.2).
 */
import { PACKET_TYPE, RX_ERROR, RX_STATUS, type rxWriteBack } from '../../defs/ixgbevf-descs.ts';
import { PSRTYPE } from '../../defs/ixgbevf-regs.ts';
import type { Record32 } from '../../lib/layout.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol, ipv4 } from '../../net/ipv4.ts';
import { ipv6 } from '../../net/ipv6.ts';
import { sumVerdict, verifySums } from '../../net/offload.ts';
import { fragment, type Headers } from '../../net/parse.ts';
import { udp } from '../../net/udp.ts';

/** Bytes of the frame's headers up to the innermost one that VFPSRTYPE names; 0: not to be split. */
export function splitAt(h: Headers, frame: Frame, psrtype: number): number {
  const l4 = h.l4Offset >= 0 && h.fragment === fragment.none ? h.l4Protocol : -1;
  if (l4 === ipProtocol.tcp && (psrtype & PSRTYPE.TCP) !== 0 && h.payloadOffset > 0)
    return h.payloadOffset;
  if (l4 === ipProtocol.udp && (psrtype & PSRTYPE.UDP) !== 0) return h.l4Offset + udp.bytes;
  if (h.ipVersion === 4 && (psrtype & PSRTYPE.IPV4) !== 0)
    return h.l3Offset + ((frame.head[h.l3Offset] as number) & 15) * 4;
  if (h.ipVersion === 6 && (psrtype & PSRTYPE.IPV6) !== 0)
    return h.l4Offset >= 0 ? h.l4Offset : h.l3Offset + ipv6.bytes;
  return (psrtype & PSRTYPE.L2) !== 0 ? h.l3Offset : 0;
}

/** PACKET_TYPE, and the bits of status and errors that are about sums. */
export function describePacket(desc: Record32<typeof rxWriteBack.fields>, frame: Frame): void {
  const h = frame.headers;
  desc.PACKET_TYPE = packetType(h, frame);
  verifySums(frame);
  let status = 0;
  let errors = 0;
  if (h.ipVersion === 4) {
    status |= RX_STATUS.IPCS;
    if (frame.ipv4Sum !== sumVerdict.right) errors |= RX_ERROR.IPE;
  }
  if (h.fragment === fragment.none && frame.l4Sum !== sumVerdict.unknown) {
    status |= RX_STATUS.L4I;
    if (frame.l4Sum !== sumVerdict.right) errors |= RX_ERROR.L4E;
  }
  desc.STATUS |= status;
  desc.ERRORS |= errors;
}

function packetType(h: Headers, frame: Frame): number {
  let type = 0;
  if (h.ipVersion === 4) {
    type = PACKET_TYPE.IPV4;
    const headerBytes = ((frame.head[h.l3Offset] as number) & 15) * 4;
    if (headerBytes > ipv4.minBytes) type |= PACKET_TYPE.IPV4E;
  } else if (h.ipVersion === 6) {
    type = PACKET_TYPE.IPV6;
    if (h.l4Offset > h.l3Offset + ipv6.bytes) type |= PACKET_TYPE.IPV6E;
  } else return 0;
  if (h.l4Offset < 0 || h.fragment !== fragment.none) return type;
  if (h.l4Protocol === ipProtocol.tcp) return type | PACKET_TYPE.TCP;
  if (h.l4Protocol === ipProtocol.udp) return type | PACKET_TYPE.UDP;
  return h.l4Protocol === ipProtocol.sctp ? type | PACKET_TYPE.SCTP : type;
}
