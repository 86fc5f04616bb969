/**
 * The leases of a network plan, for a network without a VPC. Options sent with every lease: 1 mask,
 * 3 router, 6 DNS, 12 host name, 15 domain, 26 MTU (EC2 sends 9001), 28 broadcast, 51, 58, 59.
 */
import { dhcpOption } from '../net/dhcp.ts';
import { ipv4Mask, parseIpv4 } from '../net/ipv4.ts';
import type { SwitchPort } from '../switch/port.ts';
import type { DhcpLease, LeaseBook } from './dhcp.ts';
import { optionBytes, putAddresses, putText } from './dhcp-options.ts';
import type { Lease, NetworkPlan } from './plan.ts';

export class PlannedLeases implements LeaseBook {
  readonly #serverAddress: number;
  readonly #leases = new Map<number, DhcpLease>();

  constructor(plan: NetworkPlan) {
    this.#serverAddress = parseIpv4(plan.router.address);
    for (const lease of plan.leases) this.#leases.set(lease.mac, planned(lease, plan));
  }

  serverAddress(): number {
    return this.#serverAddress;
  }

  leaseFor(_from: SwitchPort, clientMac: number): DhcpLease | undefined {
    return this.#leases.get(clientMac);
  }
}

function planned(lease: Lease, plan: NetworkPlan): DhcpLease {
  const address = parseIpv4(lease.address);
  const router = parseIpv4(plan.router.address);
  const mask = ipv4Mask(plan.prefix);
  const times = optionBytes((o) => {
    o.word(dhcpOption.leaseTime, plan.leaseSeconds);
    o.word(dhcpOption.renewal, plan.leaseSeconds >>> 1);
    o.word(dhcpOption.rebinding, Math.floor(plan.leaseSeconds * 0.875));
  });
  const options = optionBytes((o) => {
    o.word(dhcpOption.subnetMask, mask);
    o.word(dhcpOption.broadcast, address | ~mask);
    if (plan.defaultRoute) o.word(dhcpOption.router, router);
    o.short(dhcpOption.mtu, plan.mtu);
    putAddresses(o, dhcpOption.dns, plan.dns);
    putText(o, dhcpOption.hostname, lease.hostname);
    putText(o, dhcpOption.domain, plan.domain);
  });
  return { serverMac: plan.router.mac, serverAddress: router, address, times, options };
}
