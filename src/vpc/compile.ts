/**
 * A region's model as the switch's policy. What has not changed since the policy before is taken
 * over from it as it is: the parts of a model are compared by identity, so that whoever changes one
 * rule and keeps the rest pays for one group.
 */
import { nsPerSecond } from '../lib/clock.ts';
import { parseMac } from '../net/ethernet.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { parseIpv6 } from '../net/ipv6.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../net/prefix.ts';
import { AddressTable, type OwnedAddress, owner } from '../switch/vpc/address-table.ts';
import type {
  GatewayKind,
  GatewayTables,
  NicTables,
  NicTimeouts,
  Policy,
  SubnetTables,
  VpcTables,
} from '../switch/vpc/policy.ts';
import { type CompiledRoute, RouteRows, target } from '../switch/vpc/route-table.ts';
import { timeouts } from '../switch/vpc/timeouts.ts';
import { compileAcl, compileGroup, masksOf } from './compile-filters.ts';
import type {
  NetworkInterface,
  PrefixList,
  Route,
  RouteTable,
  Subnet,
  TrackingTimeouts,
  Vpc,
  VpcModel,
} from './model.ts';
import { noRuleName } from './rule-names.ts';
import { resolverAddress, routerAddress, routerOf } from './well-known.ts';

/** What a policy was made from. */
const models = new WeakMap<Policy, VpcModel>();

/**
 * Compiles a model that `checkVpcModel` has nothing against. `before`: the policy that this one
 * takes the place of.
 */
export function compilePolicy(model: VpcModel, version: number, before?: Policy): Policy {
  const old = before && models.get(before);
  const policy = new Compilation(model, before, old).policy(version);
  models.set(policy, model);
  return policy;
}

type Indexed = ReadonlyMap<string, number>;

class Compilation {
  readonly #model: VpcModel;
  readonly #before: Policy | undefined;
  readonly #old: VpcModel | undefined;

  constructor(model: VpcModel, before: Policy | undefined, old: VpcModel | undefined) {
    this.#model = model;
    this.#before = before;
    this.#old = old;
  }

  policy(version: number): Policy {
    return {
      version,
      vpcs: this.#vpcs(),
      subnets: this.#subnets(),
      nics: this.#nics(),
      groups: this.#groups(),
      acls: this.#acls(),
      routes: this.#routes(),
      gateways: this.#gateways(),
    };
  }

