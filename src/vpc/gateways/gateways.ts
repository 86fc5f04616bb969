/**
 * The gateways of a region's VPCs: internet gateways translate public addresses one to one and let
 * IPv6 through, egress-only ones let IPv6 out, NAT gateways translate ports. What leaves goes to the
 * outside, if there is one, or back in when its destination is a public address of the region's own.
 *
 *     out:  cut into segments -> translated -> cut into fragments -> outside
 *     in:   believable source -> translated -> the router's `enter`: ACL, groups, receiver
 */
import type { Clock } from '../../lib/clock.ts';
import { Prng } from '../../lib/prng.ts';
import { Fragmenter } from '../../net/fragmentation.ts';
import { Frame } from '../../net/frame.ts';
import { parseIpv4 } from '../../net/ipv4.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { Segmenter } from '../../net/segmentation.ts';
import { tcpFlag } from '../../net/tcp.ts';
import { type Gateway, gatewayMtu } from '../../switch/gateway.ts';
import type { SwitchPort } from '../../switch/port.ts';
import type { GatewayTables, Policy, SubnetTables } from '../../switch/vpc/policy.ts';
import { type CompiledRoute, target } from '../../switch/vpc/route-table.ts';
import type { VpcModel } from '../model.ts';
import { Path, Segment, writeReset } from '../tcp/segment.ts';
import { AddressMap } from './address-map.ts';
import { EgressOnlyGateway } from './egress-only.ts';
import { NatGateway } from './nat-gateway.ts';
import type { NatTableOptions } from './nat-table.ts';
import type { Outside } from './outside.ts';
import { borrow, Quoted, samePort, setDestination, setSource } from './rewrite.ts';
import { passes } from './subnet-edge.ts';

/** The part of the router that gateways need. */
export type GatewayRouter = {
  readonly policy: Policy;
  enter(vpc: string, frame: Frame, subnet?: number): Reason;
};

export type GatewaysOptions = NatTableOptions & {
  readonly clock: Clock;
  readonly router: GatewayRouter;
  /** Another one each time unless told. */
  readonly seed?: number;
};

export class Gateways implements Gateway {
  /** What came from outside, by its verdict. */
  readonly entered = new Map<Reason, number>();
  readonly #clock: Clock;
  readonly #router: GatewayRouter;
  readonly #random: Prng;
  readonly #natOptions: NatTableOptions;
  #addresses: AddressMap;
  /** Of the router's policy, by id. */
  #tables: ReadonlyMap<string, GatewayTables> = new Map();
  #subnets: ReadonlyMap<string, SubnetTables> = new Map();
  #nats = new Map<string, NatGateway>();
  #egress = new Map<string, EgressOnlyGateway>();
  #outside: Outside | null = null;

  readonly #segmenter = new Segmenter();
  readonly #fragmenter = new Fragmenter(gatewayMtu);
  readonly #segment = new Frame();
  readonly #out = new Frame();
  readonly #fragment = new Frame();
  readonly #in = new Frame();
  readonly #quoted = new Quoted();
  readonly #stray = new Segment();
  readonly #resetPath = new Path();
  readonly #resetBytes = new Uint8Array(64);
  readonly #reset = new Frame();

  constructor(model: VpcModel, { clock, router, seed, ...natOptions }: GatewaysOptions) {
    this.#clock = clock;
    this.#router = router;
    this.#random = new Prng(seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0);
    this.#natOptions = natOptions;
    this.#addresses = new AddressMap(model);
    this.update(model);
  }

