/**
 * What EC2's documents say a VPC does, one line each, with the page that says so. The same table is
 * run three ways: by the evaluator (`src/vpc/evaluate.test.ts`), by endpoints on a region in virtual
 * time (`test/sim/vpc-behaviours.test.ts`), and by real guests (`test/guest/vpc.test.ts`).
 */
import type { ReasonName } from '../src/net/reasons.ts';
import type { Flow, Packet } from '../src/vpc/evaluate-packet.ts';
import type { VpcModel } from '../src/vpc/model.ts';
import {
  addresses,
  addresses6,
  all,
  anywhere,
  anywhere6,
  group,
  icmp,
  ipProtocol,
  type Name,
  only,
  pair,
  tcp,
  udp,
} from './vpc-pair.ts';

/** Where it ends, if it does: the first packet of the request, or the reply. */
export type Ending = { readonly fails?: ReasonName; readonly in?: 'request' | 'reply' };

export type Step =
  /** A TCP handshake, by the appliance m if `through`; later steps name it. */
  | ({ connect: string; from: Name; to: Name; port: number; version?: 6; through?: 'm' } & Ending)
  /** A few bytes over a connection, and an answer. */
  | ({ talk: string } & Ending)
  /** A datagram, and its answer; `closed`: nobody listens, so that an ICMP error comes back. */
  | ({ ask: number; from: Name; to: Name; closed?: true } & Ending)
  /** An ICMP echo; `id` tells one `ping` from another. */
  | ({ ping: number; from: Name; to: Name; version?: 6 } & Ending)
  /** One packet by itself. */
  | { packet: Packet; is: ReasonName }
  /** The network itself answers, whatever the gates would say. */
  | { service: string; packet: Packet }
  | { wait: number }
  | { change: VpcModel };

export type Behaviour = {
  readonly claim: string;
  readonly source: string;
  readonly model: VpcModel;
  readonly steps: readonly Step[];
  /** Why real guests cannot show it; absent: they do. */
  readonly notInGuests?: string;
};

const tracking = 'EC2 User Guide: security group connection tracking';
const untracked = `${tracking}, untracked connections`;
const timeouts = `${tracking}, idle connection tracking timeout`;
const rules = 'VPC User Guide: security group rules';
const groupsPage = 'VPC User Guide: security groups';
const reference = 'VPC User Guide: security group referencing';
const aclBasics = 'VPC User Guide: network ACL basics';
const aclRules = 'VPC User Guide: network ACL rules';
const ephemeral = 'VPC User Guide: network ACLs, ephemeral ports';
const routing = 'VPC User Guide: configure route tables';
const checks = 'EC2 User Guide: source/destination checking';
const defaults = 'VPC User Guide: default security groups; default network ACL';

const longTime = 'it takes longer than a test of guests may';
const rawPackets = 'the guests have no program that sends such packets';

/** A flow of UDP from a to b, for single packets. */
const datagram = { protocol: 17, sourcePort: 5000, destinationPort: 53 } as const;
const aToB: Packet = {
  ...datagram,
  from: 'eni-a',
  to: 'router',
  source: addresses.a,
  destination: addresses.b,
};
const bToA: Packet = {
  ...{ protocol: 17, sourcePort: 53, destinationPort: 5000 },
  ...{ from: 'eni-b', to: 'router', source: addresses.b, destination: addresses.a },
};
const asked = (to: string, port: number, protocol = 17): Packet => ({
  ...{ from: 'eni-a', to: 'router', source: addresses.a, destination: to },
  ...{ protocol, sourcePort: 5000, destinationPort: port },
});

/** The example of the page: SSH from one address, HTTP and ICMP from anywhere, all out. */
const example = pair({
  groups: { b: { inbound: [tcp(22, only('a')), tcp(80, anywhere), icmp(anywhere)] } },
});
const without = (...inbound: Parameters<typeof pair>[0][]): VpcModel =>
  inbound.reduce((model: VpcModel, change) => pair(change, model), example);
const nothingIn = without({ groups: { b: { inbound: [] } } });
const nothingOut = without({ groups: { b: { outbound: [] } } });
const nothing = without({ groups: { b: { inbound: [], outbound: [] } } });

