import { known, unread } from '../fact.ts';
import { casesOf, type RuleCase, testRules } from '../testing-rules.ts';
import type { HostFacts } from './facts.ts';
import { hostRules } from './rules.ts';
import {
  at,
  card,
  countersOf,
  efaCard,
  efaStack,
  hostFacts,
  interfaceFacts,
  quiet,
  typed,
  vf,
  withCards,
  withInterface,
} from './testing-host.ts';

type Case = RuleCase<HostFacts>;

const well = hostFacts();
const no = unread('it may be read by root only');
const withEfa = (change: Parameters<typeof efaStack>[0] = {}): HostFacts => ({
  ...withCards(card(), efaCard()),
  type: typed('c6i.32xlarge'),
  efa: efaStack(change),
});
const withVf = (version: string): HostFacts =>
  withCards(vf({ interfaces: known([interfaceFacts({ driverVersion: known(version, at) })], at) }));
const express = (change: Partial<ReturnType<typeof interfaceFacts>> = {}): HostFacts =>
  withInterface({ counters: countersOf({ ena_srd_mode: 1 }), ...change });
const rising = (counter: string): HostFacts =>
  withInterface({
    rise: known({ seconds: 2, counters: new Map([...Object.entries(quiet), [counter, 50]]) }, at),
  });

const { pass, fail, other } = casesOf<HostFacts>();

const instance: readonly Case[] = [
  pass('host-type-known', 'a c6i.large', well, /c6i\.large: 2 vCPUs/),
  fail(
    'host-type-known',
    'a type that is newer than the catalogue',
    hostFacts({ product: known('z99.large', at), type: known(null, at) }),
    /z99\.large is not in the catalogue/,
    /virtfn types/,
  ),
  other('host-type-known', 'notApplicable', 'no instance', hostFacts({ isEc2: known(false, at) })),
  pass('host-vcpus', 'two of two', well),
  fail(
    'host-vcpus',
    'one of two',
    hostFacts({ cpusOnline: known(1, at) }),
    /1 of 2 vCPUs/,
    /cpu\*\/online/,
  ),
  pass('host-type-cards', 'ENA on a c6i.large', well),
  fail(
    'host-type-cards',
    'ENA on a c3.large',
    hostFacts({ type: typed('c3.large') }),
    /has ENA, and its type does not/,
    /report it/,
  ),
  fail(
    'host-type-cards',
    'an 82599 VF and two EFA functions on a c6i.large',
    withCards(vf(), efaCard(), efaCard()),
    /82599 VF.*; it has 2 EFA functions, and its type 0/,
    /type/,
  ),
];

const cards: readonly Case[] = [
  pass('host-card-present', 'an ENA function', well, /ena 0000:00:05\.0/),
  fail(
    'host-card-present',
    'an instance with the stock adapter',
    withCards(),
    /no ENA function and no 82599 VF/,
    /--ena-support$/,
  ),
  fail(
    'host-card-present',
    'an instance of a type that has 82599 VFs only',
    { ...withCards(), type: typed('c3.large') },
    /no ENA/,
    /--sriov-net-support simple/,
  ),
  fail(
    'host-card-present',
    'an EFA function only, which is no network interface',
    withCards(efaCard()),
    /no ENA/,
    /./,
  ),
  other('host-card-present', 'notApplicable', 'a machine that is no instance', {
    ...withCards(),
    isEc2: known(false, at),
  }),
  other('host-card-present', 'unknown', 'no sysfs', hostFacts({ cards: no })),
  pass('host-driver-bound', 'ena', well, /^ena 6\.12\S* drives ena 1d0f:ec20$/),
  pass(
    'host-driver-bound',
    'DPDK',
    withCards(card({ driver: known('vfio-pci', at) })),
    /user space/,
  ),
  fail(
    'host-driver-bound',
    'an 82599 VF without a driver',
    withCards(vf({ driver: known(null, at) })),
    /no driver is bound/,
    /modprobe ixgbevf$/,
  ),
  fail(
    'host-driver-bound',
    "another card's driver",
    withCards(card({ driver: known('pci-stub', at) })),
    /pci-stub is bound/,
    /modprobe ena$/,
  ),
  other('host-driver-bound', 'unknown', 'a hidden driver', withCards(card({ driver: no }))),
  pass('host-ena-llq', 'TX Push on', well, /into the card/),
  fail(
    'host-ena-llq',
    'TX Push off',
    withInterface({ txPush: known(false, at) }),
    /host memory/,
    /dmesg/,
  ),
  fail(
    'host-ena-llq',
    'a driver that fell back',
    {
      ...withInterface({ txPush: no }),
      enaLog: known(['ena 0000:00:05.0: LLQ is not supported Fallback to host mode policy.'], at),
    },
    /Fallback/,
    /dmesg/,
  ),
  fail(
    'host-ena-llq',
    'no BAR 2',
    withCards(
      card({
        hasLlqBar: known(false, at),
        interfaces: known([interfaceFacts({ txPush: no })], at),
      }),
    ),
    /no memory/,
    /./,
  ),
  other('host-ena-llq', 'unknown', 'a log without a fallback', withInterface({ txPush: no })),
  other('host-ena-llq', 'unknown', 'a log for root only', {
    ...withInterface({ txPush: no }),
    enaLog: no,
  }),
];

