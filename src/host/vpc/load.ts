/**
 * A VPC from a file: a topology with a `vpc:` section, or a plain `VpcModel` in JSON. Whatever asks
 * about a VPC (`virtfn lab`, `explain`, `vpc`, tests) reads it here.
 */
import { extname } from 'node:path';
import { checkVpcModel } from '../../vpc/check-model.ts';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { parseTopology } from '../lab/topology.ts';
import { TopologyError } from '../lab/topology-error.ts';
import { readYaml } from '../lab/yaml-file.ts';
import { asModel, modelSchema } from './model-schema.ts';

/** @param file the name for messages; `.json` is a model. @throws TopologyError */
export function parseVpc(source: string, file: string): VpcModel {
  if (extname(file) === '.json') return parseModel(source, file);
  const { vpc } = parseTopology(source, file, InstanceTypes.load());
  if (vpc === undefined)
    throw new TopologyError(
      file,
      { line: 1, col: 1 },
      'there is no vpc, expected a section like the one of examples/three-tier-vpc.yaml',
    );
  return vpc;
}

function parseModel(source: string, file: string): VpcModel {
  const found = readYaml(source, file);
  const result = modelSchema.safeParse(found.value);
  if (!result.success) throw TopologyError.ofIssues(found, result.error.issues);
  const model = asModel(result.data);
  const [problem] = checkVpcModel(model);
  if (problem !== undefined) throw new TopologyError(file, { line: 1, col: 1 }, problem);
  return model;
}
