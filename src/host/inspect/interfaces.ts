/** Network interfaces of a card: what sysfs and their driver say of them. */
import { type Fact, isKnown, known, unread } from '../../check/fact.ts';
import type { Counters, InterfaceFacts } from '../../check/host/facts.ts';
import type { DriversSay } from './drivers-say.ts';
import { map, numberOf, present } from './numbers.ts';
import type { Tree } from './tree.ts';

/** `card`: the card's folder in sysfs. */
export function readInterfaces(
  tree: Tree,
  say: DriversSay,
  card: string,
): Fact<readonly InterfaceFacts[]> {
  const names = tree.names(`${card}/net`);
  return map(names, (found) => (found ?? []).map((name) => read(tree, say, card, name)), '');
}

function read(tree: Tree, say: DriversSay, card: string, name: string): InterfaceFacts {
  const folder = `${card}/net/${name}`;
  const queues = present(tree.names(`${folder}/queues`));
  const count = (kind: string, all: readonly string[]): number =>
    all.filter((queue) => queue.startsWith(`${kind}-`)).length;
  return {
    name,
    driverVersion: say.version(name),
    mtu: numberOf(tree.line(`${folder}/mtu`)),
    state: present(tree.line(`${folder}/operstate`)),
    queues: map(queues, (all) => ({ rx: count('rx', all), tx: count('tx', all) }), ''),
    rings: say.rings(name),
    txPush: say.txPush(name),
    counters: say.counters(name),
    rise: unread('counters were read once, and a rate takes two readings'),
    hasBql: readBql(tree, folder, queues),
  };
}

/** As Amazon's script does: the driver's own switch, else whether any Tx queue has no minimum. */
function readBql(tree: Tree, folder: string, queues: Fact<readonly string[]>): Fact<boolean> {
  const own = tree.line('/sys/module/ena/parameters/enable_bql');
  if (isKnown(own) && own.value !== null) return known(own.value !== '0', own.at);
  if (!isKnown(queues)) return queues;
  const tx = queues.value.filter((queue) => queue.startsWith('tx-'));
  for (const queue of tx) {
    const least = numberOf(tree.line(`${folder}/queues/${queue}/byte_queue_limits/limit_min`));
    if (!isKnown(least)) return least;
    if (least.value === 0) return known(true, least.at);
  }
  return known(false, queues.at);
}

/** The same interface with what its counters rose by since it was read. */
export function withRise(
  before: InterfaceFacts,
  after: Fact<Counters>,
  seconds: number,
): InterfaceFacts {
  const { counters } = before;
  if (!isKnown(counters)) return { ...before, rise: counters };
  if (!isKnown(after)) return { ...before, rise: after };
  const rise = new Map<string, number>();
  for (const [name, value] of after.value) {
    const old = counters.value.get(name);
    if (old !== undefined) rise.set(name, Math.max(0, value - old));
  }
  return { ...before, rise: known({ seconds, counters: rise }, after.at) };
}