const kernel: readonly Case[] = [
  pass('host-ena-module', 'a module', well),
  fail(
    'host-ena-module',
    'a kernel without ena',
    hostFacts({ drivers: { ena: known(null, at), ixgbevf: known(null, at) } }),
    /has no ena/,
    /modinfo -k '6\.12/,
  ),
  other(
    'host-ena-module',
    'unknown',
    'no list of modules',
    hostFacts({ drivers: { ena: no, ixgbevf: no } }),
  ),
  pass('host-ixgbevf-version', '4.1.0-k', withVf('4.1.0-k')),
  pass('host-ixgbevf-version', '2.14.2', withVf('2.14.2')),
  pass('host-ixgbevf-version', "a kernel's own", withVf('6.12.117+deb13-amd64')),
  fail('host-ixgbevf-version', '2.12.1-k', withVf('2.12.1-k'), /2\.12\.1-k is older/, /kernel/),
  other('host-ixgbevf-version', 'unknown', 'words', withVf('unknown')),
  other('host-ixgbevf-version', 'notApplicable', 'no such card', well),
  pass('host-persistent-names', 'no such file', well),
  pass(
    'host-persistent-names',
    'its own address',
    hostFacts({ persistentNames: known([{ line: 3, mac: '02:00:00:00:00:01' }], at) }),
  ),
  fail(
    'host-persistent-names',
    "another machine's address",
    hostFacts({ persistentNames: known([{ line: 3, mac: '0a:00:00:00:00:01' }], at) }),
    /0a:00:00:00:00:01 is no address of this machine/,
    /rm .*70-persistent-net/,
  ),
  pass('host-interface-names', 'net.ifnames=0', well),
  fail(
    'host-interface-names',
    'predictable names',
    hostFacts({ commandLine: known('quiet net.ifnames=00', at) }),
    /is not set/,
    /update-grub/,
  ),
];

const interfaces: readonly Case[] = [
  pass('host-link-up', 'up', well),
  fail('host-link-up', 'down', withInterface({ state: known('down', at) }), /is down/, /eth0 up$/),
  pass('host-mtu', '9001', well),
  fail('host-mtu', '9216', withInterface({ mtu: known(9216, at) }), /9216/, /eth0 mtu 9001$/),
  fail('host-mtu', '576', withInterface({ mtu: known(576, at) }), /576/, /mtu/),
  other('host-mtu', 'unknown', 'an MTU that may not be read', withInterface({ mtu: no })),
  pass('host-jumbo-frames', '9001', well),
  fail('host-jumbo-frames', '1500', withInterface({ mtu: known(1500, at) }), /1500/, /9001/),
  pass('host-queues', 'two for two', well),
  pass('host-queues', 'what the type allows of 96 vCPUs', {
    ...withInterface({ queues: known({ rx: 32, tx: 32 }, at) }),
    cpusOnline: known(96, at),
    type: typed('c6i.24xlarge'),
  }),
  fail(
    'host-queues',
    'one for two',
    withInterface({ queues: known({ rx: 1, tx: 1 }, at) }),
    /1 queue pairs for 2 vCPUs/,
    /ethtool -L eth0 combined 2$/,
  ),
  other('host-queues', 'unknown', 'few queues of an unknown type', {
    ...withInterface({ queues: known({ rx: 1, tx: 1 }, at) }),
    type: known(null, at),
  }),
  pass('host-irq-spread', 'two CPUs', well),
  pass(
    'host-irq-spread',
    'interrupts that may go anywhere',
    withCards(
      card({
        queueIrqs: known(
          [
            { irq: '1', cpus: '0-1' },
            { irq: '2', cpus: '0-1' },
          ],
          at,
        ),
      }),
    ),
  ),
  fail(
    'host-irq-spread',
    'one CPU for all',
    withCards(
      card({
        queueIrqs: known(
          [
            { irq: '1', cpus: '0' },
            { irq: '2', cpus: '0' },
          ],
          at,
        ),
      }),
    ),
    /all 2 queue interrupts go to CPU 0/,
    /irqbalance/,
  ),
];

const allowances: readonly Case[] = [
  pass('host-allowance-counters', 'all five', well),
  fail(
    'host-allowance-counters',
    'an old driver',
    withInterface({ counters: known(new Map([['tx_timeout', 0]]), at) }),
    /does not show bw_in_allowance_exceeded/,
    /amzn-drivers/,
  ),
  pass('host-allowance-exceeded-now', 'a quiet second', well),
  fail(
    'host-allowance-exceeded-now',
    'packets that were throttled',
    rising('pps_allowance_exceeded'),
    /rising: pps_allowance_exceeded by 25 a second/,
    /virtfn types/,
  ),
  other(
    'host-allowance-exceeded-now',
    'unknown',
    'counters read once',
    withInterface({ rise: no }),
  ),
  pass('host-allowance-exceeded-ever', 'never', well),
  fail(
    'host-allowance-exceeded-ever',
    'a burst long ago',
    withInterface({ counters: countersOf({ bw_out_allowance_exceeded: 7 }) }),
    /bw_out_allowance_exceeded 7/,
    /ethtool -S eth0/,
  ),
  pass('host-conntrack-available', 'many left', well, /136812 more/),
  fail(
    'host-conntrack-available',
    'none left',
    withInterface({ counters: countersOf({ conntrack_allowance_available: 0 }) }),
    /no more connections/,
    /TcpEstablishedTimeout/,
  ),
  other(
    'host-conntrack-available',
    'unknown',
    'a driver without the counter',
    withInterface({ counters: known(new Map(), at) }),
  ),
];