  /** Whether these lists of the model are the very ones that the policy before was made from. */
  #same(...lists: readonly (keyof VpcModel)[]): boolean {
    return this.#old !== undefined && lists.every((l) => this.#old?.[l] === this.#model[l]);
  }

  /** Whether the things of these lists stand in the same places as before. */
  #samePlaces(...lists: readonly (keyof VpcModel)[]): boolean {
    return lists.every((list) => {
      const now: readonly { readonly id: string }[] = this.#model[list];
      const old: readonly { readonly id: string }[] | undefined = this.#old?.[list];
      if (now === old) return true;
      return now.length === old?.length && now.every(({ id }, i) => id === old[i]?.id);
    });
  }

  /** One table per thing; of those that are the same as before, the one from before. */
  #each<M extends { readonly id: string }, T>(
    now: readonly M[],
    old: readonly M[] | undefined,
    tables: readonly T[] | undefined,
    make: (thing: M) => T,
  ): readonly T[] {
    return now.map((thing, i) => {
      const known = old?.[i] === thing ? tables?.[i] : undefined;
      return known ?? make(thing);
    });
  }

  #vpcs(): readonly VpcTables[] {
    if (this.#before && this.#same('vpcs', 'subnets', 'interfaces', 'natGateways'))
      return this.#before.vpcs;
    const { vpcs, subnets, interfaces } = this.#model;
    const vpcOf = new Map(subnets.map(({ id, vpc }) => [id, vpc]));
    const owned = new Map<string, OwnedAddress[]>(vpcs.map((vpc) => [vpc.id, servicesOf(vpc)]));
    for (const subnet of subnets)
      owned.get(subnet.vpc)?.push(owned4(routerAddress(subnet), owner.router));
    for (const [i, at] of interfaces.entries())
      owned.get(vpcOf.get(at.subnet) ?? '')?.push(...addressesOf(at, i));
    return vpcs.map(({ id }) => ({ id, addresses: new AddressTable(owned.get(id) ?? []) }));
  }

  #subnets(): readonly SubnetTables[] {
    const lists = ['vpcs', 'networkAcls', 'routeTables'] as const;
    if (this.#before && this.#same('subnets') && this.#samePlaces(...lists))
      return this.#before.subnets;
    const [vpcs, acls, tables] = lists.map((list) => placesOf(this.#model[list])) as [
      Indexed,
      Indexed,
      Indexed,
    ];
    return this.#model.subnets.map((subnet: Subnet) => ({
      id: subnet.id,
      vpc: vpcs.get(subnet.vpc) ?? -1,
      zone: subnet.zone,
      acl: acls.get(subnet.networkAcl) ?? -1,
      routes: tables.get(subnet.routeTable) ?? -1,
      router: routerOf(subnet),
    }));
  }

  #nics(): readonly NicTables[] {
    const shared = this.#samePlaces('vpcs', 'securityGroups') && this.#same('subnets');
    if (this.#before && shared && this.#same('interfaces')) return this.#before.nics;
    const groups = placesOf(this.#model.securityGroups);
    const vpcs = placesOf(this.#model.vpcs);
    const subnets = placesOf(this.#model.subnets);
    const old = shared ? this.#old?.interfaces : undefined;
    return this.#each(this.#model.interfaces, old, this.#before?.nics, (at) => {
      const subnet = subnets.get(at.subnet) ?? -1;
      return {
        id: at.id,
        mac: parseMac(at.mac),
        type: at.interfaceType ?? 'interface',
        vpc: vpcs.get(this.#model.subnets[subnet]?.vpc ?? '') ?? -1,
        subnet,
        groups: Int32Array.from(at.groups.flatMap((id) => groups.get(id) ?? [])),
        sourceDestCheck: at.sourceDestCheck ?? true,
        account: at.instance ?? at.id,
        translated: Int32Array.from(
          at.addresses.filter((a) => a.publicAddress !== undefined),
          (a) => parseIpv4(a.address),
        ),
        timeouts: timeoutsOf(at.tracking ?? {}),
        noOutbound: noRuleName(at.groups, 'outbound'),
        noInbound: noRuleName(at.groups, 'inbound'),
      };
    });
  }

  #groups(): Policy['groups'] {
    const shared = this.#samePlaces('securityGroups') && this.#same('prefixLists');
    const { securityGroups } = this.#model;
    if (this.#before && shared && this.#same('securityGroups')) return this.#before.groups;
    const context = {
      groups: placesOf(securityGroups),
      prefixLists: prefixesOf(this.#model.prefixLists),
    };
    const old = shared ? this.#old?.securityGroups : undefined;
    return this.#each(securityGroups, old, this.#before?.groups, (group) =>
      compileGroup(group, context),
    );
  }

  #acls(): Policy['acls'] {
    if (this.#before && this.#same('networkAcls')) return this.#before.acls;
    const { networkAcls } = this.#model;
    return this.#each(networkAcls, this.#old?.networkAcls, this.#before?.acls, compileAcl);
  }

  #gateways(): readonly GatewayTables[] {
    const { internetGateways, egressOnlyInternetGateways, natGateways, vpcs, subnets } =
      this.#model;
    const lists = ['internetGateways', 'egressOnlyInternetGateways', 'natGateways'] as const;
    if (this.#before && this.#same(...lists, 'subnets') && this.#samePlaces('vpcs'))
      return this.#before.gateways;
    const vpcAt = placesOf(vpcs);
    const subnetAt = placesOf(subnets);
    const make = (kind: GatewayKind, id: string, vpc: string | undefined, subnet = -1) => ({
      id,
      kind,
      vpc: vpcAt.get(vpc ?? '') ?? -1,
      subnet,
    });
    return [
      ...internetGateways.map(({ id, vpc }) => make('internet', id, vpc)),
      ...egressOnlyInternetGateways.map(({ id, vpc }) => make('egressOnly', id, vpc)),
      ...natGateways.map(({ id, subnet }) => {
        const at = subnetAt.get(subnet) ?? -1;
        return make('nat', id, subnets[at]?.vpc, at);
      }),
    ];
  }

  #routes(): readonly RouteRows[] {
    const gateways = ['internetGateways', 'egressOnlyInternetGateways', 'natGateways'] as const;
    const shared = this.#same('vpcs', 'prefixLists') && this.#samePlaces('interfaces', ...gateways);
    if (this.#before && shared && this.#same('routeTables')) return this.#before.routes;
    const { vpcs, interfaces, routeTables } = this.#model;
    const targets: Targets = {
      nics: placesOf(interfaces),
      gateways: placesOf([
        ...this.#model.internetGateways,
        ...this.#model.egressOnlyInternetGateways,
        ...this.#model.natGateways,
      ]),
      prefixLists: prefixesOf(this.#model.prefixLists),
    };
    const old = shared ? this.#old?.routeTables : undefined;
    return this.#each(routeTables, old, this.#before?.routes, (table) => {
      const vpc = vpcs.find(({ id }) => id === table.vpc);
      return new RouteRows(routesOf(table, vpc, targets));
    });
  }
}

