/**
 * A VPC from a file: a topology with a `vpc:` section, or a plain `VpcModel` in JSON. Whatever asks
 * about a VPC (`virtfn lab`, `explain`, `vpc`, tests) reads it here.
 */
import { extname } from 'node:path';
import { checkVpcModel } from '../../vpc/check-model.ts';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { isName } from '../lab/schema.ts';
import { defaultTopology, parseTopology, type Topology } from '../lab/topology.ts';
import { TopologyError } from '../lab/topology-error.ts';
import { readYaml } from '../lab/yaml-file.ts';
import { findEfa, findInterface } from './members.ts';
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

/** What a lab boots: a topology, or the instances of a model in JSON. @throws TopologyError */
export function parseLab(source: string, file: string, types: InstanceTypes): Topology {
  if (extname(file) !== '.json') return parseTopology(source, file, types);
  const vpc = parseModel(source, file);
  const problem = problemOf(vpc, types);
  if (problem !== undefined) throw new TopologyError(file, { line: 1, col: 1 }, problem);
  const instances = vpc.instances.map(({ name, type }) => ({ name, type, nic: 'ena' as const }));
  return { ...defaultTopology(types), instances, measuresSpeed: false, vpc };
}

/** What `virtfn hpc` boots: a VPC of two to four instances that all have EFAs. @throws TopologyError */
export function parseHpc(source: string, file: string): VpcModel {
  const vpc = parseVpc(source, file);
  const refuse = (what: string): never => {
    throw new TopologyError(file, { line: 1, col: 1 }, what);
  };
  const names = vpc.instances.map(({ name }) => name);
  if (names.length < 2 || names.length > 4)
    refuse(`there are ${names.length} instances, expected two to four`);
  const strange = names.find((name, i) => !isName(name) || names.indexOf(name) !== i);
  if (strange !== undefined) refuse(`the instance '${strange}' cannot be a guest`);
  const without = names.find(
    (name) => findInterface(vpc, name) === undefined || findEfa(vpc, name) === undefined,
  );
  if (without !== undefined)
    refuse(`${without} has no EFA, expected interface-type: efa or efa-only`);
  return vpc;
}

/** Why a lab cannot boot the instances of a model. */
function problemOf(vpc: VpcModel, types: InstanceTypes): string | undefined {
  const names = vpc.instances.map(({ name }) => name);
  const strange = names.find((name, i) => !isName(name) || names.indexOf(name) !== i);
  if (strange !== undefined)
    return `the instance '${strange}' cannot be a guest: expected names of lower-case letters, digits and dashes, each once`;
  if (names.length < 2) return `there are ${names.length} instances, expected two or more`;
  const alone = names.find((name) => findInterface(vpc, name) === undefined);
  if (alone !== undefined) return `the instance ${alone} has no network interface`;
  const other = vpc.instances.find(({ type }) => !types.has(type) || !hasEna(types, type));
  return other && `${other.name} is '${other.type}', expected an instance type that has ENA`;
}

const hasEna = (types: InstanceTypes, type: string): boolean =>
  types.get(type).ena !== 'unsupported';

function parseModel(source: string, file: string): VpcModel {
  const found = readYaml(source, file);
  const result = modelSchema.safeParse(found.value);
  if (!result.success) throw TopologyError.ofIssues(found, result.error.issues);
  const model = asModel(result.data);
  const [problem] = checkVpcModel(model);
  if (problem !== undefined) throw new TopologyError(file, { line: 1, col: 1 }, problem);
  return model;
}
