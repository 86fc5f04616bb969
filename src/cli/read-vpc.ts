/** A VPC that a person named, a file or a running lab: what is wrong with it is one sentence. */
import { readFileSync } from 'node:fs';
import { TopologyError } from '../host/lab/topology-error.ts';
import { parseVpc } from '../host/vpc/load.ts';
import type { VpcModel } from '../vpc/model.ts';
import { attach } from './attach.ts';
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

/** That of the lab that runs, where no file was named; `at`: its control socket. @throws UsageError */
export async function readVpcOrLab(
  file: string | undefined,
  at: string | undefined,
): Promise<VpcModel> {
  if (file !== undefined) return readVpc(file);
  const lab = await attach(at);
  try {
    const { vpc } = await lab.describe();
    if (vpc === null) throw new Error('What runs is an Ethernet, without a VPC.');
    return vpc;
  } finally {
    lab.close();
  }
}
