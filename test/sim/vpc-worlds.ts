/**
 * Random VPCs and changes of their rules, for the differential test. Pools of addresses and ports are
 * small, so that rules and connections meet often. The packets are `vpc-packets.ts`.
 */
import type { Prng } from '../../src/lib/prng.ts';
import { defaultAcl, defaultGroup, emptyModel, newAcl } from '../../src/vpc/defaults.ts';
import type {
  NetworkAcl,
  NetworkAclEntry,
  NetworkInterface,
  PrefixList,
  Route,
  RouteTable,
  RulePeer,
  SecurityGroup,
  SecurityGroupRule,
  Subnet,
  Vpc,
  VpcModel,
} from '../../src/vpc/model.ts';

export const ports = [22, 53, 80, 5432, 40_000, 40_001] as const;
const protocolNumbers = [6, 6, 6, 17, 17, 1, 58, 47, 50] as const;
export const outside = ['192.0.2.7', '198.51.100.9', '2001:db8:ffff::7'] as const;

const times = <T>(n: number, make: (i: number) => T): T[] =>
  Array.from({ length: n }, (_, i) => make(i));

/** A few VPCs; two of them may have the same addresses. */
export function randomModel(random: Prng): VpcModel {
  return times(1 + random.below(3), (i) => randomVpc(random, i)).reduce(merged, emptyModel);
}

const merged = (a: VpcModel, b: VpcModel): VpcModel => ({
  ...a,
  vpcs: [...a.vpcs, ...b.vpcs],
  subnets: [...a.subnets, ...b.subnets],
  interfaces: [...a.interfaces, ...b.interfaces],
  instances: [...a.instances, ...b.instances],
  securityGroups: [...a.securityGroups, ...b.securityGroups],
  networkAcls: [...a.networkAcls, ...b.networkAcls],
  routeTables: [...a.routeTables, ...b.routeTables],
  prefixLists: [...a.prefixLists, ...b.prefixLists],
  internetGateways: [...a.internetGateways, ...b.internetGateways],
  natGateways: [...a.natGateways, ...b.natGateways],
  egressOnlyInternetGateways: [...a.egressOnlyInternetGateways, ...b.egressOnlyInternetGateways],
});

function randomVpc(random: Prng, v: number): VpcModel {
  const second = random.oneIn(2) ? 0 : v;
  const dual = !random.oneIn(3);
  const vpc: Vpc = {
    id: `vpc-${v}`,
    cidrs: [`10.${second}.0.0/16`, ...(random.oneIn(3) ? [`100.64.${v}.0/24`] : [])],
    ...(dual ? { ipv6Cidrs: [`2001:db8:${second}::/56`] } : {}),
  };
  const acls = times(1 + random.below(3), (i) => `acl-${v}${i}`);
  const tables = times(1 + random.below(3), (i) => `rtb-${v}${i}`);
  const subnets = times(
    1 + random.below(3),
    (i): Subnet => ({
      id: `subnet-${v}${i}`,
      vpc: vpc.id,
      zone: `us-east-1${'abc'[v]}`,
      cidr: `10.${second}.${i}.0/24`,
      ...(dual ? { ipv6Cidr: `2001:db8:${second}:${i}::/64` } : {}),
      networkAcl: random.pick(acls),
      routeTable: random.pick(tables),
    }),
  );
  const groups = times(1 + random.below(4), (i) => `sg-${v}${i}`);
  const interfaces = times(3 + random.below(3), (i) =>
    randomInterface(random, v, i, subnets, groups),
  );
  const lists = times(random.below(3), (i) => `pl-${v}${i}`);
  const partial: VpcModel = {
    ...emptyModel,
    vpcs: [vpc],
    subnets,
    interfaces,
    instances: [...new Set(interfaces.flatMap(({ instance }) => instance ?? []))].map((id) => {
      return { id, name: id, type: 'c6i.large' };
    }),
    prefixLists: lists.map((id) => randomList(random, id, interfaces)),
    internetGateways: [{ id: `igw-${v}`, vpc: vpc.id }],
    egressOnlyInternetGateways: [{ id: `eigw-${v}`, vpc: vpc.id }],
    natGateways: subnets.slice(0, random.below(3)).map(({ id, cidr }, i) => ({
      id: `nat-${v}${i}`,
      subnet: id,
      address: cidr.replace('0/24', '5'),
      publicAddress: `198.51.100.${10 * v + i}`,
    })),
    securityGroups: groups.map((id) => ({ ...defaultGroup(vpc, id), name: id })),
    networkAcls: acls.map((id) => defaultAcl(vpc, id)),
    routeTables: tables.map((id) => ({ id, vpc: vpc.id, routes: [] })),
  };
  return {
    ...partial,
    securityGroups: partial.securityGroups.map((group) => randomGroup(random, partial, group)),
    networkAcls: partial.networkAcls.map((acl) => randomAcl(random, partial, acl)),
    routeTables: partial.routeTables.map((table) => randomTable(random, partial, table)),
  };
}