const trackingExample: Behaviour[] = [
  {
    claim: 'port 22 from one address is tracked: it outlives its rule, until it was idle for long',
    source: untracked,
    model: example,
    steps: [
      { connect: 'ssh', from: 'a', to: 'b', port: 22 },
      { change: nothingIn },
      { talk: 'ssh' },
      { wait: 432_001 },
      { talk: 'ssh', fails: 'sgIngressNone' },
    ],
    notInGuests: longTime,
  },
  {
    claim: 'a tracked connection is not cut when its rule goes; a new one is refused',
    source: untracked,
    model: example,
    steps: [
      { connect: 'ssh', from: 'a', to: 'b', port: 22 },
      { change: nothingIn },
      { talk: 'ssh' },
      { connect: 'another', from: 'a', to: 'b', port: 22, fails: 'sgIngressNone' },
      { talk: 'ssh' },
    ],
  },
  {
    claim: 'port 80 from anywhere, with everything open outward, is untracked: cut at once',
    source: untracked,
    model: example,
    steps: [
      { connect: 'http', from: 'a', to: 'b', port: 80 },
      { talk: 'http' },
      { change: nothingIn },
      { talk: 'http', fails: 'sgIngressNone' },
    ],
  },
  {
    claim: 'without the open outbound rule, port 80 is tracked too',
    source: `${tracking}, example`,
    model: nothingOut,
    steps: [
      { connect: 'http', from: 'a', to: 'b', port: 80 },
      { change: nothing },
      { talk: 'http' },
    ],
  },
  {
    claim: 'an untracked connection becomes a tracked one when the outbound rule goes',
    source: `${tracking}, example`,
    model: example,
    steps: [
      { connect: 'http', from: 'a', to: 'b', port: 80 },
      { change: nothingOut },
      { talk: 'http' },
      { change: nothing },
      { talk: 'http' },
    ],
  },
  {
    claim: 'ICMP is always tracked: a ping goes on when its open rule goes, a new one does not',
    source: `${tracking}, example`,
    model: example,
    steps: [
      { ping: 1, from: 'a', to: 'b' },
      { change: nothing },
      { ping: 1, from: 'a', to: 'b' },
      { ping: 2, from: 'a', to: 'b', fails: 'sgIngressNone' },
    ],
  },
];

