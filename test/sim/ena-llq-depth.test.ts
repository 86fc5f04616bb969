import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enaProfiles } from '../../src/devices/ena/profile.ts';
import { pair } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

const queuePairs = 8;

for (const profile of enaProfiles)
  test(`${profile.name}: every queue has room for the largest low-latency ring`, () => {
    const [, a, b] = pair({
      memoryBytes: 96 << 20,
      device: { profile, queuePairs },
      driver: { placement: 'device', queuePairs, txDepth: 1024, rxDepth: 256 },
    });
    assert.equal(a.driver.tx.length, queuePairs);
    // All queues hold frames at once: none lies where another does.
    const frames = a.driver.tx.flatMap((tx, queue) => {
      assert.ok(tx.isInDevice);
      return Array.from({ length: 20 }, (_, i) => {
        const frame = plainFrame(a.mac, b.mac, 700, 100 * queue + i);
        assert.ok(tx.send(frame, 0, frame.length));
        return frame;
      });
    });
    for (const tx of a.driver.tx) tx.kick();
    assert.deepEqual(b.receive(), frames);
    assert.deepEqual([a.refusals, b.refusals], [[], []]);
  });
