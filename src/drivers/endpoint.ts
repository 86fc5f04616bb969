/**
 * A minimal IPv4 host on a driven NIC, for labs and tests: ARP (RFC 826), ICMP echo (RFC 792) and
 * UDP (RFC 768), with an address that is given or comes by DHCP. No fragments, no options, no
 * retransmission: who needs more has a real guest. `poll` does all the work.
 */
import type { Clock } from '../lib/clock.ts';
import { arp, arpOperation, isArpForIpv4, writeArp } from '../net/arp.ts';
import { read16, read32, write16, write32 } from '../net/bytes.ts';
import { internetChecksum } from '../net/checksum.ts';
import { broadcastMac, ethernet, etherType, readMac, writeEthernet } from '../net/ethernet.ts';
import { icmp } from '../net/icmp.ts';
import { ipProtocol, ipv4, ipv4Fragment, ipv4Mask, writeIpv4 } from '../net/ipv4.ts';
import { udp, writeUdp } from '../net/udp.ts';
import type { FrameSink, Nic } from './nic.ts';

const l3 = ethernet.bytes;
const l4 = l3 + ipv4.minBytes;
/** Where a UDP datagram's payload lies in a frame without tags and options. */
export const udpPayloadAt: number = l4 + udp.bytes;
const echoReply = 0;
const echoRequest = 8;
/** Identifier and sequence number follow the checksum (RFC 792). */
const echoBytes = 8;
const echoIdentifier = 0x7666;
const pollBudget = 256;
const limitedBroadcast = -1;

export type AddressOptions = {
  /** Addresses are signed 32-bit integers (`parseIpv4`). 0: none yet. */
  readonly address: number;
  readonly prefix: number;
  /** 0: none. */
  readonly gateway: number;
};

export interface UdpHandler {
  /** Payload: `bytes[at .. at + length]`, valid during the call only. */
  datagram(source: number, sourcePort: number, bytes: Uint8Array, at: number, length: number): void;
  /** Runs once per poll, after all frames. */
  tick?(): void;
}

/** What came back for one echo request. */
export type EchoAnswer = { readonly sequence: number; readonly roundTripNs: number };

export class NetEndpoint implements FrameSink {
  readonly nic: Nic;
  readonly clock: Clock;
  address: number;
  prefix: number;
  gateway: number;
  /** Answers to `ping`, oldest first; the caller takes them. */
  readonly echoAnswers: EchoAnswer[] = [];
  /** Echo requests that were answered for others. */
  answeredEchoes = 0;
  /** Frames for nobody here, or broken. */
  ignored = 0;
  readonly #neighbours = new Map<number, number>();
  readonly #handlers = new Map<number, UdpHandler>();
  readonly #frame: Uint8Array;
  readonly #echoSent = new Map<number, number>();
  #sent = false;

  constructor(nic: Nic, clock: Clock, options: AddressOptions) {
    this.nic = nic;
    this.clock = clock;
    this.address = options.address;
    this.prefix = options.prefix;
    this.gateway = options.gateway;
    this.#frame = new Uint8Array(nic.mtu + l3);
  }

  /** Largest UDP payload that needs no fragments. */
  get maxPayloadBytes(): number {
    return this.nic.mtu - ipv4.minBytes - udp.bytes;
  }

