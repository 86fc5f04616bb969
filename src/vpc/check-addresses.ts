/**
 * Whether the addresses of a model fit together: prefixes in prefixes, addresses in subnets, nothing
 * twice, nothing that is EC2's own ("VPC CIDR blocks", "Subnet CIDR blocks", VPC User Guide).
 */
import { formatMac, isGroupMac, parseMac } from '../net/ethernet.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { type Ipv6Address, parseIpv6 } from '../net/ipv6.ts';
import { formatPrefix, hasIpv4, hasIpv6, type Prefix, parsePrefix } from '../net/prefix.ts';
import type { NetworkInterface, Subnet, Vpc, VpcModel } from './model.ts';
import type { Quotas } from './quotas.ts';
import { routerMac } from './well-known.ts';

/** What is wrong, in sentences. */
export type Problems = readonly string[];

export const checkAddresses = (model: VpcModel, quotas: Quotas): Problems => [
  ...model.vpcs.flatMap((vpc) => checkVpc(vpc, quotas)),
  ...model.subnets.flatMap((subnet, i) => checkSubnet(subnet, model, model.subnets.slice(0, i))),
  ...model.interfaces.flatMap((at) => checkInterface(at, model)),
  ...checkMacs(model),
  ...checkTaken(model),
  ...checkPublicAddresses(model),
  ...model.natGateways.flatMap(({ id, subnet, address }) =>
    checkInSubnet(
      id,
      address,
      model.subnets.find((s) => s.id === subnet),
    ),
  ),
];

function checkVpc({ id, cidrs, ipv6Cidrs = [] }: Vpc, { cidrsPerVpc }: Quotas): Problems {
  const problems: string[] = [];
  if (cidrs.length === 0) problems.push(`${id} has no IPv4 prefix: give it one like 10.0.0.0/16`);
  for (const list of [cidrs, ipv6Cidrs])
    if (list.length > cidrsPerVpc)
      problems.push(
        `${id} has ${list.length} prefixes of one version: the quota is ${cidrsPerVpc}`,
      );
  const own = [...cidrs, ...ipv6Cidrs].flatMap((text, i) => {
    const prefix = readPrefix(text);
    if (typeof prefix === 'string') problems.push(`${id}: ${prefix}`);
    else if (prefix.version !== (i < cidrs.length ? 4 : 6))
      problems.push(
        `${id}: ${text} is in the list of the other IP version: put it where it belongs`,
      );
    else return [prefix];
    return [];
  });
  for (const [i, prefix] of own.entries()) {
    const [least, most] = prefix.version === 4 ? [16, 28] : [44, 60];
    const text = formatPrefix(prefix);
    if (prefix.length < least || prefix.length > most)
      problems.push(`${id}: ${text} is no prefix of a VPC: choose one from /${least} to /${most}`);
    const other = own.slice(0, i).find((before) => overlap(before, prefix));
    if (other)
      problems.push(`${id}: ${text} overlaps ${formatPrefix(other)}: choose one that is free`);
  }
  return problems;
}

function checkSubnet(subnet: Subnet, model: VpcModel, before: readonly Subnet[]): Problems {
  const { id, vpc: vpcId, cidr, ipv6Cidr } = subnet;
  const vpc = model.vpcs.find((v) => v.id === vpcId);
  const cidrs = ipv6Cidr === undefined ? [cidr] : [cidr, ipv6Cidr];
  return cidrs.flatMap((text, i) => {
    const prefix = readPrefix(text);
    if (typeof prefix === 'string') return [`${id}: ${prefix}`];
    if (prefix.version !== (i === 0 ? 4 : 6))
      return [`${id}: ${text} is of the other IP version: put it where it belongs`];
    const problems: string[] = [];
    if (i === 0 && (prefix.length < 16 || prefix.length > 28))
      problems.push(`${id}: ${text} is no prefix of a subnet: choose one from /16 to /28`);
    if (i === 1 && prefix.length !== 64)
      problems.push(`${id}: ${text} is no IPv6 prefix of a subnet: choose a /64`);
    const around = (i === 0 ? vpc?.cidrs : vpc?.ipv6Cidrs) ?? [];
    if (vpc && !around.some((outer) => contains(outer, prefix)))
      problems.push(
        `${id}: ${text} is not in a prefix of ${vpcId} (${around.join(', ') || 'none'})`,
      );
    for (const other of before.filter((s) => s.vpc === vpcId)) {
      const taken = i === 0 ? other.cidr : other.ipv6Cidr;
      if (taken !== undefined && overlapsText(taken, prefix))
        problems.push(`${id}: ${text} overlaps ${other.id}'s ${taken}: choose one that is free`);
    }
    return problems;
  });
}

function checkInterface(at: NetworkInterface, model: VpcModel): Problems {
  const subnet = model.subnets.find(({ id }) => id === at.subnet);
  const texts = [...at.addresses.map(({ address }) => address), ...(at.ipv6Addresses ?? [])];
  const none = at.addresses.length + (at.ipv6Addresses?.length ?? 0) === 0;
  return [
    ...(none && at.interfaceType !== 'efa-only'
      ? [`${at.id} has no private address: give it one of ${at.subnet}`]
      : []),
    ...texts.flatMap((text) => checkInSubnet(at.id, text, subnet)),
  ];
}