const stateful: Behaviour[] = [
  {
    claim: 'responses flow in, whatever the inbound rules are',
    source: groupsPage,
    model: pair({
      groups: { a: { inbound: [] }, b: { inbound: [tcp(22, only('a')), icmp(only('a'))] } },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { talk: 'c' },
      { ping: 1, from: 'a', to: 'b' },
    ],
  },
  {
    claim: 'responses flow out, whatever the outbound rules are',
    source: groupsPage,
    model: pair({
      groups: {
        b: { inbound: [tcp(80, anywhere), udp(53, anywhere), icmp(anywhere)], outbound: [] },
      },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 80 },
      { talk: 'c' },
      { ask: 53, from: 'a', to: 'b' },
      { ping: 1, from: 'a', to: 'b' },
      { ping: 2, from: 'b', to: 'a', fails: 'sgEgressNone' },
    ],
  },
  {
    claim: 'a new group lets nothing in and everything out',
    source: rules,
    model: pair({ groups: { b: { inbound: [all(anywhere)] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 5000 },
      { connect: 'd', from: 'b', to: 'a', port: 5000, fails: 'sgIngressNone' },
      { ping: 1, from: 'b', to: 'a', fails: 'sgIngressNone' },
    ],
  },
  {
    claim: 'a group without outbound rules lets nothing out',
    source: rules,
    model: pair({ groups: { a: { outbound: [] }, b: { inbound: [all(anywhere)] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22, fails: 'sgEgressNone' },
      { ping: 1, from: 'a', to: 'b', fails: 'sgEgressNone' },
    ],
  },
  {
    claim: "both gates count: the sender's outbound rules and the receiver's inbound rules",
    source: groupsPage,
    model: pair({
      groups: {
        a: { outbound: [tcp(22, only('b'))] },
        b: { inbound: [tcp(22, only('a')), tcp(80, only('a'))] },
      },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { connect: 'd', from: 'a', to: 'b', port: 80, fails: 'sgEgressNone' },
    ],
  },
  {
    claim: 'several groups are one set of rules',
    source: rules,
    model: pair({
      groups: { b: { inbound: [tcp(22, only('a'))] }, m: { inbound: [tcp(80, only('a'))] } },
      interfaces: { b: { groups: ['sg-b', 'sg-m'] } },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { connect: 'd', from: 'a', to: 'b', port: 80 },
      { connect: 'e', from: 'a', to: 'b', port: 443, fails: 'sgIngressNone' },
    ],
  },
  {
    claim: 'a range of ports is what it says, its ends included',
    source: `${rules}, components`,
    model: pair({ groups: { b: { inbound: [tcp(7000, only('a'), 7002)] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 7000 },
      { connect: 'd', from: 'a', to: 'b', port: 7002 },
      { connect: 'e', from: 'a', to: 'b', port: 7003, fails: 'sgIngressNone' },
      { ask: 7001, from: 'a', to: 'b', fails: 'sgIngressNone' },
    ],
  },
  {
    claim: 'an ICMP rule is for a type: echo requests only',
    source: `${rules}, components`,
    model: pair({ groups: { b: { inbound: [icmp(anywhere, 8)] } } }),
    steps: [
      { ping: 1, from: 'a', to: 'b' },
      {
        packet: { ...asked(addresses.b, 0, 1), icmpType: 13, icmpCode: 0, icmpId: 3 },
        is: 'sgIngressNone',
      },
    ],
  },
  {
    claim: 'a rule for TCP is none for UDP or ICMP',
    source: `${rules}, components`,
    model: pair({ groups: { b: { inbound: [tcp(0, anywhere, 65_535)] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 53 },
      { ask: 53, from: 'a', to: 'b', fails: 'sgIngressNone' },
      { ping: 1, from: 'a', to: 'b', fails: 'sgIngressNone' },
    ],
  },
  {
    claim: 'IPv4 and IPv6 have rules of their own',
    source: `${rules}, components`,
    model: pair({
      groups: { b: { inbound: [tcp(80, anywhere), { protocol: 58, peer: anywhere6 }] } },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 80 },
      { connect: 'd', from: 'a', to: 'b', port: 80, version: 6, fails: 'sgIngressNone' },
      { ping: 1, from: 'a', to: 'b', version: 6 },
      { ping: 2, from: 'a', to: 'b', fails: 'sgIngressNone' },
    ],
  },
];

const groupAndAddress = pair({
  groups: { b: { inbound: [tcp(22, group('a')), tcp(80, only('a'))] } },
});
/** Both ways between a and b lead through m, which forwards. */
const byAppliance = {
  groups: { m: { inbound: [all(anywhere)] } },
  interfaces: { m: { sourceDestCheck: false } },
  routes: {
    a: [{ destination: '10.0.1.0/24', target: 'eni-m' }],
    b: [{ destination: '10.0.0.0/24', target: 'eni-m' }],
  },
};

const peers: Behaviour[] = [
  {
    claim: 'a rule that names a group matches the private addresses of its interfaces',
    source: reference,
    model: pair({ groups: { b: { inbound: [tcp(22, group('a')), tcp(80, group('m'))] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { connect: 'd', from: 'a', to: 'b', port: 80, fails: 'sgIngressNone' },
    ],
  },
  {
    claim: 'an outbound rule that names a group lets out to its interfaces only',
    source: reference,
    model: pair({
      groups: {
        a: { outbound: [tcp(22, group('b'))] },
        b: { inbound: [all(anywhere)] },
        m: { inbound: [all(anywhere)] },
      },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { packet: asked(addresses.m, 22, 6), is: 'sgEgressNone' },
    ],
  },
  {
    claim: 'a rule that names a group does not match what a middlebox passes on; an address does',
    source: `${reference}, limitation`,
    model: pair(byAppliance, groupAndAddress),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22, through: 'm', fails: 'sgIngressNone' },
      { connect: 'd', from: 'a', to: 'b', port: 80, through: 'm' },
      { talk: 'd' },
      { change: groupAndAddress },
      { connect: 'e', from: 'a', to: 'b', port: 22 },
    ],
  },
  {
    claim: 'a prefix list stands for its prefixes',
    source: `${rules}, components`,
    model: pair({
      groups: {
        b: { inbound: [tcp(22, { prefixList: 'pl-1' }), tcp(80, { prefixList: 'pl-2' })] },
      },
      more: {
        prefixLists: [
          { id: 'pl-1', name: 'both', cidrs: ['192.0.2.0/24', '10.0.0.0/24'] },
          { id: 'pl-2', name: 'other', cidrs: ['192.0.2.0/24'] },
        ],
      },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { connect: 'd', from: 'a', to: 'b', port: 80, fails: 'sgIngressNone' },
    ],
  },
  {
    claim: 'the members of the default group reach each other, others do not reach them',
    source: defaults,
    model: pair({
      groups: { b: { inbound: [all(group('b'))] } },
      interfaces: { a: { groups: ['sg-b'] } },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { connect: 'd', from: 'b', to: 'a', port: 22 },
      { change: pair({ groups: { b: { inbound: [all(group('b'))] } } }) },
      { connect: 'e', from: 'a', to: 'b', port: 22, fails: 'sgIngressNone' },
    ],
  },
  {
    claim: 'the default ACL allows everything, a new one nothing',
    source: defaults,
    model: pair({ groups: { b: { inbound: [all(anywhere)] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      {
        change: pair({
          groups: { b: { inbound: [all(anywhere)] } },
          acls: { b: { inbound: [], outbound: [] } },
        }),
      },
      { talk: 'c', fails: 'aclInDenied' },
    ],
  },
];

/** b lets all in, so that only ACLs decide. */
const openB = { b: { inbound: [all(anywhere), all(anywhere6)] } };
const entry = (number: number, action: 'allow' | 'deny', more: object = {}) => ({
  number,
  action,
  protocol: -1,
  cidr: '0.0.0.0/0',
  ...more,
});
const tcpPorts = (fromPort: number, toPort = fromPort) => ({ protocol: 6, fromPort, toPort });

const acls: Behaviour[] = [
  {
    claim:
      'of the entries that match, the one with the lowest number decides, in whatever order they stand',
    source: aclRules,
    model: pair({
      groups: openB,
      acls: {
        b: {
          inbound: [
            entry(200, 'allow'),
            entry(100, 'deny', tcpPorts(23)),
            entry(90, 'allow', tcpPorts(22, 23)),
            entry(80, 'deny', tcpPorts(80)),
          ],
        },
      },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { connect: 'd', from: 'a', to: 'b', port: 23 },
      { connect: 'e', from: 'a', to: 'b', port: 80, fails: 'aclInDenied' },
      { connect: 'f', from: 'a', to: 'b', port: 81 },
    ],
  },
  {
    claim: 'what no entry matches is denied, by the entry * that nobody can remove',
    source: `${aclRules}; default network ACL`,
    model: pair({
      groups: openB,
      acls: {
        b: { inbound: [entry(100, 'allow', tcpPorts(80)), entry(110, 'allow', tcpPorts(443))] },
      },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 443 },
      { connect: 'd', from: 'a', to: 'b', port: 139, fails: 'aclInDenied' },
      { ping: 1, from: 'a', to: 'b', fails: 'aclInDenied' },
    ],
  },
  {
    claim: 'an ACL is stateless: without an entry for ephemeral ports the reply is denied',
    source: `${aclBasics}; ephemeral ports`,
    model: pair({ groups: openB, acls: { b: { outbound: [entry(100, 'allow', tcpPorts(22))] } } }),
    steps: [{ connect: 'c', from: 'a', to: 'b', port: 22, fails: 'aclOutDenied', in: 'reply' }],
  },
  {
    claim: 'ephemeral ports 1024-65535 let the replies of all clients out',
    source: ephemeral,
    model: pair({
      groups: openB,
      acls: { b: { outbound: [entry(100, 'allow', tcpPorts(1024, 65_535))] } },
    }),
    steps: [{ connect: 'c', from: 'a', to: 'b', port: 22 }, { talk: 'c' }],
  },
  {
    claim:
      "the reply is denied at the client's side too, when its ACL has no ephemeral ports inbound",
    source: ephemeral,
    model: pair({ groups: openB, acls: { a: { inbound: [entry(100, 'allow', tcpPorts(22))] } } }),
    steps: [{ connect: 'c', from: 'a', to: 'b', port: 22, fails: 'aclInDenied', in: 'reply' }],
  },
  {
    claim: "an outbound entry of the sender's subnet denies before the receiver's is asked",
    source: aclBasics,
    model: pair({
      groups: openB,
      acls: {
        a: { outbound: [entry(90, 'deny', { cidr: '10.0.1.11/32' }), entry(100, 'allow')] },
        b: { inbound: [] },
      },
    }),
    steps: [{ connect: 'c', from: 'a', to: 'b', port: 22, fails: 'aclOutDenied' }],
  },
  {
    claim: 'an ACL breaks tracked connections at once',
    source: tracking,
    model: pair({ groups: { b: { inbound: [tcp(22, only('a'))] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { talk: 'c' },
      {
        change: pair({
          groups: { b: { inbound: [tcp(22, only('a'))] } },
          acls: { b: { inbound: [entry(90, 'deny', tcpPorts(22)), entry(100, 'allow')] } },
        }),
      },
      { talk: 'c', fails: 'aclInDenied' },
    ],
  },
  {
    claim: 'an ACL has entries of their own for IPv4 and IPv6',
    source: 'VPC User Guide: custom network ACL',
    model: pair({ groups: openB, acls: { b: { inbound: [entry(100, 'allow')] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { connect: 'd', from: 'a', to: 'b', port: 22, version: 6, fails: 'aclInDenied' },
    ],
  },
  {
    claim: 'an entry for ICMP is for a type and a code',
    source: aclRules,
    model: pair({
      groups: openB,
      acls: {
        b: {
          inbound: [
            entry(100, 'allow', { protocol: 1, icmpType: 8, icmpCode: -1 }),
            entry(110, 'allow', tcpPorts(22)),
          ],
        },
      },
    }),
    steps: [
      { ping: 1, from: 'a', to: 'b' },
      {
        packet: { ...asked(addresses.b, 0, 1), icmpType: 13, icmpCode: 0, icmpId: 3 },
        is: 'aclInDenied',
      },
      { connect: 'c', from: 'a', to: 'b', port: 22 },
    ],
  },
  {
    claim: 'within a subnet the ACL is not asked',
    source: aclBasics,
    model: pair({
      groups: openB,
      acls: { a: { inbound: [], outbound: [] } },
      interfaces: {
        b: { subnet: 'subnet-a', addresses: [{ address: '10.0.0.11' }], ipv6Addresses: [] },
      },
    }),
    steps: [
      { packet: { ...asked('10.0.0.11', 22, 6), to: { interface: 'eni-b' } }, is: 'delivered' },
      { packet: asked('10.0.0.11', 23, 6), is: 'delivered' },
    ],
    notInGuests: "its b has another address than the guests' table",
  },
];

type Exemption = [service: string, address: string, port: number, source: string];
const exempt: Exemption[] = [
  ['resolver', '10.0.0.2', 53, 'VPC User Guide: security group rules, note; network ACL basics'],
  ['resolver', '169.254.169.253', 53, 'VPC User Guide: Amazon DNS server'],
  ['metadata', '169.254.169.254', 80, 'VPC User Guide: network ACL basics; EC2 User Guide: IMDS'],
  ['time', '169.254.169.123', 123, 'EC2 User Guide: Amazon Time Sync Service'],
];
const exemptions: Behaviour[] = exempt.map(([service, to, port, source]) => ({
  claim: `neither groups nor ACLs stand between an instance and the ${service} at ${to}`,
  source,
  model: pair({ groups: { a: { outbound: [] } }, acls: { a: { inbound: [], outbound: [] } } }),
  steps: [{ service, packet: asked(to, port, service === 'metadata' ? 6 : 17) }],
}));

const routes: Behaviour[] = [
  {
    claim: 'what no route matches goes nowhere',
    source: routing,
    model: pair(),
    steps: [{ packet: asked('192.0.2.1', 80), is: 'noRoute' }],
  },
  {
    claim: 'a route whose target is gone is a blackhole',
    source: 'API: Route, state blackhole',
    model: pair({ routes: { a: [{ destination: '192.0.2.0/24', target: 'blackhole' }] } }),
    steps: [{ packet: asked('192.0.2.1', 80), is: 'blackhole' }],
  },
  {
    claim: 'within the VPC an address that nobody has is nowhere, whatever the other routes say',
    source: routing,
    model: pair({ routes: { a: [{ destination: '0.0.0.0/0', target: 'eni-m' }] } }),
    steps: [{ packet: asked('10.0.1.77', 80), is: 'noSuchAddress' }],
  },
  {
    claim: 'the longest prefix decides',
    source: `${routing}, route priority`,
    model: pair({
      routes: {
        a: [
          { destination: '192.0.2.0/24', target: 'eni-m' },
          { destination: '192.0.2.128/25', target: 'blackhole' },
          { destination: '0.0.0.0/0', target: 'blackhole' },
        ],
      },
      groups: { m: { inbound: [all(anywhere)] } },
      interfaces: { m: { sourceDestCheck: false } },
    }),
    steps: [
      { packet: asked('192.0.2.1', 80), is: 'delivered' },
      { packet: asked('192.0.2.129', 80), is: 'blackhole' },
    ],
  },
  {
    claim: 'a route for a whole subnet comes before the local route: to a middlebox',
    source: `${routing}, rules and considerations`,
    model: pair({
      routes: { a: [{ destination: '10.0.1.0/24', target: 'eni-m' }] },
      groups: { ...openB, m: { inbound: [] } },
      interfaces: { m: { sourceDestCheck: false } },
    }),
    steps: [{ packet: asked(addresses.b, 80), is: 'sgIngressNone' }],
  },
  {
    claim: 'a route with a prefix of its own comes before one with a prefix list',
    source: `${routing}, route priority and prefix lists`,
    model: pair({
      routes: {
        a: [
          { destination: 'pl-1', target: 'blackhole' },
          { destination: '192.0.2.0/24', target: 'eni-m' },
        ],
      },
      groups: { m: { inbound: [all(anywhere)] } },
      interfaces: { m: { sourceDestCheck: false } },
      more: {
        prefixLists: [{ id: 'pl-1', name: 'one', cidrs: ['192.0.2.0/24', '198.51.100.0/24'] }],
      },
    }),
    steps: [
      { packet: asked('192.0.2.1', 80), is: 'delivered' },
      { packet: asked('198.51.100.1', 80), is: 'blackhole' },
    ],
  },
  {
    claim:
      'routes are for what leaves the subnet; a neighbour is reached by its MAC, another subnet is not',
    source: `${routing}, gateway route tables: rules and considerations`,
    model: pair({ groups: openB }),
    steps: [
      { packet: { ...asked(addresses.b, 80), to: { interface: 'eni-b' } }, is: 'otherSubnet' },
    ],
    notInGuests: rawPackets,
  },
  {
    claim: 'an internet gateway translates to a public address: without one nothing gets out',
    source: 'VPC User Guide: connect to the internet using an internet gateway',
    model: pair({
      routes: { a: [{ destination: '0.0.0.0/0', target: 'igw-1' }] },
      more: { internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }] },
    }),
    steps: [{ packet: asked('192.0.2.1', 80), is: 'noPublicAddress' }],
  },
];

const addressChecks: Behaviour[] = [
  {
    claim: 'an instance sends from its own addresses only, unless its check is off',
    source: checks,
    model: pair({ groups: openB }),
    steps: [
      { packet: { ...aToB, source: '10.0.0.99' }, is: 'spoofedSource' },
      { packet: { ...aToB, foreignMac: true }, is: 'spoofedSource' },
      { packet: aToB, is: 'delivered' },
      { change: pair({ groups: openB, interfaces: { a: { sourceDestCheck: false } } }) },
      { packet: { ...aToB, source: '10.0.0.99' }, is: 'delivered' },
    ],
    notInGuests: rawPackets,
  },
  {
    claim: 'an instance is given what is for its own addresses only, unless its check is off',
    source: checks,
    model: pair({
      groups: { m: { inbound: [all(anywhere)] } },
      routes: { a: [{ destination: '192.0.2.0/24', target: 'eni-m' }] },
    }),
    steps: [
      { packet: asked('192.0.2.1', 80), is: 'wrongDestination' },
      {
        change: pair({
          groups: { m: { inbound: [all(anywhere)] } },
          routes: { a: [{ destination: '192.0.2.0/24', target: 'eni-m' }] },
          interfaces: { m: { sourceDestCheck: false } },
        }),
      },
      { packet: asked('192.0.2.1', 80), is: 'delivered' },
    ],
  },
];

const about = (flow: Packet): Flow => ({
  source: flow.source,
  destination: flow.destination,
  protocol: flow.protocol,
  sourcePort: flow.sourcePort ?? 0,
  destinationPort: flow.destinationPort ?? 0,
});
const unreachable = (flow: Packet): Packet => ({
  ...{ from: 'eni-b', to: 'router', source: addresses.b, destination: flow.source },
  ...{ protocol: 1, icmpType: 3, icmpCode: 3, icmpId: 0, about: about(flow) },
});

const errors: Behaviour[] = [
  {
    claim: 'an ICMP error about a tracked flow comes back without a rule for it',
    source: `${tracking}: responses; RFC 5508`,
    model: pair({
      groups: {
        a: { outbound: [udp(53, only('b'))] },
        b: { inbound: [udp(53, only('a'))], outbound: [] },
      },
    }),
    steps: [
      { packet: unreachable(aToB), is: 'sgEgressNone' },
      { packet: aToB, is: 'delivered' },
      { packet: unreachable(aToB), is: 'delivered' },
    ],
    notInGuests: rawPackets,
  },
  {
    claim: 'nobody at a UDP port: the error reaches who asked',
    source: `${tracking}: responses; RFC 5508`,
    model: pair({
      groups: {
        a: { outbound: [udp(53, only('b'))] },
        b: { inbound: [udp(53, only('a'))], outbound: [] },
      },
    }),
    steps: [{ ask: 53, from: 'a', to: 'b', closed: true }],
  },
  {
    claim: 'an ICMP error about an untracked flow needs a rule',
    source: `${untracked}: judged by rules, not by tracking information`,
    model: pair({
      groups: {
        a: { inbound: [udp(0, anywhere, 65_535)], outbound: [udp(0, anywhere, 65_535)] },
        b: { inbound: [udp(0, anywhere, 65_535)] },
      },
    }),
    steps: [{ ask: 53, from: 'a', to: 'b', closed: true, fails: 'sgIngressNone', in: 'reply' }],
  },
  {
    claim: 'an ICMP error that quotes what was never sent is no response',
    source: `${tracking}: responses`,
    model: pair({ groups: { b: { inbound: [udp(53, only('a'))] } } }),
    steps: [
      { packet: aToB, is: 'delivered' },
      { packet: unreachable({ ...aToB, sourcePort: 5001 }), is: 'sgIngressNone' },
    ],
    notInGuests: rawPackets,
  },
];

const onlyUdp = pair({
  groups: {
    a: { inbound: [], outbound: [udp(53, only('b'))] },
    b: { inbound: [udp(53, only('a'))], outbound: [] },
  },
});
const onlyGre = pair({
  groups: {
    a: { outbound: [ipProtocol(47, only('b'))] },
    b: { inbound: [ipProtocol(47, only('a'))], outbound: [] },
  },
});
const gre = (from: 'a' | 'b'): Packet => ({
  ...{ from: `eni-${from}`, to: 'router', protocol: 47 },
  ...{ source: addresses[from], destination: addresses[from === 'a' ? 'b' : 'a'] },
});

const idle: Behaviour[] = [
  {
    claim: 'UDP that went one way is tracked for 30 s',
    source: timeouts,
    model: onlyUdp,
    steps: [
      { packet: aToB, is: 'delivered' },
      { wait: 29 },
      { packet: bToA, is: 'delivered' },
      { wait: 29 },
      { packet: bToA, is: 'delivered' },
      { wait: 31 },
      { packet: bToA, is: 'sgEgressNone' },
    ],
    notInGuests: longTime,
  },
  {
    claim: 'a UDP flow that was idle for 31 s is none any more',
    source: timeouts,
    model: onlyUdp,
    steps: [
      { packet: aToB, is: 'delivered' },
      { packet: bToA, is: 'delivered' },
      { wait: 31 },
      { packet: bToA, is: 'sgEgressNone' },
    ],
  },
  {
    claim: 'UDP with more than one request and response is a stream: 180 s',
    source: timeouts,
    model: onlyUdp,
    steps: [
      { packet: aToB, is: 'delivered' },
      { packet: bToA, is: 'delivered' },
      { packet: aToB, is: 'delivered' },
      { packet: bToA, is: 'delivered' },
      { wait: 179 },
      { packet: bToA, is: 'delivered' },
      { wait: 181 },
      { packet: bToA, is: 'sgEgressNone' },
    ],
    notInGuests: longTime,
  },
  {
    claim: "an interface's own time-outs count, and each interface tracks by itself",
    source: timeouts,
    model: pair({ interfaces: { a: { tracking: { udpSeconds: 60 } } } }, onlyUdp),
    steps: [
      { packet: aToB, is: 'delivered' },
      { wait: 45 },
      { packet: bToA, is: 'sgEgressNone' },
      {
        change: pair(
          {
            groups: { b: { outbound: [all(anywhere)] } },
            interfaces: { a: { tracking: { udpSeconds: 60 } } },
          },
          onlyUdp,
        ),
      },
      { packet: bToA, is: 'delivered' },
    ],
    notInGuests: longTime,
  },
  {
    claim: 'an established TCP connection lasts as long as its interface says when idle',
    source: timeouts,
    model: pair({
      groups: { b: { inbound: [tcp(22, only('a'))], outbound: [] } },
      interfaces: { b: { tracking: { tcpEstablishedSeconds: 60 } } },
    }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22 },
      { wait: 59 },
      { talk: 'c' },
      {
        change: pair({
          groups: { b: { inbound: [], outbound: [] } },
          interfaces: { b: { tracking: { tcpEstablishedSeconds: 60 } } },
        }),
      },
      { wait: 59 },
      { talk: 'c' },
      { wait: 61 },
      { talk: 'c', fails: 'sgIngressNone' },
    ],
    notInGuests: longTime,
  },
  {
    claim: 'other protocols are tracked by addresses and number, for 600 s',
    source: tracking,
    model: onlyGre,
    steps: [
      { packet: gre('b'), is: 'sgEgressNone' },
      { packet: gre('a'), is: 'delivered' },
      { wait: 599 },
      { packet: gre('b'), is: 'delivered' },
      { wait: 601 },
      { packet: gre('b'), is: 'sgEgressNone' },
      { packet: { ...gre('a'), protocol: 50 }, is: 'sgEgressNone' },
    ],
    notInGuests: rawPackets,
  },
];

/** b is in a's subnet, and addressed by its MAC. */
const neighbours = pair({
  groups: openB,
  interfaces: {
    b: { subnet: 'subnet-a', addresses: [{ address: '10.0.0.11' }], ipv6Addresses: [] },
  },
});
const toNeighbour: Packet = { ...aToB, destination: '10.0.0.11', to: { interface: 'eni-b' } };

const layer3: Behaviour[] = [
  {
    claim: 'later fragments fare as the first one did',
    source: 'our own: EC2 does not say',
    model: onlyUdp,
    steps: [
      { packet: { ...aToB, fragment: { id: 9, part: 'later' } }, is: 'fragmentUnknown' },
      { packet: { ...aToB, fragment: { id: 9, part: 'first' } }, is: 'delivered' },
      { packet: { ...aToB, fragment: { id: 9, part: 'later' } }, is: 'delivered' },
      { packet: { ...aToB, fragment: { id: 10, part: 'later' } }, is: 'fragmentUnknown' },
    ],
    notInGuests: rawPackets,
  },
  {
    claim: 'a later fragment that goes another way than the first one is none of its packet',
    source: 'our own: EC2 does not say',
    model: neighbours,
    steps: [
      { packet: { ...toNeighbour, fragment: { id: 9, part: 'first' } }, is: 'delivered' },
      { packet: { ...toNeighbour, fragment: { id: 9, part: 'later' } }, is: 'delivered' },
      {
        packet: { ...toNeighbour, to: 'router', fragment: { id: 9, part: 'later' } },
        is: 'fragmentUnknown',
      },
    ],
    notInGuests: rawPackets,
  },
  {
    claim: 'a VPC carries no broadcasts',
    source: 'VPC User Guide: VPC and subnet basics',
    model: pair({ groups: openB }),
    steps: [{ packet: { ...aToB, to: 'group', destination: '10.0.0.255' }, is: 'notCarried' }],
    notInGuests: rawPackets,
  },
  {
    claim: 'IPv6 flows are tracked as IPv4 ones are',
    source: tracking,
    model: pair({ groups: { b: { inbound: [{ ...tcp(22, { cidr: `${addresses6.a}/128` }) }] } } }),
    steps: [
      { connect: 'c', from: 'a', to: 'b', port: 22, version: 6 },
      { change: pair() },
      { talk: 'c' },
    ],
  },
];

export const behaviours: readonly Behaviour[] = [
  ...trackingExample,
  ...stateful,
  ...peers,
  ...acls,
  ...exemptions,
  ...routes,
  ...addressChecks,
  ...errors,
  ...idle,
  ...layer3,
];
