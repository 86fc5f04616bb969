/**
 * The DHCPv6 server of a VPC's subnet (RFC 8415): the router tells an interface its own addresses,
 * for which the model is all the state there is. Preferred for 140 s, valid for 450 s, renewed
 * after half of it, as EC2 does (Amazon VPC User Guide, DHCP option sets; leases seen in guests).
 *
 * All addresses are given to the first association that asks; further ones, temporary addresses and
 * delegated prefixes are not to be had. "Rapid commit" is ignored, as a server may (18.3.1).
 * Interfaces without IPv6 addresses have no server.
 */

import {
  type Association,
  Dhcp6Request,
  Dhcp6Writer,
  dhcp6Option,
  dhcp6Ports,
  dhcp6Status,
  dhcp6Type,
  ntpServerAddress,
  type Part,
} from '../../net/dhcp6.ts';
import { nameBytes } from '../../net/dns.ts';
import { macBytes } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { type Ipv6Address, ipv6, parseIpv6, readIpv6, sameIpv6 } from '../../net/ipv6.ts';
import { hasIpv6 } from '../../net/prefix.ts';
import { R } from '../../net/reasons.ts';
import { udpPayloadAt, wrapUdp6 } from '../../net/udp.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import { Datagrams, hasDestination6, isUdpTo } from './datagrams.ts';
import type { DirectorySource, InterfaceEntry } from './directory.ts';
import { domainOf, isVersion, nameServers } from './leases.ts';

const allAgents = parseIpv6('ff02::1:2');
const preferredSeconds = 140;
const validSeconds = 450;
/** Renew after half of the preferred lifetime, rebind after four fifths (14.2). */
const renewSeconds = preferredSeconds * 0.5;
const rebindSeconds = preferredSeconds * 0.8;
/** As many as EC2 lets an interface have. */
const maxAddresses = 50;
const maxDomains = 6;
/** Addresses, those that are taken back, identifiers, name servers and domains: 4.3 KiB at most. */
const maxReplyBytes = 6144;
const duidLinkLayer = [0, 3, 0, 1];

export class Dhcp6Server implements Responder {
  /** Messages that were answered, and that were malformed, for people. */
  readonly counts = { advertise: 0, reply: 0, malformed: 0 };
  readonly #source: DirectorySource;
  readonly #datagrams = new Datagrams();
  readonly #request = new Dhcp6Request();
  readonly #writer = new Dhcp6Writer(new Uint8Array(maxReplyBytes));

  constructor(source: DirectorySource) {
    this.#source = source;
  }

  respond(frame: Frame, reply: Frame, from: SwitchPort): number {
    const h = frame.headers;
    if (h.ipVersion !== 6 || !isUdpTo(h, dhcp6Ports.server)) return notMine;
    const here = this.#source.directory.at(from);
    if (here === undefined || here.addresses6.length === 0) return notMine;
    // Clients speak to all servers; unicast is not offered (18.4).
    if (!hasDestination6(h, allAgents) || !this.#datagrams.take(frame)) return this.#malformed();
    const { bytes, at, end } = this.#datagrams;
    if (!this.#request.read(bytes, at, end)) return this.#malformed();
    const type = this.#answerTo(here);
    if (type === 0) return this.#malformed();
    this.counts[type === dhcp6Type.advertise ? 'advertise' : 'reply']++;
    this.#write(type, here);
    const { router } = here.subnet;
    const { server: fromPort, client: toPort } = dhcp6Ports;
    const way = { fromMac: router.mac, toMac: here.mac, fromPort, toPort };
    const writer = this.#writer;
    const client = readIpv6(bytes, h.l3Offset + ipv6.source);
    wrapUdp6(writer.bytes, writer.at, way, router.address6, client);
    reply.load(writer.bytes, 0, writer.at);
    return R.answered;
  }

  #malformed(): number {
    this.counts.malformed++;
    return R.badRequest;
  }

  /** The type of the answer, or 0: the message is to be discarded (section 16). */
  #answerTo(here: InterfaceEntry): number {
    const { type, clientId, serverId, associations } = this.#request;
    const isForMe = serverId !== null && this.#isMe(serverId, here);
    switch (type) {
      case dhcp6Type.solicit:
        return clientId !== null && serverId === null ? dhcp6Type.advertise : 0;
      case dhcp6Type.rebind:
        return clientId !== null && serverId === null ? dhcp6Type.reply : 0;
      case dhcp6Type.confirm: {
        const hasAddresses = associations.some(({ addresses }) => addresses.length > 0);
        return clientId !== null && serverId === null && hasAddresses ? dhcp6Type.reply : 0;
      }
      case dhcp6Type.request:
      case dhcp6Type.renew:
      case dhcp6Type.release:
      case dhcp6Type.decline:
        return clientId !== null && isForMe ? dhcp6Type.reply : 0;
      case dhcp6Type.informationRequest:
        return (serverId === null || isForMe) && associations.length === 0 ? dhcp6Type.reply : 0;
      default:
        return 0;
    }
  }

