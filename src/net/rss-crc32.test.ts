import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from './rss-crc32.ts';

test('the check value of CRC-32 comes out', () => {
  const bytes = new TextEncoder().encode('123456789');
  assert.equal(crc32(bytes, bytes.length, 0) >>> 0, 0xcbf4_3926);
});