function randomInterface(
  random: Prng,
  v: number,
  i: number,
  subnets: readonly Subnet[],
  groups: readonly string[],
): NetworkInterface {
  const subnet = random.pick(subnets);
  const base = subnet.cidr.replace('0/24', '');
  const addresses = times(1 + random.below(2), (n) => ({
    address: `${base}${10 + i + 100 * n}`,
    ...(random.oneIn(3) ? { publicAddress: `203.0.113.${10 * v + i + 100 * n}` } : {}),
  }));
  const prefix6 = subnet.ipv6Cidr?.replace('/64', '');
  return {
    id: `eni-${v}${i}`,
    subnet: subnet.id,
    mac: `02:00:00:00:0${v}:0${i}`,
    addresses,
    ...(prefix6 === undefined ? {} : { ipv6Addresses: [`${prefix6}${(16 + i).toString(16)}`] }),
    groups: someOf(random, groups),
    ...(random.oneIn(3) ? { sourceDestCheck: false } : {}),
    instance: `i-${v}${random.oneIn(3) ? 0 : i}`,
    deviceIndex: i,
    ...(random.oneIn(3) ? { tracking: randomTracking(random) } : {}),
  };
}

/** At least one. */
function someOf(random: Prng, groups: readonly string[]): string[] {
  const some = groups.filter(() => random.oneIn(2));
  return some.length > 0 ? some.slice(0, 5) : [random.pick(groups)];
}

const randomTracking = (random: Prng) => ({
  tcpEstablishedSeconds: random.pick([60, 350, 432_000]),
  udpSeconds: random.pick([30, 45, 60]),
  udpStreamSeconds: random.pick([60, 120, 180]),
});

/** Of one version of IP, as EC2 has them: even ones of IPv4. */
function randomList(random: Prng, id: string, interfaces: readonly NetworkInterface[]): PrefixList {
  const is6 = Number(id.at(-1)) % 2 === 1;
  const cidrs = times(random.below(4), () => randomCidr(random, interfaces, is6));
  return { id, name: id, cidrs: [...new Set(cidrs)] };
}

/** All, some, or one of the addresses that there are. */
function randomCidr(
  random: Prng,
  interfaces: readonly NetworkInterface[],
  is6 = random.oneIn(3),
): string {
  const own = random.pick(interfaces);
  const v4 = own.addresses[0]?.address ?? '10.0.0.10';
  const v6 = own.ipv6Addresses?.[0] ?? '2001:db8::10';
  switch (random.below(6)) {
    case 0:
    case 1:
      return is6 ? '::/0' : '0.0.0.0/0';
    case 2:
      return is6 ? `${v6}/128` : `${v4}/32`;
    case 3:
      return is6
        ? `${v6}/${random.pick([64, 56, 124, 127])}`
        : `${v4}/${random.pick([16, 24, 28, 31])}`;
    case 4:
      return is6 ? '2001:db8::/32' : '10.0.0.0/8';
    default:
      return is6
        ? `${outside[2]}/128`
        : `${random.pick([outside[0], outside[1]])}/${random.pick([24, 32])}`;
  }
}

export const networksOf = (model: VpcModel, vpc: string): readonly NetworkInterface[] =>
  model.interfaces.filter(
    ({ subnet }) => model.subnets.find(({ id }) => id === subnet)?.vpc === vpc,
  );

export function randomGroup(random: Prng, model: VpcModel, group: SecurityGroup): SecurityGroup {
  const rules = (side: string): SecurityGroupRule[] =>
    times(random.below(side === 'in' ? 6 : 4), (i) => ({
      id: `sgr-${group.id}-${side}-${i}`,
      ...randomWhat(random),
      peer: randomPeer(random, model, group.vpc),
    }));
  const open: SecurityGroupRule[] = ['0.0.0.0/0', '::/0'].map((cidr, i) => ({
    id: `sgr-${group.id}-open-${i}`,
    protocol: -1,
    peer: { cidr },
  }));
  return {
    ...group,
    inbound: unlike(rules('in')),
    outbound: unlike(random.oneIn(4) ? rules('out') : open),
  };
}

