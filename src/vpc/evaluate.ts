/**
 * What a VPC does with one packet, slowly and plainly, straight from EC2's documents over the plain
 * model: the peer that the switch's compiled tables are compared with, and what `virtfn explain`
 * asks. It shares nothing with the switch but the model and the names of the reasons.
 *
 *     source check -> service? -> outbound groups -> route -> network ACL out -> network ACL in
 *       -> destination check -> inbound groups -> delivered
 *
 * Each gate that the packet comes to is listed, with the rule that it went by.
 */
import { R, type Reason } from '../net/reasons.ts';
import { holds, same, versionOf } from './evaluate-address.ts';
import { hasPorts, isIcmpError, type Packet, reversed } from './evaluate-packet.ts';
import {
  enteringTo,
  interfaceOf,
  isGateway,
  routed,
  subnetOf,
  type Way,
  wayOf,
} from './evaluate-routes.ts';
import {
  allowsAnyPort,
  type Direction,
  decidingEntry,
  isOpen,
  opposite,
  owns,
  ruleMatches,
  rulesOf,
} from './evaluate-rules.ts';
import {
  begin,
  begins,
  connectionOf,
  fateOf,
  forget,
  type History,
  rememberFate,
  startsAnew,
  touch,
} from './evaluate-tracking.ts';
import type { NatGateway, NetworkInterface, SecurityGroupRule, Subnet, VpcModel } from './model.ts';

export type GateName =
  | 'source check'
  | 'fragment'
  | 'outbound groups'
  | 'route'
  | 'network ACL out'
  | 'network ACL in'
  | 'destination check'
  | 'inbound groups'
  | 'gateway';

export type Gate = {
  readonly gate: GateName;
  /** The interface, subnet or gateway whose gate it is. */
  readonly at: string;
  readonly passed: boolean;
  readonly reason: Reason;
  /** `sgr-0a1`, `acl-0a1 100`, `10.0.0.0/16 local`; null where none decided. */
  readonly rule: string | null;
  /** Group gates: why it passed; `assumed`: it was not asked (`explain`). */
  readonly how?: 'rule' | 'tracked' | 'related' | 'untracked' | 'assumed';
};

export type Judgement = {
  readonly reason: Reason;
  readonly rule: string | null;
  readonly gates: readonly Gate[];
  /** The interface, or the gateway to the outside, that was given the packet. */
  readonly deliveredTo: string | null;
  /** What the network answers itself, which no group and no ACL sees. */
  readonly service: string | null;
};

/** Judges a packet at `now` seconds. `history` is what was before, and learns of this packet. */
export function evaluate(
  model: VpcModel,
  history: History,
  packet: Packet,
  now: number,
): Judgement {
  return new Walk(model, history, packet, now).judge();
}

class Walk {
  readonly #model: VpcModel;
  readonly #history: History;
  readonly #packet: Packet;
  readonly #now: number;
  readonly #gates: Gate[] = [];

  constructor(model: VpcModel, history: History, packet: Packet, now: number) {
    this.#model = model;
    this.#history = history;
    this.#packet = packet;
    this.#now = now;
  }

