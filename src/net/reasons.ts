/**
 * Why a frame was delivered or not: one code per reason, declared once. Counters, traces, captures
 * and the console all read this table. Codes are stable; new ones are added at the end.
 */

export const reasons = {
  delivered: [0, 'given to its receiver'],
  answered: [1, 'answered by the network itself (ARP, DHCP)'],
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