const expressCases: readonly Case[] = [
  other('host-express-mtu', 'notApplicable', 'ENA Express off', well),
  pass('host-express-mtu', '8900', express({ mtu: known(8900, at) })),
  fail('host-express-mtu', '9001', express(), /9001/, /mtu 8900$/),
  pass('host-express-tcp-limit', '1 MiB', express()),
  fail(
    'host-express-tcp-limit',
    'the default of old kernels',
    { ...express(), tcpLimitOutputBytes: known(262_144, at) },
    /262144/,
    /1048576/,
  ),
  pass('host-express-autocorking', 'off', express()),
  fail(
    'host-express-autocorking',
    'on',
    { ...express(), tcpAutocorking: known(1, at) },
    /is 1/,
    /autocorking=0/,
  ),
  pass('host-express-rx-ring', '8192', express({ rings: known({ rx: 8192, tx: 1024 }, at) })),
  fail('host-express-rx-ring', '1024', express(), /1024/, /-G eth0 rx 8192/),
  pass('host-express-bql', 'off', express({ hasBql: known(false, at) })),
  fail('host-express-bql', 'on', express(), /they are on/, /limit_min/),
  pass(
    'host-express-used',
    'packets by SRD',
    express({
      counters: countersOf({ ena_srd_mode: 1, ena_srd_eligible_tx_pkts: 9, ena_srd_tx_pkts: 8 }),
    }),
  ),
  fail(
    'host-express-used',
    'a peer without it',
    express({ counters: countersOf({ ena_srd_mode: 3, ena_srd_eligible_tx_pkts: 9 }) }),
    /0 of 9/,
    /EnaSrdEnabled=true/,
  ),
];

const efa: readonly Case[] = [
  pass('host-efa-device', 'an active port', withEfa(), /rdmap0s6, port 4: ACTIVE/),
  fail(
    'host-efa-device',
    'a function that is no RDMA device',
    withEfa({ devices: known([], at) }),
    /no RDMA device/,
    /modprobe efa/,
  ),
  fail(
    'host-efa-device',
    'a port that is down',
    withEfa({
      devices: known(
        [{ name: 'efa_0', address: known('0000:00:06.0', at), state: known('1: DOWN', at) }],
        at,
      ),
    }),
    /efa_0: port 1: DOWN/,
    /dmesg/,
  ),
  pass('host-efa-verbs', 'uverbs0', withEfa()),
  fail('host-efa-verbs', 'none', withEfa({ uverbs: known([], at) }), /uverbs/, /ib_uverbs/),
  pass('host-efa-libfabric', 'the installer', withEfa()),
  fail(
    'host-efa-libfabric',
    'none',
    withEfa({ libfabric: known(null, at) }),
    /no libfabric/,
    /efa-i/,
  ),
  pass('host-efa-rdma-core', 'libefa', withEfa()),
  fail('host-efa-rdma-core', 'none', withEfa({ rdmaProvider: known(null, at) }), /rdma/, /ibverbs/),
  pass('host-efa-huge-pages', '512', withEfa()),
  fail(
    'host-efa-huge-pages',
    'none',
    withEfa({ hugePages: known(0, at) }),
    /no huge pages/,
    /nr_hugepages/,
  ),
  pass('host-efa-memlock', 'unlimited', withEfa(), /without limit/),
  fail(
    'host-efa-memlock',
    '8 MiB',
    withEfa({ memlock: known(8 << 20, at) }),
    /8192 KiB/,
    /memlock/,
  ),
  pass('host-efa-ptrace', '0', withEfa()),
  fail('host-efa-ptrace', '1', withEfa({ ptraceScope: known(1, at) }), /is 1/, /ptrace_scope=0/),
  other('host-efa-ptrace', 'notApplicable', 'no EFA', well),
  other('host-efa-ptrace', 'unknown', 'cards that cannot be listed', hostFacts({ cards: no })),
  pass('host-efa-type', 'an EFA function', withEfa()),
  fail(
    'host-efa-type',
    'a type with EFA and no function',
    hostFacts({ type: typed('c6i.32xlarge') }),
    /c6i\.32xlarge could have/,
    /InterfaceType=efa/,
  ),
];

testRules('host', hostRules, [
  ...instance,
  ...cards,
  ...kernel,
  ...interfaces,
  ...allowances,
  ...expressCases,
  ...efa,
]);
