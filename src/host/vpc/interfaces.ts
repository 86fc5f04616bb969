/** Instances and their network interfaces: what is not said is chosen around what is. */
import { formatMac, parseMac } from '../../net/ethernet.ts';
import type {
  Instance,
  MetadataOptions,
  NetworkInterface,
  PrivateAddress,
  Subnet,
  TrackingTimeouts,
} from '../../vpc/model.ts';
import { freeAddress, freeAddress6, isWithin } from './cidr.ts';
import type { Building } from './gates.ts';
import { defaultName, efaInterfaceId, idOf, interfaceId, type Path } from './names.ts';
import type { InstanceInVpc } from './section.ts';

/** An instance of the file, as it is written. */
export type InstanceInput = InstanceInVpc & {
  readonly name: string;
  readonly type: string;
  readonly mac?: string | undefined;
};

/** What instances are put into. */
export type Place = Building & {
  readonly subnets: readonly Subnet[];
  /** Addresses that are somebody's. */
  readonly taken: Set<string>;
};

const firstMac = 0x02_00_00_00_00_01;

export function buildInstances(
  inputs: readonly InstanceInput[],
  place: Place,
): { instances: Instance[]; interfaces: NetworkInterface[] } {
  claimAddresses(inputs, place);
  const macs = new Set(inputs.flatMap(({ mac }) => (mac === undefined ? [] : [parseMac(mac)])));
  return {
    instances: inputs.map((input) => instanceOf(input, place)),
    interfaces: inputs.flatMap((input) => interfacesOf(input, macs, place)),
  };
}

/** What the file gives away is not chosen for anybody else, and is given away once. */
function claimAddresses(inputs: readonly InstanceInput[], { taken, issues }: Place): void {
  const macs = new Map<string, string>();
  for (const { name, address = [], ipv6, mac } of inputs) {
    const path: Path = ['instances', name];
    const listed = [
      ...address.map((one, i) => [one, ['address', i]] as const),
      ...(Array.isArray(ipv6) ? ipv6 : []).map((one, i) => [one, ['ipv6', i]] as const),
    ];
    for (const [one, at] of listed) {
      if (taken.has(one)) issues.add([...path, ...at], 'an address that nothing else has');
      taken.add(one);
    }
    if (mac === undefined) continue;
    const owner = macs.get(mac.toLowerCase());
    if (owner !== undefined) issues.add([...path, 'mac'], `another one than that of ${owner}`);
    macs.set(mac.toLowerCase(), name);
  }
}

function instanceOf(input: InstanceInput, { names, issues }: Place): Instance {
  const { name, type, metadata, keys, tags } = input;
  const group = input['placement-group'];
  const at = { path: ['instances', name, 'placement-group'], issues };
  return {
    ...{ id: `i-${name}`, name, type },
    ...(group !== undefined && {
      placementGroup: idOf(names.placementGroups, group, 'a placement group', at),
    }),
    ...(metadata !== undefined && { metadata: metadataOf(metadata) }),
    ...(input['user-data'] !== undefined && { userData: input['user-data'] }),
    ...(keys !== undefined && { publicKeys: keys }),
    ...(tags !== undefined && { tags }),
  };
}

/** The primary interface, and the EFA that is one of its own. */
function interfacesOf(input: InstanceInput, macs: Set<number>, place: Place): NetworkInterface[] {
  const primary = interfaceOf(input, freeMac(input.mac, macs), place);
  const { 'interface-type': interfaceType = 'interface', name } = input;
  if (interfaceType === 'interface') return [primary];
  if (interfaceType === 'efa') return [{ ...primary, interfaceType }];
  const { subnet, groups } = primary;
  const efa = {
    ...{ id: efaInterfaceId(name), subnet, mac: freeMac(undefined, macs), addresses: [], groups },
    ...{ interfaceType, instance: `i-${name}`, deviceIndex: 1 },
  };
  return [primary, efa];
}

