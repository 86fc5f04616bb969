/** Whether programs could use an EFA: its driver in the kernel, and rdma-core and libfabric beside it. */
import { isKnown, valueIn } from '../fact.ts';
import { fail, notApplicable, pass, type Rule, unknown, type Verdict } from '../rule.ts';
import type { ImageFacts } from './facts.ts';
import { driverIn } from './kernels.ts';

const group = 'EFA';
const installer =
  'curl -O https://efa-installer.amazonaws.com/aws-efa-installer-latest.tar.gz && tar xf aws-efa-installer-latest.tar.gz && cd aws-efa-installer && sudo ./efa_installer.sh -y';

const driver: Rule<ImageFacts> = {
  id: 'image-efa-driver',
  group,
  severity: 'note',
  title: 'the kernel that starts has a driver for EFA',
  reason: 'EFA interfaces work as plain ENA without it; libfabric and MPI then have no EFA.',
  source: 'EC2 User Guide, "Get started with EFA and MPI"',
  mend: installer,
  evaluate: (facts) =>
    facts.system !== 'linux'
      ? []
      : driverIn(facts, 'efa').map(({ fact, subject }) => {
          const about = subject === undefined ? {} : { subject };
          if (!isKnown(fact)) return unknown(fact.unknown, about);
          if (fact.value.present) return pass(`efa: ${fact.value.how}`, about);
          return fail('there is no driver for EFA', { ...about, mend: [installer] });
        }),
};

const stack: Rule<ImageFacts> = {
  id: 'image-efa-stack',
  group,
  severity: 'note',
  title: 'what is there for EFA is all there: driver, libibverbs with libefa, libfabric',
  reason:
    'Half of it is of no use: libfabric finds an EFA only through libibverbs, its provider and the driver.',
  source: 'EC2 User Guide, "Get started with EFA and MPI"; rdma-core, providers/efa',
  mend: installer,
  evaluate: (facts) => (facts.system === 'linux' ? [stackVerdict(facts)] : []),
};

function stackVerdict(facts: ImageFacts): Verdict {
  const { libibverbs, libefa, libfabric, installer: remains } = facts.efa;
  const parts = [
    { name: 'libibverbs', fact: libibverbs },
    { name: 'libefa', fact: libefa },
    { name: 'libfabric', fact: libfabric },
  ];
  for (const { fact } of [...parts, { fact: remains }])
    if (!isKnown(fact)) return unknown(fact.unknown);
  const hasDriver = driverIn(facts, 'efa').some(({ fact }) => valueIn(fact)?.present === true);
  const there = parts.filter(({ fact }) => valueIn(fact) !== null);
  const seen = there.flatMap(({ fact }) =>
    isKnown(fact) ? [{ value: 'present', at: { file: String(fact.value) } }] : [],
  );
  const left = valueIn(remains);
  if (left !== null) seen.push({ value: "Amazon's installer was here", at: { file: left } });
  // rdma-core is part of many images; that alone is no try to have EFA
  if (!hasDriver && left === null && valueIn(libfabric) === null)
    return notApplicable('nothing here is for EFA', { seen });
  const missing = [
    ...(hasDriver ? [] : ['the driver']),
    ...parts.filter(({ fact }) => valueIn(fact) === null).map(({ name }) => name),
  ];
  if (missing.length === 0) return pass('driver, libibverbs, libefa and libfabric', { seen });
  return fail(`${missing.join(', ')} missing`, { seen, mend: [installer] });
}

export const efaRules: readonly Rule<ImageFacts>[] = [driver, stack];
