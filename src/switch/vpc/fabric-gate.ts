/**
 * Whether two interfaces may talk SRD, which is no IP: EFA's own rule in EC2. Both are in one VPC and one
 * zone, and their security groups allow *all* traffic to each other by group: outbound the sender's,
 * inbound the receiver's. A rule for all addresses does not count, as there are no addresses.
 */
import { R, type Reason } from '../../net/reasons.ts';
import type { FilterTable } from './filter-table.ts';
import type { Nic } from './nic.ts';
import type { Policy } from './policy.ts';

export class FabricGate {
  /** The rule that decided, for people. */
  rule: string | null = null;

  judge(policy: Policy, from: Nic, to: Nic): Reason {
    const a = from.tables;
    const b = to.tables;
    this.rule = null;
    if (a.vpc !== b.vpc || policy.subnets[a.subnet]?.zone !== policy.subnets[b.subnet]?.zone)
      return R.fabricUnreachable;
    if (!this.#allows(policy, a.groups, 'outbound', b.groups)) {
      this.rule = a.noOutbound;
      return R.sgEgressNone;
    }
    if (!this.#allows(policy, b.groups, 'inbound', a.groups)) {
      this.rule = b.noInbound;
      return R.sgIngressNone;
    }
    return R.delivered;
  }

  #allows(
    policy: Policy,
    groups: Int32Array,
    direction: 'inbound' | 'outbound',
    peers: Int32Array,
  ): boolean {
    for (let i = 0; i < groups.length; i++) {
      const table: FilterTable | undefined = policy.groups[groups[i] as number]?.[direction].v4;
      const row = table?.findAllTraffic(peers) ?? -1;
      if (row < 0) continue;
      this.rule = table?.names[row] ?? null;
      return true;
    }
    return false;
  }
}
