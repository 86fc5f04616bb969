/** ENA Express as a person switches it on: for TCP, or for UDP too. */
import type { Express } from '../../switch/express.ts';
import type { InstanceType } from '../../vpc/instance-type.ts';
import type { ModelName } from '../dataplane/models.ts';

export const EXPRESS = ['tcp', 'udp'] as const;
export type ExpressChoice = (typeof EXPRESS)[number];

export const expressOf = (choice: ExpressChoice): Express => ({ udp: choice === 'udp' });

/** What was expected instead; undefined: the type has it, or there is no type to ask. */
export function expressProblem(type: InstanceType | null, model: ModelName): string | undefined {
  if (model !== 'ena') return 'expected nothing, as only ENA has ENA Express';
  if (type === null || type.enaExpress) return undefined;
  return `expected nothing, as ${type.name} has no ENA Express; virtfn types --ena-express lists those that have`;
}
