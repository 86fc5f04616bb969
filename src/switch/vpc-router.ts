/**
 * A VPC between the ports of a switch: who may send what to whom, by a policy of compiled tables
 * that is swapped between two frames. The first packet of a flow goes the long way (`vpc/judge.ts`);
 * what follows is found in a flow table, with the connections that it belongs to.
 *
 *     own MAC -> known flow? -> services of the network -> own address -> gates -> delivered
 *
 * There is no broadcast domain: what is not addressed to an interface is answered by the network
 * itself, or goes nowhere.
 */
import { arp } from '../net/arp.ts';
import { read32 } from '../net/bytes.ts';
import { etherType } from '../net/ethernet.ts';
import { Frame } from '../net/frame.ts';
import { IcmpErrors, ipBytes, mayBeFragmented } from '../net/icmp-errors.ts';
import { ipProtocol } from '../net/ipv4.ts';
import { fragment } from '../net/parse.ts';
import { R, type Reason } from '../net/reasons.ts';
import { tcp } from '../net/tcp.ts';
import type { Delivery, Forwarder } from './forwarder.ts';
import { type Gateway, gatewayMtu } from './gateway.ts';
import type { SwitchPort } from './port.ts';
import { notMine } from './responder.ts';
import { crossing, type Trunk, trunkVersion } from './trunk/trunk.ts';
import { owner } from './vpc/address-table.ts';
import { VpcBurstRoutes } from './vpc/burst-routes.ts';
import { type Decision, place, side } from './vpc/decision.ts';
import { FabricGate } from './vpc/fabric-gate.ts';
import { FlowTable, field, isOrdinary, routedFlag } from './vpc/flow-table.ts';
import { FragmentTable, fromOutside } from './vpc/fragments.ts';
import { Judge } from './vpc/judge.ts';
import type { Nic } from './vpc/nic.ts';
import { NicTable } from './vpc/nic-table.ts';
import { kind } from './vpc/packet.ts';
import type { Policy } from './vpc/policy.ts';
import type { VpcRouterOptions } from './vpc/router-options.ts';
import { isForNetwork, isLimited, isLinkLocal6 } from './vpc/services.ts';
import { Tracker } from './vpc/tracker.ts';

/** A flow's decision that did not hold: the packet goes the long way. */
const stale = -1;

export class VpcRouter implements Forwarder {
  rule: string | null = null;
  readonly #delivery: Delivery;
  readonly #nics: NicTable;
  readonly #tracker: Tracker;
  readonly #judge: Judge;
  readonly #flows4: FlowTable;
  readonly #flows6: FlowTable;
  readonly #fragments: FragmentTable;
  readonly burstRoutes: VpcBurstRoutes;
  #gateway: Gateway | null = null;
  /** To the thread that has the gateways; null: they are here. */
  #gatewayTrunk: Trunk | null = null;
  readonly #fabric = new FabricGate();
  readonly #errors = new IcmpErrors();
  readonly #error = new Frame();
  /** Changes with everything that flows were decided by; never 0. */
  #epoch = 1;

  constructor(delivery: Delivery, options: VpcRouterOptions) {
    const { policy, random, flows = 65_536, connections = 262_144, fragments = 1024 } = options;
    const { arena } = options;
    this.#delivery = delivery;
    this.#nics = new NicTable(
      options.connectionsPerInstance ?? 65_536,
      delivery.ports,
      (macHi, macLo) => delivery.ownerOf(macHi, macLo),
      (macHi, macLo) => delivery.fabricOwnerOf(macHi, macLo),
      arena,
    );
    this.#tracker = new Tracker(connections, this.#nics.bySlot, random, delivery.time.ns, arena);
    this.#judge = new Judge(this.#nics, this.#tracker);
    this.#flows4 = new FlowTable(4, flows, random, arena);
    this.#flows6 = new FlowTable(6, flows, random);
    this.#fragments = new FragmentTable(fragments, random);
    this.burstRoutes = new VpcBurstRoutes(this.#nics, this.#flows4, this.#tracker);
    this.apply(policy);
  }

  get policy(): Policy {
    return this.#nics.policy;
  }

  /** The interface that is plugged in at a port, or null. */
  nicAt(port: SwitchPort): Nic | null {
    return this.#nics.byPort[port.index] ?? null;
  }