/** EC2 takes no rule twice. */
const unlike = (rules: readonly SecurityGroupRule[]): SecurityGroupRule[] =>
  rules.filter(({ id: _id, ...rule }, i) => {
    const same = rules.findIndex(
      ({ id: _other, ...one }) => JSON.stringify(one) === JSON.stringify(rule),
    );
    return same === i;
  });

function randomWhat(random: Prng): Omit<SecurityGroupRule, 'id' | 'peer'> {
  const protocol = random.oneIn(3) ? -1 : random.pick(protocolNumbers);
  if (protocol === 6 || protocol === 17) return { protocol, ...randomRange(random) };
  if ((protocol === 1 || protocol === 58) && !random.oneIn(3)) {
    const fromPort = random.pick(protocol === 1 ? [-1, 8, 0, 3, 13] : [-1, 128, 129, 1]);
    return { protocol, fromPort, toPort: fromPort === -1 ? -1 : random.pick([-1, 0, 3]) };
  }
  return { protocol };
}

function randomRange(random: Prng): { fromPort: number; toPort: number } {
  if (random.oneIn(4)) return { fromPort: 0, toPort: 65_535 };
  const [a, b] = [random.pick(ports), random.pick(ports)];
  return random.oneIn(2)
    ? { fromPort: a, toPort: a }
    : { fromPort: Math.min(a, b), toPort: Math.max(a, b) };
}

function randomPeer(random: Prng, model: VpcModel, vpc: string): RulePeer {
  const groups = model.securityGroups.filter((group) => group.vpc === vpc);
  const [list] = model.prefixLists.length > 0 ? [random.pick(model.prefixLists)] : [];
  if (random.oneIn(4)) return { group: random.pick(groups).id };
  if (list !== undefined && random.oneIn(5)) return { prefixList: list.id };
  return { cidr: randomCidr(random, networksOf(model, vpc)) };
}

export function randomAcl(random: Prng, model: VpcModel, acl: NetworkAcl): NetworkAcl {
  const entries = (): NetworkAclEntry[] => {
    const numbers = [...new Set(times(random.below(5), () => 10 * (1 + random.below(12))))];
    return numbers.map((number) => randomEntry(random, model, acl.vpc, number));
  };
  const vpc = { id: acl.vpc, cidrs: [], ipv6Cidrs: ['::/0'] };
  const whole = random.oneIn(5) ? newAcl(vpc, acl.id) : defaultAcl(vpc, acl.id);
  return {
    ...acl,
    inbound: random.oneIn(2) ? whole.inbound : withoutTwice([...entries(), ...whole.inbound]),
    outbound: random.oneIn(2) ? whole.outbound : withoutTwice([...entries(), ...whole.outbound]),
  };
}

const withoutTwice = (entries: readonly NetworkAclEntry[]): NetworkAclEntry[] =>
  entries.filter(({ number }, i) => entries.findIndex((one) => one.number === number) === i);

function randomEntry(random: Prng, model: VpcModel, vpc: string, number: number): NetworkAclEntry {
  const { protocol, fromPort, toPort } = randomWhat(random);
  const isIcmp = protocol === 1 || protocol === 58;
  const what = isIcmp
    ? { icmpType: fromPort ?? -1, icmpCode: toPort ?? -1 }
    : {
        ...(fromPort === undefined ? {} : { fromPort }),
        ...(toPort === undefined ? {} : { toPort }),
      };
  return {
    number,
    action: random.oneIn(2) ? 'allow' : 'deny',
    protocol,
    cidr: randomCidr(random, networksOf(model, vpc)),
    ...what,
  };
}

