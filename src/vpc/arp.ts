/**
 * ARP as a network with a router answers it (RFC 826): the router's address, and nobody else's. The
 * rest is flooded as on any Ethernet. In a VPC, which floods nothing: `services/proxy-arp.ts`.
 */

import { arp, arpOperation, isArpForIpv4, writeArp } from '../net/arp.ts';
import { read16, read32 } from '../net/bytes.ts';
import { ethernet, etherType, readMac, writeEthernet } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { R } from '../net/reasons.ts';
import { notMine, type Responder } from '../switch/responder.ts';
import type { NetworkPlan } from './plan.ts';

export class ArpResponder implements Responder {
  readonly #mac: number;
  readonly #address: number;

  constructor({ router }: NetworkPlan) {
    this.#mac = router.mac;
    this.#address = parseIpv4(router.address);
  }

  respond(request: Frame, reply: Frame): number {
    const { head, headers: h } = request;
    if (h.etherType !== etherType.arp) return notMine;
    const at = h.l3Offset;
    if (at + arp.bytes > request.headLength || !isArpForIpv4(head, at)) return R.badRequest;
    const sender = read32(head, at + arp.senderAddress);
    const isRequest = read16(head, at + arp.operation) === arpOperation.request;
    if (!isRequest || read32(head, at + arp.targetAddress) !== this.#address) return notMine;
    // An announcement of the router's address is for those who have it wrong.
    if (sender === this.#address) return notMine;
    const senderMac = readMac(head, at + arp.senderMac);
    // Tags, if any, stay: the reply is on the VLAN that asked.
    for (let i = ethernet.type; i < at; i++) reply.head[i] = head[i] as number;
    const type = read16(head, ethernet.type);
    writeEthernet(reply.head, readMac(head, ethernet.source), this.#mac, type);
    writeArp(reply.head, at, arpOperation.reply, this.#mac, this.#address, senderMac, sender);
    reply.headLength = at + arp.bytes;
    reply.length = reply.headLength;
    return R.answered;
  }
}
