/**
 * The order in which a card insists on being set up. Real cards answer the first CREATE_CQ with
 * UNKNOWN_ERROR and extended status 0 when a step is missing, and never say which; this says.
 */
import type { Rule } from '../../lib/diagnostics.ts';
import type { Settings } from './basic-features.ts';
import type { EventQueue } from './event-queue.ts';
import type { BringUpStep } from './profile.ts';
import { enaRules } from './rules.ts';

const specMajor = 2;

/** The rule of the first step that is missing, or null. */
export function missingStep(
  steps: readonly BringUpStep[],
  settings: Settings,
  events: EventQueue,
): Rule | null {
  for (const step of steps) if (!isDone(step, settings, events)) return ruleOf[step];
  return null;
}

function isDone(step: BringUpStep, settings: Settings, events: EventQueue): boolean {
  switch (step) {
    case 'host-info':
      return settings.hostInfo !== null;
    case 'spec-version-2':
      return (settings.hostInfo?.specVersion ?? 0) >>> 8 >= specMajor;
    case 'device-attributes':
      return settings.attributesRead;
    case 'aenq':
      return events.isSetUp;
  }
}

const ruleOf: Record<BringUpStep, Rule> = {
  'host-info': enaRules['create-cq-without-host-info'],
  'spec-version-2': enaRules['create-cq-spec-version'],
  'device-attributes': enaRules['create-cq-before-attributes'],
  aenq: enaRules['create-cq-without-aenq'],
};
