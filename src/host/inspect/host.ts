/** Gathers what `virtfn check host` judges: reads files of a Linux, asks its drivers, changes nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fact, isKnown, known } from '../../check/fact.ts';
import type { HostFacts } from '../../check/host/facts.ts';
import { EthtoolSocket } from '../../sys/ethtool.ts';
import type { InstanceType } from '../../vpc/instance-type.ts';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { readCards } from './cards.ts';
import { askKernel, type DriversSay, readRecorded } from './drivers-say.ts';
import { readEfaStack } from './efa.ts';
import { withRise } from './interfaces.ts';
import { readDriver, readEnaLog, readMacs, readPersistentNames } from './kernel.ts';
import { countOfCpus, map, numberOrNull, present } from './numbers.ts';
import { Tree } from './tree.ts';

/** Read where an instance is seen, once. */
let types: InstanceTypes | undefined;

/** `intervalMs`: how long counters are watched on this machine; 0: they are read once. */
export async function inspectHost(root: string, intervalMs: number): Promise<HostFacts> {
  const tree = new Tree(root);
  if (!tree.isLive) return readHost(tree, readRecorded(tree));
  const socket = new EthtoolSocket();
  try {
    const say = askKernel(socket);
    const facts = readHost(tree, say);
    return intervalMs === 0 ? facts : await watch(facts, say, intervalMs);
  } finally {
    socket.close();
  }
}

function readHost(tree: Tree, say: DriversSay): HostFacts {
  const dmi = '/sys/devices/virtual/dmi/id';
  const vendor = tree.line(`${dmi}/board_vendor`);
  const product = tree.line(`${dmi}/product_name`);
  const kernel = present(tree.line('/proc/sys/kernel/osrelease'));
  const isEc2 = readIsEc2(tree, vendor);
  const online = present(tree.line('/sys/devices/system/cpu/online'));
  return {
    kernel,
    commandLine: present(tree.line('/proc/cmdline')),
    cpusOnline: map(online, countOfCpus, 'it is no list of CPUs'),
    vendor,
    product,
    isEc2,
    type: typeOf(isEc2, product),
    cards: readCards(tree, say),
    drivers: {
      ena: readDriver(tree, kernel, 'ena'),
      ixgbevf: readDriver(tree, kernel, 'ixgbevf'),
    },
    persistentNames: readPersistentNames(tree),
    macs: readMacs(tree),
    enaLog: readEnaLog(tree),
    tcpLimitOutputBytes: numberOrNull(tree.line('/proc/sys/net/ipv4/tcp_limit_output_bytes')),
    tcpAutocorking: numberOrNull(tree.line('/proc/sys/net/ipv4/tcp_autocorking')),
    efa: readEfaStack(tree),
  };
}

/** Reads counters again after a while; does not wait where there are none. */
async function watch(facts: HostFacts, { later }: DriversSay, ms: number): Promise<HostFacts> {
  const { cards } = facts;
  if (later === null || !isKnown(cards)) return facts;
  const some = cards.value.some(
    ({ interfaces }) => isKnown(interfaces) && interfaces.value.length > 0,
  );
  if (!some) return facts;
  const began = performance.now();
  await sleep(ms);
  const seconds = (performance.now() - began) / 1000;
  const again = cards.value.map((card) => ({
    ...card,
    interfaces: map(
      card.interfaces,
      (all) => all.map((one) => withRise(one, later(one.name), seconds)),
      '',
    ),
  }));
  return { ...facts, cards: { ...cards, value: again } };
}

/** Nitro says it in DMI; Xen's instances by the start of their hypervisor's UUID. */
function readIsEc2(tree: Tree, vendor: Fact<string | null>): Fact<boolean> {
  if (isKnown(vendor) && vendor.value === 'Amazon EC2') return known(true, vendor.at);
  const uuid = tree.line('/sys/hypervisor/uuid');
  if (!isKnown(uuid)) return uuid;
  if (uuid.value !== null) return known(/^ec2/i.test(uuid.value), uuid.at);
  return map(vendor, () => false, '');
}

function typeOf(isEc2: Fact<boolean>, product: Fact<string | null>): Fact<InstanceType | null> {
  if (!isKnown(isEc2)) return isEc2;
  if (!isKnown(product)) return product;
  const name = product.value ?? '';
  if (!isEc2.value) return known(null, product.at);
  types ??= InstanceTypes.load();
  return known(types.has(name) ? types.get(name) : null, product.at);
}
