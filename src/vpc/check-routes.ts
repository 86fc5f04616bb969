/**
 * Whether the routes of a model lead somewhere: "Configure route tables", VPC User Guide.
 */
import { formatPrefix, type Prefix, parsePrefix } from '../net/prefix.ts';
import { contains, type Problems, readPrefix } from './check-addresses.ts';
import type { Route, RouteTable, VpcModel } from './model.ts';

/** "You can't add routes to addresses that are reserved for AWS services." */
const reserved = ['169.254.168.0/22', 'fd00:ec2::/32'].map(parsePrefix);
/** NAT64: the only IPv6 that a NAT gateway takes. */
const nat64 = '64:ff9b::/96';

export const checkRoutes = (model: VpcModel): Problems =>
  model.routeTables.flatMap((table) => {
    const seen = new Set<string>();
    return table.routes.flatMap((route) => {
      const where = `${table.id} ${route.destination}`;
      const twice = seen.has(route.destination);
      seen.add(route.destination);
      return [
        ...(twice ? [`${where} is there twice: remove one of the two`] : []),
        ...checkRoute(where, route, table, model),
      ];
    });
  });

function checkRoute(where: string, route: Route, table: RouteTable, model: VpcModel): Problems {
  const { destination, target } = route;
  const targets = checkTarget(where, target, table, model);
  if (destination.startsWith('pl-')) {
    const list = model.prefixLists.find(({ id }) => id === destination);
    if (list === undefined)
      return [`${where}: there is no such prefix list: create it`, ...targets];
    return [
      ...targets,
      ...list.cidrs.flatMap((cidr) => checkDestination(where, cidr, target, table, model)),
    ];
  }
  return [...targets, ...checkDestination(where, destination, target, table, model)];
}

function checkDestination(
  where: string,
  cidr: string,
  target: string,
  table: RouteTable,
  model: VpcModel,
): Problems {
  const prefix = readPrefix(cidr);
  if (typeof prefix === 'string') return [`${where}: ${prefix}`];
  const problems: string[] = [];
  if (reserved.some((own) => contains(formatPrefix(own), prefix)))
    problems.push(`${where}: these addresses are for services of EC2: choose other ones`);
  const vpc = model.vpcs.find(({ id }) => id === table.vpc);
  const own = [...(vpc?.cidrs ?? []), ...(vpc?.ipv6Cidrs ?? [])];
  const isInside = own.some((outer) => contains(outer, prefix));
  if (isInside && target !== 'local' && !/^(eni|nat)-/.test(target) && target !== 'blackhole')
    problems.push(
      `${where} is in ${table.vpc}: it can be routed to an interface, not to ${target}`,
    );
  if (!isInside && target === 'local')
    problems.push(`${where} is not a prefix of ${table.vpc}: only those are local`);
  return [...problems, ...checkVersion(where, prefix, target)];
}

function checkVersion(where: string, prefix: Prefix, target: string): Problems {
  if (target.startsWith('eigw-') && prefix.version === 4)
    return [`${where}: an egress-only internet gateway is for IPv6: use a NAT gateway`];
  if (target.startsWith('nat-') && prefix.version === 6 && !contains(nat64, prefix))
    return [`${where}: a NAT gateway is for IPv4: use an egress-only internet gateway`];
  return [];
}

function checkTarget(where: string, target: string, table: RouteTable, model: VpcModel): Problems {
  if (target === 'local' || target === 'blackhole') return [];
  const subnetsVpc = new Map(model.subnets.map(({ id, vpc }) => [id, vpc]));
  const homes = new Map<string, string | undefined>([
    ...[...model.internetGateways, ...model.egressOnlyInternetGateways].map(
      ({ id, vpc }) => [id, vpc] as const,
    ),
    ...[...model.natGateways, ...model.interfaces].map(
      ({ id, subnet }) => [id, subnetsVpc.get(subnet)] as const,
    ),
  ]);
  if (!homes.has(target))
    return [
      `${where}: there is no ${target}: name an igw-, eigw-, nat- or eni- that is there, local or blackhole`,
    ];
  const home = homes.get(target);
  if (home === table.vpc) return [];
  return [
    `${where}: ${target} is in ${home ?? 'no VPC'}, not in ${table.vpc}: name one of this VPC`,
  ];
}
