import { known, unread } from '../fact.ts';
import { testRules } from '../testing-rules.ts';
import { cardRules } from './card-rules.ts';
import { card, hostFacts, typed } from './testing-host.ts';

const at = { file: '/sys/test' };
const cards = (...list: ReturnType<typeof card>[]) => hostFacts({ cards: known(list, at) });

testRules('host', cardRules, [
  {
    rule: 'host-card-present',
    outcome: 'pass',
    given: 'an ENA function',
    facts: hostFacts(),
    says: /ena 0000:00:05\.0/,
  },
  {
    rule: 'host-card-present',
    outcome: 'fail',
    given: 'an instance with the stock adapter',
    facts: cards(),
    mend: /--ena-support$/,
  },
  {
    rule: 'host-card-present',
    outcome: 'fail',
    given: 'an instance of a type that has 82599 VFs only',
    facts: { ...cards(), type: typed('c3.large') },
    mend: /--sriov-net-support simple/,
  },
  {
    rule: 'host-card-present',
    outcome: 'fail',
    given: 'an instance with an EFA function only, which is no network interface',
    facts: cards(card({ kind: 'efa', id: '1d0f:efa1', driver: known('efa', at) })),
  },
  {
    rule: 'host-card-present',
    outcome: 'notApplicable',
    given: 'a machine that is no instance',
    facts: { ...cards(), isEc2: known(false, at) },
  },
  {
    rule: 'host-card-present',
    outcome: 'unknown',
    given: 'a machine without sysfs',
    facts: hostFacts({ cards: unread('there is no sysfs here') }),
  },
  {
    rule: 'host-driver-bound',
    outcome: 'pass',
    given: 'an ENA function with ena',
    facts: hostFacts(),
  },
  {
    rule: 'host-driver-bound',
    outcome: 'pass',
    given: 'an ENA function that DPDK has',
    facts: cards(card({ driver: known('vfio-pci', at) })),
    says: /user space/,
  },
  {
    rule: 'host-driver-bound',
    outcome: 'fail',
    given: 'an 82599 VF without a driver',
    facts: cards(card({ kind: '82599vf', id: '8086:10ed', driver: known(null, at) })),
    mend: /modprobe ixgbevf$/,
  },
  {
    rule: 'host-driver-bound',
    outcome: 'unknown',
    given: 'a driver that may not be read',
    facts: cards(card({ driver: unread('it may be read by root only') })),
  },
]);
