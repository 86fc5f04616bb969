/**
 * Tracked connections for the evaluator: a map from what identifies a connection to what is known
 * of it. Follows "Amazon EC2 security group connection tracking" in the EC2 User Guide; what EC2
 * does not publish is a constant here that says so.
 */
import type { Reason } from '../net/reasons.ts';
import { address } from './evaluate-address.ts';
import {
  type Flow,
  hasPorts,
  icmpQueries,
  isIcmp,
  type Packet,
  protocols,
  reversed,
} from './evaluate-packet.ts';
import type { Direction } from './evaluate-rules.ts';
import type { NetworkInterface, VpcModel } from './model.ts';

export type Connection = {
  /** The instance whose allowance it counts against. */
  readonly account: string;
  /** The direction of its first packet, at the interface that tracks it. */
  readonly begun: Direction;
  /** The rule that let it begin. */
  readonly rule: string;
  /** The direction of the last packet. */
  last: Direction;
  /** Answers that followed a request: turns from `begun` to the other direction. */
  transactions: number;
  /** It ends when it was idle until then, in seconds. */
  expires: number;
  tcp: TcpState;
  /** TCP: the directions that have said that they send no more. */
  readonly ended: Set<Direction>;
};

type TcpState = 'opening' | 'established' | 'closing';

/** What the network remembers. Keys name the interface, so that each tracks for itself. */
export type History = {
  readonly connections: Map<string, Connection>;
  /** What became of first fragments, by the packet that they are of. */
  readonly fragments: Map<string, Fate>;
  /** Connections that an instance may have tracked ("Connection tracking allowances"). */
  readonly maxPerInstance: number;
};

export type Fate = {
  readonly reason: Reason;
  readonly rule: string | null;
  readonly deliveredTo: string | null;
  /** The interface at whose side that was decided, or null: it was at the sender's. */
  readonly receiver: string | null;
  readonly until: number;
};

export const newHistory = (maxPerInstance = Number.POSITIVE_INFINITY): History => ({
  connections: new Map(),
  fragments: new Map(),
  maxPerInstance,
});

/** Forgets what interfaces that are gone have tracked, and what was sent by them or to them. */
export function forgetGone({ connections, fragments }: History, model: VpcModel): void {
  const isGone = (id: string | null): boolean =>
    id?.startsWith('eni-') === true && !model.interfaces.some((at) => at.id === id);
  for (const key of connections.keys())
    if (isGone(key.split(' ')[0] ?? '')) connections.delete(key);
  for (const [key, { receiver }] of fragments)
    if (isGone(receiver) || isGone(key.split(' ')[0] ?? '')) fragments.delete(key);
}

/** "Idle connection tracking timeout": defaults of instances before Nitro v6, in seconds. */
const published = { tcpEstablished: 432_000, udp: 30, udpStream: 180, other: 600 } as const;
/** EC2 does not say; Linux's own tracking has the published values too, so these are its as well. */
const unpublished = { tcpOpening: 120, tcpClosing: 10, icmp: 30, fragments: 30 } as const;

const flag = { fin: 0x01, syn: 0x02, rst: 0x04, ack: 0x10 } as const;
const has = ({ tcpFlags = 0 }: Packet, which: number): boolean => (tcpFlags & which) !== 0;

/** The connection at an interface that a packet belongs to, alive at `now`, or null. */
export function connectionOf(
  history: History,
  at: NetworkInterface,
  flow: Flow,
  direction: Direction,
  now: number,
): Connection | null {
  for (const key of keysOf(at, flow, direction)) {
    const found = history.connections.get(key);
    if (found !== undefined && found.expires > now) return found;
  }
  return null;
}

/**
 * What would identify the packet's connection: for the packet as its first direction, and as an
 * answer. TCP, UDP and others have one key for both; an ICMP answer belongs to its own query only.
 */
function keysOf(at: NetworkInterface, flow: Flow, direction: Direction): string[] {
  const outward = direction === 'outbound' ? flow : reversed(flow);
  const ends = `${at.id} ${outward.protocol} ${plain(outward.source)} ${plain(outward.destination)}`;
  if (hasPorts(flow)) return [`${ends} ${outward.sourcePort} ${outward.destinationPort}`];
  if (!isIcmp(flow)) return [ends];
  const pair = icmpQueries.find((types) => types.includes(flow.icmpType ?? -1));
  if (pair === undefined) return [];
  const isQuery = pair[0] === flow.icmpType;
  const asked = isQuery === (direction === 'outbound') ? 'outbound' : 'inbound';
  return [`${ends} ${pair[0]} ${flow.icmpId} ${asked}`];
}

