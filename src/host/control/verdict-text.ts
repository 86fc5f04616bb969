/**
 * One verdict as a line for a person, in pieces:
 *
 *     sg-egress-none  a 10.0.0.10:43210 > b 10.0.1.20:5432 tcp syn  no outbound rule in sg-0a1 matches
 */
import { etherType } from '../../net/ethernet.ts';
import { R, type ReasonName, reasonNames, reasons } from '../../net/reasons.ts';
import { tcpFlag } from '../../net/tcp.ts';
import type { IpSummary, PacketSummary } from '../../switch/packet-summary.ts';
import type { Verdict } from '../../switch/tap-verdicts.ts';
import { icmpWord, protocolWord } from '../vpc/rule-text.ts';
import type { Facts } from './protocol.ts';

export type VerdictText = {
  /** `sg-egress-none` */
  readonly reason: string;
  /** Who to whom, and what. */
  readonly packet: string;
  /** The rule that decided, or what the reason means. */
  readonly why: string;
};

/** Names by address, and by the ids that stand in rules. */
export type NameBook = ReadonlyMap<string, string>;

export function nameBook({ ends, vpc }: Pick<Facts, 'ends' | 'vpc'>): NameBook {
  const addresses = ends.flatMap(({ name, addresses }) => addresses.map((one) => [one, name]));
  const groups = (vpc?.securityGroups ?? []).map(({ id, name }) => [id, name]);
  const lists = (vpc?.prefixLists ?? []).map(({ id, name }) => [id, name]);
  return new Map([...addresses, ...groups, ...lists] as [string, string][]);
}

export function verdictText(verdict: Verdict, names: NameBook): VerdictText {
  const { reason, rule, packet } = verdict;
  return {
    reason: reasonWord(reason),
    packet: `${packetText(packet, names)}${placesText(verdict, names)}`,
    why: rule === null ? reasons[reason][1] : ruleText(rule, names),
  };
}

/** Ids with the names that people gave, where those are not in the ids already: `sg-0a1 (web)`. */
function ruleText(rule: string, names: NameBook): string {
  return rule.replace(/\b(?:sg|pl)-([a-z0-9-]+)/g, (id: string, rest: string) => {
    const name = names.get(id);
    return name === undefined || name === rest ? id : `${id} (${name})`;
  });
}

/** `sgEgressNone` as people write it: `sg-egress-none`. */
export const reasonWord = (reason: ReasonName): string =>
  reason.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** All of them, in the words of `reasonWord`. */
export const reasonWords: readonly string[] = reasonNames.map(reasonWord);

/** The reason with this name, in either spelling. */
export const findReason = (word: string): ReasonName | undefined =>
  reasonNames.find((name) => name === word || reasonWord(name) === word);

const good = new Set<number>([R.delivered, R.answered, R.queued]);

/** Reasons for which a frame did not come where it should. */
export const losses: readonly ReasonName[] = reasonNames.filter((name) => !good.has(R[name]));

function packetText(packet: PacketSummary, names: NameBook): string {
  if (packet.kind === 'arp') {
    const [source, destination] = [packet.source, packet.destination].map((a) => named(a, names));
    return `${source} > ${destination} arp ${packet.operation}`;
  }
  if (packet.kind === 'ethernet') {
    const type = packet.etherType.toString(16).padStart(4, '0');
    const what = packet.etherType === etherType.srd ? 'srd' : `ethertype ${type}`;
    return `${named(packet.source, names)} > ${named(packet.destination, names)} ${what}`;
  }
  const { source, destination, sourcePort, destinationPort } = packet;
  const from = named(source, names, sourcePort);
  return `${from} > ${named(destination, names, destinationPort)} ${contentText(packet)}`;
}

/** `a 10.0.0.10:80`, or without a name where there is none. */
function named(address: string, names: NameBook, port?: number): string {
  const name = names.get(address);
  const shown = port !== undefined && address.includes(':') ? `[${address}]` : address;
  return `${name === undefined ? '' : `${name} `}${shown}${port === undefined ? '' : `:${port}`}`;
}

const flagWords = Object.entries(tcpFlag);

function contentText(packet: IpSummary): string {
  const { protocol, tcpFlags, icmpType, icmpCode, fragment } = packet;
  const words = [protocol < 0 ? 'unknown' : protocolWord(protocol)];
  if (tcpFlags !== undefined)
    words.push(...flagWords.filter(([, bit]) => (tcpFlags & bit) !== 0).map(([word]) => word));
  if (icmpType !== undefined && icmpCode !== undefined)
    words.push(icmpWord(packet.source.includes(':') ? 6 : 4, icmpType, icmpCode));
  if (fragment !== undefined) words.push(`${fragment} fragment`);
  return words.join(' ');
}

/** Where the frame was, when the addresses do not say it: at an appliance, for one. */
function placesText({ from, to, packet }: Verdict, names: NameBook): string {
  const by = from === null || from === names.get(packet.source) ? '' : ` by ${from}`;
  const at = to === null || to === names.get(packet.destination) ? '' : ` at ${to}`;
  return `${from === null ? ' by the network' : by}${at}`;
}
