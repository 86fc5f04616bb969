import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../lib/prng.ts';
import { hashWords } from './hash.ts';

test('ports in a row and addresses of one subnet spread evenly, whatever the seeds are', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = new Prng(seed);
    const seeds = Int32Array.from({ length: 3 }, () => random.next() | 1);
    // Small and near-rational numbers are the bad ones.
    if (seed % 5 === 0) seeds[1] = seed;
    const chains = new Int32Array(4096);
    const key = Int32Array.of(0x0a00_0001, 0, 17);
    for (let port = 0; port < 8192; port++) {
      key[1] = port * (seed % 3 === 0 ? 0x1_0000 : 1);
      const chain = hashWords(key, 0, seeds) >>> 20;
      chains[chain] = (chains[chain] as number) + 1;
    }
    const longest = Math.max(...chains);
    assert.ok(longest <= 12, `seed ${seed}: ${longest} of 8192 keys in one of 4096 chains`);
  }
});
