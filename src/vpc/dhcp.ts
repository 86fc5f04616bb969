/**
 * The network's DHCP server (RFC 2131): everybody's address is known beforehand, so there is no
 * pool and no state; a lease is a look-up, and renewing is always possible. Clients that have no
 * lease are left to others.
 */
import { write16, write32 } from '../net/bytes.ts';
import {
  bootp,
  bootpMagic,
  bootpPorts,
  broadcastFlag,
  DhcpOptions,
  DhcpRequest,
  dhcpOption,
  dhcpType,
} from '../net/dhcp.ts';
import { broadcastMac, writeMac } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { ipProtocol } from '../net/ipv4.ts';
import { R } from '../net/reasons.ts';
import { udp, udpPayloadAt, wrapUdp4 } from '../net/udp.ts';
import type { SwitchPort } from '../switch/port.ts';
import { notMine, type Responder } from '../switch/responder.ts';

const message = udpPayloadAt[4];
/** Larger than any message that a client on Ethernet sends, or that is sent here. */
const maxBytes = 1522;
const broadcastAddress = -1;

/** What a client is told. */
export type DhcpLease = {
  readonly serverMac: number;
  readonly serverAddress: number;
  readonly address: number;
  /** Options about the lease's time: not for clients that have an address from elsewhere. */
  readonly times: Uint8Array;
  /** All others but type and server. */
  readonly options: Uint8Array;
};

export interface LeaseBook {
  /** The server's address on the network that a port is on; 0: there is none. */
  serverAddress(from: SwitchPort): number;
  leaseFor(from: SwitchPort, clientMac: number): DhcpLease | undefined;
}

export class DhcpResponder implements Responder {
  /** Messages of each type that were sent and received, for people. */
  readonly counts = { discover: 0, request: 0, inform: 0, offer: 0, ack: 0, nak: 0, malformed: 0 };
  readonly #book: LeaseBook;
  readonly #request = new DhcpRequest();
  readonly #in = new Uint8Array(maxBytes);
  readonly #out = new Uint8Array(maxBytes);
  readonly #options = new DhcpOptions(this.#out);

  constructor(book: LeaseBook) {
    this.#book = book;
  }

  respond(frame: Frame, reply: Frame, from: SwitchPort): number {
    const h = frame.headers;
    if (h.dstPort !== bootpPorts.server || h.l4Protocol !== ipProtocol.udp || h.ipVersion !== 4)
      return notMine;
    // Servers answer on the network that they are on: a tagged request asks on another one.
    if (h.vlan >= 0) return notMine;
    const server = this.#book.serverAddress(from);
    if (server === 0 || (h.dst !== broadcastAddress && h.dst !== server)) return notMine;
    if (h.fragment !== 0 || frame.length > maxBytes) return this.#malformed();
    frame.copyTo(this.#in, 0);
    const request = this.#request;
    if (!request.read(this.#in, h.l4Offset + udp.bytes, h.ipEnd)) return this.#malformed();
    const lease = this.#book.leaseFor(from, request.clientMac);
    if (lease === undefined) return notMine;
    const type = this.#answerTo(request, lease);
    if (type !== 0) reply.load(this.#out, 0, this.#write(type, request, lease));
    return R.answered;
  }

  #malformed(): number {
    this.counts.malformed++;
    return R.badRequest;
  }

  /** The type of the answer, or 0: none is due (RFC 2131, section 4.3). */
  #answerTo(request: DhcpRequest, lease: DhcpLease): number {
    if (request.type === dhcpType.discover) {
      this.counts.discover++;
      this.counts.offer++;
      return dhcpType.offer;
    }
    if (request.type === dhcpType.inform) {
      this.counts.inform++;
      this.counts.ack++;
      return dhcpType.ack;
    }
    if (request.type !== dhcpType.request) return 0;
    this.counts.request++;
    // Selecting: another server was chosen. Else what is asked for must be what is planned.
    if (request.serverId !== 0 && request.serverId !== lease.serverAddress) return 0;
    const asked = request.requestedAddress !== 0 ? request.requestedAddress : request.clientAddress;
    if (asked !== lease.address) {
      this.counts.nak++;
      return dhcpType.nak;
    }
    this.counts.ack++;
    return dhcpType.ack;
  }

  /** Writes the whole frame; returns its length. */
  #write(type: number, request: DhcpRequest, lease: DhcpLease): number {
    const out = this.#out;
    const nak = type === dhcpType.nak;
    const inform = request.type === dhcpType.inform;
    out.fill(0, message, message + bootp.options);
    out[message + bootp.op] = 2;
    write16(out, message + bootp.hardwareType, 0x0106);
    write32(out, message + bootp.transaction, request.transaction);
    write16(out, message + bootp.flags, request.flags);
    if (!nak && request.type !== dhcpType.discover)
      write32(out, message + bootp.clientAddress, request.clientAddress);
    if (!nak && !inform) write32(out, message + bootp.yourAddress, lease.address);
    writeMac(out, message + bootp.clientMac, request.clientMac);
    write32(out, message + bootp.magic, bootpMagic);
    this.#writeOptions(type, inform, lease);

    // Section 4.1: to the client's address if it has one, else to the one it gets, by its MAC.
    let address: number = broadcastAddress;
    if (!nak && request.clientAddress !== 0) address = request.clientAddress;
    else if (!nak && !inform && (request.flags & broadcastFlag) === 0) address = lease.address;
    const mac = address === broadcastAddress ? broadcastMac : request.clientMac;
    const end = this.#options.at;
    const way = { fromMac: lease.serverMac, toMac: mac, fromPort: bootpPorts.server };
    wrapUdp4(out, end, { ...way, toPort: bootpPorts.client }, lease.serverAddress, address);
    return end;
  }

  #writeOptions(type: number, inform: boolean, lease: DhcpLease): void {
    const o = this.#options;
    o.at = message + bootp.options;
    o.byte(dhcpOption.messageType, type);
    o.word(dhcpOption.serverId, lease.serverAddress);
    if (type !== dhcpType.nak) {
      if (!inform) o.raw(lease.times);
      o.raw(lease.options);
    }
    o.end();
    const least = message + bootp.minBytes;
    if (o.at < least) this.#out.fill(0, o.at, least);
    o.at = Math.max(o.at, least);
  }
}
