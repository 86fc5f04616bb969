/**
 * The long way of a packet through a VPC: each gate in its order, by the policy's tables. What comes
 * out is kept in a flow table, so that the packets that follow go the short way.
 *
 *     outbound groups -> way -> network ACLs -> destination check -> inbound groups
 */
import type { Frame } from '../../net/frame.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { owner } from './address-table.ts';
import { Decision, place, side } from './decision.ts';
import { type FilterTable, noGroups, type RuleTable } from './filter-table.ts';
import type { Nic } from './nic.ts';
import { icmpErrorBytes, kind, Packet } from './packet.ts';
import type { AclTables, ByVersion, GatewayTables, Policy, SubnetTables } from './policy.ts';
import { type CompiledRoute, target } from './route-table.ts';
import type { Tracker } from './tracker.ts';

/** Who is where, as the router keeps it. */
export interface Places {
  readonly policy: Policy;
  /** By their place in the policy. */
  readonly nics: readonly Nic[];
  /** The interface that owns a MAC, or null. */
  nicOf(macHi: number, macLo: number): Nic | null;
}

export class Judge {
  /** What was read of the frame. */
  readonly packet = new Packet();
  readonly decision = new Decision();
  readonly #places: Places;
  readonly #tracker: Tracker;
  readonly #quoted = new Packet();
  /** The way that the packet takes: to an interface, a gateway, or nowhere for a reason. */
  #to: Nic | null = null;
  #gateway = -1;
  #closed: Reason = R.delivered;

  constructor(places: Places, tracker: Tracker) {
    this.#places = places;
    this.#tracker = tracker;
  }

