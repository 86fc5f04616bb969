/**
 * ARP in a VPC (RFC 826, proxied as in RFC 1027): the network answers for every interface of the
 * asker's subnet with that interface's own MAC, and for the router, and for what only the router
 * leads to although it looks like a neighbour: the resolver, when the VPC's base + 2 is in this
 * subnet, and the services' link-local addresses. Nobody else is there.
 *
 * One's own address is never claimed by another (probes and announcements, RFC 5227); a probe for
 * somebody else's is answered, which is how a host finds a conflict.
 */
import { arp, arpOperation, isArpForIpv4, writeArp } from '../../net/arp.ts';
import { read16, read32 } from '../../net/bytes.ts';
import { ethernet, etherType, readMac, writeEthernet } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { R } from '../../net/reasons.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import { serviceAddresses } from '../well-known.ts';
import type { DirectorySource, InterfaceEntry } from './directory.ts';

export class ProxyArp implements Responder {
  readonly #source: DirectorySource;

  constructor(source: DirectorySource) {
    this.#source = source;
  }

  respond(request: Frame, reply: Frame, from: SwitchPort): number {
    const { head, headers: h } = request;
    if (h.etherType !== etherType.arp || h.vlan >= 0) return notMine;
    const here = this.#source.directory.at(from);
    if (here === undefined) return notMine;
    const at = h.l3Offset;
    if (at + arp.bytes > request.headLength || !isArpForIpv4(head, at)) return R.badRequest;
    const senderMac = readMac(head, at + arp.senderMac);
    const sender = read32(head, at + arp.senderAddress);
    const target = read32(head, at + arp.targetAddress);
    // Who says to be somebody else poisons nobody here, but is told nothing either.
    if (senderMac !== here.mac) return R.spoofedSource;
    const isChecked = here.networkInterface.sourceDestCheck !== false;
    if (isChecked && sender !== 0 && !here.addresses.includes(sender)) return R.spoofedSource;
    if (read16(head, at + arp.operation) !== arpOperation.request) return R.notCarried;
    if (here.addresses.includes(target)) return R.notCarried;
    const mac = macOf(here, target);
    if (mac === undefined) return R.noSuchAddress;
    writeEthernet(reply.head, here.mac, mac, etherType.arp);
    writeArp(reply.head, ethernet.bytes, arpOperation.reply, mac, target, senderMac, sender);
    reply.headLength = ethernet.bytes + arp.bytes;
    reply.length = reply.headLength;
    return R.answered;
  }
}

function macOf({ subnet }: InterfaceEntry, target: number): number | undefined {
  const { router, vpc } = subnet;
  const { resolver, metadata, time } = serviceAddresses;
  if (target === resolver || target === metadata || target === time) return router.mac;
  if ((target & subnet.mask) !== subnet.base) return undefined;
  if (target === router.address || target === vpc.resolver) return router.mac;
  return subnet.macs.get(target);
}