  /** After the router's policy. Gateways that stay what they are keep their connections. */
  update(model: VpcModel): void {
    const { gateways, subnets } = this.#router.policy;
    this.#tables = new Map(gateways.map((gateway) => [gateway.id, gateway]));
    this.#subnets = new Map(subnets.map((subnet) => [subnet.id, subnet]));
    this.#addresses = new AddressMap(model);
    const nats = new Map<string, NatGateway>();
    for (const { id, publicAddress } of model.natGateways) {
      if (publicAddress === undefined) continue;
      const address = parseIpv4(publicAddress);
      const known = this.#nats.get(id);
      const same = known?.publicAddress === address ? known : undefined;
      nats.set(id, same ?? new NatGateway(address, this.#random, this.#natOptions));
    }
    this.#nats = nats;
    const egress = new Map<string, EgressOnlyGateway>();
    for (const { id } of model.egressOnlyInternetGateways)
      egress.set(id, this.#egress.get(id) ?? new EgressOnlyGateway(this.#random));
    this.#egress = egress;
  }

  /** What lies outside from now on; null: nothing. */
  connect(outside: Outside | null): void {
    this.#outside = outside;
  }

  // Out.

  leave(gateway: GatewayTables, frame: Frame, _from: SwitchPort): Reason {
    if (frame.mss === 0) return this.#leaveOne(gateway, frame);
    if (this.#segmenter.check(frame) !== R.delivered) return R.txBadOffload;
    let verdict: Reason = R.delivered;
    this.#segmenter.begin(frame);
    while (this.#segmenter.next(this.#segment)) {
      this.#segment.parse();
      const one = this.#leaveOne(gateway, this.#segment);
      if (one !== R.delivered) verdict = one;
    }
    return verdict;
  }

  #leaveOne(gateway: GatewayTables, frame: Frame): Reason {
    const out = this.#out;
    borrow(out, frame);
    const version = out.headers.ipVersion;
    let verdict: Reason = R.noGateway;
    if (gateway.kind === 'nat') verdict = version === 4 ? this.#leaveNat(gateway, out) : R.noRoute;
    else if (gateway.kind === 'internet')
      verdict = version === 4 ? this.#leaveInternet(gateway, out) : R.delivered;
    else if (version === 6) verdict = this.#leaveEgressOnly(gateway, out);
    return verdict === R.delivered ? this.#goOut(out) : verdict;
  }

  #leaveInternet(gateway: GatewayTables, out: Frame): Reason {
    const vpc = this.#vpcOf(gateway);
    const to = this.#addresses.publicOf(vpc, out.headers.src);
    if (to === undefined) return R.noPublicAddress;
    // An error from inside quotes what the sender was sent under its private address.
    const q = this.#quoted;
    if (q.read(out)) {
      const quoted = this.#addresses.publicOf(vpc, q.dst);
      if (quoted !== undefined) q.setDestination(out.head, quoted, samePort);
    }
    setSource(out, to, samePort);
    return R.delivered;
  }

  #leaveEgressOnly({ id }: GatewayTables, out: Frame): Reason {
    const gateway = this.#egress.get(id);
    if (gateway === undefined) return R.noGateway;
    return gateway.leaves(out, this.#clock.now()) ? R.delivered : R.trackingFull;
  }

  /** Through the NAT gateway, in whose subnet it is, and out by that subnet's own route. */
  #leaveNat(gateway: GatewayTables, out: Frame): Reason {
    const { policy } = this.#router;
    const nat = this.#nats.get(gateway.id);
    if (nat === undefined) return R.noPublicAddress;
    const way = policy.routes[policy.subnets[gateway.subnet]?.routes ?? -1];
    const next = gatewayOf(policy, way?.find4(out.headers.dst) ?? null);
    if (next?.kind !== 'internet') return R.noRoute;
    if (!passes(policy, gateway.subnet, out, true)) return R.aclOutDenied;
    const verdict = nat.outward(out, this.#clock.now());
    if (verdict === R.natConnectionUnknown) this.#answerWithReset(gateway, out);
    return verdict;
  }

  /** Whoever goes on with a connection that has timed out is told so (EC2: "an RST packet"). */
  #answerWithReset(gateway: GatewayTables, out: Frame): void {
    const segment = this.#stray;
    if (!segment.read(out) || segment.has(tcpFlag.rst)) return;
    this.#resetPath.readFrom(out);
    const length = writeReset(this.#resetBytes, this.#resetPath, segment);
    this.#reset.load(this.#resetBytes, 0, length);
    this.#router.enter(this.#vpcOf(gateway), this.#reset, gateway.subnet);
  }

  /** A translated packet: back in, or out, in pieces if it is too large. */
  #goOut(out: Frame): Reason {
    out.parse();
    const h = out.headers;
    const isOwn =
      h.ipVersion === 4
        ? this.#addresses.ownerOf(h.dst) !== undefined
        : this.#addresses.vpcOf6(h) !== null;
    if (!isOwn && this.#outside === null) return R.noGateway;
    if (h.ipEnd - h.l3Offset <= gatewayMtu) return this.#pass(out, isOwn);
    let verdict: Reason = R.delivered;
    this.#fragmenter.begin(out);
    while (this.#fragmenter.next(this.#fragment)) {
      this.#fragment.parse();
      const one = this.#pass(this.#fragment, isOwn);
      if (one !== R.delivered) verdict = one;
    }
    return verdict;
  }

  #pass(frame: Frame, isOwn: boolean): Reason {
    if (!isOwn) return this.#outside?.send(frame) === true ? R.delivered : R.queueFull;
    const verdict = this.#enterOne(frame);
    return verdict === R.queued ? R.delivered : verdict;
  }

  // In.

  /** A frame from outside; whoever calls flushes the switch after the last one. */
  arrive(frame: Frame): Reason {
    frame.parse();
    const verdict = this.#isBelievable(frame) ? this.#enterOne(frame) : R.malformed;
    this.entered.set(verdict, (this.entered.get(verdict) ?? 0) + 1);
    return verdict;
  }

  #isBelievable({ headers: h }: Frame): boolean {
    return !h.malformed && h.ipVersion !== 0 && h.vlan < 0 && h.ipEnd - h.l3Offset <= gatewayMtu;
  }

