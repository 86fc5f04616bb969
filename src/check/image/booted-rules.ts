/** What an image did when it was booted, and whether that is what its files said. */
import type { Fact } from '../fact.ts';
import { fail, type Judged, judge, pass, type Rule, type Verdict } from '../rule.ts';
import { earlyVerdicts, presentVerdicts } from './driver-verdicts.ts';
import type { BootedCard, DriverName, ImageFacts } from './facts.ts';
import { networkRules } from './network-rules.ts';

const group = 'when booted';
const look = ['# boot it and look at its console: virtfn lab --image DISK --keep'] as const;

const driver: Rule<ImageFacts> = {
  id: 'image-boots-with-driver',
  group,
  severity: 'error',
  title: 'when booted, a driver takes the card',
  reason:
    'A card that no driver talks to does nothing. If it is the only ENA or VF, nobody reaches the instance.',
  source: 'EC2 User Guide, "Troubleshoot the Elastic Network Adapter"',
  mend: look[0],
  evaluate: ({ boots }) =>
    each(
      boots,
      ({ driver: fact }) => fact,
      (bound, card, about) =>
        bound
          ? pass('a driver talks to the card', about)
          : failed('no driver has talked to the card', card, about),
    ),
};

const address: Rule<ImageFacts> = {
  id: 'image-boots-with-address',
  group,
  severity: 'error',
  title: 'when booted, it asks for an address and uses it',
  reason: 'An instance has the address that DHCP gives it, and no other.',
  source: 'EC2 User Guide, "IP addressing"; RFC 2131',
  mend: look[0],
  evaluate: ({ boots }) =>
    each(
      boots,
      ({ address: fact }) => fact,
      (leased, card, about) => {
        if (leased !== null) return pass(`it has ${leased} by DHCP`, about);
        const asked = 'value' in card.asked && card.asked.value;
        return failed(
          asked ? 'it asked by DHCP and does not use what it got' : 'it did not ask for an address',
          card,
          about,
        );
      },
    ),
};

const metadata: Rule<ImageFacts> = {
  id: 'image-boots-with-metadata',
  group,
  severity: 'warning',
  title: 'when booted, it reads its metadata',
  reason:
    'SSH keys, user data and the host name come from there. An image without cloud-init or its like needs none.',
  source: 'EC2 User Guide, "Instance metadata and user data"',
  mend: 'sudo apt-get install cloud-init',
  evaluate: ({ boots }) =>
    each(
      boots,
      ({ metadata: fact }) => fact,
      (status, card, about) =>
        status !== null && status < 500
          ? pass(`the metadata service has answered it (${status})`, about)
          : failed('it did not ask the metadata service', card, about),
    ),
};

const mtu: Rule<ImageFacts> = {
  id: 'image-boots-with-jumbo-frames',
  group,
  severity: 'note',
  title: 'when booted, it takes the MTU that DHCP offers',
  reason:
    'EC2 offers 9001 inside a VPC; with 1500 each byte costs more packets, and packets are what is limited.',
  source: 'EC2 User Guide, "Network maximum transmission unit (MTU)"',
  mend: 'sudo ip link set dev ens5 mtu 9001   # and in the network configuration',
  evaluate: ({ boots }) =>
    (boots ?? []).flatMap((card) => {
      // without TCP nothing of it was seen
      if (!('value' in card.mtu) || card.mtu.value === null) return [];
      return each(
        [card],
        ({ mtu: fact }) => fact,
        (size, _, about) =>
          (size ?? 0) >= 9001
            ? pass(`its TCP shows an MTU of ${size}`, about)
            : fail(`its TCP shows an MTU of ${size}, not of 9001`, {
                ...about,
                mend: ['sudo ip link set dev ens5 mtu 9001   # and in the network configuration'],
              }),
      );
    }),
};

const agrees: Rule<ImageFacts> = {
  id: 'image-boots-as-files-say',
  group,
  severity: 'warning',
  title: 'the boot shows what the files say',
  reason:
    'Where they differ, one of the two was misread: then neither should be believed without a closer look.',
  source: 'virtfn, docs/check.md',
  mend: look[0],
  evaluate: (facts) =>
    (facts.boots ?? []).flatMap((card) => {
      const about = { subject: card.card };
      return [
        compared(
          'the driver',
          driverSaid(facts, card),
          shown(card.driver, (bound) => bound),
          about,
        ),
        compared(
          'the address',
          addressSaid(facts, card),
          shown(card.address, (leased) => leased !== null),
          about,
        ),
      ].filter((verdict) => verdict !== null);
    }),
};

/** Whether files say that it works; null: they do not say. */
type Said = boolean | null;

function driverSaid(facts: ImageFacts, { card }: BootedCard): Said {
  const [model = ''] = card.split(' ');
  const names: Readonly<Record<string, DriverName>> = {
    ena: 'ena',
    '82599vf': 'ixgbevf',
    efa: 'efa',
  };
  const name = names[model];
  if (name === undefined) return null;
  return all([...presentVerdicts(facts, name, model), ...earlyVerdicts(facts, 'nvme')]);
}

function addressSaid(facts: ImageFacts, card: BootedCard): Said {
  const ids = ['image-network-dhcp', 'image-no-pinned-names'];
  const rules = networkRules.filter(({ id }) => ids.includes(id));
  const said = all(rules.flatMap(({ evaluate }) => evaluate(facts)));
  const bound = card.card.startsWith('efa') ? true : driverSaid(facts, card);
  return bound === false ? false : bound === null ? null : said;
}

function all(verdicts: readonly Verdict[]): Said {
  if (verdicts.some(({ outcome }) => outcome === 'fail')) return false;
  return verdicts.some(({ outcome }) => outcome === 'unknown') ? null : true;
}

const shown = <T>(fact: Fact<T>, is: (value: T) => boolean): Said =>
  'value' in fact ? is(fact.value) : null;

function compared(
  what: string,
  said: Said,
  seen: Said,
  about: { subject: string },
): Verdict | null {
  if (said === null || seen === null) return null;
  if (said === seen) return pass(`${what} is as the files say`, about);
  const text = said
    ? `by its files ${what} should work, and did not when it was booted`
    : `by its files ${what} should not work, and did when it was booted`;
  return fail(text, { ...about, mend: look });
}

function each<T>(
  boots: readonly BootedCard[] | undefined,
  fact: (card: BootedCard) => Fact<T>,
  how: (value: T, card: BootedCard, about: Judged) => Verdict,
): Verdict[] {
  return (boots ?? []).map((card) =>
    judge(fact(card), card.card, (value, about) => how(value, card, about)),
  );
}

/** With the end of its console, which often says why. */
function failed(text: string, { console: lines, card }: BootedCard, about: Judged): Verdict {
  const seen = lines.map((line) => ({ value: line, at: { call: 'its console' } }));
  return fail(text, { subject: card, seen: [...about.seen, ...seen], mend: look });
}

export const bootedRules: readonly Rule<ImageFacts>[] = [driver, address, metadata, mtu, agrees];
