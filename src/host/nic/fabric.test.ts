import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noFaults } from '../../srd/faults.ts';
import { parseFabric } from './fabric.ts';

test('a bad fabric is what the text says, and nothing else', () => {
  assert.deepEqual(parseFabric('loss=1.5%,jitter=50us,seed=3'), {
    ...noFaults,
    ...{ lossPpm: 15_000, jitterNs: 50_000, seed: 3 },
  });
  assert.deepEqual(parseFabric('delay=1ms,path-failure=0.1%,path-down=2s'), {
    ...noFaults,
    ...{ delayNs: 1e6, pathFailurePpm: 1000, pathDownNs: 2e9 },
  });
});

test('what makes no sense is told in one sentence', () => {
  for (const text of ['', 'loss', 'loss=1', 'loss=101%', 'delay=5', 'delay=20s', 'seed=x', 'a=1%'])
    assert.match(String(parseFabric(text)), /^[^.]*(\.\d[^.]*)*\.$/, text);
});
