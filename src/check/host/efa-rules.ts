/** The EFA stack above its driver: verbs, libfabric, and what the system allows them. */
import type { Fact } from '../fact.ts';
import { isKnown } from '../fact.ts';
import { fail, judge, judgeBoth, notApplicable, pass, type Rule, type Verdict } from '../rule.ts';
import { eachCard } from './cards.ts';
import type { HostFacts } from './facts.ts';

const group = 'EFA';
const start = 'EC2 User Guide, "Get started with EFA and MPI"';

/** Where the host has an EFA function: the others have no stack to be judged. */
function withEfa<T>(
  { cards }: HostFacts,
  fact: Fact<T>,
  how: Parameters<typeof judge<T>>[2],
  words?: (value: T) => string,
): Verdict[] {
  if (!isKnown(cards)) return [judge(cards, undefined, () => pass(''))];
  if (!cards.value.some(({ kind }) => kind === 'efa')) return [];
  return [judge(fact, undefined, how, words)];
}

const device: Rule<HostFacts> = {
  id: 'host-efa-device',
  group,
  severity: 'error',
  title: 'each EFA function is an RDMA device with an active port',
  reason: 'Verbs and libfabric find EFA by its RDMA device, not by the PCI function.',
  source: 'amzn-drivers, kernel/linux/efa/README',
  mend: 'sudo modprobe ib_uverbs && sudo modprobe efa',
  evaluate: (facts) =>
    eachCard(facts, ['efa'], ({ address }) =>
      judge(
        facts.efa.devices,
        address,
        (devices, about) => {
          const own = devices.find((one) => isKnown(one.address) && one.address.value === address);
          const mend = ['sudo modprobe ib_uverbs && sudo modprobe efa'] as const;
          if (own === undefined) return fail('it is no RDMA device', { ...about, mend });
          return judge(own.state, address, (state, seen) =>
            /ACTIVE/.test(state)
              ? pass(`${own.name}, port ${state}`, seen)
              : fail(`${own.name}: port ${state}`, { ...seen, mend: ['sudo dmesg | grep -w efa'] }),
          );
        },
        (devices) => devices.map(({ name }) => name).join(' ') || 'none',
      ),
    ),
};

const verbs: Rule<HostFacts> = {
  id: 'host-efa-verbs',
  group,
  severity: 'error',
  title: 'programs can open the RDMA device',
  reason: 'EFA bypasses the kernel by /dev/infiniband/uverbs*, which the module ib_uverbs makes.',
  source: 'amzn-drivers, kernel/linux/efa/README',
  mend: 'sudo modprobe ib_uverbs',
  evaluate: (facts) =>
    withEfa(
      facts,
      facts.efa.uverbs,
      (files, about) =>
        files.length > 0
          ? pass(files.join(' '), about)
          : fail('there is no /dev/infiniband/uverbs*', {
              ...about,
              mend: ['sudo modprobe ib_uverbs'],
            }),
      (files) => files.join(' ') || 'none',
    ),
};

const library = (
  name: string,
  read: (facts: HostFacts) => Fact<string | null>,
  reason: string,
  packages: string,
): Rule<HostFacts> => ({
  id: `host-efa-${name}`,
  group,
  severity: 'warning',
  title: `${name} is installed`,
  reason,
  source: `${start}; libfabric, fi_efa(7)`,
  mend: packages,
  evaluate: (facts) =>
    withEfa(facts, read(facts), (path, about) =>
      path === null
        ? fail(`no ${name} was found where packages and the EFA installer put it`, {
            ...about,
            mend: [packages],
          })
        : pass(path, about),
    ),
});