  /** Handles what has arrived and lets the handlers work; returns how many frames there were. */
  poll(): number {
    const count = this.nic.receive(this, pollBudget);
    for (const handler of this.#handlers.values()) handler.tick?.();
    if (this.#sent) this.nic.flush();
    this.#sent = false;
    return count;
  }

  /** Throws when the port is taken. */
  listen(port: number, handler: UdpHandler): void {
    if (this.#handlers.has(port)) throw new Error(`UDP port ${port} is taken`);
    this.#handlers.set(port, handler);
  }

  close(port: number): void {
    this.#handlers.delete(port);
  }

  /** The MAC address of the next hop to `address`; -1 when it has first to be asked for. */
  resolve(address: number): number {
    if (address === limitedBroadcast) return broadcastMac;
    const onLink = ((address ^ this.address) & ipv4Mask(this.prefix)) === 0;
    const hop = onLink || this.gateway === 0 ? address : this.gateway;
    const known = this.#neighbours.get(hop);
    if (known !== undefined) return known;
    const frame = this.#frame;
    writeEthernet(frame, broadcastMac, this.nic.mac, etherType.arp);
    writeArp(frame, l3, arpOperation.request, this.nic.mac, this.address, 0, hop);
    this.transmit(frame, l3 + arp.bytes);
    return -1;
  }

  /** False: the next hop is not known yet (it was asked for), or there is no room. */
  sendUdp(
    to: number,
    sourcePort: number,
    destinationPort: number,
    bytes: Uint8Array,
    length: number,
  ): boolean {
    const mac = this.resolve(to);
    if (mac < 0) return false;
    const frame = this.#frame;
    const total = this.writeUdpHeaders(frame, mac, to, sourcePort, destinationPort, length);
    frame.set(bytes.length === length ? bytes : bytes.subarray(0, length), udpPayloadAt);
    return this.transmit(frame, total);
  }

  /** Everything before the payload of a datagram, no checksum; returns the frame's length. */
  writeUdpHeaders(
    frame: Uint8Array,
    mac: number,
    to: number,
    sourcePort: number,
    destinationPort: number,
    payloadBytes: number,
  ): number {
    const udpBytes = udp.bytes + payloadBytes;
    writeEthernet(frame, mac, this.nic.mac, etherType.ipv4);
    writeIpv4(frame, l3, ipv4.minBytes + udpBytes, ipProtocol.udp, this.address, to);
    writeUdp(frame, l4, sourcePort, destinationPort, udpBytes);
    return l4 + udpBytes;
  }

  /** Sends a frame at the end of this poll (or with the next `flush` of the NIC). */
  transmit(frame: Uint8Array, length: number): boolean {
    this.#sent = true;
    return this.nic.send(frame, 0, length);
  }

  /** Asks for an echo of `dataBytes` bytes; its answer appears in `echoAnswers`. */
  ping(to: number, sequence: number, dataBytes = 56): boolean {
    const mac = this.resolve(to);
    if (mac < 0) return false;
    const frame = this.#frame;
    const bytes = echoBytes + dataBytes;
    writeEthernet(frame, mac, this.nic.mac, etherType.ipv4);
    writeIpv4(frame, l3, ipv4.minBytes + bytes, ipProtocol.icmp, this.address, to);
    write16(frame, l4, echoRequest << 8);
    write16(frame, l4 + icmp.checksum, 0);
    write32(frame, l4 + 4, (echoIdentifier << 16) | (sequence & 0xffff));
    for (let i = 0; i < dataBytes; i++) frame[l4 + echoBytes + i] = i;
    write16(frame, l4 + icmp.checksum, internetChecksum(frame, l4, bytes));
    this.#echoSent.set(sequence & 0xffff, this.clock.now());
    return this.transmit(frame, l4 + bytes);
  }

  frame(bytes: Uint8Array, at: number, length: number): void {
    const type = length < l3 ? -1 : read16(bytes, at + ethernet.type);
    const handled =
      (type === etherType.ipv4 && this.#ipv4(bytes, at, length)) ||
      (type === etherType.arp && this.#arp(bytes, at, length));
    if (!handled) this.ignored++;
  }

  #arp(bytes: Uint8Array, at: number, length: number): boolean {
    const header = at + l3;
    if (length < l3 + arp.bytes || !isArpForIpv4(bytes, header)) return false;
    const mac = readMac(bytes, header + arp.senderMac);
    const sender = read32(bytes, header + arp.senderAddress);
    if (sender !== 0) this.#neighbours.set(sender, mac);
    const isForUs = read32(bytes, header + arp.targetAddress) === this.address;
    if (!isForUs || read16(bytes, header + arp.operation) !== arpOperation.request) return true;
    const frame = this.#frame;
    writeEthernet(frame, mac, this.nic.mac, etherType.arp);
    writeArp(frame, l3, arpOperation.reply, this.nic.mac, this.address, mac, sender);
    this.transmit(frame, l3 + arp.bytes);
    return true;
  }

  #ipv4(bytes: Uint8Array, at: number, length: number): boolean {
    const header = at + l3;
    if (length < l4 || bytes[header] !== 0x45) return false;
    const total = read16(bytes, header + ipv4.totalLength);
    const to = read32(bytes, header + ipv4.destination);
    const fragment = read16(bytes, header + ipv4.fragment) & ~ipv4Fragment.dontFragment;
    if (total > length - l3 || total < ipv4.minBytes || fragment !== 0) return false;
    if (to !== this.address && to !== limitedBroadcast && this.address !== 0) return false;
    const payload = at + l4;
    const bytesLeft = total - ipv4.minBytes;
    const protocol = bytes[header + ipv4.protocol];
    if (protocol === ipProtocol.udp) return this.#udp(bytes, header, payload, bytesLeft);
    if (protocol === ipProtocol.icmp) return this.#icmp(bytes, at, bytesLeft);
    return false;
  }

  #udp(bytes: Uint8Array, header: number, at: number, length: number): boolean {
    if (length < udp.bytes) return false;
    const udpBytes = read16(bytes, at + udp.length);
    const handler = this.#handlers.get(read16(bytes, at + udp.destinationPort));
    if (handler === undefined || udpBytes < udp.bytes || udpBytes > length) return false;
    const source = read32(bytes, header + ipv4.source);
    const sourcePort = read16(bytes, at + udp.sourcePort);
    handler.datagram(source, sourcePort, bytes, at + udp.bytes, udpBytes - udp.bytes);
    return true;
  }

  #icmp(bytes: Uint8Array, at: number, length: number): boolean {
    const start = at + l4;
    if (length < echoBytes || internetChecksum(bytes, start, length) !== 0) return false;
    if (bytes[start] === echoReply) return this.#echoAnswer(bytes, start);
    const total = l4 + length;
    if (bytes[start] !== echoRequest || total > this.#frame.length) return false;
    const frame = this.#frame;
    const from = read32(bytes, at + l3 + ipv4.source);
    frame.set(bytes.subarray(at, at + total));
    writeEthernet(frame, readMac(bytes, at + ethernet.source), this.nic.mac, etherType.ipv4);
    writeIpv4(frame, l3, ipv4.minBytes + length, ipProtocol.icmp, this.address, from);
    write16(frame, l4, echoReply << 8);
    write16(frame, l4 + icmp.checksum, 0);
    write16(frame, l4 + icmp.checksum, internetChecksum(frame, l4, length));
    this.answeredEchoes++;
    this.transmit(frame, total);
    return true;
  }

  #echoAnswer(bytes: Uint8Array, start: number): boolean {
    const sequence = read16(bytes, start + 6);
    const sent = this.#echoSent.get(sequence);
    if (read16(bytes, start + 4) !== echoIdentifier || sent === undefined) return false;
    this.#echoSent.delete(sequence);
    this.echoAnswers.push({ sequence, roundTripNs: this.clock.now() - sent });
    return true;
  }
}
