/**
 * One random world: the same packets, at the same times, under the same changes of rules, judged by
 * the switch's compiled tables and by the evaluator, which shares nothing with them. Verdict, rule
 * and receiver must agree, and the frame must arrive as a VPC delivers it, or nowhere.
 */
import { nsPerSecond } from '../../src/lib/clock.ts';
import { Prng } from '../../src/lib/prng.ts';
import { parseMac, readMac } from '../../src/net/ethernet.ts';
import { Frame } from '../../src/net/frame.ts';
import { R, type ReasonName, reasonNames } from '../../src/net/reasons.ts';
import { evaluate, type Judgement } from '../../src/vpc/evaluate.ts';
import { prefix } from '../../src/vpc/evaluate-address.ts';
import type { Packet } from '../../src/vpc/evaluate-packet.ts';
import { isGateway } from '../../src/vpc/evaluate-routes.ts';
import { forgetGone, newHistory } from '../../src/vpc/evaluate-tracking.ts';
import type { VpcModel } from '../../src/vpc/model.ts';
import { RegionLab } from '../../src/vpc/testing-region.ts';
import { routerMac } from '../../src/vpc/well-known.ts';
import { frameOf } from '../vpc-frames.ts';
import { randomPacket, randomPause, type Sent } from './vpc-packets.ts';
import { changed, randomModel } from './vpc-worlds.ts';

export const packetsPerWorld = 400;
/** Packets that answers are made to. */
const remembered = 24;

/** What happens in a world: time passes, rules change, or a packet is sent. */
export type Event =
  | { readonly pause: number }
  | { readonly model: VpcModel }
  | { readonly packet: Packet };

export type Limits = { readonly flows: number; readonly connectionsPerInstance: number };

/** What each says of a packet, in words that can be compared. */
export type Said = {
  readonly region: string;
  readonly evaluator: string;
  readonly judgement: Judgement;
};
export type Disagreement = Said & { /** Of the event. */ readonly at: number };