  /** From the next frame on this policy counts. Tracked connections live on. */
  apply(policy: Policy): void {
    if (policy.gateways !== this.policy.gateways) this.#fragments.forgetGateways();
    const gone = this.#nics.apply(policy, (nic) => this.#tracker.endAll(nic));
    for (const nic of gone) this.#fragments.forget(nic.slot);
    this.#changed();
  }

  /** What takes frames that leave a VPC; null: nothing does. */
  connect(gateway: Gateway | null): void {
    this.#gateway = gateway;
  }

  /** All gateways are at the other end of a trunk: their state is in one place. */
  connectBy(trunk: Trunk): void {
    this.#gatewayTrunk = trunk;
  }

  /** How many connections an instance's interfaces (or one that is nobody's) may have tracked. */
  limitConnections(account: string, maximum: number): void {
    this.#nics.accountOf(account).maximum = maximum;
  }

  /** Connections that are tracked now: by an instance, or in all. */
  trackedConnections(account?: string): number {
    return account === undefined ? this.#tracker.count : this.#nics.accountOf(account).count;
  }

  /** As `limitConnections`, of the instance whose interface is plugged in at a port. */
  limitConnectionsAt(port: SwitchPort, maximum: number): void {
    const nic = this.nicAt(port);
    if (nic !== null) nic.account.maximum = maximum;
  }

  /** How many packets an interface may send to link-local services in a second. */
  limitLinkLocalAt(port: SwitchPort, packetsPerSecond: number): void {
    this.nicAt(port)?.limitAsks(packetsPerSecond);
  }

  trackingAvailable(port: SwitchPort): number {
    const account = this.nicAt(port)?.account;
    return account === undefined ? 0 : Math.max(0, account.maximum - account.count);
  }

  portAdded(port: SwitchPort): void {
    this.#nics.plug(port);
    this.#changed();
  }

  portRemoved(port: SwitchPort): void {
    this.#nics.unplug(port);
    this.#changed();
  }

