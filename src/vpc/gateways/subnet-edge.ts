/**
 * The network ACL of a subnet that a packet enters or leaves by a NAT gateway in it; the router asks
 * those of interfaces' subnets itself.
 */
import type { Frame } from '../../net/frame.ts';
import { fragment } from '../../net/parse.ts';
import { noGroups } from '../../switch/vpc/filter-table.ts';
import { Packet } from '../../switch/vpc/packet.ts';
import type { Policy } from '../../switch/vpc/policy.ts';

const packet = new Packet();

/** Whether the ACL of subnet `index` lets a parsed IPv4 frame out of it, or into it. */
export function passes(policy: Policy, index: number, frame: Frame, outward: boolean): boolean {
  const acl = policy.acls[policy.subnets[index]?.acl ?? -1];
  const { head, headLength, headers: h } = frame;
  if (acl === undefined) return false;
  // A later fragment has no ports: it follows the first one, which was asked.
  if (h.fragment === fragment.later) return true;
  if (!packet.read(head, headLength, h)) return false;
  const table = (outward ? acl.outbound : acl.inbound).v4;
  const address = outward ? packet.d3 : packet.s3;
  const row = table.find4(packet.protocol, packet.value, address, noGroups);
  return row >= 0 && table.allow[row] === 1;
}
