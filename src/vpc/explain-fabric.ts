/**
 * Whether one EFA reaches another in a VPC, and which gate is closed if not, from what EC2's documents
 * say ("Prepare an EFA-enabled security group", EC2 User Guide): the switch's own judgement is
 * `switch/vpc/fabric-gate.ts`, and has nothing in common with this one.
 */
import { type ReasonName, reasons } from '../net/reasons.ts';
import { hasEfa } from './check-efa.ts';
import { QuestionError } from './explain-ends.ts';
import type { NetworkInterface, SecurityGroupRule, Subnet, VpcModel } from './model.ts';

export type FabricGate = {
  readonly direction: 'request' | 'answer';
  readonly gate: 'same VPC and zone' | 'outbound groups' | 'inbound groups';
  /** The interface, or the two subnets. */
  readonly at: string;
  readonly passed: boolean;
  /** The rule that lets it through. */
  readonly rule: string | null;
  readonly reason: ReasonName;
};

export type FabricExplanation = {
  readonly from: NetworkInterface;
  readonly to: NetworkInterface;
  readonly reachable: boolean;
  /** Up to the one that is closed. */
  readonly gates: readonly FabricGate[];
  readonly closed: FabricGate | null;
  readonly text: string | null;
  readonly hint: { readonly text: string; readonly source: string } | null;
};

/** Throws a QuestionError for ends that have no EFA. */
export function explainFabric(model: VpcModel, from: string, to: string): FabricExplanation {
  const a = efaOf(model, from);
  const b = efaOf(model, to);
  if (a.id === b.id) throw new QuestionError(`${from} and ${to} are the same interface`);
  const gates: FabricGate[] = [];
  for (const gate of gatesBetween(model, a, b)) {
    gates.push(gate);
    if (!gate.passed) break;
  }
  const closed = gates.find(({ passed }) => !passed) ?? null;
  const text = closed && reasons[closed.reason][1];
  const hint = closed && hintFor(model, closed);
  return { from: a, to: b, reachable: closed === null, gates, closed, text, hint };
}

/** An instance by its EFA, or the interface with that id. */
function efaOf(model: VpcModel, name: string): NetworkInterface {
  const instance = model.instances.find((one) => one.name === name || one.id === name)?.id;
  const own = model.interfaces.filter(
    (at) => at.id === name || (instance !== undefined && at.instance === instance),
  );
  const efa = own.find(hasEfa);
  if (efa !== undefined) return efa;
  if (own.length > 0)
    throw new QuestionError(`${name} has no EFA; expected an interface of type efa or efa-only`);
  throw new QuestionError(`there is no instance or interface '${name}'`);
}

function* gatesBetween(
  model: VpcModel,
  a: NetworkInterface,
  b: NetworkInterface,
): Generator<FabricGate> {
  const [home, other] = [subnetOf(model, a), subnetOf(model, b)];
  const together = home?.vpc === other?.vpc && home?.zone === other?.zone;
  yield {
    ...{ direction: 'request', gate: 'same VPC and zone', at: `${a.subnet}, ${b.subnet}` },
    ...{ passed: together, rule: null, reason: together ? 'delivered' : 'fabricUnreachable' },
  };
  for (const [direction, from, to] of [
    ['request', a, b],
    ['answer', b, a],
  ] as const) {
    yield groupGate(model, direction, 'outbound', from, to);
    yield groupGate(model, direction, 'inbound', to, from);
  }
}

const subnetOf = ({ subnets }: VpcModel, at: NetworkInterface): Subnet | undefined =>
  subnets.find(({ id }) => id === at.subnet);

function groupGate(
  model: VpcModel,
  direction: FabricGate['direction'],
  way: 'inbound' | 'outbound',
  at: NetworkInterface,
  peer: NetworkInterface,
): FabricGate {
  const rule = rulesOf(model, at, way).find((one) => allowsAll(one, peer)) ?? null;
  const reason = way === 'outbound' ? 'sgEgressNone' : 'sgIngressNone';
  return {
    ...{ direction, gate: `${way} groups`, at: at.id, passed: rule !== null },
    ...{ rule: rule?.id ?? null, reason: rule === null ? reason : 'delivered' },
  };
}

const rulesOf = (
  { securityGroups }: VpcModel,
  { groups }: NetworkInterface,
  way: 'inbound' | 'outbound',
): readonly SecurityGroupRule[] =>
  securityGroups.filter(({ id }) => groups.includes(id)).flatMap((group) => group[way]);

/** All traffic, of a group: there are no addresses that another rule could be about. */
const allowsAll = ({ protocol, peer }: SecurityGroupRule, { groups }: NetworkInterface): boolean =>
  protocol === -1 && 'group' in peer && groups.includes(peer.group);

const source = 'EC2 User Guide, "Prepare an EFA-enabled security group"';

function hintFor(model: VpcModel, { gate, at: id, reason }: FabricGate): FabricExplanation['hint'] {
  if (reason === 'fabricUnreachable')
    return {
      text: 'EFA traffic is not routed: put both interfaces into subnets of one Availability Zone and one VPC.',
      source: 'EC2 User Guide, "Elastic Fabric Adapter", limitations',
    };
  const way = gate === 'outbound groups' ? 'outbound' : 'inbound';
  const at = model.interfaces.find((one) => one.id === id);
  const isOpen = at !== undefined && rulesOf(model, at, way).some(allowsEverybody);
  const group = at?.groups[0] ?? 'the group';
  const why = isOpen ? 'A rule for all addresses does not count, as EFA traffic has none. ' : '';
  const preposition = way === 'outbound' ? 'to' : 'from';
  return {
    text: `${why}Let ${group} have an ${way} rule for all traffic ${preposition} ${group} itself.`,
    source,
  };
}

const allowsEverybody = ({ protocol, peer }: SecurityGroupRule): boolean =>
  protocol === -1 && 'cidr' in peer && /\/0$/.test(peer.cidr);
