import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../lib/prng.ts';
import { Tokens } from './tokens.ts';

const secret = (first: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => first + i);

test('a token is good until it ends, for its own instance only', () => {
  const tokens = new Tokens(secret(0), new Prng(1));
  const token = tokens.issue('i-a', 1000.25, 60);
  assert.match(token, /^[\w-]{54}==$/);
  assert.equal(tokens.remaining(token, 'i-a', 1000.25), 60);
  assert.equal(tokens.remaining(token, 'i-a', 1060), 1);
  assert.equal(tokens.remaining(token, 'i-a', 1060.25), 0);
  assert.equal(tokens.remaining(token, 'i-b', 1001), 0);
  assert.notEqual(tokens.issue('i-a', 1000.25, 60), token, 'no two are the same');
});

test('no byte of a token can be changed, and another secret makes other tokens', () => {
  const tokens = new Tokens(secret(0), new Prng(1));
  const token = tokens.issue('i-a', 0, 21_600);
  for (let i = 0; i < token.length; i++) {
    const changed = `${token.slice(0, i)}${token[i] === 'B' ? 'C' : 'B'}${token.slice(i + 1)}`;
    // The last character but the padding carries two bits that are no part of the token.
    if (i !== 53) assert.equal(tokens.remaining(changed, 'i-a', 1), 0, `character ${i}`);
  }
  assert.equal(new Tokens(secret(1), new Prng(1)).remaining(token, 'i-a', 1), 0);
  for (const wrong of ['', 'a', `${token}=`, token.replace('==', 'AA'), ' '.repeat(56)])
    assert.equal(tokens.remaining(wrong, 'i-a', 1), 0);
});
