import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vfPair } from './ixgbevf-lab.ts';
import { plainFrame } from './naive-packets.ts';

test('frames of every size arrive whole', () => {
  const [, a, b] = vfPair({ driver: { mtu: 9001 } });
  for (const length of [14, 60, 64, 127, 128, 129, 1514, 2048, 2049, 4096, 9015]) {
    const frame = plainFrame(a.mac, b.mac, length, length);
    assert.ok(a.send(frame));
    const [got, ...more] = b.receive();
    assert.deepEqual(got, frame, `${length} bytes`);
    assert.equal(more.length, 0);
  }
  assert.deepEqual([...a.refusals, ...b.refusals], []);
});
