import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerMs, nsPerSecond } from '../../src/lib/clock.ts';
import { pair } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

test('a function with a rate sends that much a second and loses nothing', () => {
  const [lab, a, b] = pair({ driver: { txDepth: 64 } });
  a.device.setRate(8e6);
  const frame = plainFrame(a.mac, b.mac, 1000, 1);
  let sent = 0;
  let received = 0;
  for (let ms = 0; ms < 1000; ms++) {
    while (a.send(frame)) sent++;
    lab.clock.advance(nsPerMs);
    a.driver.poll();
    received += b.receive().length;
  }
  assert.ok(Math.abs(received - 1000) < 30, `${received} frames of 1000 bytes at 1 MB/s`);
  a.device.setRate(null);
  lab.clock.advance(nsPerSecond);
  a.driver.poll();
  received += b.receive().length;
  assert.equal(received, sent);
});