  #isMe({ at, length }: Part, here: InterfaceEntry): boolean {
    const mine = serverDuid(here);
    const { bytes } = this.#datagrams;
    return length === mine.length && mine.every((byte, i) => bytes[at + i] === byte);
  }

  #write(type: number, here: InterfaceEntry): void {
    const writer = this.#writer;
    const request = this.#request;
    writer.begin(udpPayloadAt[6], type, request.transaction);
    if (request.clientId !== null) {
      const { at, length } = request.clientId;
      writer.data(dhcp6Option.clientId, this.#datagrams.bytes.subarray(at, at + length));
    }
    writer.data(dhcp6Option.serverId, serverDuid(here));
    switch (request.type) {
      case dhcp6Type.confirm:
        writer.status(this.#isOnLink(here) ? dhcp6Status.success : dhcp6Status.notOnLink);
        return;
      case dhcp6Type.release:
      case dhcp6Type.decline:
        writer.status(dhcp6Status.success);
        return;
      default:
        this.#writeAssociations(here);
        this.#writeOptions(here);
    }
  }

  #isOnLink(here: InterfaceEntry): boolean {
    const { prefix6 } = here.subnet;
    const all = this.#request.associations.flatMap(({ addresses }) => addresses);
    return prefix6 !== null && all.every((address) => hasIpv6(prefix6, address));
  }

  #writeAssociations(here: InterfaceEntry): void {
    const { associations, type } = this.#request;
    const first = associations.find(({ option }) => option === dhcp6Option.iaNa);
    const extend = type === dhcp6Type.renew || type === dhcp6Type.rebind;
    for (const one of associations) {
      if (one === first) this.#assign(one, here, extend);
      else this.#refuse(one);
    }
  }

  /** `extend`: addresses that the client has and that are not its own any more are taken back. */
  #assign(one: Association, { addresses6 }: InterfaceEntry, extend: boolean): void {
    const writer = this.#writer;
    const opened = writer.open(one.option);
    writer.word(one.iaid);
    writer.word(renewSeconds);
    writer.word(rebindSeconds);
    for (const address of addresses6.slice(0, maxAddresses))
      writer.iaAddress(address, preferredSeconds, validSeconds);
    for (const address of extend ? one.addresses : [])
      if (!addresses6.some((own) => sameIpv6(own, address))) writer.iaAddress(address, 0, 0);
    writer.close(opened);
  }

  #refuse({ option, iaid }: Association): void {
    const writer = this.#writer;
    const opened = writer.open(option);
    writer.word(iaid);
    if (option !== dhcp6Option.iaTa) {
      writer.word(0);
      writer.word(0);
    }
    const isPrefix = option === dhcp6Option.iaPd;
    writer.status(isPrefix ? dhcp6Status.noPrefixAvail : dhcp6Status.noAddrsAvail);
    writer.close(opened);
  }

  /** What the client asked for, of what there is. */
  #writeOptions({ subnet: { vpc } }: InterfaceEntry): void {
    const { requested } = this.#request;
    const writer = this.#writer;
    const servers = nameServers(vpc, 6).map(parseIpv6);
    if (requested.includes(dhcp6Option.dnsServers) && servers.length > 0)
      writer.addresses(dhcp6Option.dnsServers, servers.slice(0, 4));
    const domains = domainOf(vpc).split(' ').filter(isDomain);
    if (requested.includes(dhcp6Option.domainList) && domains.length > 0) {
      const names = domains.slice(0, maxDomains).map((name) => [...nameBytes(name)]);
      writer.data(dhcp6Option.domainList, Uint8Array.from(names.flat()));
    }
    const clocks = (vpc.dhcpOptions?.ntpServers ?? []).filter(isVersion(6)).map(parseIpv6);
    if (requested.includes(dhcp6Option.ntpServer) && clocks.length > 0)
      this.#writeClocks(clocks.slice(0, 4));
  }

  #writeClocks(clocks: readonly Ipv6Address[]): void {
    const opened = this.#writer.open(dhcp6Option.ntpServer);
    for (const clock of clocks) this.#writer.addresses(ntpServerAddress, [clock]);
    this.#writer.close(opened);
  }
}

/** What can be said as a name (RFC 1035, 2.3.1); other text in an option set is not told. */
const isDomain = (name: string): boolean =>
  name.length < 254 && /^[\w-]{1,63}(\.[\w-]{1,63})*$/.test(name);

/** The router's link-layer address as a DUID (section 11.4). */
const serverDuid = ({ subnet }: InterfaceEntry): Uint8Array =>
  Uint8Array.from([...duidLinkLayer, ...macBytes(subnet.router.mac)]);