function interfaceOf(input: InstanceInput, mac: string, place: Place): NetworkInterface {
  const { name, groups = [defaultName], tracking, ipv6 } = input;
  const { names, subnets, issues } = place;
  const path: Path = ['instances', name];
  const wanted = input.subnet ?? firstName(names.subnets);
  const subnetId = idOf(names.subnets, wanted, 'a subnet', { path: [...path, 'subnet'], issues });
  const subnet = subnets.find(({ id }) => id === subnetId);
  const addresses6 = subnet === undefined || ipv6 === undefined ? [] : sixes(input, subnet, place);
  const check = input['source-dest-check'];
  return {
    ...{ id: interfaceId(name), subnet: subnetId, mac, instance: `i-${name}` },
    addresses: subnet === undefined ? [] : addressesOf(input, subnet, place),
    ...(addresses6.length > 0 && { ipv6Addresses: addresses6 }),
    groups: groups.map((group, i) =>
      idOf(names.groups, group, 'a security group', { path: [...path, 'groups', i], issues }),
    ),
    ...(check !== undefined && { sourceDestCheck: check }),
    ...(tracking !== undefined && { tracking: trackingOf(tracking) }),
  };
}

const firstName = (names: ReadonlyMap<string, string>): string => [...names.keys()][0] ?? '';

/** The first is the primary one, which has the public address. */
function addressesOf(input: InstanceInput, subnet: Subnet, place: Place): PrivateAddress[] {
  const { name, address = [], public: publicAddress } = input;
  const path: Path = ['instances', name];
  for (const [i, one] of address.entries())
    if (!isWithin(one, subnet.cidr))
      place.issues.add([...path, 'address', i], `an address of the subnet, ${subnet.cidr}`);
  const list = address.length > 0 ? address : chosen(freeAddress(subnet.cidr, place.taken));
  if (list.length === 0) place.issues.add(path, `an address that is free in ${subnet.cidr}`);
  for (const one of list) place.taken.add(one);
  return list.map((one, i) => {
    return { address: one, ...(i === 0 && publicAddress !== undefined && { publicAddress }) };
  });
}

/** IPv6 addresses: those that were given, or one that is free. */
function sixes({ name, ipv6 }: InstanceInput, subnet: Subnet, place: Place): string[] {
  const path: Path = ['instances', name, 'ipv6'];
  const { ipv6Cidr } = subnet;
  if (ipv6Cidr === undefined) {
    place.issues.add(path, 'none, as the subnet has no IPv6 prefix');
    return [];
  }
  const list = Array.isArray(ipv6) ? ipv6 : chosen(freeAddress6(ipv6Cidr, place.taken));
  for (const [i, one] of list.entries()) {
    if (!isWithin(one, ipv6Cidr)) place.issues.add([...path, i], `an address of ${ipv6Cidr}`);
    place.taken.add(one);
  }
  return list;
}

const chosen = (address: string | null): string[] => (address === null ? [] : [address]);

function freeMac(mac: string | undefined, taken: Set<number>): string {
  if (mac !== undefined) return mac.toLowerCase();
  let free = firstMac;
  while (taken.has(free)) free++;
  taken.add(free);
  return formatMac(free);
}

function trackingOf(of: NonNullable<InstanceInput['tracking']>): TrackingTimeouts {
  const { 'tcp-established': tcp, udp, 'udp-stream': stream } = of;
  return {
    ...(tcp !== undefined && { tcpEstablishedSeconds: tcp }),
    ...(udp !== undefined && { udpSeconds: udp }),
    ...(stream !== undefined && { udpStreamSeconds: stream }),
  };
}

function metadataOf(of: NonNullable<InstanceInput['metadata']>): MetadataOptions {
  const { endpoint, tokens, 'hop-limit': hopLimit, ipv6, tags } = of;
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(tokens !== undefined && { tokens }),
    ...(hopLimit !== undefined && { hopLimit }),
    ...(ipv6 !== undefined && { ipv6 }),
    ...(tags !== undefined && { instanceTags: tags }),
  };
}