/** An address of `id` lies in its subnet, and is not one of EC2's five. */
function checkInSubnet(id: string, text: string, subnet: Subnet | undefined): Problems {
  const address = readAddress(text);
  if (typeof address === 'string') return [`${id}: ${address}`];
  if (subnet === undefined) return [];
  const isV6 = text.includes(':');
  const cidr = isV6 ? subnet.ipv6Cidr : subnet.cidr;
  const prefix = cidr === undefined ? 'no prefix' : readPrefix(cidr);
  if (cidr === undefined)
    return [`${id}: ${subnet.id} has no IPv6 prefix for ${text}: give it one`];
  if (typeof prefix === 'string') return [];
  const inside = isV6 ? hasIpv6(prefix, address) : hasIpv4(prefix, address[0]);
  if (!inside) return [`${id}: ${text} is not in ${subnet.id} (${cidr}): choose one that is`];
  return isReserved(prefix, address)
    ? [`${id}: ${text} is one of the five addresses of ${cidr} that EC2 keeps: choose another`]
    : [];
}

/** "The first four IP addresses and the last IP address in each subnet CIDR block." */
function isReserved(prefix: Prefix, address: Ipv6Address): boolean {
  const { base, length, version } = prefix;
  if (version === 4) {
    const offset = (address[0] - base[0]) >>> 0;
    return offset < 4 || offset === 2 ** (32 - length) - 1;
  }
  const isFirst = address[2] === base[2] && address[3] >>> 0 < 4;
  return isFirst || (address[2] === -1 && address[3] === -1);
}

function checkMacs(model: VpcModel): Problems {
  const routers = new Map(model.subnets.map(({ id }) => [routerMac(id), id]));
  const owners = new Map<number, string>();
  return model.interfaces.flatMap(({ id, mac: text }) => {
    let mac: number;
    try {
      mac = parseMac(text);
    } catch (error) {
      return [`${id}: ${(error as Error).message}`];
    }
    const other = owners.get(mac) ?? routers.get(mac);
    owners.set(mac, id);
    if (isGroupMac(mac))
      return [`${id}: ${formatMac(mac)} is a group's address: choose an even first byte`];
    if (other === undefined) return [];
    return [`${id}: ${formatMac(mac)} belongs to ${other} already: give it another MAC address`];
  });
}

/** No address is two interfaces' in one VPC. */
function checkTaken(model: VpcModel): Problems {
  const vpcOf = new Map(model.subnets.map(({ id, vpc }) => [id, vpc]));
  const owners = new Map<string, string>();
  const holders = [
    ...model.interfaces.map(({ id, subnet, addresses, ipv6Addresses = [] }) => {
      return { id, subnet, all: [...addresses.map((a) => a.address), ...ipv6Addresses] };
    }),
    ...model.natGateways.map(({ id, subnet, address }) => ({ id, subnet, all: [address] })),
  ];
  return holders.flatMap(({ id, subnet, all }) =>
    all.flatMap((text) => {
      const address = readAddress(text);
      if (typeof address === 'string') return [];
      const key = `${vpcOf.get(subnet)} ${text.includes(':') ? 6 : 4} ${address.join()}`;
      const other = owners.get(key);
      owners.set(key, id);
      if (other === undefined) return [];
      return [`${id}: ${text} belongs to ${other} already: choose an address that is free`];
    }),
  );
}

function checkPublicAddresses(model: VpcModel): Problems {
  const owners = new Map<string, string>();
  const all = [
    ...model.interfaces.flatMap(({ id, addresses }) =>
      addresses.map(({ publicAddress }) => ({ id, publicAddress })),
    ),
    ...model.natGateways,
  ];
  return all.flatMap(({ id, publicAddress }) => {
    if (publicAddress === undefined) return [];
    const address = readAddress(publicAddress);
    if (typeof address === 'string') return [`${id}: ${address}`];
    if (publicAddress.includes(':'))
      return [`${id}: ${publicAddress} is an IPv6 address: public ones of this kind are IPv4`];
    const other = owners.get(publicAddress);
    owners.set(publicAddress, id);
    if (other === undefined) return [];
    return [`${id}: the public address ${publicAddress} is ${other}'s already: give it another`];
  });
}

// Reading.

/** The prefix, or why it is none. */
export function readPrefix(text: string): Prefix | string {
  try {
    return parsePrefix(text);
  } catch (error) {
    return (error as Error).message;
  }
}

/** The address (IPv4: in the first word), or why it is none. */
export function readAddress(text: string): Ipv6Address | string {
  try {
    return text.includes(':') ? parseIpv6(text) : [parseIpv4(text), 0, 0, 0];
  } catch (error) {
    return (error as Error).message;
  }
}

/** Whether `inner` lies in `outer`. */
export function contains(outer: string, inner: Prefix): boolean {
  const prefix = readPrefix(outer);
  return typeof prefix !== 'string' && prefix.length <= inner.length && overlap(prefix, inner);
}

const overlapsText = (text: string, prefix: Prefix): boolean => {
  const other = readPrefix(text);
  return typeof other !== 'string' && overlap(other, prefix);
};

function overlap(a: Prefix, b: Prefix): boolean {
  if (a.version !== b.version) return false;
  const [wide, narrow] = a.length <= b.length ? [a, b] : [b, a];
  if (wide.version === 4) return hasIpv4(wide, narrow.base[0]);
  return hasIpv6(wide, narrow.base);
}
