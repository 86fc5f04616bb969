/** Interfaces: link, frame size, queues, and the CPUs that serve them. */
import { shellWord } from '../printable.ts';
import { fail, judge, judgeBoth, notApplicable, pass, type Rule, unknown } from '../rule.ts';
import { eachCard, eachInterface, netKinds } from './cards.ts';
import type { HostFacts } from './facts.ts';

const group = 'interfaces';
/** The drivers' own limit, ENA_MAX_NUM_IO_QUEUES; ixgbevf has 8 at most. */
const driverQueues = { ena: 128, '82599vf': 8, x540vf: 8, efa: 0 } as const;

const link: Rule<HostFacts> = {
  id: 'host-link-up',
  group,
  severity: 'warning',
  title: 'each interface is up',
  reason: 'An interface that is down takes an address of the subnet and carries nothing.',
  source: 'EC2 User Guide, "Elastic network interfaces"',
  mend: 'sudo ip link set INTERFACE up',
  evaluate: (facts) =>
    eachInterface(facts, netKinds, ({ name, state }) =>
      judge(state, name, (value, about) =>
        value === 'up'
          ? pass('the link is up', about)
          : fail(`the link is ${value}`, {
              ...about,
              mend: [`sudo ip link set ${shellWord(name)} up`],
            }),
      ),
    ),
};

const mtu: Rule<HostFacts> = {
  id: 'host-mtu',
  group,
  severity: 'warning',
  title: 'frames are as large as a VPC carries: an MTU of 1500 to 9001',
  reason:
    'EC2 carries up to 9001 bytes inside a VPC, 1500 outside; larger frames do not pass, and nobody is told.',
  source: 'EC2 User Guide, "Network maximum transmission unit (MTU) for your EC2 instance"',
  mend: 'sudo ip link set INTERFACE mtu 9001',
  evaluate: (facts) =>
    eachInterface(facts, netKinds, ({ name, mtu: size }) =>
      judge(size, name, (value, about) => {
        if (value >= 1500 && value <= 9001) return pass(`an MTU of ${value}`, about);
        const set = `sudo ip link set ${shellWord(name)} mtu 9001`;
        return fail(`an MTU of ${value}`, { ...about, mend: [set] });
      }),
    ),
};

const jumbo: Rule<HostFacts> = {
  id: 'host-jumbo-frames',
  group,
  severity: 'note',
  title: 'an interface uses jumbo frames',
  reason:
    'Six times fewer packets for the same bytes: packet rates are limited per instance, and cost CPU time.',
  source: 'EC2 User Guide, "Jumbo frames (9001 MTU)"',
  mend: 'sudo ip link set INTERFACE mtu 9001   # only if nothing must leave by an internet gateway unfragmented',
  evaluate: (facts) =>
    eachInterface(facts, netKinds, ({ name, mtu: size }) =>
      judge(size, name, (value, about) => {
        if (value > 1500) return pass('jumbo frames', about);
        const set = `sudo ip link set ${shellWord(name)} mtu 9001`;
        return fail(`an MTU of ${value}, although 9001 would do in the VPC`, {
          ...about,
          mend: [set],
        });
      }),
    ),
};

const queues: Rule<HostFacts> = {
  id: 'host-queues',
  group,
  severity: 'warning',
  title: 'an interface has a queue pair per vCPU, as far as its type allows',
  reason:
    'A queue is served by one CPU at a time, and a flow stays in one queue: with fewer queues some CPUs never ' +
    'help, and packets per second end early.',
  source: 'EC2 User Guide, "ENA queues"; DescribeInstanceTypes, DefaultEnaQueueCountPerInterface',
  mend: 'sudo ethtool -L INTERFACE combined NUMBER',
  evaluate: (facts) =>
    eachInterface(facts, netKinds, ({ name, queues: has }, { kind }) =>
      judgeBoth(
        facts.cpusOnline,
        has,
        name,
        (cpus, { rx, tx }, about) => {
          const pairs = Math.min(rx, tx);
          const typed = 'unknown' in facts.type ? null : (facts.type.value?.queues ?? null);
          const wanted = Math.min(cpus, driverQueues[kind], typed ?? Number.POSITIVE_INFINITY);
          const text = `${pairs} queue pairs for ${cpus} vCPUs`;
          if (pairs >= wanted) return pass(text, about);
          if (kind !== 'ena')
            return notApplicable(`${text}: its parent function gives no more`, about);
          if (typed === null)
            return unknown(`${text}, and the instance type's limit is not known`, about);
          const set = `sudo ethtool -L ${shellWord(name)} combined ${wanted}`;
          return fail(`${text}; the type allows ${typed}`, { ...about, mend: [set] });
        },
        undefined,
        ({ rx, tx }) => `${rx} rx, ${tx} tx`,
      ),
    ),
};

const spread: Rule<HostFacts> = {
  id: 'host-irq-spread',
  group,
  severity: 'warning',
  title: 'interrupts of queues go to different CPUs',
  reason: 'Queues whose interrupts all go to one CPU are as slow as one queue.',
  source: 'amzn-drivers, kernel/linux/ena/ENA_Linux_Best_Practices.rst',
  mend: 'sudo systemctl enable --now irqbalance   # or write to /proc/irq/N/smp_affinity_list',
  evaluate: (facts) =>
    eachCard(facts, netKinds, ({ address, queueIrqs }) =>
      judgeBoth(
        facts.cpusOnline,
        queueIrqs,
        address,
        (cpus, irqs, about) => {
          if (cpus < 2 || irqs.length < 2) return notApplicable('one CPU or one queue', about);
          const targets = new Set(irqs.map((one) => one.cpus));
          const [only = ''] = targets;
          if (targets.size > 1 || !/^\d+$/.test(only))
            return pass(`${irqs.length} queue interrupts on CPUs ${[...targets].join(' ')}`, about);
          return fail(`all ${irqs.length} queue interrupts go to CPU ${only}`, {
            ...about,
            mend: ['sudo systemctl enable --now irqbalance'],
          });
        },
        undefined,
        (irqs) => irqs.map(({ irq, cpus }) => `${irq}: ${cpus}`).join(', '),
      ),
    ),
};

export const interfaceRules: readonly Rule<HostFacts>[] = [link, mtu, jumbo, queues, spread];
