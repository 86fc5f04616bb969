/** For tests: facts of a host that is well, to be changed by each case. */
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { known } from '../fact.ts';
import type { CardFacts, EfaStackFacts, HostFacts, InterfaceFacts } from './facts.ts';

export const at = { file: '/sys/test' };
const types = InstanceTypes.load();

export const typed = (name: string): HostFacts['type'] => known(types.get(name), at);

/** What ena counts, all zero but what is left. */
export const quiet: Readonly<Record<string, number>> = {
  bw_in_allowance_exceeded: 0,
  bw_out_allowance_exceeded: 0,
  pps_allowance_exceeded: 0,
  conntrack_allowance_exceeded: 0,
  linklocal_allowance_exceeded: 0,
  conntrack_allowance_available: 136_812,
  ena_srd_mode: 0,
};

export const countersOf = (change: Record<string, number> = {}) =>
  known(new Map(Object.entries({ ...quiet, ...change })), at);

export const interfaceFacts = (change: Partial<InterfaceFacts> = {}): InterfaceFacts => ({
  name: 'eth0',
  driverVersion: known('6.12.117+deb13-cloud-amd64', at),
  mtu: known(9001, at),
  state: known('up', at),
  queues: known({ rx: 2, tx: 2 }, at),
  rings: known({ rx: 1024, tx: 1024 }, at),
  txPush: known(true, at),
  counters: countersOf(),
  rise: known({ seconds: 1, counters: new Map(Object.keys(quiet).map((name) => [name, 0])) }, at),
  hasBql: known(true, at),
  ...change,
});

export const card = (change: Partial<CardFacts> = {}): CardFacts => ({
  address: '0000:00:05.0',
  kind: 'ena',
  id: '1d0f:ec20',
  driver: known('ena', at),
  hasLlqBar: known(true, at),
  interfaces: known([interfaceFacts()], at),
  queueIrqs: known(
    [
      { irq: '27', cpus: '0' },
      { irq: '28', cpus: '1' },
    ],
    at,
  ),
  ...change,
});

export const vf = (change: Partial<CardFacts> = {}): CardFacts =>
  card({
    kind: '82599vf',
    id: '8086:10ed',
    driver: known('ixgbevf', at),
    interfaces: known([interfaceFacts({ driverVersion: known('4.1.0-k', at) })], at),
    ...change,
  });

export const efaCard = (change: Partial<CardFacts> = {}): CardFacts =>
  card({
    address: '0000:00:06.0',
    kind: 'efa',
    id: '1d0f:efa1',
    driver: known('efa', at),
    interfaces: known([], at),
    ...change,
  });

export const efaStack = (change: Partial<EfaStackFacts> = {}): EfaStackFacts => ({
  devices: known(
    [{ name: 'rdmap0s6', address: known('0000:00:06.0', at), state: known('4: ACTIVE', at) }],
    at,
  ),
  uverbs: known(['uverbs0'], at),
  libfabric: known('/opt/amazon/efa/lib64/libfabric.so.1', at),
  rdmaProvider: known('/usr/lib64/libefa.so.1', at),
  hugePages: known(512, at),
  memlock: known(Number.POSITIVE_INFINITY, at),
  ptraceScope: known(0, at),
  ...change,
});

export const hostFacts = (change: Partial<HostFacts> = {}): HostFacts => ({
  kernel: known('6.12.117+deb13-cloud-amd64', at),
  commandLine: known('root=/dev/nvme0n1p1 net.ifnames=0', at),
  cpusOnline: known(2, at),
  vendor: known('Amazon EC2', at),
  product: known('c6i.large', at),
  isEc2: known(true, at),
  type: typed('c6i.large'),
  cards: known([card()], at),
  drivers: { ena: known('a module', at), ixgbevf: known('a module', at) },
  persistentNames: known(null, at),
  macs: known(['02:00:00:00:00:01'], at),
  enaLog: known(['ena 0000:00:05.0: Elastic Network Adapter (ENA) found at mem fe800000'], at),
  tcpLimitOutputBytes: known(1 << 20, at),
  tcpAutocorking: known(0, at),
  efa: efaStack(),
  ...change,
});

export const withCards = (...cards: readonly CardFacts[]): HostFacts =>
  hostFacts({ cards: known(cards, at) });

export const withInterface = (change: Partial<InterfaceFacts>): HostFacts =>
  withCards(card({ interfaces: known([interfaceFacts(change)], at) }));