const plain = (text: string): string => String(address(text).value);

/**
 * A SYN after the end of a TCP connection begins another one with the same ports: the old one is
 * forgotten, and the rules are asked (as Linux's tracking does; EC2 does not say).
 */
export function startsAnew(connection: Connection, packet: Packet): boolean {
  return connection.tcp === 'closing' && has(packet, flag.syn) && !has(packet, flag.ack);
}

/** Its end, before its time. */
export function forget(connection: Connection): void {
  connection.expires = Number.NEGATIVE_INFINITY;
}

/** Whether the packet is one that begins a connection: ICMP that asks nothing does not. */
export const begins = (packet: Packet): boolean =>
  !isIcmp(packet) || icmpQueries.some(([query]) => query === packet.icmpType);

/** Begins a connection. False: the instance has as many as it may have. */
export function begin(
  history: History,
  at: NetworkInterface,
  packet: Packet,
  direction: Direction,
  rule: string,
  now: number,
): boolean {
  const account = at.instance ?? at.id;
  const alive = [...history.connections.values()].filter(({ expires }) => expires > now);
  if (alive.filter((one) => one.account === account).length >= history.maxPerInstance) return false;
  const begun: Connection = {
    account,
    begun: direction,
    rule,
    last: direction,
    transactions: 0,
    expires: 0,
    tcp: 'opening',
    ended: new Set(),
  };
  for (const key of keysOf(at, packet, direction)) history.connections.set(key, begun);
  touch(begun, at, packet, direction, now);
  return true;
}

/** A packet of the connection has passed: what it changes, and when the connection would end. */
export function touch(
  connection: Connection,
  at: NetworkInterface,
  packet: Packet,
  direction: Direction,
  now: number,
): void {
  const isAnswer = direction !== connection.begun;
  if (isAnswer && connection.last === connection.begun) connection.transactions++;
  connection.last = direction;
  if (packet.protocol === protocols.tcp) connection.tcp = tcpAfter(connection, packet, direction);
  connection.expires = now + idleSeconds(connection, at, packet);
}

/** Answered: established. Reset, or ended from both sides: closing. */
function tcpAfter(connection: Connection, packet: Packet, direction: Direction): TcpState {
  if (has(packet, flag.fin)) connection.ended.add(direction);
  if (has(packet, flag.rst) || connection.ended.size === 2) return 'closing';
  const isAnswer = direction !== connection.begun;
  return connection.tcp === 'opening' && isAnswer ? 'established' : connection.tcp;
}

function idleSeconds(connection: Connection, at: NetworkInterface, flow: Flow): number {
  const { tracking = {} } = at;
  if (flow.protocol === protocols.tcp) {
    if (connection.tcp === 'opening') return unpublished.tcpOpening;
    if (connection.tcp === 'closing') return unpublished.tcpClosing;
    return tracking.tcpEstablishedSeconds ?? published.tcpEstablished;
  }
  if (flow.protocol === protocols.udp) {
    // A stream has had more than one request and response.
    if (connection.transactions > 1) return tracking.udpStreamSeconds ?? published.udpStream;
    return tracking.udpSeconds ?? published.udp;
  }
  return isIcmp(flow) ? unpublished.icmp : published.other;
}

/** What became of the packet's first fragment, if that is not long ago. Only it has the ports. */
export function fateOf(history: History, packet: Packet, now: number): Fate | null {
  const fate = history.fragments.get(fragmentKey(packet));
  return fate !== undefined && fate.until > now ? fate : null;
}

export function rememberFate(
  history: History,
  packet: Packet,
  { reason, rule, deliveredTo, receiver }: Omit<Fate, 'until'>,
  now: number,
): void {
  const until = now + unpublished.fragments;
  history.fragments.set(fragmentKey(packet), { reason, rule, deliveredTo, receiver, until });
}

/** Which way it went is part of it: one that goes another way is another packet's. */
const fragmentKey = ({ from, to, source, destination, protocol, fragment }: Packet): string =>
  `${from} ${JSON.stringify(to)} ${plain(source)} ${plain(destination)} ${protocol} ${fragment?.id}`;
