/** PCI functions that are cards of Enhanced Networking, by their ids (the ID tables of the drivers). */
import { type Fact, isKnown, known } from '../../check/fact.ts';
import type { CardFacts, CardKind } from '../../check/host/facts.ts';
import type { DriversSay } from './drivers-say.ts';
import { readInterfaces } from './interfaces.ts';
import { map, present } from './numbers.ts';
import type { Tree } from './tree.ts';

const devices = '/sys/bus/pci/devices';

const kinds: Readonly<Record<string, CardKind>> = {
  '1d0f:0ec2': 'ena',
  '1d0f:1ec2': 'ena',
  '1d0f:ec20': 'ena',
  '1d0f:ec21': 'ena',
  '8086:10ed': '82599vf',
  '8086:1515': 'x540vf',
  '1d0f:efa0': 'efa',
  '1d0f:efa1': 'efa',
  '1d0f:efa2': 'efa',
  '1d0f:efa3': 'efa',
};

export function readCards(tree: Tree, say: DriversSay): Fact<readonly CardFacts[]> {
  const addresses = present(tree.names(devices), 'there is no sysfs here, or no PCI');
  return map(
    addresses,
    (all) => all.map((address) => readCard(tree, say, address)).filter((card) => card !== null),
    '',
  );
}

function readCard(tree: Tree, say: DriversSay, address: string): CardFacts | null {
  const folder = `${devices}/${address}`;
  const id = `${idOf(tree, `${folder}/vendor`)}:${idOf(tree, `${folder}/device`)}`;
  const kind = Object.hasOwn(kinds, id) ? kinds[id] : undefined;
  if (kind === undefined) return null;
  return {
    address,
    kind,
    id,
    driver: tree.linkName(`${folder}/driver`),
    hasLlqBar: map(present(tree.text(`${folder}/resource`)), hasBar2, 'it is no list of BARs'),
    interfaces: readInterfaces(tree, say, folder),
    queueIrqs: readQueueIrqs(tree, folder),
  };
}

/** `0x1d0f` as `1d0f`. */
function idOf(tree: Tree, path: string): string {
  const fact = tree.line(path);
  return isKnown(fact) ? (fact.value ?? '').toLowerCase().replace(/^0x/, '') : '';
}

/** A line per BAR: start, end, flags. ENA_MEM_BAR is 2. */
function hasBar2(resource: string): boolean | null {
  const line = resource.split('\n')[2] ?? '';
  const [, start, end] = /^0x([\da-f]+) 0x([\da-f]+) 0x[\da-f]+$/i.exec(line.trim()) ?? [];
  if (start === undefined || end === undefined) return null;
  return !/^0+$/.test(end);
}

/** A driver's own vector, for management, is the one that is named so or the first of several. */
function readQueueIrqs(tree: Tree, folder: string): CardFacts['queueIrqs'] {
  const vectors = tree.names(`${folder}/msi_irqs`);
  if (!isKnown(vectors)) return vectors;
  const irqs = (vectors.value ?? []).filter((irq) => /^\d+$/.test(irq));
  const found: { irq: string; cpus: string }[] = [];
  for (const irq of irqs) {
    const actions = tree.names(`/proc/irq/${irq}`);
    if (!isKnown(actions)) return actions;
    if (actions.value?.some((name) => /mgmnt|mgmt|aenq|mbx/i.test(name))) continue;
    const cpus = affinityOf(tree, irq);
    if (!isKnown(cpus)) return cpus;
    found.push({ irq, cpus: cpus.value });
  }
  return known(found, vectors.at);
}

/** Where it goes; where the kernel does not tell, where it may go. */
function affinityOf(tree: Tree, irq: string): Fact<string> {
  const effective = tree.line(`/proc/irq/${irq}/effective_affinity_list`);
  if (isKnown(effective) && effective.value) return known(effective.value, effective.at);
  return present(tree.line(`/proc/irq/${irq}/smp_affinity_list`));
}
