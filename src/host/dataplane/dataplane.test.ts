// A data plane in its thread, with nobody attached: what it answers while it runs.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { VpcModel } from '../../vpc/model.ts';
import { defaultPlan } from '../../vpc/plan.ts';
import { parseVpc } from '../vpc/load.ts';
import type { DataplaneConfig, DataplaneEvent } from './config.ts';
import { Dataplane } from './dataplane.ts';

const vpc = parseVpc('vpc: {}\ninstances: { a: {}, b: {} }', 'lab.yaml');
/** A VPC without any prefix. */
const contradiction: VpcModel = { ...vpc, vpcs: vpc.vpcs.map((one) => ({ ...one, cidrs: [] })) };

async function running(
  network: ({ vpc: VpcModel } | { plan: typeof defaultPlan }) &
    Pick<DataplaneConfig, 'fastPath' | 'workers'>,
  work: (dataplane: Dataplane) => Promise<void>,
  listener?: (event: DataplaneEvent) => void,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'virtfn-test-'));
  const functions: DataplaneConfig['functions'] = vpc.interfaces.map(({ id, mac }) => {
    return { name: id, model: 'ena', socket: join(directory, `${id}.sock`), mac, linkMbps: 10_000 };
  });
  try {
    const dataplane = await Dataplane.start({ ...network, functions, trace: false }, listener);
    await work(dataplane).finally(() => dataplane.close());
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('a VPC takes another model while it runs, and keeps its own when that contradicts itself', async () => {
  await running({ vpc }, async (dataplane) => {
    assert.deepEqual(await dataplane.setVpc(vpc), []);
    const problems = await dataplane.setVpc(contradiction);
    assert.equal(problems.length > 0, true);
    assert.match(problems[0] ?? '', /vpc-lab/);
    assert.deepEqual(await dataplane.setVpc(vpc), []);
  });
});

test('two workers take another model together, serve every function and end together', async () => {
  await running({ vpc, workers: 2 }, async (dataplane) => {
    assert.deepEqual(await dataplane.setVpc(vpc), []);
    assert.equal((await dataplane.setVpc(contradiction)).length > 0, true);
    const names = vpc.interfaces.map(({ id }) => id);
    assert.deepEqual(Object.keys(dataplane.counters()), names);
    for (const name of names) dataplane.command({ kind: 'set-link', function: name, up: false });
    assert.deepEqual(await dataplane.setVpc(vpc), []);
  });
});

test('an Ethernet has no model to be exchanged', async () => {
  await running({ plan: defaultPlan }, async (dataplane) => {
    assert.deepEqual(await dataplane.setVpc(vpc), ['this network is an Ethernet, not a VPC']);
  });
});

test('a model that contradicts itself does not start', async () => {
  for (const workers of [1, 2])
    await assert.rejects(
      running({ vpc: contradiction, workers }, async () => {}),
      /vpc-lab/,
    );
});

test('who waits for a model hears that the data plane has ended', async () => {
  await running({ vpc }, async (dataplane) => {
    await dataplane.close();
    await assert.rejects(dataplane.setVpc(vpc), /has ended/);
  });
});

test('who switches the fast path off hears that there is no linear memory, and why', async () => {
  const whys: string[] = [];
  const hear = (event: DataplaneEvent): void => {
    if (event.kind === 'no-linear-memory') whys.push(event.why);
  };
  await running({ vpc }, async () => {}, hear);
  assert.deepEqual(whys, []);
  await running({ vpc, fastPath: 'off' }, async () => {}, hear);
  assert.deepEqual(whys, ['the fast path is switched off']);
});
