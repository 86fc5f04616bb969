/**
 * ARP as the network answers it (RFC 826; proxy ARP, RFC 1027).
 *
 * `router`: only the router's address is answered, the rest is flooded as on any Ethernet.
 * `all`: every planned address is answered with its owner's MAC and nothing is flooded, as in a
 * VPC, which has no broadcast domain.
 */

import { arp, arpOperation, isArpForIpv4, writeArp } from '../net/arp.ts';
import { read16, read32 } from '../net/bytes.ts';
import { ethernet, etherType, readMac, writeEthernet } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { R } from '../net/reasons.ts';
import { notMine, type Responder } from '../switch/responder.ts';
import type { NetworkPlan } from './plan.ts';

export type ArpMode = 'router' | 'all';

export class ArpResponder implements Responder {
  readonly #macs = new Map<number, number>();
  readonly #mode: ArpMode;

  constructor(plan: NetworkPlan, mode: ArpMode) {
    this.#mode = mode;
    this.#macs.set(parseIpv4(plan.router.address), plan.router.mac);
    if (mode === 'all')
      for (const lease of plan.leases) this.#macs.set(parseIpv4(lease.address), lease.mac);
  }

  respond(request: Frame, reply: Frame): number {
    const { head, headers: h } = request;
    if (h.etherType !== etherType.arp) return notMine;
    const at = h.l3Offset;
    if (at + arp.bytes > request.headLength || !isArpForIpv4(head, at)) return R.badRequest;
    const all = this.#mode === 'all';
    const sender = read32(head, at + arp.senderAddress);
    const target = read32(head, at + arp.targetAddress);
    const mac = this.#macs.get(target);
    const isRequest = read16(head, at + arp.operation) === arpOperation.request;
    // Announcements and probes for one's own address must stay unanswered (RFC 5227).
    const senderMac = readMac(head, at + arp.senderMac);
    if (!isRequest || mac === undefined || sender === target || mac === senderMac)
      return all ? R.noReceiver : notMine;
    // Tags, if any, stay: the reply is on the VLAN that asked.
    for (let i = ethernet.type; i < at; i++) reply.head[i] = head[i] as number;
    writeEthernet(reply.head, readMac(head, ethernet.source), mac, read16(head, ethernet.type));
    writeArp(reply.head, at, arpOperation.reply, mac, target, senderMac, sender);
    reply.headLength = at + arp.bytes;
    reply.length = reply.headLength;
    return R.answered;
  }
}
