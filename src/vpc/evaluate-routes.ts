/**
 * Which way a packet goes: the Amazon VPC User Guide's "Configure route tables", "Route priority",
 * and "Subnet CIDR blocks" for the addresses that are EC2's own.
 */
import { holds, isNth, prefix, same } from './evaluate-address.ts';
import type { Packet } from './evaluate-packet.ts';
import { owns, prefixesOf } from './evaluate-rules.ts';
import type {
  NatGateway,
  NetworkInterface,
  Route,
  RouteTable,
  Subnet,
  Vpc,
  VpcModel,
} from './model.ts';

export function interfaceOf(model: VpcModel, id: string): NetworkInterface {
  const found = model.interfaces.find((at) => at.id === id);
  if (found === undefined) throw new Error(`there is no interface ${id}`);
  return found;
}

export function subnetOf(model: VpcModel, at: { readonly subnet: string }): Subnet {
  const found = model.subnets.find(({ id }) => id === at.subnet);
  if (found === undefined) throw new Error(`there is no subnet ${at.subnet}`);
  return found;
}

export function vpcOf(model: VpcModel, subnet: Subnet): Vpc {
  const found = model.vpcs.find(({ id }) => id === subnet.vpc);
  if (found === undefined) throw new Error(`there is no VPC ${subnet.vpc}`);
  return found;
}

export const isGateway = (id: string): boolean => /^(igw|eigw|nat)-/.test(id);

/** Who in the gateway's VPC has an address: what comes in from outside is routed `local`. */
export function enteringTo(
  model: VpcModel,
  gateway: string,
  destination: string,
): NetworkInterface | NatGateway | null {
  const attached = [...model.internetGateways, ...model.egressOnlyInternetGateways];
  const vpc = attached.find(({ id }) => id === gateway)?.vpc;
  const inside = (at: { readonly subnet: string }): boolean => subnetOf(model, at).vpc === vpc;
  return (
    model.interfaces.find((at) => inside(at) && owns(at, destination)) ??
    model.natGateways.find((nat) => inside(nat) && same(nat.address, destination)) ??
    null
  );
}

export type Way =
  | { readonly kind: 'interface'; readonly to: NetworkInterface; readonly route: string | null }
  | { readonly kind: 'gateway'; readonly id: string; readonly route: string }
  | { readonly kind: 'service'; readonly name: string }
  | { readonly kind: 'closed'; readonly why: Closed; readonly route: string | null };

export type Closed =
  | 'noRoute'
  | 'blackhole'
  | 'noSuchAddress'
  | 'otherSubnet'
  | 'noReceiver'
  | 'reflected'
  | 'notCarried';

/** The way of a packet from its sender's interface. */
export function wayOf(model: VpcModel, packet: Packet): Way {
  const from = interfaceOf(model, packet.from);
  const service = serviceOf(model, from, packet.destination);
  if (service !== null) return { kind: 'service', name: service };
  const { to } = packet;
  if (to === 'group' || staysOnLink(packet.destination))
    return { kind: 'closed', why: 'notCarried', route: null };
  if (to === 'nobody') return { kind: 'closed', why: 'noReceiver', route: null };
  if (to !== 'router') return neighbour(model, from, to.interface);
  return routed(model, from, packet.destination);
}

/**
 * What the network itself answers: "Amazon DNS server", "Instance metadata service", "Amazon Time
 * Sync Service", and the router (base + 1 of each subnet).
 */
function serviceOf(model: VpcModel, from: NetworkInterface, destination: string): string | null {
  const linkLocal = services[destination];
  if (linkLocal !== undefined) return linkLocal;
  const vpc = vpcOf(model, subnetOf(model, from));
  const primary = vpc.cidrs[0];
  if (primary !== undefined && isNth(primary, 2, destination)) return 'resolver';
  const subnets = model.subnets.filter((subnet) => subnet.vpc === vpc.id);
  return subnets.some(({ cidr }) => isNth(cidr, 1, destination)) ? 'router' : null;
}

const services: Readonly<Record<string, string>> = {
  '169.254.169.253': 'resolver',
  'fd00:ec2::253': 'resolver',
  '169.254.169.254': 'metadata',
  'fd00:ec2::254': 'metadata',
  '169.254.169.123': 'time',
  'fd00:ec2::123': 'time',
};

