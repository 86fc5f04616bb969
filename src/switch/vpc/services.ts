/**
 * What the network itself answers, so that no group and no ACL sees it: ARP, neighbour discovery,
 * DHCP, and the link-local services (EC2 User Guide: instance metadata, Amazon Time Sync Service;
 * VPC User Guide: DNS). The routers' and the resolver's own addresses are in the VPC's table.
 */
import { groupBit } from '../../net/ethernet.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import type { Headers } from '../../net/parse.ts';

/** 169.254.169.253, .254 and .123: the resolver, metadata, time. */
const base4 = 0xa9fe_a900 | 0;
/** fd00:ec2::253, ::254 and ::123. */
const base6 = 0xfd00_0ec2 | 0;

/** Whether a frame goes to the network itself by its kind or address. */
export function isForNetwork(h: Headers): boolean {
  if ((h.dstMacHi & groupBit) !== 0) return true;
  if (h.ipVersion === 4) return h.dst >>> 28 >= 14 || h.dst >>> 16 === 0xa9fe;
  if (h.ipVersion !== 6) return true;
  if (h.l4Protocol === ipProtocol.icmp6 && isNeighbourDiscovery(h.icmpType)) return true;
  return h.dst0 >>> 24 === 0xff || isLinkLocal6(h.dst0) || isService6(h);
}

/** Whether it is one of the packets that an interface may send only so many of. */
export function isLimited(h: Headers): boolean {
  if (h.ipVersion === 6) return isService6(h);
  if (h.ipVersion !== 4 || (h.dst & ~255) !== base4) return false;
  const last = h.dst & 255;
  return last === 253 || last === 254 || last === 123;
}

/** fe80::/10, by its first word. */
export const isLinkLocal6 = (word0: number): boolean => (word0 & 0xffc0_0000) >>> 0 === 0xfe80_0000;

/** RFC 4861: solicitations, advertisements, redirects. */
const isNeighbourDiscovery = (type: number): boolean => type >= 133 && type <= 137;

function isService6(h: Headers): boolean {
  if (h.dst0 !== base6 || h.dst1 !== 0 || h.dst2 !== 0) return false;
  return h.dst === 0x253 || h.dst === 0x254 || h.dst === 0x123;
}
