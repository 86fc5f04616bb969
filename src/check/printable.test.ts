import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { printable, shellWord } from './printable.ts';

test('words of others neither move the cursor nor flood the screen', () => {
  assert.equal(printable('eth0 \x1b]0;x\x07'), 'eth0 \\x1b]0;x\\x07');
  assert.equal(printable('\u202eabc\u200b'), '\\u{202e}abc\\u{200b}');
  assert.equal(printable('ünï “x”'), 'ünï “x”');
  assert.equal(printable('x'.repeat(1e6)).length, 400);
});

test('a name of others stays one word of a command', () => {
  const names = ['eth0', `a'; touch x; '`, '$(id)', '`id`', 'a b', '', '-rf', '*'];
  const words = names.map(shellWord).join(' ');
  const out = execFileSync('sh', ['-c', `for a in ${words}; do printf '%s\\n' "$a"; done`]);
  assert.deepEqual(out.toString().split('\n').slice(0, -1), names);
});