/**
 * Addresses that no router forwards: link-local ones (RFC 3927, RFC 4291), multicast, broadcast.
 * Of 169.254.168.0/22 and fd00:ec2::/32 the VPC guide says it too ("Routes").
 */
const staysOnLink = (destination: string): boolean =>
  ['169.254.0.0/16', '224.0.0.0/3', 'fe80::/10', 'ff00::/8'].some((p) => holds(p, destination));

/**
 * A frame for the MAC of another interface in the subnet is switched, not routed: no route table is
 * asked ("Gateway route tables", rules and considerations).
 */
function neighbour(model: VpcModel, from: NetworkInterface, id: string): Way {
  const to = model.interfaces.find((at) => at.id === id);
  if (to === undefined) return { kind: 'closed', why: 'noReceiver', route: null };
  if (to.id === from.id) return { kind: 'closed', why: 'reflected', route: null };
  if (subnetOf(model, to).id !== subnetOf(model, from).id)
    return { kind: 'closed', why: 'otherSubnet', route: null };
  return { kind: 'interface', to, route: null };
}

type Candidate = { readonly cidr: string; readonly target: string; readonly rank: number };

/** By the route table of the subnet that an interface or a NAT gateway is in. */
export function routed(
  model: VpcModel,
  from: NetworkInterface | NatGateway,
  destination: string,
): Way {
  const subnet = subnetOf(model, from);
  const vpc = vpcOf(model, subnet);
  const table = model.routeTables.find(({ id }) => id === subnet.routeTable);
  const best = bestRoute(model, vpc, table, destination);
  if (best === null) return { kind: 'closed', why: 'noRoute', route: null };
  const route = `${best.cidr} ${best.target}`;
  if (best.target === 'blackhole') return { kind: 'closed', why: 'blackhole', route };
  if (best.target === 'local') return local(model, vpc, from, destination, route);
  return toTarget(model, from, best.target, route);
}

/**
 * The longest prefix that holds the destination. Of equal ones a route with a CIDR block of its own
 * comes before one with a prefix list ("Route priority and prefix lists"), and any of them before
 * the local route, whose target may be replaced ("Replace or restore the target for a local route").
 */
function bestRoute(
  model: VpcModel,
  vpc: Vpc,
  table: RouteTable | undefined,
  destination: string,
): Candidate | null {
  const own = [...vpc.cidrs, ...(vpc.ipv6Cidrs ?? [])];
  const candidates = [
    ...(table?.routes ?? []).flatMap((route) => candidatesOf(model, route)),
    ...own.map((cidr) => ({ cidr, target: 'local', rank: 2 })),
  ].filter(({ cidr }) => holds(cidr, destination));
  const [best] = candidates.sort(
    (a, b) => prefix(b.cidr).bits - prefix(a.cidr).bits || a.rank - b.rank,
  );
  return best ?? null;
}

function candidatesOf(model: VpcModel, { destination, target }: Route): Candidate[] {
  if (!destination.startsWith('pl-')) return [{ cidr: destination, target, rank: 0 }];
  return prefixesOf(model, destination).map((cidr) => ({ cidr, target, rank: 1 }));
}

/** Within the VPC: to whoever has the address. */
function local(
  model: VpcModel,
  vpc: Vpc,
  from: { readonly id: string },
  destination: string,
  route: string,
): Way {
  const owner = model.interfaces.find(
    (at) => subnetOf(model, at).vpc === vpc.id && owns(at, destination),
  );
  if (owner === undefined) return { kind: 'closed', why: 'noSuchAddress', route };
  if (owner.id === from.id) return { kind: 'closed', why: 'reflected', route };
  return { kind: 'interface', to: owner, route };
}

/** A target that is gone is what EC2 shows as `blackhole`. */
function toTarget(
  model: VpcModel,
  from: { readonly id: string },
  target: string,
  route: string,
): Way {
  if (target === from.id) return { kind: 'closed', why: 'reflected', route };
  const to = model.interfaces.find(({ id }) => id === target);
  if (to !== undefined) return { kind: 'interface', to, route };
  const gateways = [
    ...model.internetGateways,
    ...model.egressOnlyInternetGateways,
    ...model.natGateways,
  ];
  if (gateways.some(({ id }) => id === target)) return { kind: 'gateway', id: target, route };
  return { kind: 'closed', why: 'blackhole', route };
}