  /** Decides about `packet`, which `from` sent in `frame`. */
  outward(from: Nic, frame: Frame): Decision {
    const { decision } = this;
    decision.clear();
    const route = this.#findWay(from, frame);
    const direct = this.#ownerOfSource(from) === from.index;
    if (!this.#outboundGroups(from, frame, direct)) return decision;
    decision.rule = route?.name ?? null;
    if (this.#closed !== R.delivered) return this.#refuse(this.#closed);
    const subnet = this.#subnetOf(from);
    const to = this.#to;
    if (to === null) return this.#leave(from, subnet);
    const other = this.#subnetOf(to);
    if (other !== subnet && !this.#crosses(subnet, true)) return decision;
    decision.place = place.receiver;
    decision.to = to.slot;
    // Another thread serves it, and knows what it has tracked: it decides about the rest.
    if (to.port !== null && to.port.trunk !== null) return decision;
    return this.#arrive(to, frame, other === subnet ? null : other, direct ? from : null);
  }

  /** What is left to be decided about `packet`, which another thread has let go from `from` to `to`. */
  crossed(from: Nic, to: Nic, frame: Frame): Decision {
    const { decision } = this;
    const h = frame.headers;
    decision.clear();
    decision.routed = from.isRouterMac(h.dstMacHi, h.dstMacLo);
    decision.place = place.receiver;
    decision.to = to.slot;
    const direct = this.#ownerOfSource(from) === from.index;
    const other = to.tables.subnet === from.tables.subnet ? null : this.#subnetOf(to);
    return this.#arrive(to, frame, other, direct ? from : null);
  }

  /**
   * Decides about `packet`, which came to `to` by a gateway: from outside the VPC, or from the
   * gateway's own subnet, whose place it then has.
   */
  inward(to: Nic, frame: Frame, subnet: number): Decision {
    const { decision } = this;
    decision.clear();
    decision.place = place.receiver;
    decision.to = to.slot;
    decision.routed = true;
    const entered = to.tables.subnet === subnet ? null : this.#subnetOf(to);
    return this.#arrive(to, frame, entered, null);
  }

  /** Whether a frame belongs to a tracked connection of `nic`. */
  isTracked(nic: Nic, outward: boolean, frame: Frame): boolean {
    if (!this.packet.read(frame.head, frame.headLength, frame.headers)) return true;
    this.packet.writeKey(this.#tracker.key, nic.slot, outward);
    return this.#tracker.find() >= 0;
  }

  /** Who has the packet's destination address in an interface's VPC; or one of `owner`. */
  ownerOfDestination(nic: Nic): number {
    const { version, d0, d1, d2, d3 } = this.packet;
    return this.#addressesOf(nic).find(version, d0, d1, d2, d3);
  }

  // The way.

  /** The route that it takes, or null: it is addressed to a neighbour. */
  #findWay(from: Nic, frame: Frame): CompiledRoute | null {
    const h = frame.headers;
    this.#to = null;
    this.#gateway = -1;
    this.#closed = R.delivered;
    if (from.isRouterMac(h.dstMacHi, h.dstMacLo)) {
      this.decision.routed = true;
      return this.#findRoute(from);
    }
    const to = this.#places.nicOf(h.dstMacHi, h.dstMacLo);
    if (to === null) this.#closed = R.noReceiver;
    else if (to.tables.subnet !== from.tables.subnet) this.#closed = R.otherSubnet;
    else this.#leadTo(from, to.index);
    return null;
  }

  #findRoute(from: Nic): CompiledRoute | null {
    const { policy } = this.#places;
    const { version, d0, d1, d2, d3 } = this.packet;
    const rows = policy.routes[this.#subnetOf(from).routes];
    const route = version === 4 ? rows?.find4(d3) : rows?.find6(d0, d1, d2, d3);
    if (!route) {
      this.#closed = R.noRoute;
      return null;
    }
    if (route.kind === target.local) {
      const found = this.ownerOfDestination(from);
      if (found < 0) this.#closed = R.noSuchAddress;
      else this.#leadTo(from, found);
    } else if (route.kind === target.nic) this.#leadTo(from, route.index);
    else if (route.kind === target.gateway) this.#gateway = route.index;
    else this.#closed = R.blackhole;
    return route;
  }

  #leadTo(from: Nic, index: number): void {
    this.#to = this.#places.nics[index] as Nic;
    if (this.#to === from) this.#closed = R.reflected;
  }

  /** To a gateway: out of the subnet, and into that of a NAT gateway when it is another one. */
  #leave(from: Nic, subnet: SubnetTables): Decision {
    const { decision, packet } = this;
    const { policy } = this.#places;
    const gateway = policy.gateways[this.#gateway] as GatewayTables;
    const other = policy.subnets[gateway.subnet];
    if (other !== subnet) {
      if (!this.#crosses(subnet, true)) return decision;
      if (other !== undefined && !this.#crosses(other, false)) return decision;
    }
    if (gateway.kind === 'internet' && packet.version === 4) {
      const { translated } = from.tables;
      let i = 0;
      while (i < translated.length && translated[i] !== packet.s3) i++;
      if (i === translated.length) return this.#refuse(R.noPublicAddress);
    }
    decision.place = place.gateway;
    decision.to = this.#gateway;
    return decision;
  }

  // Gates.

  /** From the subnet's edge (`subnet`: where it enters, or null) to the interface. */
  #arrive(to: Nic, frame: Frame, subnet: SubnetTables | null, sender: Nic | null): Decision {
    const { decision } = this;
    if (subnet !== null && !this.#crosses(subnet, false)) return decision;
    if (to.tables.sourceDestCheck && this.ownerOfDestination(to) !== to.index)
      return this.#refuse(R.wrongDestination);
    const verdict = this.#groups(to, frame, false, false, sender?.tables.groups ?? noGroups);
    decision.slotB = this.#slot;
    decision.markB = this.#mark;
    return this.#refuse(verdict);
  }

  #outboundGroups(from: Nic, frame: Frame, direct: boolean): boolean {
    const { decision, packet } = this;
    const { policy, nics } = this.#places;
    const found = direct ? this.ownerOfDestination(from) : owner.nobody;
    const groups = found < 0 ? noGroups : (nics[found] as Nic).tables.groups;
    const gateway = policy.gateways[this.#gateway]?.kind;
    const always = packet.kind === kind.ports && (gateway === 'nat' || gateway === 'egressOnly');
    const verdict = this.#groups(from, frame, true, always, groups);
    decision.slotA = this.#slot;
    decision.markA = this.#mark;
    return this.#refuse(verdict).reason === R.delivered;
  }

  /** The ACL at a subnet's edge, for a packet that leaves it (`outward`) or enters it. */
  #crosses(subnet: SubnetTables, outward: boolean): boolean {
    const { packet, decision } = this;
    const acl = this.#places.policy.acls[subnet.acl] as AclTables;
    const tables = outward ? acl.outbound : acl.inbound;
    const table = packet.version === 4 ? tables.v4 : tables.v6;
    const row = this.#match(table, outward, noGroups);
    decision.rule = table.names[row] ?? (outward ? acl.finalOutbound : acl.finalInbound);
    if (row >= 0 && table.allow[row] === 1) return true;
    this.#refuse(outward ? R.aclOutDenied : R.aclInDenied);
    return false;
  }

  // Security groups.

  /** What `#groups` found at its interface. */
  #slot: number = side.none;
  #mark = 0;

  /**
   * The security groups of an interface, for a packet that it sends (`outward`) or is to get.
   * `memberships`: the groups of whoever is at the other end.
   */
  #groups(
    nic: Nic,
    frame: Frame,
    outward: boolean,
    alwaysTracked: boolean,
    memberships: Int32Array,
  ): Reason {
    const { decision, packet } = this;
    const tracker = this.#tracker;
    this.#slot = side.none;
    this.#mark = nic.begun;
    if (packet.kind <= kind.answer) {
      packet.writeKey(tracker.key, nic.slot, outward);
      let slot = tracker.find();
      if (slot >= 0 && packet.isOpening && tracker.isClosing(slot)) {
        tracker.end(slot);
        slot = -1;
      }
      if (slot >= 0) return this.#tracked(slot, outward);
    } else {
      decision.lasting = false;
      if (packet.kind === kind.error && this.#isRelated(nic, frame, outward)) return R.delivered;
    }
    const rule = this.#findRule(nic, outward, memberships);
    if (rule === null) {
      decision.rule = outward ? nic.tables.noOutbound : nic.tables.noInbound;
      return outward ? R.sgEgressNone : R.sgIngressNone;
    }
    decision.rule = rule;
    if (packet.kind >= kind.answer) return R.delivered;
    if (packet.kind === kind.ports && !alwaysTracked && this.#isUntracked(nic, outward))
      return R.delivered;
    const slot = tracker.begin(nic, packet, outward, rule);
    if (slot < 0) {
      decision.lasting = false;
      return R.trackingFull;
    }
    this.#slot = slot;
    this.#mark = tracker.generation(slot);
    return R.delivered;
  }

  #tracked(slot: number, outward: boolean): Reason {
    const tracker = this.#tracker;
    this.#slot = slot;
    this.#mark = tracker.generation(slot);
    tracker.touch(slot, this.#mark, outward, this.packet.tcpFlags);
    this.decision.rule = tracker.rules[slot] ?? null;
    return R.delivered;
  }

  /** An ICMP error about a packet of a tracked connection, which went the other way. */
  #isRelated(nic: Nic, frame: Frame, outward: boolean): boolean {
    const { packet } = this;
    const quoted = this.#quoted;
    const at = frame.headers.l4Offset + icmpErrorBytes;
    const end = Math.min(frame.headLength, frame.headers.ipEnd);
    if (!quoted.readQuoted(frame.head, at, end, packet.version)) return false;
    // An error goes to whoever sent what it quotes (RFC 1122, 3.2.2).
    if (quoted.s3 !== packet.d3 || quoted.s2 !== packet.d2) return false;
    if (quoted.s1 !== packet.d1 || quoted.s0 !== packet.d0) return false;
    quoted.writeKey(this.#tracker.key, nic.slot, !outward);
    const slot = this.#tracker.find();
    if (slot < 0) return false;
    this.decision.rule = this.#tracker.rules[slot] ?? null;
    return true;
  }

  #findRule(nic: Nic, outward: boolean, memberships: Int32Array): string | null {
    const { groups } = nic.tables;
    for (let i = 0; i < groups.length; i++) {
      const table = this.#rulesOf(groups[i] as number, outward);
      const row = this.#match(table, outward, memberships);
      if (row >= 0) return table.names[row] as string;
    }
    return null;
  }

  /**
   * EC2 does not track a TCP or UDP flow that a rule for all addresses allows, when a rule of the
   * other direction allows all addresses and all ports; whichever way this packet goes.
   */
  #isUntracked(nic: Nic, outward: boolean): boolean {
    const { protocol, srcPort, dstPort } = this.packet;
    return (
      (this.#opens(nic, outward, protocol, dstPort) && this.#opens(nic, !outward, protocol, -1)) ||
      (this.#opens(nic, !outward, protocol, srcPort) && this.#opens(nic, outward, protocol, -1))
    );
  }

  /** Whether a rule of one direction has a port, -1: all ports, for all addresses. */
  #opens(nic: Nic, outward: boolean, protocol: number, port: number): boolean {
    const { groups } = nic.tables;
    for (let i = 0; i < groups.length; i++) {
      const table = this.#rulesOf(groups[i] as number, outward);
      if (port < 0 ? table.opensAll(protocol) : table.opens(protocol, port)) return true;
    }
    return false;
  }

  // Small things.

  #rulesOf(group: number, outward: boolean): RuleTable {
    const tables = this.#places.policy.groups[group];
    const byVersion = (outward ? tables?.outbound : tables?.inbound) as ByVersion<RuleTable>;
    return this.packet.version === 4 ? byVersion.v4 : byVersion.v6;
  }

  /** The first row for the packet. Outbound filters look at its destination, inbound ones at its source. */
  #match(table: FilterTable, outward: boolean, memberships: Int32Array): number {
    const p = this.packet;
    const { protocol, value } = p;
    if (p.version === 4) return table.find4(protocol, value, outward ? p.d3 : p.s3, memberships);
    return outward
      ? table.find6(protocol, value, p.d0, p.d1, p.d2, p.d3, memberships)
      : table.find6(protocol, value, p.s0, p.s1, p.s2, p.s3, memberships);
  }

  #ownerOfSource(nic: Nic): number {
    const { version, s0, s1, s2, s3 } = this.packet;
    return this.#addressesOf(nic).find(version, s0, s1, s2, s3);
  }

  #addressesOf(nic: Nic) {
    return (this.#places.policy.vpcs[nic.tables.vpc] as Policy['vpcs'][number]).addresses;
  }

  #subnetOf(nic: Nic): SubnetTables {
    return this.#places.policy.subnets[nic.tables.subnet] as SubnetTables;
  }

  #refuse(reason: Reason): Decision {
    this.decision.reason = reason;
    return this.decision;
  }
}
