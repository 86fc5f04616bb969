/** What the machine says that it is, beside the catalogue. */
import { fail, judgeBoth, notApplicable, pass, type Rule } from '../rule.ts';
import type { HostFacts } from './facts.ts';

const group = 'instance';

const type: Rule<HostFacts> = {
  id: 'host-type-known',
  group,
  severity: 'note',
  title: 'the instance type is in the catalogue',
  reason: 'Its limits (queues, interfaces, EFA) can be compared only if they are known.',
  source: "virtfn's catalogue, from published DescribeInstanceTypes results",
  mend: 'virtfn types   # says of when it is',
  evaluate: ({ type: known, product, isEc2 }) => [
    judgeBoth(isEc2, product, undefined, (ec2, name, { seen }) => {
      if (!ec2) return notApplicable('this is no instance of EC2', { seen });
      return judgeBoth(
        known,
        product,
        undefined,
        (found, _name, about) => {
          if (found === null)
            return fail(`${name} is not in the catalogue`, { ...about, mend: ['virtfn types'] });
          const { vcpus, performance, queues } = found;
          const each = queues === null ? '' : `, ${queues} queue pairs an interface`;
          return pass(`${found.name}: ${vcpus} vCPUs, ${performance}${each}`, about);
        },
        (found) => found?.name ?? 'none',
      );
    }),
  ],
};

const cpus: Rule<HostFacts> = {
  id: 'host-vcpus',
  group,
  severity: 'note',
  title: 'all vCPUs of the type are online',
  reason:
    'The driver makes as many queues as there are CPUs online, so that CPUs that are off cost network speed too.',
  source: 'EC2 User Guide, "CPU options for Amazon EC2 instances"',
  mend: 'for c in /sys/devices/system/cpu/cpu*/online; do echo 1 | sudo tee $c; done   # if they are off',
  evaluate: ({ type: known, cpusOnline }) => [
    judgeBoth(
      known,
      cpusOnline,
      undefined,
      (found, online, about) => {
        if (found === null) return notApplicable('its type is not known', about);
        const text = `${online} of ${found.vcpus} vCPUs are online`;
        return online >= found.vcpus
          ? pass(text, about)
          : fail(text, { ...about, mend: [cpus.mend] });
      },
      (found) => found?.name ?? 'no type of the catalogue',
    ),
  ],
};

const cards: Rule<HostFacts> = {
  id: 'host-type-cards',
  group,
  severity: 'warning',
  title: 'the cards are such as the type has',
  reason:
    'A card that the type cannot have means that the machine is not what it says: a model, or another type.',
  source: 'DescribeInstanceTypes, NetworkInfo.EnaSupport, EfaSupported, MaximumNetworkInterfaces',
  mend: '# on EC2: report it; on a model of your own: give it the type that its cards are of',
  evaluate: ({ type: known, cards: found }) => [
    judgeBoth(
      known,
      found,
      undefined,
      (is, list, about) => {
        if (is === null) return notApplicable('its type is not known', about);
        const count = (kind: string): number => list.filter((one) => one.kind === kind).length;
        const wrong = [
          ...(count('ena') > 0 && is.ena === 'unsupported'
            ? ['it has ENA, and its type does not']
            : []),
          ...(count('82599vf') > 0 && !is.vf82599
            ? ['it has an 82599 VF, and its type does not']
            : []),
          ...(count('efa') > is.efaInterfaces
            ? [`it has ${count('efa')} EFA functions, and its type ${is.efaInterfaces}`]
            : []),
          ...(count('ena') > is.maxInterfaces
            ? [`it has ${count('ena')} interfaces, and its type ${is.maxInterfaces}`]
            : []),
        ];
        if (wrong.length === 0) return pass(`they fit ${is.name}`, about);
        return fail(wrong.join('; '), { ...about, mend: [cards.mend] });
      },
      (is) => is?.name ?? 'no type of the catalogue',
      (list) => list.map(({ id }) => id).join(' ') || 'none',
    ),
  ],
};

export const instanceRules: readonly Rule<HostFacts>[] = [type, cpus, cards];
