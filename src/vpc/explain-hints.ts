/**
 * The classic mistakes, found by asking the evaluator a second question: would it be open if ...?
 * Each hint says what to do, and which page of EC2's documents says so.
 */
import { R, type Reason } from '../net/reasons.ts';
import { evaluate } from './evaluate.ts';
import { versionOf } from './evaluate-address.ts';
import { hasPorts, isIcmp, type Packet, protocols } from './evaluate-packet.ts';
import { interfaceOf, isGateway, subnetOf, vpcOf } from './evaluate-routes.ts';
import { type Direction, decidingEntry, owns, ruleMatches, rulesOf } from './evaluate-rules.ts';
import type { Closed, Explanation, Leg } from './explain.ts';
import { formatRanges, linuxEphemeral } from './explain-ports.ts';
import type { NetworkInterface, Subnet, VpcModel } from './model.ts';

export type Hint = { readonly id: string; readonly text: string; readonly source: string };

type Finder = (model: VpcModel, answer: Explanation) => Hint[];

/** What is worth saying about an answer; nothing when all is well. */
export const hintsFor = (model: VpcModel, answer: Explanation): readonly Hint[] =>
  finders.flatMap((find) => find(model, answer));

/** ACLs know no connections: replies need an entry for the ports that clients ask from. */
const ephemeral: Finder = (_model, { closed, closedPorts, protocol }) => {
  if (closed === null || !isAcl(closed) || !hasPorts({ protocol })) return [];
  const { from, to } = linuxEphemeral;
  const [acl = ''] = (closed.gate.rule ?? '').split(' ');
  const direction = closed.gate.reason === R.aclOutDenied ? 'outbound' : 'inbound';
  const which = closedPorts.length === 0 ? `${from}-${to}` : formatRanges(closedPorts);
  if (closed.direction === 'request') return [];
  const text =
    `replies go to the port that the client chose, ${from}-${to} on Linux, and ${acl} denies ` +
    `${which} ${direction}: a network ACL knows no connections and needs an entry for them`;
  return [{ id: 'ephemeral-ports', text, source: acls('Ephemeral ports') }];
};

/** A deny with a lower number hides an allow. */
const order: Finder = (model, { closed }) => {
  if (closed === null || !isAcl(closed)) return [];
  const direction: Direction = closed.gate.reason === R.aclOutDenied ? 'outbound' : 'inbound';
  const [id = '', number = ''] = (closed.gate.rule ?? '').split(' ');
  const entries = model.networkAcls.find((acl) => acl.id === id)?.[direction] ?? [];
  const later = entries.filter((entry) => entry.action === 'allow');
  const hidden = decidingEntry(later, closed.leg.packet, direction);
  if (hidden === null || number === '*') return [];
  const text = `entry ${hidden.number} of ${id} allows it, but ${number} comes first and denies`;
  return [{ id: 'acl-order', text, source: acls('Network ACL rules') }];
};

/** The groups are open, which does not help: ACLs are asked too. */
const openGroup: Finder = (model, { closed }) => {
  if (closed?.direction !== 'request' || closed.gate.reason !== R.aclInDenied) return [];
  const { packet } = closed.leg;
  const to = model.interfaces.find((at) => owns(at, packet.destination));
  if (to === undefined) return [];
  const [rule] = rulesOf(model, to, 'inbound').filter((one) =>
    ruleMatches(model, one, packet, 'inbound', isDirect(model, packet)),
  );
  if (rule === undefined) return [];
  const { id } = subnetOf(model, to);
  const text = `${rule.id} would let it in, but the ACL of ${id} is asked before, and denies`;
  return [
    {
      id: 'open-group-closed-acl',
      text,
      source: vpcGuide('Compare security groups and network ACLs'),
    },
  ];
};

/** A rule that names a group, and a middlebox on the way. */
const middlebox: Finder = (model, { closed }) => {
  if (closed === null || !isGroups(closed) || isDirect(model, closed.leg.packet)) return [];
  const direction = directionOf(closed);
  const at = interfaceOf(model, closed.gate.at);
  const rule = rulesOf(model, at, direction).find((one) =>
    ruleMatches(model, one, closed.leg.packet, direction, true),
  );
  if (rule === undefined) return [];
  const text =
    `${rule.id} names a group, and such rules do not match what a middlebox passes on: name the ` +
    `address, or the prefix of its subnet`;
  return [{ id: 'group-through-middlebox', text, source: vpcGuide('Security group referencing') }];
};

