/**
 * Who is where, as the network's own services need it: compiled once from a model, never changed.
 * A service finds the interface behind a port by the port's MAC.
 */
import { parseMac } from '../../net/ethernet.ts';
import type { ErrorSource } from '../../net/icmp-errors.ts';
import { ipv4Mask, parseIpv4 } from '../../net/ipv4.ts';
import { type Ipv6Address, parseIpv6 } from '../../net/ipv6.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import type { SwitchPort } from '../../switch/port.ts';
import type { DhcpOptionSet, Instance, NetworkInterface, Subnet, Vpc, VpcModel } from '../model.ts';
import { privateDomain, regionOf } from '../names.ts';
import { resolverAddress, routerOf } from '../well-known.ts';

export type VpcEntry = {
  readonly vpc: Vpc;
  readonly region: string;
  readonly resolver: number;
  /** `ec2.internal`, or `eu-west-1.compute.internal`. */
  readonly domain: string;
  /** Whether the resolver answers at all, and whether it knows EC2's own names. */
  readonly dnsSupport: boolean;
  readonly dnsHostnames: boolean;
  /** The set of options that DHCP tells; null: EC2's default one. */
  readonly dhcpOptions: DhcpOptionSet | null;
};

export type SubnetEntry = {
  readonly vpc: VpcEntry;
  readonly base: number;
  readonly mask: number;
  readonly router: ErrorSource;
  readonly prefix6: Prefix | null;
  /** MACs of interfaces by IPv4 address. */
  readonly macs: Map<number, number>;
  readonly macs6: Ipv6Map<number>;
};

export type InterfaceEntry = {
  readonly mac: number;
  readonly subnet: SubnetEntry;
  readonly networkInterface: NetworkInterface;
  readonly instance: Instance | null;
  /** The first is the primary one. */
  readonly addresses: readonly number[];
  readonly addresses6: readonly Ipv6Address[];
};

/** A map from IPv6 addresses, without making text of each. */
export class Ipv6Map<T> {
  readonly #byLast = new Map<number, [Ipv6Address, T][]>();

  get(a0: number, a1: number, a2: number, a3: number): T | undefined {
    for (const [address, value] of this.#byLast.get(a3) ?? [])
      if (address[2] === a2 && address[1] === a1 && address[0] === a0) return value;
    return undefined;
  }

  set(address: Ipv6Address, value: T): void {
    const same = this.#byLast.get(address[3]);
    if (same === undefined) this.#byLast.set(address[3], [[address, value]]);
    else same.push([address, value]);
  }
}

export class Directory {
  readonly interfaces: readonly InterfaceEntry[];
  readonly vpcs: ReadonlyMap<string, VpcEntry>;
  readonly #byMac = new Map<number, InterfaceEntry>();

  /** Throws when the model names what it does not have; `checkVpcModel` says it better. */
  constructor(model: VpcModel) {
    const vpcs = new Map(model.vpcs.map((vpc) => [vpc.id, vpcEntry(vpc, model)]));
    const subnets = new Map<string, SubnetEntry>();
    for (const subnet of model.subnets)
      subnets.set(subnet.id, subnetEntry(subnet, found(vpcs, subnet.vpc)));
    const instances = new Map(model.instances.map((instance) => [instance.id, instance]));
    this.vpcs = vpcs;
    this.interfaces = model.interfaces.map((one) => {
      const subnet = found(subnets, one.subnet);
      return interfaceEntry(one, subnet, instances.get(one.instance ?? '') ?? null);
    });
    for (const entry of this.interfaces) {
      this.#byMac.set(entry.mac, entry);
      for (const address of entry.addresses) entry.subnet.macs.set(address, entry.mac);
      for (const address of entry.addresses6) entry.subnet.macs6.set(address, entry.mac);
    }
  }

  /** The interface behind a port, or undefined: the port has none in this model. */
  at(port: SwitchPort): InterfaceEntry | undefined {
    return port.mac === null ? undefined : this.#byMac.get(port.mac);
  }
}

/** The directory of now; whoever holds one of these sees the next one, too. */
export type DirectorySource = { readonly directory: Directory };

function found<T>(all: ReadonlyMap<string, T>, id: string): T {
  const one = all.get(id);
  if (one === undefined) throw new Error(`the model names ${id}, but has no such thing`);
  return one;
}

function vpcEntry(vpc: Vpc, model: VpcModel): VpcEntry {
  const zone = model.subnets.find((subnet) => subnet.vpc === vpc.id)?.zone ?? '';
  const region = regionOf(zone);
  const dnsSupport = vpc.dnsSupport ?? true;
  return {
    vpc,
    region,
    resolver: resolverAddress(vpc),
    domain: privateDomain(region),
    dnsSupport,
    dnsHostnames: dnsSupport && (vpc.dnsHostnames ?? false),
    dhcpOptions: vpc.dhcpOptions ?? null,
  };
}

function subnetEntry(subnet: Subnet, vpc: VpcEntry): SubnetEntry {
  const prefix = parsePrefix(subnet.cidr);
  return {
    vpc,
    base: prefix.base[0],
    mask: ipv4Mask(prefix.length),
    router: routerOf(subnet),
    prefix6: subnet.ipv6Cidr === undefined ? null : parsePrefix(subnet.ipv6Cidr),
    macs: new Map(),
    macs6: new Ipv6Map(),
  };
}

const interfaceEntry = (
  one: NetworkInterface,
  subnet: SubnetEntry,
  instance: Instance | null,
): InterfaceEntry => ({
  mac: parseMac(one.mac),
  subnet,
  networkInterface: one,
  instance,
  addresses: one.addresses.map(({ address }) => parseIpv4(address)),
  addresses6: (one.ipv6Addresses ?? []).map(parseIpv6),
});