  judge(): Judgement {
    if (isGateway(this.#packet.from)) return this.#enter();
    const from = interfaceOf(this.#model, this.#packet.from);
    if (!this.#sourceCheck(from)) return this.#closed();
    const way = wayOf(this.#model, this.#packet);
    if (way.kind === 'service')
      return { ...this.#verdict(null), reason: R.answered, service: way.name };
    if (way.kind === 'closed' && way.why === 'notCarried') {
      this.#pass('route', from.id, R.notCarried, null);
      return this.#closed();
    }
    const { fragment } = this.#packet;
    if (fragment?.part === 'later') return this.#laterFragment();
    const judgement = this.#passGates(from, way);
    this.#remember(judgement, way.kind === 'interface' ? way.to.id : null);
    return judgement;
  }

  /** For the fragments that follow, if this is the first one. */
  #remember(judgement: Judgement, to: string | null): void {
    if (this.#packet.fragment === undefined) return;
    const arrived = judgement.gates.some(({ gate }) => arrivalGates.includes(gate));
    const fate = { ...judgement, receiver: arrived ? to : null };
    rememberFate(this.#history, this.#packet, fate, this.#now);
  }

  #passGates(from: NetworkInterface, way: Way): Judgement {
    if (!this.#groups(from, 'outbound', isAlwaysTracked(way))) return this.#closed();
    return this.#passOn(from, way);
  }

  /** It has no ports: it fares as the fragment that had them. */
  #laterFragment(): Judgement {
    const { from } = this.#packet;
    const fate = fateOf(this.#history, this.#packet, this.#now);
    this.#pass('fragment', from, fate?.reason ?? R.fragmentUnknown, fate?.rule ?? null);
    return this.#verdict(fate?.deliveredTo ?? null);
  }

  /** From a subnet, the way that its route table says. */
  #passOn(from: NetworkInterface | NatGateway, way: Way): Judgement {
    if (!this.#route(from, way)) return this.#closed();
    if (way.kind === 'gateway') return this.#gateway(from, way.id);
    if (way.kind !== 'interface') return this.#closed();
    const open = this.#acls(subnetOf(this.#model, from), subnetOf(this.#model, way.to));
    return open ? this.#arrive(way.to) : this.#closed();
  }

  #arrive(to: NetworkInterface): Judgement {
    if (!this.#destinationCheck(to) || !this.#groups(to, 'inbound', false)) return this.#closed();
    return this.#verdict(to.id);
  }

  /** What a gateway brings in from outside, its destination translated to a private address. */
  #enter(): Judgement {
    const { from, destination } = this.#packet;
    const nat = this.#model.natGateways.find(({ id }) => id === from);
    if (nat !== undefined) return this.#passOn(nat, routed(this.#model, nat, destination));
    const to = enteringTo(this.#model, from, destination);
    if (!this.#pass('route', from, to === null ? R.noSuchAddress : R.delivered, null) || !to)
      return this.#closed();
    const { fragment } = this.#packet;
    if (fragment?.part === 'later') return this.#laterFragment();
    const judgement = this.#enterSubnet(to);
    this.#remember(judgement, to.id);
    return judgement;
  }

  #enterSubnet(to: NetworkInterface | NatGateway): Judgement {
    if (!this.#acl(subnetOf(this.#model, to), 'inbound')) return this.#closed();
    return isNat(to) ? this.#verdict(to.id) : this.#arrive(to);
  }

  /**
   * Unless its check is off, an interface must be the source of what it sends (EC2 User Guide,
   * "Elastic network interfaces"; VPC User Guide, "NAT instances").
   */
  #sourceCheck(from: NetworkInterface): boolean {
    const { source, foreignMac = false } = this.#packet;
    const own = owns(from, source) || holds('fe80::/10', source);
    const passes = !foreignMac && (own || from.sourceDestCheck === false);
    return this.#pass('source check', from.id, passes ? R.delivered : R.spoofedSource, null);
  }

  /** The same for what it is given: it must be the destination. */
  #destinationCheck(to: NetworkInterface): boolean {
    const passes = owns(to, this.#packet.destination) || to.sourceDestCheck === false;
    return this.#pass('destination check', to.id, passes ? R.delivered : R.wrongDestination, null);
  }

  #route(from: NetworkInterface | NatGateway, way: Way): boolean {
    const at = subnetOf(this.#model, from).routeTable;
    if (way.kind === 'closed') return this.#pass('route', at, R[way.why], way.route);
    return this.#pass('route', at, R.delivered, way.kind === 'service' ? null : way.route);
  }

  /**
   * Network ACLs stand at the edge of a subnet, not within it, and know no connections (VPC User
   * Guide, "Network ACL basics").
   */
  #acls(from: Subnet, to: Subnet): boolean {
    if (from.id === to.id) return true;
    return this.#acl(from, 'outbound') && this.#acl(to, 'inbound');
  }

  #acl(subnet: Subnet, direction: Direction): boolean {
    const acl = this.#model.networkAcls.find(({ id }) => id === subnet.networkAcl);
    const entry = decidingEntry(acl?.[direction] ?? [], this.#packet, direction);
    const denied = direction === 'outbound' ? R.aclOutDenied : R.aclInDenied;
    const name = direction === 'outbound' ? 'network ACL out' : 'network ACL in';
    const rule = `${subnet.networkAcl} ${entry?.number ?? '*'}`;
    return this.#pass(name, subnet.id, entry?.action === 'allow' ? R.delivered : denied, rule);
  }

  /**
   * Security groups: a packet passes when it belongs to a tracked connection, is an ICMP error
   * about one, or a rule of one of the interface's groups allows it; then a connection begins,
   * unless the flow is one that EC2 does not track ("Security group connection tracking").
   */
  #groups(at: NetworkInterface, direction: Direction, alwaysTracked: boolean): boolean {
    const name = direction === 'outbound' ? 'outbound groups' : 'inbound groups';
    const packet = this.#packet;
    const connection = connectionOf(this.#history, at, packet, direction, this.#now);
    if (connection !== null && startsAnew(connection, packet)) forget(connection);
    else if (connection !== null) {
      touch(connection, at, packet, direction, this.#now);
      return this.#pass(name, at.id, R.delivered, connection.rule, 'tracked');
    }
    const related = this.#related(at, direction);
    if (related !== null) return this.#pass(name, at.id, R.delivered, related, 'related');
    const rule = this.#matching(at, direction)[0];
    if (rule === undefined) {
      const none = direction === 'outbound' ? R.sgEgressNone : R.sgIngressNone;
      return this.#pass(name, at.id, none, null);
    }
    if (!alwaysTracked && this.#isUntracked(at, direction))
      return this.#pass(name, at.id, R.delivered, rule.id, 'untracked');
    const room = !begins(packet) || begin(this.#history, at, packet, direction, rule.id, this.#now);
    return this.#pass(name, at.id, room ? R.delivered : R.trackingFull, rule.id, 'rule');
  }

  #matching(at: NetworkInterface, direction: Direction): readonly SecurityGroupRule[] {
    const { from, source } = this.#packet;
    const direct = !isGateway(from) && owns(interfaceOf(this.#model, from), source);
    return rulesOf(this.#model, at, direction).filter((rule) =>
      ruleMatches(this.#model, rule, this.#packet, direction, direct),
    );
  }

  /** The connection that an ICMP error is about: what it quotes was going the other way. */
  #related(at: NetworkInterface, direction: Direction): string | null {
    const { about } = this.#packet;
    if (about === undefined || !isIcmpError(this.#packet)) return null;
    const quoted = connectionOf(this.#history, at, about, opposite(direction), this.#now);
    if (quoted === null) return null;
    // An error goes to whoever sent what it quotes (RFC 1122, 3.2.2).
    return same(about.source, this.#packet.destination) ? quoted.rule : null;
  }

  /**
   * EC2 tracks no TCP or UDP flow that a rule for all addresses lets begin, when a rule of the other
   * direction lets answers go to all addresses and all ports ("Untracked connections"). This packet
   * may be going either way.
   */
  #isUntracked(at: NetworkInterface, direction: Direction): boolean {
    const packet = this.#packet;
    if (!hasPorts(packet)) return false;
    const back = reversed(packet);
    const there = rulesOf(this.#model, at, direction).filter((rule) => isOpen(rule, packet));
    const other = opposite(direction);
    const here = rulesOf(this.#model, at, other).filter((rule) => isOpen(rule, packet));
    const asRequest =
      there.some((rule) => ruleMatches(this.#model, rule, packet, direction, true)) &&
      here.some((rule) => allowsAnyPort(rule, packet));
    const asResponse =
      here.some((rule) => ruleMatches(this.#model, rule, back, other, true)) &&
      there.some((rule) => allowsAnyPort(rule, packet));
    return asRequest || asResponse;
  }

  /**
   * Traffic that leaves the VPC leaves its subnet: the ACL is asked, then the gateway. An internet
   * gateway translates IPv4 one to one, and needs a public address ("Connect to the internet").
   */
  #gateway(from: NetworkInterface | NatGateway, id: string): Judgement {
    const nat = this.#model.natGateways.find((one) => one.id === id);
    const here = subnetOf(this.#model, from);
    const open =
      nat === undefined
        ? this.#acl(here, 'outbound')
        : this.#acls(here, subnetOf(this.#model, nat));
    if (!open) return this.#closed();
    const needsPublic = id.startsWith('igw-') && versionOf(this.#packet.source) === 4;
    const lacks = needsPublic && publicAddressOf(from, this.#packet.source) === null;
    const passes = this.#pass('gateway', id, lacks ? R.noPublicAddress : R.delivered, null);
    return passes ? this.#verdict(id) : this.#closed();
  }

  // The list.

  #pass(
    gate: GateName,
    at: string,
    reason: Reason,
    rule: string | null,
    how?: Gate['how'],
  ): boolean {
    const passed = reason === R.delivered;
    this.#gates.push({ gate, at, passed, reason, rule, ...(how === undefined ? {} : { how }) });
    return passed;
  }

  #closed(): Judgement {
    return this.#verdict(null);
  }

  #verdict(deliveredTo: string | null): Judgement {
    const last = this.#gates.at(-1);
    return {
      reason: last?.reason ?? R.delivered,
      rule: last?.rule ?? null,
      gates: this.#gates,
      deliveredTo,
      service: null,
    };
  }
}

/** The public address that stands for a private one outside, or null. */
export function publicAddressOf(at: NetworkInterface | NatGateway, text: string): string | null {
  if (isNat(at)) return at.publicAddress ?? null;
  return at.addresses.find((own) => same(own.address, text))?.publicAddress ?? null;
}

const isNat = (at: NetworkInterface | NatGateway): at is NatGateway => 'address' in at;

/** Of these the first one is the receiver's side. */
const arrivalGates: readonly GateName[] = ['network ACL in', 'destination check'];

/** "Automatically tracked connections": those through NAT and egress-only internet gateways. */
const isAlwaysTracked = (way: Way): boolean =>
  way.kind === 'gateway' && /^(nat|eigw)-/.test(way.id);
