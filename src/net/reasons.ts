/**
 * Why a frame was delivered or not: one code per reason, declared once. Counters, traces, captures
 * and the console all read this table. Codes are stable; new ones are added at the end.
 */

export const reasons = {
  delivered: [0, 'given to its receiver'],
  answered: [1, 'answered by the network itself (ARP, DHCP, DNS, ...)'],
  noReceiver: [2, 'no port is connected that could take it'],
  linkDown: [3, 'the port has no link'],
  rxNoBuffer: [4, 'the receiver has posted no buffer'],
  rxDisabled: [5, 'the receiver has not enabled reception'],
  rxTooLong: [6, "longer than the receiver's buffers or MTU"],
  rxBadAddress: [7, "the receiver's buffer lies outside its memory"],
  queueFull: [8, 'the queue in front of the receiver is full'],
  runt: [9, 'shorter than an Ethernet header'],
  txTooLong: [10, "longer than the sender's MTU allows"],
  txBadOffload: [11, 'the sender asked for an offload that the frame cannot have'],
  spoofedSource: [12, "the source address is not the port's own"],
  reflected: [13, 'the receiver would be the sender'],
  queued: [14, 'waits in front of its receiver'],
  badRequest: [15, 'a request to the network itself that has no answer'],
  sgEgressNone: [16, "no outbound rule of the sender's security groups matches"],
  sgIngressNone: [17, "no inbound rule of the receiver's security groups matches"],
  aclOutDenied: [18, "the network ACL of the sender's subnet denies it outbound"],
  aclInDenied: [19, "the network ACL of the receiver's subnet denies it inbound"],
  noRoute: [20, "no route of the sender's subnet matches the destination"],
  blackhole: [21, 'the route leads to something that is gone'],
  wrongDestination: [22, "the destination address is not the receiver's own (destination check)"],
  trackingFull: [23, 'the table of tracked connections is full'],
  fragmentUnknown: [24, 'a fragment of a packet whose first fragment was not seen'],
  tooBigForPath: [25, "larger than the path's MTU"],
  malformed: [26, 'its headers contradict themselves'],
  noSuchAddress: [27, 'nobody in the VPC has the destination address'],
  notCarried: [
    28,
    'it is neither untagged IP for an interface nor a request that the network itself answers',
  ],
  linkLocalExceeded: [29, 'more packets to link-local services than an interface may send'],
  noPublicAddress: [30, 'the sender has no public address for the internet gateway'],
  noGateway: [31, 'the gateway has no connection to the outside'],
  natPortsExhausted: [32, 'the NAT gateway has no port left for this destination'],
  hopLimitReached: [33, 'its time to live has run out'],
  bandwidthExceeded: [34, "more than the instance's bandwidth allowance"],
  packetRateExceeded: [35, "more packets than the instance's allowance"],
  otherSubnet: [36, "the frame is addressed to another subnet's interface, not to the router"],
  rxFiltered: [37, "the receiver's address and VLAN filters do not take it"],
  natUntranslatable: [38, 'a NAT gateway translates TCP, UDP, ICMP and fragments of UDP only'],
  natConnectionUnknown: [39, 'the NAT gateway does not know the connection, or has forgotten it'],
  fabricUnreachable: [40, "EFA's traffic stays within a VPC and a zone"],
} as const satisfies Record<string, readonly [code: number, text: string]>;

export type ReasonName = keyof typeof reasons;
/** A reason's code. */
export type Reason = number;

/** `R.delivered` and so on: the codes by name. */
export const R = Object.fromEntries(
  Object.entries(reasons).map(([name, [code]]) => [name, code]),
) as { readonly [K in ReasonName]: (typeof reasons)[K][0] };

/** Names by code, for counters and traces. */
export const reasonNames = Object.entries(reasons)
  .sort(([, [a]], [, [b]]) => a - b)
  .map(([name]) => name as ReasonName);
