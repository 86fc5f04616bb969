import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { openLinearMemory } from './linear.ts';

test('a worker has linear memory unless the fast path is switched off', () => {
  assert.notEqual(openLinearMemory().linear, null);
  assert.notEqual(openLinearMemory('auto').linear, null);
  assert.deepEqual(openLinearMemory('off'), {
    linear: null,
    without: 'the fast path is switched off',
  });
});

test('where so many addresses cannot be had, a worker does without and says why', () => {
  const module = new URL('./linear.js', import.meta.url).href;
  const program = `const { openLinearMemory } = await import('${module}');
    const { linear, without } = openLinearMemory('auto');
    console.log(linear === null, without);`;
  const limited = `ulimit -v 6000000 && exec "$0" --input-type=module -e "$1"`;
  const { stdout } = spawnSync('bash', ['-c', limited, process.execPath, program]);
  assert.match(stdout.toString(), /^true WebAssembly\.Memory: ENOMEM \(.+\)\n$/);
});
