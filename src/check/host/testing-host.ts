/** For tests: facts of a host that is well, to be changed by each case. */
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { known } from '../fact.ts';
import type { CardFacts, HostFacts } from './facts.ts';

const at = { file: '/sys/test' };
const types = InstanceTypes.load();

export const typed = (name: string): HostFacts['type'] => known(types.get(name), at);

export const card = (change: Partial<CardFacts> = {}): CardFacts => ({
  address: '0000:00:05.0',
  kind: 'ena',
  id: '1d0f:ec20',
  driver: known('ena', at),
  interfaces: known(['eth0'], at),
  ...change,
});

export const hostFacts = (change: Partial<HostFacts> = {}): HostFacts => ({
  kernel: known('6.12.117+deb13-cloud-amd64', at),
  vendor: known('Amazon EC2', at),
  product: known('c6i.large', at),
  isEc2: known(true, at),
  type: typed('c6i.large'),
  cards: known([card()], at),
  ...change,
});