const hugePages: Rule<HostFacts> = {
  id: 'host-efa-huge-pages',
  group,
  severity: 'warning',
  title: 'huge pages are reserved',
  reason:
    'libfabric takes its buffer pools from huge pages; with small ones registering memory is slower, and the ' +
    "card's number of pages limits how much can be registered.",
  source: 'libfabric, fi_efa(7); ofiwg/libfabric#9739',
  mend: 'sudo sysctl -w vm.nr_hugepages=512   # 1 GiB; more for more processes',
  evaluate: (facts) =>
    withEfa(facts, facts.efa.hugePages, (count, about) =>
      count > 0
        ? pass(`${count} huge pages`, about)
        : fail('no huge pages are reserved', {
            ...about,
            mend: ['sudo sysctl -w vm.nr_hugepages=512   # 1 GiB; more for more processes'],
          }),
    ),
};

const memlock: Rule<HostFacts> = {
  id: 'host-efa-memlock',
  group,
  severity: 'warning',
  title: 'memory can be locked without limit',
  reason:
    'Memory that is registered with the card is locked: with a limit, registration fails in larger programs.',
  source: `${start}; ibv_reg_mr(3)`,
  mend: "printf '* soft memlock unlimited\\n* hard memlock unlimited\\n' | sudo tee /etc/security/limits.d/efa.conf",
  evaluate: (facts) =>
    withEfa(facts, facts.efa.memlock, (bytes, about) =>
      bytes === Number.POSITIVE_INFINITY
        ? pass('memory may be locked without limit', about)
        : fail(`memory may be locked up to ${Math.round(bytes / 1024)} KiB`, {
            ...about,
            mend: [memlock.mend],
          }),
    ),
};

const ptrace: Rule<HostFacts> = {
  id: 'host-efa-ptrace',
  group,
  severity: 'warning',
  title: 'processes of one user may copy from each other',
  reason:
    'libfabric moves data between processes of one machine by process_vm_readv, which Yama forbids.',
  source: 'EC2 User Guide, "Get started with EFA and MPI", "Disable ptrace protection"',
  mend: 'sudo sysctl -w kernel.yama.ptrace_scope=0',
  evaluate: (facts) =>
    withEfa(facts, facts.efa.ptraceScope, (scope, about) =>
      scope === null || scope === 0
        ? pass(scope === null ? 'there is no Yama' : 'ptrace_scope is 0', about)
        : fail(`ptrace_scope is ${scope}`, { ...about, mend: [ptrace.mend] }),
    ),
};

const typeHasEfa: Rule<HostFacts> = {
  id: 'host-efa-type',
  group,
  severity: 'note',
  title: 'an instance whose type has EFA uses it',
  reason: 'MPI and NCCL go by TCP without an EFA interface, many times slower.',
  source: 'EC2 User Guide, "Elastic Fabric Adapter"; DescribeInstanceTypes, EfaInfo',
  mend: '# launch it anew with --network-interfaces ...,InterfaceType=efa; one cannot be attached while it runs',
  evaluate: ({ type, cards }) => [
    judgeBoth(
      type,
      cards,
      undefined,
      (known, found, about) => {
        const count = found.filter(({ kind }) => kind === 'efa').length;
        if (count > 0) return pass(`EFA functions: ${count}`, about);
        if (known === null) return notApplicable('its type is not known', about);
        if (known.efaInterfaces === 0) return notApplicable(`${known.name} has no EFA`, about);
        return fail(`${known.name} could have ${known.efaInterfaces}, and has none`, {
          ...about,
          mend: [typeHasEfa.mend],
        });
      },
      (known) => known?.name ?? 'no type of the catalogue',
      (found) => `${found.length} cards`,
    ),
  ],
};

export const efaRules: readonly Rule<HostFacts>[] = [
  device,
  verbs,
  library(
    'libfabric',
    ({ efa }) => efa.libfabric,
    'MPI and NCCL reach EFA by libfabric, in which its efa provider is.',
    'curl -O https://efa-installer.amazonaws.com/aws-efa-installer-latest.tar.gz   # or: sudo apt-get install libfabric1',
  ),
  library(
    'rdma-core',
    ({ efa }) => efa.rdmaProvider,
    "libfabric drives the card through libefa, rdma-core's provider for EFA.",
    'sudo apt-get install ibverbs-providers   # or: sudo dnf install libibverbs',
  ),
  hugePages,
  memlock,
  ptrace,
  typeHasEfa,
];
