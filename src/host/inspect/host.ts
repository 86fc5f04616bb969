/** Gathers what `virtfn check host` judges: reads files of a Linux, and changes nothing. */
import { type Fact, known, unread } from '../../check/fact.ts';
import type { HostFacts } from '../../check/host/facts.ts';
import type { InstanceType } from '../../vpc/instance-type.ts';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { readCards } from './cards.ts';
import { Tree } from './tree.ts';

export function inspectHost(root: string): HostFacts {
  const tree = new Tree(root);
  const dmi = '/sys/devices/virtual/dmi/id';
  const vendor = tree.line(`${dmi}/board_vendor`);
  const product = tree.line(`${dmi}/product_name`);
  const kernel = tree.line('/proc/sys/kernel/osrelease');
  const isEc2 = readIsEc2(tree, vendor);
  return {
    kernel: present(kernel, 'it is not there'),
    vendor,
    product,
    isEc2,
    type: typeOf(isEc2, product),
    cards: readCards(tree),
  };
}

function present<T>(fact: Fact<T | null>, why: string): Fact<T> {
  if ('unknown' in fact) return fact;
  return fact.value === null ? unread(why, fact.at) : known(fact.value, fact.at);
}

/** Nitro says it in DMI; Xen's instances by the start of their hypervisor's UUID. */
function readIsEc2(tree: Tree, vendor: Fact<string | null>): Fact<boolean> {
  if (!('unknown' in vendor) && vendor.value === 'Amazon EC2') return known(true, vendor.at);
  const uuid = tree.line('/sys/hypervisor/uuid');
  if ('unknown' in uuid) return uuid;
  if (uuid.value !== null) return known(/^ec2/i.test(uuid.value), uuid.at);
  return 'unknown' in vendor ? vendor : known(false, vendor.at);
}

function typeOf(isEc2: Fact<boolean>, product: Fact<string | null>): Fact<InstanceType | null> {
  if ('unknown' in isEc2) return isEc2;
  if ('unknown' in product) return product;
  const types = InstanceTypes.load();
  const name = product.value ?? '';
  return known(isEc2.value && types.has(name) ? types.get(name) : null, product.at);
}
