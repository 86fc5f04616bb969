/** What EC2 allows an instance, and how often it wanted more: counters of ena. */
import type { Fact } from '../fact.ts';
import { isKnown } from '../fact.ts';
import { shellWord } from '../printable.ts';
import { fail, judge, pass, type Rule, unknown } from '../rule.ts';
import { eachInterface } from './cards.ts';
import type { Counters, HostFacts } from './facts.ts';

const group = 'allowances';
const source =
  'EC2 User Guide, "Monitor network performance for ENA settings on your EC2 instance"';

const exceeded = [
  'bw_in_allowance_exceeded',
  'bw_out_allowance_exceeded',
  'pps_allowance_exceeded',
  'conntrack_allowance_exceeded',
  'linklocal_allowance_exceeded',
] as const;

const exist: Rule<HostFacts> = {
  id: 'host-allowance-counters',
  group,
  severity: 'warning',
  title: 'the driver shows how often allowances were exceeded',
  reason: 'Without these counters a throttled instance looks like a slow network.',
  source,
  mend: '# ena 2.2.10 or newer: https://github.com/amzn/amzn-drivers, or a newer kernel',
  evaluate: (facts) =>
    eachInterface(facts, ['ena'], ({ name, counters }) =>
      judge(counters, name, (has, { subject }) => {
        const missing = exceeded.filter((counter) => !has.has(counter));
        const about = { ...(subject === undefined ? {} : { subject }), seen: seenOf(counters, []) };
        if (missing.length === 0)
          return pass('the driver shows all five allowance counters', about);
        return fail(`it does not show ${missing.join(', ')}`, {
          ...about,
          mend: ['# update the kernel, or build ena of https://github.com/amzn/amzn-drivers'],
        });
      }),
    ),
};

const now: Rule<HostFacts> = {
  id: 'host-allowance-exceeded-now',
  group,
  severity: 'warning',
  title: 'no allowance is exceeded while it is watched',
  reason:
    'What exceeds an allowance is queued and then dropped by EC2: the guest sees loss and delay.',
  source,
  mend: '# send less, spread flows, or take a type with more: virtfn types',
  evaluate: (facts) =>
    eachInterface(facts, ['ena'], ({ name, rise }) =>
      judge(rise, name, ({ seconds, counters }, { subject }) => {
        const about = subject === undefined ? {} : { subject };
        const risen = exceeded.filter((counter) => (counters.get(counter) ?? 0) > 0);
        const known = exceeded.filter((counter) => counters.has(counter));
        if (known.length === 0) return unknown('the driver has no such counters', about);
        const rates = risen.map((counter) => {
          const rate = (counters.get(counter) ?? 0) / seconds;
          return `${counter} by ${rate < 10 ? rate.toFixed(1) : Math.round(rate)} a second`;
        });
        if (risen.length === 0)
          return pass(`no allowance was exceeded in ${seconds.toFixed(1)} s`, about);
        return fail(`rising: ${rates.join(', ')}`, {
          ...about,
          seen: seenOf(rise, risen, counters),
          mend: ['virtfn types   # a type with more'],
        });
      }),
    ),
};

const ever: Rule<HostFacts> = {
  id: 'host-allowance-exceeded-ever',
  group,
  severity: 'note',
  title: 'no allowance was exceeded since the interface came up',
  reason: 'A burst that was cut once will be cut again; the counters say of which kind it was.',
  source,
  mend: 'ethtool -S INTERFACE | grep allowance   # again, after a day',
  evaluate: (facts) =>
    eachInterface(facts, ['ena'], ({ name, counters }) =>
      judge(counters, name, (all, { subject }) => {
        const about = subject === undefined ? {} : { subject };
        if (!exceeded.some((counter) => all.has(counter)))
          return unknown('the driver has no such counters', about);
        const risen = exceeded.filter((counter) => (all.get(counter) ?? 0) > 0);
        if (risen.length === 0) return pass('no allowance ever was exceeded', about);
        return fail(
          `since it came up: ${risen.map((counter) => `${counter} ${all.get(counter)}`).join(', ')}`,
          {
            ...about,
            seen: seenOf(counters, risen, all),
            mend: [`ethtool -S ${shellWord(name)} | grep allowance`],
          },
        );
      }),
    ),
};

const conntrack: Rule<HostFacts> = {
  id: 'host-conntrack-available',
  group,
  severity: 'warning',
  title: 'more connections can be tracked',
  reason: 'At 0 EC2 drops packets of new connections, whatever the security groups allow.',
  source: 'EC2 User Guide, "Amazon EC2 security group connection tracking"',
  mend: '# rules that need no tracking (all traffic both ways), shorter idle time-outs, or a larger type',
  evaluate: (facts) =>
    eachInterface(facts, ['ena'], ({ name, counters }) =>
      judge(counters, name, (all, { subject }) => {
        const about = subject === undefined ? {} : { subject };
        const left = all.get('conntrack_allowance_available');
        if (left === undefined)
          return unknown(
            'the driver does not show conntrack_allowance_available (ena 2.8.1)',
            about,
          );
        const seen = seenOf(counters, ['conntrack_allowance_available'], all);
        if (left > 0) return pass(`${left} more connections can be tracked`, { ...about, seen });
        return fail('no more connections can be tracked', {
          ...about,
          seen,
          mend: [
            'aws ec2 modify-network-interface-attribute --network-interface-id ENI ' +
              '--connection-tracking-specification TcpEstablishedTimeout=350',
          ],
        });
      }),
    ),
};

/** Some counters as evidence, not all of hundreds. */
function seenOf(fact: Fact<unknown>, names: readonly string[], values: Counters = new Map()) {
  if (!isKnown(fact)) return [];
  return names.map((name) => ({ value: `${name} ${values.get(name)}`, at: fact.at }));
}

export const allowanceRules: readonly Rule<HostFacts>[] = [exist, now, ever, conntrack];