export function randomTable(random: Prng, model: VpcModel, table: RouteTable): RouteTable {
  const inside = networksOf(model, table.vpc);
  const gateways = model.internetGateways.filter(({ vpc }) => vpc === table.vpc);
  const nats = model.natGateways.filter(({ subnet }) => {
    return model.subnets.some(({ id, vpc }) => id === subnet && vpc === table.vpc);
  });
  const targets = [
    ...inside.map(({ id }) => id),
    'blackhole',
    ...nats.map(({ id }) => id),
    // As often as all else together.
    ...inside.flatMap(() => gateways.map(({ id }) => id)),
    ...model.egressOnlyInternetGateways.filter(({ vpc }) => vpc === table.vpc).map(({ id }) => id),
  ];
  const destinations = [
    '0.0.0.0/0',
    '::/0',
    '192.0.2.0/24',
    '192.0.2.0/28',
    '2001:db8:ffff::/48',
    ...model.subnets.filter(({ vpc }) => vpc === table.vpc).map(({ cidr }) => cidr),
    ...model.subnets
      .filter(({ vpc }) => vpc === table.vpc)
      .flatMap(({ ipv6Cidr }) => ipv6Cidr ?? []),
    ...model.prefixLists.slice(0, 1).map(({ id }) => id),
  ];
  const chosen = [...new Set(times(random.below(5), () => random.pick(destinations)))];
  return {
    ...table,
    routes: chosen.map((destination): Route => {
      // What is inside, or may be, leads to interfaces only; an egress-only gateway is for IPv6.
      const isAny = /^(pl-|10|2001:db8:[0-9]:)/.test(destination);
      const fit = targets.filter((target) => {
        if (isAny) return /^(eni|black)/.test(target);
        return !target.startsWith(destination.includes(':') ? 'nat-' : 'eigw-');
      });
      return { destination, target: random.pick(fit) };
    }),
  };
}

/**
 * One thing of the model is another one, or an interface is gone or back; all the rest stays the
 * very same object. `first`: the model as it was in the beginning.
 */
export function changed(random: Prng, model: VpcModel, first: VpcModel): VpcModel {
  if (random.oneIn(8)) return moved(random, model, first);
  switch (random.below(7)) {
    case 0:
    case 1:
      return {
        ...model,
        securityGroups: one(random, model.securityGroups, (group) =>
          randomGroup(random, model, group),
        ),
      };
    case 2:
      return {
        ...model,
        networkAcls: one(random, model.networkAcls, (acl) => randomAcl(random, model, acl)),
      };
    case 3:
      return {
        ...model,
        routeTables: one(random, model.routeTables, (table) => randomTable(random, model, table)),
      };
    case 4:
      return {
        ...model,
        interfaces: one(random, model.interfaces, (at) => changedInterface(random, model, at)),
      };
    case 5:
      return {
        ...model,
        prefixLists: one(random, model.prefixLists, (list) =>
          randomList(random, list.id, model.interfaces),
        ),
      };
    default:
      return {
        ...model,
        subnets: one(random, model.subnets, (subnet) => changedSubnet(random, model, subnet)),
      };
  }
}

function one<T>(random: Prng, things: readonly T[], change: (thing: T) => T): readonly T[] {
  const at = random.below(things.length);
  return things.map((thing, i) => (i === at ? change(thing) : thing));
}

/** An interface goes, and routes to it are blackholes; or one that was gone comes back. */
function moved(random: Prng, model: VpcModel, first: VpcModel): VpcModel {
  const back = first.interfaces.find(({ id }) => !model.interfaces.some((at) => at.id === id));
  if (back !== undefined) return { ...model, interfaces: [...model.interfaces, back] };
  const { id } = random.pick(model.interfaces);
  const routeTables = model.routeTables.map((table) => {
    if (!table.routes.some(({ target }) => target === id)) return table;
    const routes = table.routes.map((route) => {
      return route.target === id ? { ...route, target: 'blackhole' } : route;
    });
    return { ...table, routes };
  });
  return { ...model, routeTables, interfaces: model.interfaces.filter((at) => at.id !== id) };
}

function changedInterface(random: Prng, model: VpcModel, at: NetworkInterface): NetworkInterface {
  const vpc = model.subnets.find(({ id }) => id === at.subnet)?.vpc;
  const groups = model.securityGroups.filter((group) => group.vpc === vpc).map(({ id }) => id);
  if (random.oneIn(3)) return { ...at, sourceDestCheck: random.oneIn(2) };
  if (random.oneIn(3)) return { ...at, addresses: at.addresses.slice(0, 1) };
  return { ...at, groups: someOf(random, groups) };
}

function changedSubnet(random: Prng, model: VpcModel, subnet: Subnet): Subnet {
  const acls = model.networkAcls.filter(({ vpc }) => vpc === subnet.vpc);
  const tables = model.routeTables.filter(({ vpc }) => vpc === subnet.vpc);
  return { ...subnet, networkAcl: random.pick(acls).id, routeTable: random.pick(tables).id };
}

// Packets.
