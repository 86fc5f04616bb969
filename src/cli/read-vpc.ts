/** A VPC from a file that a person named: what is wrong with it is one sentence. */
import { readFileSync } from 'node:fs';
import { TopologyError } from '../host/lab/topology-error.ts';
import { parseVpc } from '../host/vpc/load.ts';
import type { VpcModel } from '../vpc/model.ts';
import { UsageError } from './usage-error.ts';

/** @throws UsageError */
export function readVpc(file: string): VpcModel {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`${file}: there is no such file; expected a topology with a vpc section`);
  }
  try {
    return parseVpc(source, file);
  } catch (error) {
    if (error instanceof TopologyError) throw new UsageError(error.message);
    throw error;
  }
}