  forward(from: SwitchPort, frame: Frame): Reason {
    const h = frame.headers;
    const nic = this.#nics.byPort[from.index] ?? null;
    this.rule = null;
    if (nic === null) return this.#delivery.refuse(from, R.notCarried);
    if (h.srcMacLo !== nic.macLo || h.srcMacHi !== nic.macHi)
      return this.#delivery.refuse(from, R.spoofedSource);
    if (from.isFabric) return this.#goFabricWay(nic, from, frame);
    if (isOrdinary(h)) {
      const flows = h.ipVersion === 4 ? this.#flows4 : this.#flows6;
      const at = flows.find(nic.slot, h, this.#epoch);
      if (at >= 0) {
        const verdict = this.#goKnownWay(flows, at, nic, from, frame);
        if (verdict !== stale) return verdict;
      }
    }
    return this.#goLongWay(nic, from, frame);
  }

  /**
   * A frame from a gateway of VPC `vpc`, translated already: to whoever has its destination address
   * there, if the subnet's ACL and the interface's groups let it in. It waits in its receiver's
   * queue. `subnet`: the place of the gateway's own, when it does not come from outside.
   */
  enter(vpc: string, frame: Frame, subnet = -1): Reason {
    this.rule = null;
    frame.parse();
    if (!this.#read(frame)) return R.malformed;
    const nic = this.#nics.ownerIn(vpc, this.#judge.packet);
    if (nic === null) return R.noSuchAddress;
    const { port } = nic;
    if (port === null) return R.noReceiver;
    if (port.trunk === null) return this.#enterAt(nic, port, frame, subnet);
    const what = crossing.fromGateway | trunkVersion(this.policy);
    return port.trunk.push(what, port.index, subnet + 1, frame)
      ? R.queued
      : this.#delivery.refuseAt(port, frame, null, R.queueFull);
  }

  /** What was read of the frame stands in the judge's packet. */
  #enterAt(nic: Nic, port: SwitchPort, frame: Frame, subnet: number): Reason {
    const h = frame.headers;
    const { packet, decision } = this.#judge;
    const now = this.#delivery.time.now();
    if (h.fragment !== fragment.later) this.#judge.inward(nic, frame, subnet);
    else if (!this.#fragments.find(nic.slot | fromOutside, packet, h, now, decision))
      return this.#delivery.refuseAt(port, frame, null, R.fragmentUnknown);
    if (h.fragment === fragment.first)
      this.#fragments.keep(nic.slot | fromOutside, packet, h, now, decision);
    this.rule = decision.rule;
    if (decision.reason !== R.delivered)
      return this.#delivery.refuseAt(port, frame, null, decision.reason);
    nic.address(frame);
    return this.#delivery.arrive(port, frame);
  }

  /**
   * A frame that another thread's router has let go: the receiver's side of its way, with what is
   * tracked there; or on to a gateway; or from one.
   */
  carried(trunk: Trunk, from: SwitchPort | null, to: SwitchPort | null): Reason {
    const { frame, kind: what } = trunk;
    this.rule = null;
    const isSameVersion = trunk.version === trunkVersion(this.policy);
    if (what === crossing.toGateway)
      return from === null ? R.delivered : this.#pass(isSameVersion ? trunk.to : -1, from, frame);
    const nic = (to !== null && this.#nics.byPort[to.index]) || null;
    // The interface has gone while the frame was on its way.
    if (nic === null || to === null || to.trunk !== null) return R.delivered;
    if (what === crossing.fromGateway) {
      if (isSameVersion && this.#read(frame)) this.#enterAt(nic, to, frame, trunk.from - 1);
      return R.delivered;
    }
    const sender = (from !== null && this.#nics.byPort[from.index]) || null;
    if (sender === null || from === null) return R.delivered;
    if (from.isFabric) this.#delivery.deliver(to, frame, from);
    else this.#receive(sender, nic, from, to, frame);
    return R.delivered;
  }

  /** As known flows go that begin and end here; of the sender's side no more is asked. */
  #receive(sender: Nic, nic: Nic, from: SwitchPort, to: SwitchPort, frame: Frame): void {
    const h = frame.headers;
    const flows = h.ipVersion === 4 ? this.#flows4 : this.#flows6;
    if (isOrdinary(h)) {
      const at = flows.find(sender.slot, h, this.#epoch);
      if (at >= 0 && flows.words[at + field.to] === nic.slot)
        if (this.#goKnownWay(flows, at, sender, from, frame) !== stale) return;
    }
    if (!this.#read(frame)) return;
    const { packet, decision } = this.#judge;
    const now = this.#delivery.time.now();
    if (h.fragment === fragment.later) {
      if (!this.#fragments.find(sender.slot, packet, h, now, decision)) {
        this.#delivery.refuseAt(to, frame, from, R.fragmentUnknown);
        return;
      }
    } else {
      this.#judge.crossed(sender, nic, frame);
      if (h.fragment === fragment.first)
        this.#fragments.keep(sender.slot, packet, h, now, decision);
      else if (decision.lasting && packet.kind <= kind.other)
        flows.keep(sender.slot, h, this.#epoch, decision);
    }
    this.#carryOut(decision, from, frame);
  }

  /** Reads the frame into the judge's packet; false when there is none in it. */
  #read(frame: Frame): boolean {
    const { packet } = this.#judge;
    const h = frame.headers;
    if (h.malformed || h.ipVersion === 0) return false;
    if (h.fragment !== fragment.later) return packet.read(frame.head, frame.headLength, h);
    packet.readFragment(h);
    return true;
  }

  #changed(): void {
    this.#epoch = this.#epoch === -1 ? 1 : (this.#epoch + 1) | 0;
    this.burstRoutes.changed(this.#epoch);
  }

  // The short way.

  #goKnownWay(flows: FlowTable, at: number, nic: Nic, from: SwitchPort, frame: Frame): number {
    const { words } = flows;
    this.#delivery.time.tick();
    if (!this.#holds(words, at + field.slotA, nic, true, frame)) return stale;
    if (words[at + field.slotB] !== side.notAsked) {
      const to = this.#nics.bySlot[words[at + field.to] as number] as Nic;
      if (!this.#holds(words, at + field.slotB, to, false, frame)) return stale;
    }
    this.rule = flows.ruleAt(at);
    const where = words[at + field.place] as number;
    return this.#finish(
      where & ~routedFlag,
      words[at + field.to] as number,
      (where & routedFlag) !== 0,
      words[at + field.reason] as number,
      from,
      frame,
    );
  }

  /**
   * Whether one side (its slot and mark stand at `at`) is still as it was when the flow was decided:
   * the connection lives, and lives on; or there was none, and there is none yet.
   */
  #holds(words: Int32Array, at: number, nic: Nic, outward: boolean, frame: Frame): boolean {
    const slot = words[at] as number;
    const mark = words[at + 1] as number;
    if (slot >= 0) return this.#tracker.touch(slot, mark, outward, frame.headers.tcpFlags);
    if (slot === side.notAsked || nic.begun === mark) return true;
    if (this.#judge.isTracked(nic, outward, frame)) return false;
    words[at + 1] = nic.begun;
    return true;
  }

  // EFA's way.

  /** SRD goes from EFA to EFA, by the MACs of their interfaces, or nowhere. */
  #goFabricWay(nic: Nic, from: SwitchPort, frame: Frame): Reason {
    const { dstMacHi, dstMacLo } = frame.headers;
    const to = this.#nics.fabricNicOf(dstMacHi, dstMacLo);
    const port = to?.fabricPort ?? null;
    if (to === null || port === null) return this.#delivery.refuse(from, R.noReceiver);
    const verdict = this.#fabric.judge(this.policy, nic, to);
    this.rule = this.#fabric.rule;
    if (verdict === R.delivered) return this.#delivery.deliver(port, frame, from);
    return verdict === R.sgIngressNone
      ? this.#delivery.refuseAt(port, frame, from, verdict)
      : this.#delivery.refuse(from, verdict);
  }

  // The long way.

  #goLongWay(nic: Nic, from: SwitchPort, frame: Frame): Reason {
    const h = frame.headers;
    const delivery = this.#delivery;
    if (h.malformed) return delivery.refuse(from, R.malformed);
    if (h.vlan >= 0) return delivery.refuse(from, R.notCarried);
    const forNetwork = isForNetwork(h);
    if (nic.tables.sourceDestCheck && !this.#isFrom(nic, frame, forNetwork))
      return delivery.refuse(from, R.spoofedSource);
    if (forNetwork) return this.#askNetwork(nic, from, frame, isLimited(h));
    const { packet } = this.#judge;
    const isLater = h.fragment === fragment.later;
    if (isLater) packet.readFragment(h);
    else if (!packet.read(frame.head, frame.headLength, h))
      return delivery.refuse(from, R.malformed);
    const found = this.#judge.ownerOfDestination(nic);
    if (found < owner.nobody) return this.#askNetwork(nic, from, frame, found === owner.resolver);
    return isLater ? this.#followFirst(nic, from, frame) : this.#decide(nic, from, frame);
  }

  /**
   * The source check: an interface sends from its own addresses, or from any link-local one of
   * IPv6, which a guest chooses by itself. From the unspecified one it may ask the network only.
   */
  #isFrom(nic: Nic, frame: Frame, forNetwork: boolean): boolean {
    const { head, headLength, headers: h } = frame;
    const { addresses } = this.policy.vpcs[nic.tables.vpc] as Policy['vpcs'][number];
    if (h.ipVersion === 6) {
      if ((h.src | h.src0 | h.src1 | h.src2) === 0) return forNetwork;
      if (isLinkLocal6(h.src0)) return true;
      return addresses.find(6, h.src0, h.src1, h.src2, h.src) === nic.index;
    }
    let source = h.src;
    if (h.ipVersion !== 4) {
      const at = h.l3Offset + arp.senderAddress;
      if (h.etherType !== etherType.arp || at + 4 > headLength) return true;
      source = read32(head, at);
    }
    if (source === 0) return forNetwork;
    return addresses.find(4, 0, 0, 0, source) === nic.index;
  }

  /** What the network itself answers, or nobody does. */
  #askNetwork(nic: Nic, from: SwitchPort, frame: Frame, limited: boolean): Reason {
    const delivery = this.#delivery;
    if (limited && !nic.mayAsk(delivery.time.now()))
      return delivery.refuse(from, R.linkLocalExceeded);
    const verdict = delivery.ask(frame, from);
    return verdict === notMine ? delivery.refuse(from, R.notCarried) : verdict;
  }

  #decide(nic: Nic, from: SwitchPort, frame: Frame): Reason {
    const h = frame.headers;
    const { packet } = this.#judge;
    const now = this.#delivery.time.now();
    const decision = this.#judge.outward(nic, frame);
    if (h.fragment === fragment.first) this.#fragments.keep(nic.slot, packet, h, now, decision);
    else if (decision.lasting && packet.kind <= kind.other) {
      const flows = h.ipVersion === 4 ? this.#flows4 : this.#flows6;
      flows.keep(nic.slot, h, this.#epoch, decision);
    }
    return this.#carryOut(decision, from, frame);
  }

  /** A later fragment goes the way of the first one; it may not overwrite what was judged there. */
  #followFirst(nic: Nic, from: SwitchPort, frame: Frame): Reason {
    const h = frame.headers;
    const { packet, decision } = this.#judge;
    if (h.l4Protocol === ipProtocol.tcp && h.fragmentOffset < tcp.minBytes)
      return this.#delivery.refuse(from, R.malformed);
    const now = this.#delivery.time.now();
    if (!this.#fragments.find(nic.slot, packet, h, now, decision))
      return this.#delivery.refuse(from, R.fragmentUnknown);
    return this.#carryOut(decision, from, frame);
  }

  // What comes of it.

  #carryOut(decision: Decision, from: SwitchPort, frame: Frame): Reason {
    this.rule = decision.rule;
    return this.#finish(decision.place, decision.to, decision.routed, decision.reason, from, frame);
  }

  #finish(
    where: number,
    to: number,
    routed: boolean,
    reason: Reason,
    from: SwitchPort,
    frame: Frame,
  ): Reason {
    if (where === place.receiver) {
      const nic = this.#nics.bySlot[to] ?? null;
      const port = nic?.port ?? null;
      if (nic === null || port === null) return this.#delivery.refuse(from, R.noReceiver);
      if (reason !== R.delivered) return this.#delivery.refuseAt(port, frame, from, reason);
      return this.#deliver(nic, port, routed, from, frame);
    }
    if (reason !== R.delivered || where === place.sender)
      return this.#delivery.refuse(from, reason);
    return this.#leave(to, from, frame);
  }

  /** A frame that came by way of the router gets its MACs, and its sender's back for the taps. */
  #deliver(nic: Nic, to: SwitchPort, routed: boolean, from: SwitchPort, frame: Frame): Reason {
    if (!routed || to.trunk !== null) return this.#delivery.deliver(to, frame, from);
    const { headView, headers: h } = frame;
    const word0 = headView.getInt32(0);
    const word1 = headView.getInt32(4);
    const word2 = headView.getInt32(8);
    const { dstMacHi, dstMacLo, srcMacHi, srcMacLo } = h;
    nic.address(frame);
    const verdict = this.#delivery.deliver(to, frame, from);
    headView.setInt32(0, word0);
    headView.setInt32(4, word1);
    headView.setInt32(8, word2);
    h.dstMacHi = dstMacHi;
    h.dstMacLo = dstMacLo;
    h.srcMacHi = srcMacHi;
    h.srcMacLo = srcMacLo;
    return verdict;
  }

  #leave(to: number, from: SwitchPort, frame: Frame): Reason {
    if (this.#gateway === null && this.#gatewayTrunk === null)
      return this.#delivery.refuse(from, R.noGateway);
    if (!mayBeFragmented(frame) && ipBytes(frame) > gatewayMtu) {
      this.#tellTooBig(from, frame);
      return this.#delivery.refuse(from, R.tooBigForPath);
    }
    const allowed = this.#delivery.mayLeave(from, frame);
    if (allowed === R.queued) return allowed;
    if (allowed !== R.delivered) return this.#delivery.refuse(from, allowed);
    const trunk = this.#gatewayTrunk;
    if (trunk === null) return this.#pass(to, from, frame);
    return trunk.push(crossing.toGateway | trunkVersion(this.policy), to, from.index, frame)
      ? R.queued
      : this.#delivery.refuse(from, R.queueFull);
  }

  #pass(to: number, from: SwitchPort, frame: Frame): Reason {
    const gateway = this.policy.gateways[to];
    const verdict =
      gateway === undefined || this.#gateway === null
        ? R.noGateway
        : this.#gateway.leave(gateway, frame, from);
    return verdict === R.delivered ? verdict : this.#delivery.refuse(from, verdict);
  }

  /**
   * The router of the sender's subnet says so, and the sender hears it only if its ACL and groups
   * let it in (VPC User Guide, "Path MTU Discovery"): a tracked connection's errors pass.
   */
  #tellTooBig(from: SwitchPort, frame: Frame): void {
    const nic = this.#nics.byPort[from.index] ?? null;
    const { rule, policy } = this;
    const subnet = policy.subnets[nic?.tables.subnet ?? -1];
    const vpc = policy.vpcs[nic?.tables.vpc ?? -1];
    if (nic === null || subnet === undefined || vpc === undefined) return;
    if (!nic.mayBeTold(this.#delivery.time.now())) return;
    if (this.#errors.tooBig(frame, subnet.router, gatewayMtu, this.#error))
      this.enter(vpc.id, this.#error);
    this.rule = rule;
  }
}
