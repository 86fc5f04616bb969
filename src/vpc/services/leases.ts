/**
 * The DHCP leases of a VPC: every interface, primary or not, is told its primary address by its
 * subnet's router. As seen on EC2: options 1, 3, 6, 12, 15, 26 (9001), 28 and 51 (3600 s); no
 * renewal times, no routes. An option set of the VPC's own says DNS, domain, NTP and NetBIOS, and
 * what it does not say is not told (Amazon VPC User Guide, DHCP option sets).
 */
import { dhcpOption } from '../../net/dhcp.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { SwitchPort } from '../../switch/port.ts';
import type { DhcpLease, LeaseBook } from '../dhcp.ts';
import { optionBytes, putAddresses, putText } from '../dhcp-options.ts';
import { hostName } from '../names.ts';
import type { DirectorySource, InterfaceEntry, VpcEntry } from './directory.ts';

const mtu = 9001;
const leaseSeconds = 3600;
const amazonDns = 'AmazonProvidedDNS';

export class VpcLeases implements LeaseBook {
  readonly #source: DirectorySource;
  /** Made when first asked for; entries belong to one directory. */
  readonly #leases = new WeakMap<InterfaceEntry, DhcpLease>();

  constructor(source: DirectorySource) {
    this.#source = source;
  }

  serverAddress(from: SwitchPort): number {
    return this.#source.directory.at(from)?.subnet.router.address ?? 0;
  }

  leaseFor(from: SwitchPort, clientMac: number): DhcpLease | undefined {
    const here = this.#source.directory.at(from);
    const address = here?.addresses[0];
    if (here === undefined || address === undefined || clientMac !== here.mac) return undefined;
    let lease = this.#leases.get(here);
    if (lease === undefined) {
      lease = leaseOf(here, address);
      this.#leases.set(here, lease);
    }
    return lease;
  }
}

function leaseOf({ subnet }: InterfaceEntry, address: number): DhcpLease {
  const { router, mask, vpc } = subnet;
  const options = optionBytes((o) => {
    o.word(dhcpOption.subnetMask, mask);
    o.word(dhcpOption.router, router.address);
    putAddresses(o, dhcpOption.dns, nameServers(vpc, 4));
    putText(o, dhcpOption.hostname, hostName(formatIpv4(address)));
    putText(o, dhcpOption.domain, domainOf(vpc));
    o.short(dhcpOption.mtu, mtu);
    o.word(dhcpOption.broadcast, address | ~mask);
    const { ntpServers = [], netbiosNameServers = [], netbiosNodeType } = vpc.dhcpOptions ?? {};
    putAddresses(o, dhcpOption.ntpServers, ntpServers.filter(isVersion(4)));
    putAddresses(o, dhcpOption.netbiosServers, netbiosNameServers);
    if (netbiosNodeType !== undefined) o.byte(dhcpOption.netbiosNodeType, netbiosNodeType);
  });
  const times = optionBytes((o) => o.word(dhcpOption.leaseTime, leaseSeconds));
  return { serverMac: router.mac, serverAddress: router.address, address, times, options };
}

/** What a VPC's DHCP says the domain is, or '': nothing. */
export const domainOf = (vpc: VpcEntry): string =>
  vpc.dhcpOptions === null ? vpc.domain : (vpc.dhcpOptions.domainName ?? '');

export const isVersion =
  (version: 4 | 6) =>
  (address: string): boolean =>
    address.includes(':') === (version === 6);

/** The addresses of name servers that a VPC's DHCP tells, of one IP version. */
export function nameServers(vpc: VpcEntry, version: 4 | 6): string[] {
  const told = vpc.dhcpOptions === null ? [amazonDns] : (vpc.dhcpOptions.domainNameServers ?? []);
  const resolver = version === 4 ? formatIpv4(vpc.resolver) : 'fd00:ec2::253';
  return told.map((one) => (one === amazonDns ? resolver : one)).filter(isVersion(version));
}