// Addresses.

const owned4 = (address: number, value: number): OwnedAddress => ({
  version: 4,
  words: [0, 0, 0, address],
  value,
});

const servicesOf = (vpc: Vpc): OwnedAddress[] => [owned4(resolverAddress(vpc), owner.resolver)];

const addressesOf = (at: NetworkInterface, value: number): OwnedAddress[] => [
  ...at.addresses.map(({ address }) => owned4(parseIpv4(address), value)),
  ...(at.ipv6Addresses ?? []).map((address) => ({
    version: 6 as const,
    words: parseIpv6(address),
    value,
  })),
];

// Routes.

type Targets = {
  readonly nics: Indexed;
  readonly gateways: Indexed;
  readonly prefixLists: ReadonlyMap<string, readonly Prefix[]>;
};

type Ranked = { readonly prefix: Prefix; readonly rank: number; readonly target: string };

/**
 * The most specific first; of equal ones a prefix of its own before one of a prefix list ("Route
 * priority and prefix lists"), and both before `local`, whose target may be replaced.
 */
function routesOf(table: RouteTable, vpc: Vpc | undefined, targets: Targets): CompiledRoute[] {
  const own = [...(vpc?.cidrs ?? []), ...(vpc?.ipv6Cidrs ?? [])];
  const ranked: Ranked[] = [
    ...table.routes.flatMap((route) => rankedOf(route, targets)),
    ...own.map((cidr) => ({ prefix: parsePrefix(cidr), rank: 2, target: 'local' })),
  ];
  return ranked
    .sort((a, b) => b.prefix.length - a.prefix.length || a.rank - b.rank)
    .map((route) => compileRoute(route, targets));
}

function rankedOf({ destination, target: to }: Route, { prefixLists }: Targets): Ranked[] {
  const list = prefixLists.get(destination);
  if (list !== undefined) return list.map((prefix) => ({ prefix, rank: 1, target: to }));
  return [{ prefix: parsePrefix(destination), rank: 0, target: to }];
}

function compileRoute({ prefix, target: to }: Ranked, targets: Targets): CompiledRoute {
  const nic = targets.nics.get(to);
  const gateway = targets.gateways.get(to);
  let kind: number = target.blackhole;
  if (to === 'local') kind = target.local;
  else if (nic !== undefined) kind = target.nic;
  else if (gateway !== undefined) kind = target.gateway;
  return {
    version: prefix.version,
    base: prefix.base,
    mask: masksOf(prefix.length, 4),
    kind,
    index: nic ?? gateway ?? -1,
    name: `${formatPrefix(prefix)} ${to}`,
  };
}

// Small things.

const placesOf = (things: readonly { readonly id: string }[]): Indexed =>
  new Map(things.map(({ id }, i) => [id, i]));

const prefixesOf = (lists: readonly PrefixList[]): ReadonlyMap<string, readonly Prefix[]> =>
  new Map(lists.map(({ id, cidrs }) => [id, cidrs.map(parsePrefix)]));

const timeoutsOf = (own: TrackingTimeouts): NicTimeouts => ({
  tcpEstablishedNs: (own.tcpEstablishedSeconds ?? timeouts.tcpEstablished.seconds) * nsPerSecond,
  udpNs: (own.udpSeconds ?? timeouts.udp.seconds) * nsPerSecond,
  udpStreamNs: (own.udpStreamSeconds ?? timeouts.udpStream.seconds) * nsPerSecond,
});
