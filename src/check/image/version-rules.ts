/** Versions of drivers against what EC2 asks of them for its features. */
import { fail, type Judged, judge, pass, type Rule, type Verdict } from '../rule.ts';
import type { DriverName, ImageFacts } from './facts.ts';
import { driverIn } from './kernels.ts';

const group = 'versions';

/** Of drivers from elsewhere, which have versions of their own. */
const enaMinimums: readonly { version: string; feature: string }[] = [
  { version: '2.2.10', feature: 'allowance counters (bw_in_allowance_exceeded, ...)' },
  { version: '2.8.0', feature: 'statistics of ENA Express' },
  { version: '2.8.1', feature: 'conntrack_allowance_available' },
  { version: '2.13.3', feature: 'more than 1024 egress fragments per second' },
];
/** The driver that is part of Linux has its kernel's version. */
const enaKernelMinimum = {
  version: '5.10',
  feature: 'allowance counters (bw_in_allowance_exceeded, ...)',
};

const enaVersion: Rule<ImageFacts> = {
  id: 'image-ena-version',
  group,
  severity: 'warning',
  title: 'the ENA driver is new enough for the counters of EC2 allowances, and for ENA Express',
  reason:
    'An older driver works, but does not tell when an instance was held back by its allowances, and lacks features ' +
    'that came later. A distribution may have taken them into an older kernel.',
  source:
    'EC2 User Guide, "Monitor network performance for ENA settings", Requirements; Linux 5.10, "net: ena: ethtool: Add new device statistics"',
  mend: '# install a newer kernel, or the driver of github.com/amzn/amzn-drivers by dkms',
  evaluate: (facts) =>
    versions(facts, 'ena', (version, release, about) => {
      const mend = [
        '# install a newer kernel, or the driver of github.com/amzn/amzn-drivers by dkms',
      ] as const;
      if (version === null) {
        if (release === undefined || isAtLeast(release, enaKernelMinimum.version))
          return pass(`ena is part of Linux ${release ?? ''}`.trim(), about);
        const { feature, version: since } = enaKernelMinimum;
        return fail(`ena is part of Linux ${release}; ${feature} came with ${since}`, {
          ...about,
          mend,
        });
      }
      const lacking = enaMinimums.filter((minimum) => !isAtLeast(version, minimum.version));
      if (lacking.length === 0) return pass(`ena ${version}`, about);
      const list = lacking.map((minimum) => `${minimum.feature} (${minimum.version})`).join(', ');
      return fail(`ena ${version} lacks ${list}`, { ...about, mend });
    }),
};

const vfMinimum = '2.14.2';

const vfVersion: Rule<ImageFacts> = {
  id: 'image-ixgbevf-version',
  group,
  severity: 'warning',
  title: `an ixgbevf driver from elsewhere is ${vfMinimum} or newer`,
  reason:
    'EC2 recommends this version at least; the one that is part of Linux counts as its kernel.',
  source: 'EC2 User Guide, "Enhanced networking with the Intel 82599 VF interface", Requirements',
  mend: '# install a newer kernel, or the ixgbevf of Intel by dkms',
  evaluate: (facts) =>
    versions(facts, 'ixgbevf', (version, release, about) => {
      if (version === null || !isFromElsewhere(version, release))
        return pass(`ixgbevf is part of Linux ${release ?? ''}`.trim(), about);
      if (isAtLeast(version, vfMinimum)) return pass(`ixgbevf ${version}`, about);
      return fail(`ixgbevf ${version} is older than ${vfMinimum}`, {
        ...about,
        mend: ['# install a newer kernel, or the ixgbevf of Intel by dkms'],
      });
    }),
};

/** Linux gave its own drivers versions with a -k. */
const isFromElsewhere = (version: string, release: string | undefined): boolean =>
  !version.endsWith('-k') && version !== release;

type How = (version: string | null, release: string | undefined, about: Judged) => Verdict;

/** A verdict on each kernel that may start and has the driver as a module or built in. */
function versions(facts: ImageFacts, name: DriverName, how: How): Verdict[] {
  if (facts.system !== 'linux') return [];
  return driverIn(facts, name)
    .filter(({ fact }) => !('value' in fact) || fact.value.present)
    .map(({ fact, subject }) =>
      judge(
        fact,
        subject,
        (presence, about) => how(presence.details?.version ?? null, subject, about),
        ({ how: form, details }) => `${form}, version ${details?.version ?? "its kernel's"}`,
      ),
    );
}

/** `2.13.0g` and `5.10.0-20-amd64` by their leading numbers. */
export function isAtLeast(version: string, minimum: string): boolean {
  const numbers = (text: string): number[] =>
    (/^\d+(\.\d+)*/.exec(text)?.[0] ?? '0').split('.').map(Number);
  const [have, want] = [numbers(version), numbers(minimum)];
  for (const [index, part] of want.entries()) {
    const difference = (have[index] ?? 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

export const versionRules: readonly Rule<ImageFacts>[] = [enaVersion, vfVersion];
