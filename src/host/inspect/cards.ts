/** PCI functions that are cards of Enhanced Networking, by their ids (the ID tables of the drivers). */

import { type Fact, known, unread } from '../../check/fact.ts';
import type { CardFacts, CardKind } from '../../check/host/facts.ts';
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

export function readCards(tree: Tree): Fact<readonly CardFacts[]> {
  const addresses = tree.names(devices);
  if ('unknown' in addresses) return addresses;
  if (addresses.value === null) return unread('there is no sysfs here', addresses.at);
  const cards: CardFacts[] = [];
  for (const address of addresses.value) {
    const card = readCard(tree, address);
    if (card !== null) cards.push(card);
  }
  return known(cards, addresses.at);
}

function readCard(tree: Tree, address: string): CardFacts | null {
  const folder = `${devices}/${address}`;
  const id = `${idOf(tree, `${folder}/vendor`)}:${idOf(tree, `${folder}/device`)}`;
  const kind = Object.hasOwn(kinds, id) ? kinds[id] : undefined;
  if (kind === undefined) return null;
  const interfaces = tree.names(`${folder}/net`);
  return {
    address,
    kind,
    id,
    driver: tree.linkName(`${folder}/driver`),
    interfaces: 'unknown' in interfaces ? interfaces : known(interfaces.value ?? [], interfaces.at),
  };
}

/** `0x1d0f` as `1d0f`. */
function idOf(tree: Tree, path: string): string {
  const fact = tree.line(path);
  return 'unknown' in fact ? '' : (fact.value ?? '').toLowerCase().replace(/^0x/, '');
}
