/** All rules on disk images, in the order of a report. */
import type { Rule } from '../rule.ts';
import { bootRules } from './boot-rules.ts';
import { bootedRules } from './booted-rules.ts';
import { driverRules } from './driver-rules.ts';
import { efaRules } from './efa-rules.ts';
import type { ImageFacts } from './facts.ts';
import { networkRules } from './network-rules.ts';
import { versionRules } from './version-rules.ts';

export const imageRules: readonly Rule<ImageFacts>[] = [
  ...bootRules,
  ...driverRules,
  ...versionRules,
  ...networkRules,
  ...efaRules,
  ...bootedRules,
];
