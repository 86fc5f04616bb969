/** Which cards are there, and whether their drivers have them. */
import { valueIn } from '../fact.ts';
import { fail, judge, judgeBoth, judgeEach, notApplicable, pass, type Rule } from '../rule.ts';
import type { CardFacts, CardKind, HostFacts } from './facts.ts';

const driverOf: Readonly<Record<CardKind, string>> = {
  ena: 'ena',
  '82599vf': 'ixgbevf',
  x540vf: 'ixgbevf',
  efa: 'efa',
};
/** Drivers that give a function to a program in user space: DPDK, another VMM. */
const userSpace = ['vfio-pci', 'uio_pci_generic', 'igb_uio'];

const present: Rule<HostFacts> = {
  id: 'host-card-present',
  group: 'cards',
  severity: 'error',
  title: 'an instance of EC2 has an Enhanced Networking card',
  reason:
    'Without the enaSupport or sriovNetSupport attribute EC2 gives an instance the stock adapter of Xen, ' +
    'which is slower and has more jitter.',
  source: 'EC2 User Guide, "Enhanced networking on Amazon EC2 instances"',
  mend: 'aws ec2 modify-instance-attribute --instance-id INSTANCE --ena-support   # while it is stopped',
  evaluate: ({ cards, isEc2, type }) => [
    judgeBoth(
      cards,
      isEc2,
      undefined,
      (found, ec2, about) => {
        const nics = found.filter(({ kind }) => kind !== 'efa');
        if (nics.length > 0)
          return pass(nics.map(({ kind, address }) => `${kind} ${address}`).join(', '), about);
        if (!ec2)
          return notApplicable('this is no instance of EC2, and has none of its cards', about);
        const byVf = valueIn(type)?.ena === 'unsupported' && valueIn(type)?.vf82599 === true;
        const attribute = byVf ? '--sriov-net-support simple' : '--ena-support';
        return fail('there is no ENA function and no 82599 VF', {
          ...about,
          mend: [
            '# find its id in the console, stop it, then from where you have credentials:',
            `aws ec2 modify-instance-attribute --instance-id INSTANCE ${attribute}`,
          ],
        });
      },
      words,
    ),
  ],
};

const bound: Rule<HostFacts> = {
  id: 'host-driver-bound',
  group: 'cards',
  severity: 'error',
  title: 'each card has its driver',
  reason:
    'A function without a driver is no network interface: an instance is not reachable by it.',
  source: 'EC2 User Guide, "Troubleshoot the Elastic Network Adapter"',
  mend: 'sudo modprobe ena   # or ixgbevf, efa',
  evaluate: ({ cards }) =>
    judgeEach(cards, (card) =>
      judge(card.driver, card.address, (driver, about) => {
        const wanted = driverOf[card.kind];
        if (driver === wanted) return pass(`${driver} drives ${card.kind} ${card.id}`, about);
        if (driver !== null && userSpace.includes(driver))
          return pass(`${driver} gives ${card.kind} ${card.id} to user space`, about);
        const what = driver === null ? 'no driver is bound' : `${driver} is bound`;
        return fail(`${what} to ${card.kind} ${card.id}`, {
          ...about,
          mend: [`sudo modprobe ${wanted}`],
        });
      }),
    ),
};

const words = (value: readonly CardFacts[]): string =>
  value.length === 0
    ? 'no such function'
    : value.map(({ id, address }) => `${address} ${id}`).join(', ');

export const cardRules: readonly Rule<HostFacts>[] = [present, bound];
