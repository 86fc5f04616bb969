/**
 * From a `vpc:` section and its instances to a `VpcModel`: names become ids (the group `web` is
 * `sg-web`), what is not said is what EC2 does when nobody says it, short rules become whole ones.
 * What names nothing is an issue with its place in the file; what contradicts itself is for
 * `checkVpcModel` to find.
 */
import type {
  EgressOnlyInternetGateway,
  InternetGateway,
  NatGateway,
  RouteTable,
  Subnet,
  Vpc,
  VpcModel,
} from '../../vpc/model.ts';
import { freeAddress, parseCidr } from './cidr.ts';
import { type Building, buildAcls, buildGroups, buildPrefixLists } from './gates.ts';
import { buildInstances, type InstanceInput, type Place } from './interfaces.ts';
import { defaultName, type Issues, idOf, mainTable, namesOf, type Path } from './names.ts';
import type { VpcSection } from './section.ts';

const vpcId = 'vpc-lab';
const defaultCidr = '10.0.0.0/16';
/** As large as those of a default VPC. */
const defaultSubnetBits = 20;
const defaultZone = 'us-east-1a';

/** With issues the model is not to be used. */
export function buildVpc(
  section: VpcSection,
  inputs: readonly InstanceInput[],
  issues: Issues,
): VpcModel {
  const names = namesOf(
    section,
    inputs.map(({ name }) => name),
  );
  const of: Building = { vpc: vpcId, ipv6: section.ipv6 !== undefined, names, issues };
  const subnets = buildSubnets(section, of);
  const place: Place = { ...of, subnets, taken: new Set() };
  const natGateways = claimNatAddresses(section, place);
  return {
    vpcs: [vpcOf(section)],
    subnets,
    ...buildInstances(inputs, place),
    securityGroups: buildGroups(section, of),
    networkAcls: buildAcls(section, of),
    routeTables: buildRoutes(section, of),
    prefixLists: buildPrefixLists(section),
    ...edgeGateways(section),
    natGateways: natGateways(),
    placementGroups: Object.entries(section['placement-groups'] ?? {}).map(([name, strategy]) => {
      return { id: `pg-${name}`, name, strategy };
    }),
  };
}

function vpcOf({ cidr = [defaultCidr], ipv6, dns, dhcp, ...rest }: VpcSection): Vpc {
  // EC2's default VPC has names for its addresses, and so have those of labs.
  const hostnames = rest['dns-hostnames'] ?? true;
  const { domain, servers, ntp } = dhcp ?? {};
  const options = {
    ...(domain !== undefined && { domainName: domain }),
    ...(servers !== undefined && { domainNameServers: servers }),
    ...(ntp !== undefined && { ntpServers: ntp }),
  };
  return {
    ...{ id: vpcId, cidrs: cidr },
    ...(ipv6 !== undefined && { ipv6Cidrs: ipv6 }),
    ...(dhcp !== undefined && { dhcpOptions: options }),
    ...(dns !== undefined && { dnsSupport: dns }),
    dnsHostnames: hostnames,
  };
}

function buildSubnets(section: VpcSection, { vpc, names, issues }: Building): Subnet[] {
  const subnets = section.subnets ?? { [defaultName]: { cidr: firstSubnet(section) } };
  return Object.entries(subnets).map(([name, subnet]): Subnet => {
    const path: Path = ['vpc', 'subnets', name];
    const { cidr, zone = defaultZone, ipv6, acl = defaultName, routes = mainTable } = subnet;
    return {
      ...{ id: `subnet-${name}`, vpc, zone, cidr },
      ...(ipv6 !== undefined && { ipv6Cidr: ipv6 }),
      networkAcl: idOf(names.acls, acl, 'a network ACL', { path: [...path, 'acl'], issues }),
      routeTable: idOf(names.tables, routes, 'a route table', {
        path: [...path, 'routes'],
        issues,
      }),
    };
  });
}

/** Where nobody says anything of subnets there is one, at the beginning of the VPC. */
function firstSubnet({ cidr: [cidr = defaultCidr] = [] }: VpcSection): string {
  const parsed = parseCidr(cidr);
  return `${parsed?.address}/${Math.max(parsed?.bits ?? 0, defaultSubnetBits)}`;
}

function buildRoutes({ routes = {} }: VpcSection, { vpc, names, issues }: Building): RouteTable[] {
  const all = { [mainTable]: {}, ...routes };
  return Object.entries(all).map(([name, table]): RouteTable => {
    const entries = Object.entries<string>(table).map(([destination, target]) => {
      const path: Path = ['vpc', 'routes', name, destination];
      return {
        destination:
          parseCidr(destination) === null
            ? idOf(names.lists, destination, 'a prefix list, or a prefix', { path, issues })
            : destination,
        target:
          target === 'local' || target === 'blackhole'
            ? target
            : idOf(names.targets, target, 'a gateway or an instance', { path, issues }),
      };
    });
    return { id: `rtb-${name}`, vpc, routes: entries };
  });
}

function edgeGateways({ gateways = {} }: VpcSection): {
  internetGateways: InternetGateway[];
  egressOnlyInternetGateways: EgressOnlyInternetGateway[];
} {
  const all = Object.entries(gateways);
  const of = (kind: 'internet' | 'egress-only', prefix: string) =>
    all.flatMap(([name, gateway]) =>
      gateway[kind] === undefined ? [] : [{ id: `${prefix}-${name}`, vpc: vpcId }],
    );
  return {
    internetGateways: of('internet', 'igw'),
    egressOnlyInternetGateways: of('egress-only', 'eigw'),
  };
}

/**
 * Addresses that NAT gateways are given are theirs before any instance chooses; those without one
 * choose last. Returns what makes the gateways.
 */
function claimNatAddresses(section: VpcSection, place: Place): () => NatGateway[] {
  const { names, subnets, taken, issues } = place;
  const all = Object.entries(section.gateways ?? {}).flatMap(([name, { nat }]) =>
    nat === undefined ? [] : [{ name, ...nat }],
  );
  for (const { address } of all) if (address !== undefined) taken.add(address);
  return () =>
    all.map(({ name, subnet: wanted, address, public: publicAddress }): NatGateway => {
      const path: Path = ['vpc', 'gateways', name];
      const first = [...names.subnets.keys()][0] ?? '';
      const at = { path: [...path, 'nat', 'subnet'], issues };
      const subnet = idOf(names.subnets, wanted ?? first, 'a subnet', at);
      const cidr = subnets.find(({ id }) => id === subnet)?.cidr ?? '';
      const own = address ?? freeAddress(cidr, taken);
      if (own === null && subnet !== '') issues.add(path, `an address that is free in ${cidr}`);
      taken.add(own ?? '');
      return {
        ...{ id: `nat-${name}`, subnet, address: own ?? '' },
        ...(publicAddress !== undefined && { publicAddress }),
      };
    });
}
