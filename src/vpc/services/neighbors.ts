/**
 * IPv6 neighbours and routers in a VPC (RFC 4861): the network answers solicitations for every
 * interface's addresses in the asker's subnet, and for the router, whose only address is its
 * link-local one; and it advertises that router, when asked and every ten seconds.
 *
 * Duplicate address detection (RFC 4862) of one's own address is met by silence, of somebody
 * else's by its owner's advertisement. Other hosts' link-local addresses are not answered for.
 *
 * The advertisement as seen on EC2: managed, hop limit 255, 1800 s, renewed every few seconds.
 * That the subnet's prefix is on the link but not for SLAAC, and that it goes to interfaces with
 * an IPv6 address only, are assumed.
 */
import { type Clock, nsPerSecond, type Timer } from '../../lib/clock.ts';
import { ethernet, etherType, writeEthernet } from '../../net/ethernet.ts';
import { Frame } from '../../net/frame.ts';
import { icmp, icmp6Type, writeIcmp6Checksum } from '../../net/icmp.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import {
  type Ipv6Address,
  ipv6,
  parseIpv6,
  readIpv6,
  sameIpv6,
  writeIpv6,
} from '../../net/ipv6.ts';
import {
  hasValidNdpOptions,
  ndp,
  ndpHopLimit,
  neighborFlag,
  prefixFlag,
  routerFlag,
  writeNeighborAdvertisement,
  writeRouterAdvertisement,
} from '../../net/ndp.ts';
import { hasIpv6 } from '../../net/prefix.ts';
import { R } from '../../net/reasons.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import type { DirectorySource, InterfaceEntry, SubnetEntry } from './directory.ts';
import { Request } from './request.ts';

/** What is needed of the switch to send without being asked. */
export type Sender = {
  readonly ports: readonly (SwitchPort | null)[];
  send(to: SwitchPort, frame: Frame): void;
  flush(): void;
};

const allNodes = parseIpv6('ff02::1');
const allNodesMac = 0x3333_0000_0001;
const l4 = ethernet.bytes + ipv6.bytes;
const maxRequestBytes = 1522;
const routerMtu = 9001;
const routerLifetimeSeconds = 1800;
const prefixSeconds = 0xffff_ffff;
export const advertisementIntervalNs = 10 * nsPerSecond;

export class Neighbors implements Responder {
  readonly #source: DirectorySource;
  readonly #sender: Sender;
  readonly #clock: Clock;
  readonly #request = new Request(maxRequestBytes);
  readonly #out = new Uint8Array(256);
  readonly #frame = new Frame();
  #timer: Timer;

  constructor(source: DirectorySource, sender: Sender, clock: Clock) {
    this.#source = source;
    this.#sender = sender;
    this.#clock = clock;
    this.#timer = clock.after(advertisementIntervalNs, () => this.#advertise());
  }

  /** No more advertisements. */
  close(): void {
    this.#timer.cancel();
  }

