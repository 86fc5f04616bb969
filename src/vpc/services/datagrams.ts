/**
 * What services over UDP have in common: whether a datagram is for one of them and sound, and how
 * an answer goes back the way that the request came, from the address that was asked.
 */
import type { Frame } from '../../net/frame.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import type { Ipv6Address } from '../../net/ipv6.ts';
import type { Headers } from '../../net/parse.ts';
import { udp, udpPayloadAt, wrapUdp4, wrapUdp6 } from '../../net/udp.ts';
import type { InterfaceEntry } from './directory.ts';
import { Request } from './request.ts';

/** Where an answer to a datagram goes: plain data, which outlives the frame. */
export type ReturnWay = {
  readonly version: 4 | 6;
  readonly ports: { fromMac: number; toMac: number; fromPort: number; toPort: number };
  readonly from: Ipv6Address;
  readonly to: Ipv6Address;
};

/** Larger than any request to a service, IP options and extension headers included. */
const maxRequestBytes = 2048;

export class Datagrams {
  readonly #request = new Request(maxRequestBytes);
  /** The payload of the datagram that was taken: `bytes[at .. end]`. */
  readonly bytes = this.#request.bytes;
  at = 0;
  end = 0;

  /** Takes a frame whose headers say that it is a datagram; false when it is broken. */
  take(frame: Frame): boolean {
    if (!this.#request.take(frame)) return false;
    this.at = frame.headers.l4Offset + udp.bytes;
    this.end = this.#request.udpEnd(frame);
    return this.end >= 0;
  }
}

export const isUdpTo = (h: Headers, port: number): boolean =>
  h.l4Protocol === ipProtocol.udp && h.dstPort === port && h.vlan < 0;

export const hasDestination6 = (h: Headers, [a, b, c, d]: Ipv6Address): boolean =>
  h.dst === d && h.dst2 === c && h.dst1 === b && h.dst0 === a;

/** The way back of a datagram that an interface sent. */
export function returnWay(h: Headers, here: InterfaceEntry): ReturnWay {
  const ports = {
    fromMac: here.subnet.router.mac,
    toMac: here.mac,
    fromPort: h.dstPort,
    toPort: h.srcPort,
  };
  if (h.ipVersion === 4) return { version: 4, ports, from: [h.dst, 0, 0, 0], to: [h.src, 0, 0, 0] };
  const from: Ipv6Address = [h.dst0, h.dst1, h.dst2, h.dst];
  return { version: 6, ports, from, to: [h.src0, h.src1, h.src2, h.src] };
}

export const payloadAt = (way: ReturnWay): number => udpPayloadAt[way.version];

/** Makes a frame of a payload that lies at `payloadAt` .. `end`. */
export function sendBack(bytes: Uint8Array, end: number, way: ReturnWay, reply: Frame): void {
  if (way.version === 4) wrapUdp4(bytes, end, way.ports, way.from[0], way.to[0]);
  else wrapUdp6(bytes, end, way.ports, way.from, way.to);
  reply.load(bytes, 0, end);
}
