/** Gives a switch what a network itself answers: ARP, DHCP and the router's pings. */
import type { Switch } from '../switch/switch.ts';
import { ArpResponder } from './arp.ts';
import { DhcpResponder } from './dhcp.ts';
import type { NetworkPlan } from './plan.ts';
import { PlannedLeases } from './planned-leases.ts';
import { RouterResponder } from './router.ts';

export type Network = { readonly dhcp: DhcpResponder };

export function attachNetwork(to: Switch, plan: NetworkPlan): Network {
  const dhcp = new DhcpResponder(new PlannedLeases(plan));
  to.addResponder(new ArpResponder(plan));
  to.addResponder(dhcp);
  to.addResponder(new RouterResponder(plan));
  return { dhcp };
}