  #enterOne(frame: Frame): Reason {
    const into = this.#in;
    borrow(into, frame);
    return into.headers.ipVersion === 4 ? this.#enter4(into) : this.#enter6(into);
  }

  #enter4(into: Frame): Reason {
    const h = into.headers;
    const owner = this.#addresses.ownerOf(h.dst);
    if (owner === undefined) return R.noSuchAddress;
    if (isNoSource4(h.src) || this.#addresses.isFromWithin(owner.vpc, h)) return R.spoofedSource;
    if ('nat' in owner) return this.#enterNat(owner.vpc, owner.nat, into);
    const q = this.#quoted;
    if (q.read(into) && q.src === h.dst) q.setSource(into.head, owner.address, samePort);
    setDestination(into, owner.address, samePort);
    return this.#router.enter(owner.vpc, into);
  }

  /** Into the NAT gateway's subnet, through it, and out of that subnet to whoever asked. */
  #enterNat(vpc: string, id: string, into: Frame): Reason {
    const { policy } = this.#router;
    const nat = this.#nats.get(id);
    const gateway = this.#tables.get(id);
    if (gateway === undefined || nat === undefined) return R.noSuchAddress;
    const { subnet } = gateway;
    if (!passes(policy, subnet, into, false)) return R.aclInDenied;
    const verdict = nat.inward(into, this.#clock.now());
    if (verdict !== R.delivered) return verdict;
    into.parse();
    const to = policy.vpcs[gateway.vpc]?.addresses.find(4, 0, 0, 0, into.headers.dst) ?? -1;
    const isNeighbour = policy.nics[to]?.subnet === subnet;
    if (!isNeighbour && !passes(policy, subnet, into, true)) return R.aclOutDenied;
    return this.#router.enter(vpc, into, subnet);
  }

  /** By the gateway that the receiver's subnet sends its answers to. */
  #enter6(into: Frame): Reason {
    const h = into.headers;
    const vpc = this.#addresses.vpcOf6(h);
    if (vpc === null) return R.noSuchAddress;
    if (isNoSource6(h.src0) || this.#addresses.isFromWithin(vpc.id, h)) return R.spoofedSource;
    const { policy } = this.#router;
    const subnet = this.#subnets.get(this.#addresses.subnetOf6(vpc, h));
    const rows = policy.routes[subnet?.routes ?? -1];
    const back = gatewayOf(policy, rows?.find6(h.src0, h.src1, h.src2, h.src) ?? null);
    if (back === undefined) return R.noRoute;
    if (back.kind === 'egressOnly') {
      const gateway = this.#egress.get(back.id);
      if (gateway?.mayEnter(into, this.#clock.now()) !== true) return R.natConnectionUnknown;
    } else if (back.kind !== 'internet') return R.noRoute;
    return this.#router.enter(vpc.id, into);
  }

  #vpcOf({ vpc }: GatewayTables): string {
    return this.#router.policy.vpcs[vpc]?.id ?? '';
  }
}

const gatewayOf = (policy: Policy, route: CompiledRoute | null): GatewayTables | undefined =>
  route?.kind === target.gateway ? policy.gateways[route.index] : undefined;

/** Addresses that nothing outside has: "this network", loopback, link-local, multicast and above. */
function isNoSource4(address: number): boolean {
  const first = address >>> 24;
  return first === 0 || first === 127 || first >= 224 || address >>> 16 === 0xa9fe;
}

/** Unspecified and loopback (and what is mapped next to them), link-local, multicast. */
const isNoSource6 = (word0: number): boolean =>
  word0 === 0 || word0 >>> 22 === 0x3fa || word0 >>> 24 === 0xff;
