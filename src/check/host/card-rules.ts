/** Which cards are there, and whether their drivers have them. */
import { isKnown, valueIn } from '../fact.ts';
import {
  fail,
  judge,
  judgeBoth,
  judgeEach,
  notApplicable,
  pass,
  type Rule,
  unknown,
} from '../rule.ts';
import { eachInterface } from './cards.ts';
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
          return pass(
            `it has ${nics.map((one) => `${one.kind} ${one.address}`).join(', ')}`,
            about,
          );
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
        if (driver === wanted)
          return pass(`${driver}${versionOf(card)} drives ${card.kind} ${card.id}`, about);
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

const llq: Rule<HostFacts> = {
  id: 'host-ena-llq',
  group: 'cards',
  severity: 'warning',
  title: 'an ENA function sends by its low-latency queues',
  reason:
    'With LLQ the driver writes descriptors and headers into the card itself, which saves the card a read of ' +
    'memory per packet. A driver that cannot falls back to host memory, and only says so in the log.',
  source:
    'amzn-drivers, kernel/linux/ena/README.rst, "LLQ"; ena_set_queues_placement_policy(), ena_get_ringparam()',
  mend: "sudo dmesg | grep -w ena   # then a driver and kernel as new as the instance's generation",
  evaluate: (facts) =>
    eachInterface(facts, ['ena'], ({ name, txPush }, { address, hasLlqBar }) => {
      const mend = ['sudo dmesg | grep -w ena'] as const;
      if (isKnown(txPush))
        return judge(
          txPush,
          name,
          (on, about) =>
            on
              ? pass('the driver writes packets into the card', about)
              : fail('the driver keeps packets in host memory', { ...about, mend }),
          (on) => `TX Push ${on ? 'on' : 'off'}`,
        );
      return judgeBoth(
        hasLlqBar,
        facts.enaLog,
        name,
        (has, log, about) => {
          if (!has)
            return fail('the card has no memory for low-latency queues', { ...about, mend });
          const own = log.filter((line) => line.includes(address));
          const fallback = own.find((line) => /fallback to host mode/i.test(line));
          if (fallback !== undefined) return fail(fallback, { ...about, mend });
          return unknown(`${txPush.unknown}; the log tells of no fallback`, about);
        },
        (has) => (has ? 'BAR 2 is there' : 'no BAR 2'),
        (log) => `${log.length} lines of ena`,
      );
    }),
};

/** As the driver gives it for an interface of the card; a function without one does not say. */
function versionOf({ interfaces }: CardFacts): string {
  const [first] = valueIn(interfaces) ?? [];
  const version = first === undefined ? null : valueIn(first.driverVersion);
  return version === null ? '' : ` ${version}`;
}

const words = (value: readonly CardFacts[]): string =>
  value.length === 0
    ? 'no such function'
    : value.map(({ id, address }) => `${address} ${id}`).join(', ');

export const cardRules: readonly Rule<HostFacts>[] = [present, bound, llq];
