import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseHpc } from '../vpc/load.ts';
import { addCarried, checkFabric } from './hpc-checks.ts';
import { HpcError } from './hpc-cluster.ts';

test('an MPI run that no EFA carried is a failure, whatever MPI says', () => {
  const sums = [0, 0];
  addCarried(sums, [0, 5], [1_000_000, 200_005]);
  assert.deepEqual(sums, [1_000_000, 200_000]);
  assert.throws(
    () => addCarried(sums, [1_000_000, 200_005], [2_000_000, 200_005]),
    (error) =>
      error instanceof HpcError && /the EFA of guest 2 carried 0 bytes/.test(error.message),
  );
});

test('guests whose groups do not let EFA through are not booted at all', () => {
  const example = readFileSync('examples/hpc-cluster.yaml', 'utf8');
  checkFabric(parseHpc(example, 'hpc.yaml'));
  const shut = example.replace('- all to self ', '# ');
  assert.throws(() => checkFabric(parseHpc(shut, 'hpc.yaml')), {
    message:
      /^EFA does not get from node1 to node2: .* outbound groups of eni-node1\. .*sg-hpc itself/,
  });
});
