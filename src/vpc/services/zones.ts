/**
 * The names that a VPC's resolver knows by itself, compiled once from a directory:
 *
 *     ip-10-0-0-10.ec2.internal, i-0a1.ec2.internal      us-east-1
 *     ip-10-0-0-10.eu-west-1.compute.internal, i-0a1...  other Regions
 *     ec2-1-2-3-4.compute-1.amazonaws.com                public names: the private address, within
 *     ec2-1-2-3-4.eu-west-1.compute.amazonaws.com        the VPC (split horizon)
 *     10.0.0.10.in-addr.arpa, ...ip6.arpa                and back
 *
 * Private names need `dnsHostnames` as public ones do (Amazon VPC User Guide, DNS attributes: "if at
 * least one of the attributes is false, the resolver cannot resolve private DNS hostnames"). Names of
 * instances have both A and AAAA records. Sources: that guide, and EC2 User Guide, hostname types.
 */
import { formatIpv4, parseIpv4 } from '../../net/ipv4.ts';
import type { Ipv6Address } from '../../net/ipv6.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { hostName, publicDomain, publicName } from '../names.ts';
import type { Directory, InterfaceEntry, VpcEntry } from './directory.ts';

export type NameRecords = {
  readonly addresses: number[];
  readonly addresses6: Ipv6Address[];
  /** Names, as text. */
  readonly pointers: string[];
};

/** A zone that is known whole has no other names; of one that is not, somebody else may know. */
export type Zone = { readonly name: string; readonly isWhole: boolean };

/** Zones that no resolver asks others about (RFC 6303, RFC 6761). */
const localZones = [
  'localhost',
  'ec2.internal',
  'compute.internal',
  '10.in-addr.arpa',
  ...Array.from({ length: 16 }, (_, i) => `${16 + i}.172.in-addr.arpa`),
  '168.192.in-addr.arpa',
  '254.169.in-addr.arpa',
  '127.in-addr.arpa',
];

export class Zones {
  readonly #records = new Map<string, NameRecords>();
  /** Names that have nothing but names below them. */
  readonly #between = new Set<string>();
  readonly #zones = new Map<string, Zone>();

  constructor(vpc: VpcEntry, directory: Directory) {
    for (const name of localZones) this.#zone(name, true);
    this.#zone(vpc.domain, true);
    this.#zone(publicDomain(vpc.region), false);
    for (const cidr of vpc.vpc.cidrs)
      for (const name of reverseZones(parsePrefix(cidr))) this.#zone(name, true);
    for (const cidr of vpc.vpc.ipv6Cidrs ?? []) this.#zone(reverseZone6(parsePrefix(cidr)), true);
    const localhost = this.#at('localhost');
    localhost.addresses.push(parseIpv4('127.0.0.1'));
    localhost.addresses6.push([0, 0, 0, 1]);
    for (const one of directory.interfaces) {
      const isOurs = one.subnet.vpc === vpc;
      if (one.subnet.vpc.dnsHostnames) this.#addPublic(one, isOurs);
      if (isOurs && vpc.dnsHostnames) this.#addPrivate(one);
    }
    for (const name of this.#records.keys()) this.#addBetween(name);
  }

  /** What a name has; null: it exists, but has nothing; undefined: there is no such name here. */
  find(name: string): NameRecords | null | undefined {
    const records = this.#records.get(name);
    if (records !== undefined) return records;
    return this.#between.has(name) || this.#zones.get(name)?.isWhole ? null : undefined;
  }

  /** The zone that a name is in, if it is in one of these. */
  zoneOf(name: string): Zone | undefined {
    for (let rest = name; ; rest = parentOf(rest)) {
      const zone = this.#zones.get(rest);
      if (zone !== undefined || rest === '') return zone;
    }
  }

  #zone(name: string, isWhole: boolean): void {
    this.#zones.set(name, { name, isWhole });
  }

  #at(name: string): NameRecords {
    let records = this.#records.get(name);
    if (records === undefined) {
      records = { addresses: [], addresses6: [], pointers: [] };
      this.#records.set(name, records);
    }
    return records;
  }

  #addPrivate({ addresses, addresses6, instance, networkInterface, subnet }: InterfaceEntry): void {
    const { domain } = subnet.vpc;
    for (const address of addresses) {
      const name = `${hostName(formatIpv4(address))}.${domain}`;
      this.#at(name).addresses.push(address);
      this.#at(reverseName(address)).pointers.push(name);
    }
    if (instance === null) return;
    const name = `${instance.id}.${domain}`;
    const isPrimary = (networkInterface.deviceIndex ?? 0) === 0;
    const [first] = addresses;
    const [first6] = addresses6;
    if (isPrimary && first !== undefined) this.#at(name).addresses.push(first);
    if (isPrimary && first6 !== undefined) this.#at(name).addresses6.push(first6);
    for (const address of addresses6) this.#at(reverseName6(address)).pointers.push(name);
  }

  /** Within the VPC a public name leads to the private address, elsewhere to the public one. */
  #addPublic({ networkInterface, subnet }: InterfaceEntry, isOurs: boolean): void {
    for (const { address, publicAddress } of networkInterface.addresses) {
      if (publicAddress === undefined) continue;
      const name = publicName(publicAddress, subnet.vpc.region);
      this.#at(name).addresses.push(parseIpv4(isOurs ? address : publicAddress));
      this.#at(reverseName(parseIpv4(publicAddress))).pointers.push(name);
    }
  }

  /** Up to the zone's own name. */
  #addBetween(name: string): void {
    const zone = this.zoneOf(name);
    if (!zone?.isWhole) return;
    for (let rest = parentOf(name); rest.length > zone.name.length; rest = parentOf(rest))
      if (!this.#records.has(rest)) this.#between.add(rest);
  }
}

const parentOf = (name: string): string => {
  const dot = name.indexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1);
};

const reverseName = (address: number): string =>
  `${formatIpv4(address).split('.').reverse().join('.')}.in-addr.arpa`;

const reverseName6 = (address: Ipv6Address): string =>
  `${nibbles(address).reverse().join('.')}.ip6.arpa`;

const nibbles = (address: Ipv6Address): string[] =>
  address.flatMap((word) => [...(word >>> 0).toString(16).padStart(8, '0')]);

/** A prefix that does not end at a dot is several zones; below /24 its neighbours are in it, too. */
function reverseZones({ base, length }: Prefix): string[] {
  const octets = Math.min(3, Math.ceil(length / 8));
  const step = 2 ** (32 - 8 * octets);
  const count = Math.max(1, 2 ** (8 * octets - length));
  return Array.from({ length: count }, (_, i) => {
    const labels = formatIpv4((base[0] + i * step) | 0)
      .split('.')
      .slice(0, octets);
    return `${labels.reverse().join('.')}.in-addr.arpa`;
  });
}

const reverseZone6 = ({ base, length }: Prefix): string =>
  `${nibbles(base)
    .slice(0, Math.floor(length / 4))
    .reverse()
    .join('.')}.ip6.arpa`;
