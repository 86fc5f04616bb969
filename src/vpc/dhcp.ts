/**
 * The network's DHCP server (RFC 2131): every port's address stands in the plan, so there is no
 * pool and no state; a lease is a look-up, and renewing is always possible.
 *
 * Options sent with every lease: 1 mask, 3 router, 6 DNS, 12 host name, 15 domain, 26 MTU (EC2
 * sends 9001), 28 broadcast, 51, 54, 58, 59. Clients whose MAC has no lease are left to others.
 */
import { write16, write32 } from '../net/bytes.ts';
import { fold, pseudoHeaderSum, sumBytes } from '../net/checksum.ts';
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
import { broadcastMac, ethernet, etherType, writeEthernet, writeMac } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { ipProtocol, ipv4, ipv4Mask, parseIpv4, writeIpv4 } from '../net/ipv4.ts';
import { writeL4Checksum } from '../net/offload.ts';
import { R } from '../net/reasons.ts';
import { udp, writeUdp } from '../net/udp.ts';
import { notMine, type Responder } from '../switch/responder.ts';
import type { Lease, NetworkPlan } from './plan.ts';

const l3 = ethernet.bytes;
const l4 = l3 + ipv4.minBytes;
const message = l4 + udp.bytes;
/** Larger than any message that a client on Ethernet sends, or that is sent here. */
const maxBytes = 1522;
const broadcastAddress = -1;

export class DhcpResponder implements Responder {
  /** Messages of each type that were sent and received, for people. */
  readonly counts = { discover: 0, request: 0, inform: 0, offer: 0, ack: 0, nak: 0, malformed: 0 };
  readonly #plan: NetworkPlan;
  readonly #leases = new Map<number, PlannedLease>();
  readonly #serverAddress: number;
  readonly #dns: Uint8Array;
  readonly #domain: Uint8Array;
  readonly #request = new DhcpRequest();
  readonly #in = new Uint8Array(maxBytes);
  readonly #out = new Uint8Array(maxBytes);
  readonly #options = new DhcpOptions(this.#out);

  constructor(plan: NetworkPlan) {
    this.#plan = plan;
    this.#serverAddress = parseIpv4(plan.router.address);
    this.#dns = addressBytes(plan.dns);
    this.#domain = new TextEncoder().encode(plan.domain ?? '').subarray(0, 255);
    for (const lease of plan.leases) this.#leases.set(lease.mac, planned(lease));
  }

  respond(frame: Frame, reply: Frame): number {
    const h = frame.headers;
    if (h.dstPort !== bootpPorts.server || h.l4Protocol !== ipProtocol.udp || h.ipVersion !== 4)
      return notMine;
    // Servers answer on the network that they are on: a tagged request asks on another one.
    if (h.vlan >= 0) return notMine;
    if (h.dst !== broadcastAddress && h.dst !== this.#serverAddress) return notMine;
    if (h.fragment !== 0 || frame.length > maxBytes) return this.#malformed();
    frame.copyTo(this.#in, 0);
    const request = this.#request;
    if (!request.read(this.#in, h.l4Offset + udp.bytes, h.ipEnd)) return this.#malformed();
    const lease = this.#leases.get(request.clientMac);
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
  #answerTo(request: DhcpRequest, lease: PlannedLease): number {
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
    if (request.serverId !== 0 && request.serverId !== this.#serverAddress) return 0;
    const asked = request.requestedAddress !== 0 ? request.requestedAddress : request.clientAddress;
    if (asked !== lease.address) {
      this.counts.nak++;
      return dhcpType.nak;
    }
    this.counts.ack++;
    return dhcpType.ack;
  }

  /** Writes the whole frame; returns its length. */
  #write(type: number, request: DhcpRequest, lease: PlannedLease): number {
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
    return this.#encapsulate(mac, address);
  }

  #writeOptions(type: number, inform: boolean, lease: PlannedLease): void {
    const o = this.#options;
    const plan = this.#plan;
    o.at = message + bootp.options;
    o.byte(dhcpOption.messageType, type);
    o.word(dhcpOption.serverId, this.#serverAddress);
    if (type !== dhcpType.nak) {
      if (!inform) {
        o.word(dhcpOption.leaseTime, plan.leaseSeconds);
        o.word(dhcpOption.renewal, plan.leaseSeconds >>> 1);
        o.word(dhcpOption.rebinding, Math.floor(plan.leaseSeconds * 0.875));
      }
      const mask = ipv4Mask(plan.prefix);
      o.word(dhcpOption.subnetMask, mask);
      o.word(dhcpOption.broadcast, lease.address | ~mask);
      if (plan.defaultRoute) o.word(dhcpOption.router, this.#serverAddress);
      o.short(dhcpOption.mtu, plan.mtu);
      if (this.#dns.length > 0) o.data(dhcpOption.dns, this.#dns);
      if (lease.hostname.length > 0) o.data(dhcpOption.hostname, lease.hostname);
      if (this.#domain.length > 0) o.data(dhcpOption.domain, this.#domain);
    }
    o.end();
    const least = message + bootp.minBytes;
    if (o.at < least) this.#out.fill(0, o.at, least);
    o.at = Math.max(o.at, least);
  }

  #encapsulate(mac: number, address: number): number {
    const out = this.#out;
    const length = this.#options.at;
    const udpBytes = length - l4;
    writeEthernet(out, mac, this.#plan.router.mac, etherType.ipv4);
    writeIpv4(out, l3, length - l3, ipProtocol.udp, this.#serverAddress, address);
    writeUdp(out, l4, bootpPorts.server, bootpPorts.client, udpBytes);
    const pseudo = pseudoHeaderSum(out, l3 + ipv4.source, 4, ipProtocol.udp, udpBytes);
    const sum = fold(pseudo + sumBytes(out, l4, udpBytes));
    writeL4Checksum(out, l4 + udp.checksum, ipProtocol.udp, sum);
    return length;
  }
}

type PlannedLease = { readonly address: number; readonly hostname: Uint8Array };

const planned = (lease: Lease): PlannedLease => ({
  address: parseIpv4(lease.address),
  hostname: new TextEncoder().encode(lease.hostname ?? '').subarray(0, 255),
});

/** At most 63 addresses fit into one option. */
function addressBytes(all: readonly string[]): Uint8Array {
  const addresses = all.slice(0, 63);
  const bytes = new Uint8Array(addresses.length * 4);
  for (const [i, address] of addresses.entries()) write32(bytes, i * 4, parseIpv4(address));
  return bytes;
}
