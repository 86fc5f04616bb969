import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SipHash } from './siphash.ts';

const count = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the vectors of its authors: key 00 .. 0f, messages 00, 01, ...', () => {
  const hash = new SipHash(count(16));
  assert.equal(hex(hash.of(count(0))), '310e0edd47db6f72');
  assert.equal(hex(hash.of(count(1))), 'fd67dc93c539f874');
  assert.equal(hex(hash.of(count(7))), '37d1018bf50002ab');
  assert.equal(hex(hash.of(count(8))), '6224939a79f5f593');
  assert.equal(hex(hash.of(count(15))), 'e545be4961ca29a1');
  assert.equal(hex(hash.of(count(63))), '724506eb4c328a95');
});

test('another key makes another hash', () => {
  assert.notEqual(hex(new SipHash(count(17).subarray(1)).of(count(8))), '6224939a79f5f593');
});
