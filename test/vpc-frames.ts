/**
 * Frames from the evaluator's packets: built plainly, byte by byte, apart from the code under test,
 * with right checksums. The evaluator judges the packet, the switch is given the frame.
 */
import { parseMac } from '../src/net/ethernet.ts';
import { naiveChecksum } from '../src/net/testing-packets.ts';
import { address } from '../src/vpc/evaluate-address.ts';
import { type Flow, hasPorts, type Packet } from '../src/vpc/evaluate-packet.ts';
import type { NetworkInterface, VpcModel } from '../src/vpc/model.ts';
import { routerMac } from '../src/vpc/well-known.ts';

const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];

/** An address's 4 or 16 bytes. */
export function addressBytes(text: string): number[] {
  const { version, value } = address(text);
  const bytes = version === 4 ? 4 : 16;
  return Array.from({ length: bytes }, (_, i) =>
    Number((value >> BigInt(8 * (bytes - 1 - i))) & 255n),
  );
}

const macBytesOf = (text: string): number[] =>
  text.split(':').map((part) => Number.parseInt(part, 16));
const macNumberBytes = (mac: number): number[] => [
  ...be16(Math.floor(mac / 2 ** 32)),
  ...be32(mac | 0),
];

/** Somebody whom nobody knows, and everybody. */
const nobodysMac = [0x02, 0xff, 0, 0, 0, 1];
const broadcast = [255, 255, 255, 255, 255, 255];
const foreignMac = [0x02, 0xee, 0, 0, 0, 2];

/** The frame that the sending interface puts on its link; what a gateway brings in has no MACs. */
export function frameOf(model: VpcModel, packet: Packet): Uint8Array {
  const from = model.interfaces.find(({ id }) => id === packet.from);
  const macs = from === undefined ? Array<number>(12).fill(0) : macsOf(model, packet, from);
  const type = packet.source.includes(':') ? [0x86, 0xdd] : [0x08, 0x00];
  return Uint8Array.from([...macs, ...type, ...ipOf(packet)]);
}

function macsOf(model: VpcModel, packet: Packet, from: NetworkInterface): number[] {
  const source = packet.foreignMac ? foreignMac : macBytesOf(from.mac);
  return [...destinationMac(model, packet, from.subnet), ...source];
}

function destinationMac(model: VpcModel, { to }: Packet, subnet: string): number[] {
  if (to === 'router') return macNumberBytes(routerMac(subnet));
  if (to === 'group') return broadcast;
  if (to === 'nobody') return nobodysMac;
  const owner = model.interfaces.find(({ id }) => id === to.interface);
  return macNumberBytes(parseMac(owner?.mac ?? ''));
}

/** An ICMP error quotes the packet's header and its first bytes. */
const payloadOf = ({ about }: Packet): number[] =>
  about === undefined ? [1, 2, 3, 4, 5, 6, 7, 8] : ipOf({ ...about, from: '', to: 'router' });

function ipOf(packet: Packet): number[] {
  const later = packet.fragment?.part === 'later';
  const l4 = later ? [9, 9, 9, 9, 9, 9, 9, 9] : l4Of(packet, payloadOf(packet));
  return packet.source.includes(':') ? ipv6Of(packet, l4) : ipv4Of(packet, l4);
}

/** In units of 8 bytes, and whether more follow. */
const fragmentField = ({ fragment }: Packet): { offset: number; more: boolean; id: number } => ({
  offset: fragment?.part === 'later' ? 8 : 0,
  more: fragment?.part === 'first',
  id: fragment?.id ?? 7,
});

function ipv4Of(packet: Packet, l4: readonly number[]): number[] {
  const { offset, more, id } = fragmentField(packet);
  const header = [
    0x45,
    0,
    ...be16(20 + l4.length),
    ...be16(id),
    ...be16((more ? 0x2000 : 0) | offset),
  ];
  header.push(64, packet.protocol, 0, 0);
  header.push(...addressBytes(packet.source), ...addressBytes(packet.destination));
  header.splice(10, 2, ...be16(naiveChecksum(header)));
  return [...header, ...l4];
}

function ipv6Of(packet: Packet, l4: readonly number[]): number[] {
  const { offset, more, id } = fragmentField(packet);
  const isFragment = packet.fragment !== undefined;
  const extension = isFragment
    ? [packet.protocol, 0, ...be16((offset << 3) | (more ? 1 : 0)), ...be32(id)]
    : [];
  const next = isFragment ? 44 : packet.protocol;
  const header = [0x60, 0, 0, 0, ...be16(extension.length + l4.length), next, 64];
  header.push(...addressBytes(packet.source), ...addressBytes(packet.destination));
  return [...header, ...extension, ...l4];
}

function l4Of(packet: Packet, payload: readonly number[]): number[] {
  const { protocol, tcpFlags = 0x10 } = packet;
  const ports = [...be16(packet.sourcePort ?? 0), ...be16(packet.destinationPort ?? 0)];
  if (hasPorts(packet) && protocol === 6) {
    const tcp = [
      ...ports,
      ...be32(1),
      ...be32(2),
      0x50,
      tcpFlags,
      ...be16(0xffff),
      0,
      0,
      0,
      0,
      ...payload,
    ];
    return withSum(packet, tcp, 16);
  }
  if (hasPorts(packet))
    return withSum(packet, [...ports, ...be16(8 + payload.length), 0, 0, ...payload], 6);
  if (protocol !== 1 && protocol !== 58) return [...payload];
  const icmp = [
    packet.icmpType ?? 0,
    packet.icmpCode ?? 0,
    0,
    0,
    ...be16(packet.icmpId ?? 0),
    0,
    1,
  ];
  return withSum(packet, [...icmp, ...payload], 2);
}

/** With the checksum at `at`; all but ICMP for IPv4 count the pseudo-header too. */
function withSum(flow: Flow, l4: readonly number[], at: number): number[] {
  const ends = [...addressBytes(flow.source), ...addressBytes(flow.destination)];
  const pseudo = flow.protocol === 1 ? [] : [...ends, ...be32(l4.length), 0, 0, 0, flow.protocol];
  const sum = naiveChecksum([...pseudo, ...l4]);
  const written = flow.protocol === 17 && sum === 0 ? 0xffff : sum;
  return [...l4.slice(0, at), ...be16(written), ...l4.slice(at + 2)];
}