  respond(frame: Frame, reply: Frame, from: SwitchPort): number {
    const h = frame.headers;
    if (h.ipVersion !== 6 || h.l4Protocol !== ipProtocol.icmp6 || h.vlan >= 0) return notMine;
    const type = h.icmpType;
    if (type < icmp6Type.routerSolicitation || type > icmp6Type.redirect) return notMine;
    const here = this.#source.directory.at(from);
    if (here === undefined || here.subnet.prefix6 === null) return notMine;
    // What guests say about routers and neighbours is heard by nobody.
    const isSolicitation =
      type === icmp6Type.routerSolicitation || type === icmp6Type.neighborSolicitation;
    if (!isSolicitation) return R.notCarried;
    const { bytes } = this.#request;
    if (!this.#request.take(frame) || h.icmpCode !== 0) return R.badRequest;
    if (bytes[h.l3Offset + ipv6.hopLimit] !== ndpHopLimit) return R.badRequest;
    const source = readIpv6(bytes, h.l3Offset + ipv6.source);
    const options =
      h.l4Offset +
      (type === icmp6Type.routerSolicitation ? ndp.solicitationBytes : ndp.neighborBytes);
    const isFromNobody = sameIpv6(source, nobody);
    if (options > h.ipEnd || !hasValidNdpOptions(bytes, options, h.ipEnd, !isFromNobody))
      return R.badRequest;
    const verdict =
      type === icmp6Type.routerSolicitation
        ? this.#solicitedRouter(here)
        : this.#solicitedNeighbor(here, readIpv6(bytes, h.l4Offset + ndp.target), source);
    if (verdict > 0) reply.load(this.#out, 0, verdict);
    return verdict > 0 ? R.answered : -verdict;
  }

  /** The length of the answer. Routers may answer to all nodes, and this one has one listener. */
  #solicitedRouter(here: InterfaceEntry): number {
    if (here.addresses6.length === 0) return -R.badRequest;
    return this.#writeRouter(here);
  }

  /** The length of the answer, or minus the reason why there is none. */
  #solicitedNeighbor(here: InterfaceEntry, target: Ipv6Address, source: Ipv6Address): number {
    if (target[0] >>> 24 === 0xff) return -R.badRequest;
    if (here.addresses6.some((own) => sameIpv6(own, target))) return -R.notCarried;
    const { router } = here.subnet;
    const isRouter = sameIpv6(target, router.address6);
    const mac = isRouter ? router.mac : neighborMac(here.subnet, target);
    if (mac === undefined) return -R.noSuchAddress;
    const isFromNobody = sameIpv6(source, nobody);
    const flags =
      (isRouter ? neighborFlag.router : 0) |
      (isFromNobody ? 0 : neighborFlag.solicited) |
      neighborFlag.override;
    const end = writeNeighborAdvertisement(this.#out, l4, flags, target, mac);
    const to = isFromNobody ? allNodes : source;
    return this.#wrap(end, mac, isFromNobody ? allNodesMac : here.mac, target, to);
  }

  #writeRouter(here: InterfaceEntry): number {
    const { router, prefix6 } = here.subnet;
    if (prefix6 === null) return 0;
    const end = writeRouterAdvertisement(this.#out, l4, {
      mac: router.mac,
      hopLimit: 255,
      flags: routerFlag.managed,
      lifetimeSeconds: routerLifetimeSeconds,
      mtu: routerMtu,
      prefix: prefix6,
      prefixFlags: prefixFlag.onLink,
      prefixSeconds,
    });
    return this.#wrap(end, router.mac, allNodesMac, router.address6, allNodes);
  }

  #wrap(end: number, mac: number, toMac: number, from: Ipv6Address, to: Ipv6Address): number {
    const out = this.#out;
    writeEthernet(out, toMac, mac, etherType.ipv6);
    writeIpv6(out, ethernet.bytes, end - l4, ipProtocol.icmp6, ndpHopLimit, from, to);
    writeIcmp6Checksum(out, ethernet.bytes, l4 + icmp.type, end - l4);
    return end;
  }

  #advertise(): void {
    for (const port of this.#sender.ports) {
      if (port === null || port.endpoint === null || !port.linkUp) continue;
      const here = this.#source.directory.at(port);
      if (here === undefined || here.addresses6.length === 0) continue;
      const length = this.#writeRouter(here);
      if (length === 0) continue;
      this.#frame.load(this.#out, 0, length);
      this.#sender.send(port, this.#frame);
    }
    this.#sender.flush();
    this.#timer = this.#clock.after(advertisementIntervalNs, () => this.#advertise());
  }
}

const nobody: Ipv6Address = [0, 0, 0, 0];

function neighborMac({ prefix6, macs6 }: SubnetEntry, target: Ipv6Address): number | undefined {
  if (prefix6 === null || !hasIpv6(prefix6, target)) return undefined;
  return macs6.get(target[0], target[1], target[2], target[3]);
}
