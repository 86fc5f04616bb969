/**
 * What lies between the bench's functions: an Ethernet that learns, or a VPC with two subnets, in
 * which senders and receivers have groups of their own, and each subnet an ACL. The rules that
 * matter are the last ones, as in a configuration that has grown.
 */
import type { Arena } from '../../lib/arena.ts';
import type { Clock } from '../../lib/clock.ts';
import { formatMac } from '../../net/ethernet.ts';
import { parseIpv4 } from '../../net/ipv4.ts';
import { Allowance, type AllowanceLimits } from '../../switch/allowance/allowance.ts';
import { Switch } from '../../switch/switch.ts';
import { LinearMemory } from '../../sys/linear-memory.ts';
import type { NetworkAcl, NetworkInterface, SecurityGroup, VpcModel } from '../../vpc/model.ts';
import { Region } from '../../vpc/region.ts';
import { routerMac } from '../../vpc/well-known.ts';
import { openFastPath } from '../dataplane/fast-path.ts';
import { engines, type PathSpec } from './path-spec.ts';

/** One end of a pair. */
export type Place = { readonly mac: number; readonly address: number };

export type BenchFabric = {
  readonly network: Switch;
  /** The MAC that a sender gives to frames for `to`: its own, or that of the sender's router. */
  readonly hopTo: (to: Place) => number;
  /** Where guests have to lie for the fast path; null: there is none. */
  readonly linear: LinearMemory | null;
};

const RULES = 20;

export const senderAt = (pair: number): Place => place(0, pair);
export const receiverAt = (pair: number): Place => place(1, pair);

const text = (subnet: number, pair: number): string => `10.0.${subnet}.${10 + pair}`;
const place = (subnet: number, pair: number): Place => ({
  mac: 0x0200_0000_0000 + subnet * 0x100 + pair + 1,
  address: parseIpv4(text(subnet, pair)),
});

/** Each limit is asked, and none is met. */
const bandwidth = { baselineBps: 1e13, burstBps: 2e13, creditBits: 1e15 };
const generous: AllowanceLimits = {
  ...{ in: bandwidth, out: bandwidth, portBps: 2e13, flowBps: 1e13, packetsPerSecond: 1e10 },
};

export const generousAllowance = (now: number): Allowance => new Allowance(generous, now);

type FabricSpec = Pick<PathSpec, 'fabric' | 'pairs' | 'flows' | 'engine'>;

export function makeFabric(spec: FabricSpec, clock: Clock): BenchFabric {
  const linear = (spec.engine ?? engines[0]) === 'wasm' ? new LinearMemory() : null;
  const made = spec.fabric === 'bridge' ? ethernet(clock) : vpc(spec, clock, linear);
  if (linear !== null) openFastPath(made.network, linear);
  return { ...made, linear };
}

type Made = Omit<BenchFabric, 'linear'>;

const ethernet = (clock: Clock): Made => ({
  network: new Switch({ clock }),
  hopTo: ({ mac }) => mac,
});

function vpc({ pairs, flows }: FabricSpec, clock: Clock, arena: Arena | null): Made {
  const connections = powerOfTwo(2 * pairs * flows);
  const { network } = new Region({
    ...{ clock, model: modelOf(pairs), seed: 1, ...(arena !== null && { arena }) },
    ...{
      flows: 2 * connections,
      connections: 2 * connections,
      connectionsPerInstance: 2 * connections,
    },
  });
  return { network, hopTo: () => routerMac('subnet-0') };
}

/** With room to spare: a table that is full of live entries is another bench. */
const powerOfTwo = (least: number): number => 2 ** Math.ceil(Math.log2(Math.max(least, 65_536)));

function modelOf(pairs: number): VpcModel {
  const nics = [0, 1].flatMap((subnet) =>
    Array.from({ length: pairs }, (_, pair): NetworkInterface => {
      const id = `eni-${subnet}-${pair}`;
      const groups = [subnet === 0 ? 'sg-senders' : 'sg-receivers'];
      const mac = formatMac(place(subnet, pair).mac);
      const addresses = [{ address: text(subnet, pair) }];
      return { id, subnet: `subnet-${subnet}`, mac, addresses, groups };
    }),
  );
  return {
    vpcs: [{ id: 'vpc-1', cidrs: ['10.0.0.0/16'] }],
    subnets: [0, 1].map((n) => ({
      ...{ id: `subnet-${n}`, vpc: 'vpc-1', zone: 'us-east-1a', cidr: `10.0.${n}.0/24` },
      ...{ networkAcl: `acl-${n}`, routeTable: 'rtb-1' },
    })),
    interfaces: nics,
    instances: [],
    securityGroups: [group('sg-senders', 'sg-receivers'), group('sg-receivers', 'sg-senders')],
    networkAcls: [acl('acl-0'), acl('acl-1')],
    routeTables: [{ id: 'rtb-1', vpc: 'vpc-1', routes: [] }],
    prefixLists: [],
    internetGateways: [],
    egressOnlyInternetGateways: [],
    natGateways: [],
    placementGroups: [],
  };
}

/** Rules of which none but the last, which names the other group, is for what the bench sends. */
function group(id: string, peer: string): SecurityGroup {
  const rules = (way: string) => [
    ...Array.from({ length: RULES - 1 }, (_, i) => ({
      ...{ id: `sgr-${id}-${way}-${i}`, protocol: 6, fromPort: i + 1, toPort: i + 1 },
      peer: { cidr: `192.168.${i}.0/24` },
    })),
    { id: `sgr-${id}-${way}-last`, protocol: -1, peer: { group: peer } },
  ];
  return { id, vpc: 'vpc-1', name: id, inbound: rules('in'), outbound: rules('out') };
}

function acl(id: string): NetworkAcl {
  const denied = Array.from({ length: RULES - 1 }, (_, i) => ({
    ...({ number: i + 1, action: 'deny', protocol: -1, cidr: `192.168.${i}.0/24` } as const),
  }));
  const open = { number: 100, action: 'allow', protocol: -1, cidr: '0.0.0.0/0' } as const;
  const entries = [...denied, open];
  return { id, vpc: 'vpc-1', inbound: entries, outbound: entries };
}