/** The request gets there, the reply knows no way. */
const wayBack: Finder = (model, { closed }) => {
  if (closed?.direction !== 'reply' || closed.gate.gate !== 'route') return [];
  const { packet } = closed.leg;
  const at = isGateway(packet.from)
    ? packet.from
    : subnetOf(model, interfaceOf(model, packet.from)).id;
  const text =
    `the request has a way, the reply has none: ${closed.gate.at}, the route table of ${at}, ` +
    `needs a route to ${packet.destination}`;
  return [{ id: 'no-way-back', text, source: vpcGuide('Configure route tables') }];
};

/** No route, and the other end is in another VPC, or outside. */
const noRoute: Finder = (model, { closed, to }) => {
  if (closed?.direction !== 'request' || closed.gate.reason !== R.noRoute) return [];
  const from = interfaceOf(model, closed.leg.packet.from);
  const vpc = vpcOf(model, subnetOf(model, from)).id;
  const there = to.interface === null ? null : vpcOf(model, subnetOf(model, to.interface)).id;
  const what =
    there !== null && there !== vpc
      ? `${there} is another VPC: nothing connects the two unless a route does`
      : `${closed.gate.at} has no route to ${closed.leg.packet.destination}: ` +
        'what leaves a VPC needs one to a gateway';
  return [{ id: 'no-route', text: what, source: vpcGuide('Configure route tables') }];
};

/** An appliance that still checks addresses. */
const appliance: Finder = (_model, { closed }) => {
  if (closed === null) return [];
  const { gate, reason, at } = closed.gate;
  const checks =
    gate === 'destination check' ||
    (reason === R.spoofedSource && closed.leg.packet.foreignMac !== true);
  if (!checks) return [];
  const text =
    `${at} has to do with what is not its own addresses': an appliance needs its ` +
    'source/destination check off';
  return [
    {
      id: 'source-dest-check',
      text,
      source: vpcGuide('NAT instances: disable source/destination checks'),
    },
  ];
};

/** Out of an internet gateway without a public address. */
const publicAddress: Finder = (_model, { closed }) => {
  if (closed?.gate.reason !== R.noPublicAddress) return [];
  const text =
    `${closed.leg.packet.source} has no public address, and ${closed.gate.at} translates only to ` +
    'one: give it one, or route by a NAT gateway';
  return [
    {
      id: 'no-public-address',
      text,
      source: vpcGuide('Connect to the internet using an internet gateway'),
    },
  ];
};

/** Packets that are too big are answered by ICMP, which must come back to the sender. */
const pathMtu: Finder = (model, answer) => {
  if (!answer.reachable || !hasPorts(answer)) return [];
  const [first] = answer.request;
  const last = answer.request.at(-1);
  if (first === undefined || last === undefined || isGateway(first.packet.from)) return [];
  const gate = refusedError(model, answer, first, last);
  if (gate === null) return [];
  const what = versionOf(first.packet.source) === 4 ? 'ICMP type 3 code 4' : 'ICMPv6 type 2';
  const text =
    `path-MTU discovery will not work: ${what} (packet too big) does not get back to the sender, ` +
    `${gate} denies it`;
  return [{ id: 'path-mtu', text, source: acls('Path MTU Discovery') }];
};

/** What keeps "too big", sent by the last stop of the request, from its sender; null: nothing. */
function refusedError(model: VpcModel, answer: Explanation, first: Leg, last: Leg): string | null {
  const { packet } = last;
  const from = last.judgement.deliveredTo;
  if (from === null) return null;
  const is4 = versionOf(packet.source) === 4;
  const source = isGateway(from) ? packet.destination : (ownAddress(model, from, packet) ?? '');
  const error: Packet = {
    from,
    to: 'router',
    source,
    destination: first.packet.source,
    protocol: is4 ? protocols.icmp : protocols.icmp6,
    icmpType: is4 ? 3 : 2,
    icmpCode: is4 ? 4 : 0,
    about: first.packet,
  };
  const { reason, rule, gates } = evaluate(model, answer.history, error, 0);
  const at = gates.at(-1);
  return reason === R.delivered || at === undefined ? null : `${at.gate} of ${rule ?? at.at}`;
}

