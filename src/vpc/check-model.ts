/** What contradicts itself in a model: a sentence each, that says what, where, and what to do. */
import type { VpcModel } from './model.ts';

/** Nothing: the model can be compiled. */
export function checkVpcModel(model: VpcModel): readonly string[] {
  return model.vpcs.flatMap(({ id, cidrs }) =>
    cidrs.length > 0 ? [] : [`${id} has no IPv4 prefix: give it one like 10.0.0.0/16`],
  );
}