export type World = {
  readonly seed: number;
  readonly model: VpcModel;
  readonly limits: Limits;
  readonly events: readonly Event[];
  /** How often each verdict was, and each way through the group gates. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly disagreement: Disagreement | null;
};

/** The two side by side. */
class Pair {
  readonly #lab: RegionLab;
  readonly #history;
  /** Has all interfaces: some may be gone now, and are given nothing. */
  readonly #first: VpcModel;
  #model: VpcModel;
  /** By which the region decided about the last packet. */
  #rule: string | null = null;
  readonly #frame = new Frame();

  constructor(model: VpcModel, limits: Limits) {
    this.#model = model;
    this.#first = model;
    this.#lab = new RegionLab(model, { ...limits, connections: 8192, fragments: 1024 });
    this.#history = newHistory(limits.connectionsPerInstance);
  }

  get model(): VpcModel {
    return this.#model;
  }

  pause(seconds: number): void {
    this.#lab.clock.advance(seconds * nsPerSecond);
  }

  change(model: VpcModel): void {
    this.#model = model;
    this.#lab.region.update(model);
    forgetGone(this.#history, model);
  }

  send(packet: Packet): Said {
    const now = this.#lab.clock.now() / nsPerSecond;
    const judgement = evaluate(this.#model, this.#history, packet, now);
    const bytes = frameOf(this.#first, packet);
    const reason = isGateway(packet.from)
      ? this.#enter(packet.from, bytes)
      : this.#leave(packet.from, bytes);
    const expected = outcomeOf(judgement);
    const region = `${this.#outcome(reason, judgement)}${this.#arrivals(packet, bytes)}`;
    const arrives = judgement.deliveredTo !== null && !isGateway(judgement.deliveredTo);
    return {
      region,
      evaluator: `${expected}${arrives ? ` > ${judgement.deliveredTo}` : ''}`,
      judgement,
    };
  }

  #leave(from: string, bytes: Uint8Array): ReasonName {
    const verdict = this.#lab.end(from.replace('eni-', '')).send(bytes);
    this.#rule = this.#lab.rule;
    return reasonNames[verdict] as ReasonName;
  }

  /** From outside, as a gateway brings it in: it waits for the end of the burst. */
  #enter(gateway: string, bytes: Uint8Array): ReasonName {
    const { router, network } = this.#lab.region;
    const vpc = this.#model.internetGateways.find(({ id }) => id === gateway)?.vpc ?? '';
    this.#frame.load(bytes, 0, bytes.length);
    const verdict = router.enter(vpc, this.#frame);
    this.#rule = router.rule;
    network.flush();
    return verdict === R.queued ? 'delivered' : (reasonNames[verdict] as ReasonName);
  }

  /** The region's verdict; with the evaluator's rule where the texts mean the same. */
  #outcome(reason: ReasonName, judgement: Judgement): string {
    const verdict = judgement.service !== null && isUnanswered(reason) ? 'answered' : reason;
    const rule = this.#rule;
    if (!hasRule(judgement)) return verdict;
    return `${verdict} by ${saysSame(rule, judgement) ? ruleOf(judgement) : rule}`;
  }

  /** Who was given the frame; each with what is wrong with it. */
  #arrivals(packet: Packet, sent: Uint8Array): string {
    let text = '';
    for (const at of this.#first.interfaces) {
      for (const got of this.#lab.take(at.id.replace('eni-', ''))) {
        const routed = packet.to === 'router';
        const source = routed ? routerMac(at.subnet) : readMac(sent, 6);
        const right =
          readMac(got, 0) === parseMac(at.mac) &&
          readMac(got, 6) === source &&
          Buffer.compare(got.subarray(12), sent.subarray(12)) === 0;
        text += ` > ${at.id}${right ? '' : ' changed'}`;
      }
    }
    return text;
  }
}

/** No service is plugged in: what is for one is carried nowhere, or was too much. */
const isUnanswered = (reason: ReasonName): boolean =>
  reason === 'notCarried' || reason === 'linkLocalExceeded';

/** Nothing is behind a gateway. */
function outcomeOf(judgement: Judgement): string {
  const { reason, service, deliveredTo } = judgement;
  if (service !== null) return 'answered';
  const verdict =
    deliveredTo !== null && isGateway(deliveredTo) ? 'noGateway' : reasonNames[reason];
  return hasRule(judgement) ? `${verdict} by ${ruleOf(judgement)}` : `${verdict}`;
}

/** Groups, ACLs and routes are decided by rules; of fragments, what their first one was. */
function hasRule({ gates, service, rule }: Judgement): boolean {
  const gate = gates.at(-1)?.gate ?? '';
  return (
    service === null && (/groups|ACL|route/.test(gate) || (gate === 'fragment' && rule !== null))
  );
}

const ruleOf = ({ rule }: Judgement): string => rule ?? 'none';

/** `acl-1 100` is `acl-1 outbound 100: deny all to 0.0.0.0/0`; no rule is said so, or not at all. */
function saysSame(text: string | null, { rule }: Judgement): boolean {
  if (rule === null) return text === null || /^no |is in no security group/.test(text);
  if (text === null) return false;
  if (text === rule) return true;
  const [table = '', entry = ''] = rule.split(' ');
  if (table.includes('/')) return isSameRoute(text, table, entry);
  if (table.startsWith('acl-')) return text.startsWith(`${table} `) && text.includes(` ${entry}: `);
  return text.includes(` ${rule}: `);
}

/** A route's prefix may be written in more than one way. */
function isSameRoute(text: string, cidr: string, target: string): boolean {
  const [other = '', otherTarget] = text.split(' ');
  if (!other.includes('/') || otherTarget !== target) return false;
  const [a, b] = [prefix(other), prefix(cidr)];
  return a.version === b.version && a.value === b.value && a.bits === b.bits;
}

/** What comes of an event; null unless it is a packet. */
function happen(pair: Pair, event: Event): Said | null {
  if ('packet' in event) return pair.send(event.packet);
  if ('pause' in event) pair.pause(event.pause);
  else pair.change(event.model);
  return null;
}

/** Plays events; the first disagreement, or null. */
export function play(
  model: VpcModel,
  limits: Limits,
  events: readonly Event[],
): Disagreement | null {
  const pair = new Pair(model, limits);
  for (const [at, event] of events.entries()) {
    const said = happen(pair, event);
    if (said !== null && said.region !== said.evaluator) return { at, ...said };
  }
  return null;
}

/** Makes up a world as it goes, until the two disagree or it has had its packets. */
export function playWorld(seed: number): World {
  const random = new Prng(seed);
  const model = randomModel(random);
  const limits = {
    flows: random.pick([16, 64, 1024]),
    connectionsPerInstance: random.oneIn(4) ? 4 : 4096,
  };
  const pair = new Pair(model, limits);
  const events: Event[] = [];
  const outcomes = new Map<string, number>();
  const recent: Sent[] = [];
  for (let packets = 0; packets < packetsPerWorld; ) {
    const event = nextEvent(random, pair.model, model, recent);
    const said = happen(pair, event);
    events.push(event);
    if (said === null || !('packet' in event)) continue;
    packets++;
    const { judgement } = said;
    for (const outcome of kindsOf(judgement))
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    // What arrives is answered; of the rest something.
    if (judgement.deliveredTo !== null || random.oneIn(6))
      recent.unshift({ packet: event.packet, deliveredTo: judgement.deliveredTo });
    recent.splice(remembered);
    if (said.region !== said.evaluator)
      return {
        seed,
        model,
        limits,
        events,
        outcomes,
        disagreement: { at: events.length - 1, ...said },
      };
  }
  return { seed, model, limits, events, outcomes, disagreement: null };
}

/** The verdict, and how group gates were passed: by a rule, a tracked connection, ... */
function kindsOf(judgement: Judgement): string[] {
  const [verdict = ''] = outcomeOf(judgement).split(' ');
  return [verdict, ...judgement.gates.flatMap(({ how, passed }) => (passed && how) || [])];
}

function nextEvent(random: Prng, model: VpcModel, first: VpcModel, recent: readonly Sent[]): Event {
  if (random.oneIn(24)) return { model: changed(random, model, first) };
  const pause = random.oneIn(5) ? randomPause(random) : 0;
  if (pause > 0) return { pause };
  const present = recent.filter(({ packet }) => {
    return isGateway(packet.from) || model.interfaces.some(({ id }) => id === packet.from);
  });
  return { packet: randomPacket(random, model, present) };
}

/** As few events as still make the two disagree: halves, quarters, ... single ones are left out. */
export function shrink({ model, limits, events }: World): readonly Event[] {
  let kept = events;
  for (let size = kept.length >> 1; size >= 1; size >>= 1)
    for (let at = 0; at < kept.length; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      const found = play(model, limits, fewer);
      if (found === null) at += size;
      else kept = fewer.slice(0, found.at + 1);
    }
  return kept;
}

/** A world in which the two disagree, for a person: what is left when the rest was left out. */
export function describe(world: World): string {
  const events = shrink(world);
  const found = play(world.model, world.limits, events);
  return [
    `seed ${world.seed}: after ${events.length} of ${world.events.length} events`,
    `  the switch says     ${found?.region}`,
    `  the evaluator says  ${found?.evaluator}`,
    `limits ${JSON.stringify(world.limits)}`,
    `model ${JSON.stringify(world.model)}`,
    ...events.map((event) => JSON.stringify(event)),
    `gates ${JSON.stringify(found?.judgement.gates)}`,
  ].join('\n');
}