const ownAddress = (model: VpcModel, id: string, packet: Packet): string | undefined => {
  const at = interfaceOf(model, id);
  return versionOf(packet.source) === 4 ? at.addresses[0]?.address : at.ipv6Addresses?.[0];
};

/** Nothing was closed by an ACL where one might expect it. */
const sameSubnet: Finder = (model, { from, to }) => {
  if (from.interface === null || to.interface === null) return [];
  const here = subnetOf(model, from.interface);
  if (here.id !== subnetOf(model, to.interface).id || !deniesSomething(model, here)) return [];
  const text = `both are in ${here.id}: within a subnet its network ACL is not asked`;
  return [{ id: 'same-subnet', text, source: acls('Network ACL basics') }];
};

const deniesSomething = (model: VpcModel, subnet: Subnet): boolean => {
  const acl = model.networkAcls.find(({ id }) => id === subnet.networkAcl);
  const entries = [...(acl?.inbound ?? []), ...(acl?.outbound ?? [])];
  return (
    entries.length === 0 ||
    entries.some((entry) => entry.action === 'deny' || entry.protocol !== -1)
  );
};

/** A rule names a group, and the packet comes from its member's public address. */
const publicGroup: Finder = (model, { closed }) => {
  if (closed === null || closed.gate.reason !== R.sgIngressNone) return [];
  const { packet } = closed.leg;
  if (!isGateway(packet.from)) return [];
  const sender = ownerOfPublicAddress(model, packet.source);
  const at = interfaceOf(model, closed.gate.at);
  const private4 = sender?.addresses[0]?.address;
  if (private4 === undefined) return [];
  const rule = rulesOf(model, at, 'inbound').find((one) =>
    ruleMatches(model, one, { ...packet, source: private4 }, 'inbound', true),
  );
  if (rule === undefined) return [];
  const text =
    `${rule.id} matches private addresses only, and by the public one the packet comes from ` +
    `${packet.source}: ask for the private one`;
  return [{ id: 'group-by-public-address', text, source: vpcGuide('Security group referencing') }];
};

const ownerOfPublicAddress = (model: VpcModel, address: string): NetworkInterface | undefined =>
  model.interfaces.find((at) =>
    at.addresses.some(({ publicAddress }) => publicAddress === address),
  );

/** Pings are no TCP. */
const ping: Finder = (model, { closed }) => {
  if (closed === null || !isGroups(closed) || !isIcmp(closed.leg.packet)) return [];
  const rules = rulesOf(model, interfaceOf(model, closed.gate.at), directionOf(closed));
  const text =
    'ping needs a rule for ICMP echo requests (type 8, or ICMPv6 type 128); rules for TCP or UDP ' +
    'do not cover it';
  return rules.length === 0 ? [] : [{ id: 'ping', text, source: ec2Guide('Rules for ping/ICMP') }];
};

const finders: readonly Finder[] = [
  ephemeral,
  order,
  openGroup,
  middlebox,
  publicGroup,
  wayBack,
  noRoute,
  appliance,
  publicAddress,
  ping,
  pathMtu,
  sameSubnet,
];

// Small things.

const aclReasons: readonly Reason[] = [R.aclInDenied, R.aclOutDenied];
const groupReasons: readonly Reason[] = [R.sgIngressNone, R.sgEgressNone];

const isAcl = ({ gate }: Closed): boolean => aclReasons.includes(gate.reason);
const isGroups = ({ gate }: Closed): boolean => groupReasons.includes(gate.reason);
const directionOf = ({ gate }: Closed): Direction =>
  gate.reason === R.sgIngressNone ? 'inbound' : 'outbound';

/** It entered the network at the interface that owns its source address. */
const isDirect = (model: VpcModel, { from, source }: Packet): boolean =>
  !isGateway(from) && owns(interfaceOf(model, from), source);

const vpcGuide = (page: string): string => `Amazon VPC User Guide, ${page}`;
const ec2Guide = (page: string): string => `Amazon EC2 User Guide, ${page}`;
const acls = (section: string): string => vpcGuide(`Network ACLs: ${section}`);
