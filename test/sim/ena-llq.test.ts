import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LLQ_ENTRY_SIZE, LLQ_STRIDE } from '../../src/defs/ena-admin.ts';
import { enaProfiles, permissive } from '../../src/devices/ena/profile.ts';
import { pair, SimLab } from './ena-lab.ts';
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

const sizes = [LLQ_ENTRY_SIZE.B128, LLQ_ENTRY_SIZE.B192, LLQ_ENTRY_SIZE.B256];
const bytesOf = (size: number): number => ({ 1: 128, 2: 192, 4: 256 })[size] ?? 0;

for (const entrySizes of sizes)
  for (const descsBeforeHeader of [1, 2, 4, 8])
    for (const strides of [LLQ_STRIDE.SINGLE, LLQ_STRIDE.MULTIPLE]) {
      const bytes = bytesOf(entrySizes);
      const header = bytes - 16 * descsBeforeHeader;
      const what = `${descsBeforeHeader} of ${bytes} bytes, ${strides === 1 ? 'single' : 'many'}`;
      test(`descriptors before the header: ${what}`, () => {
        assert.ok(permissive.llq);
        const llq = { ...permissive.llq, entrySizes, descsBeforeHeader, strides };
        const placement = 'device' as const;
        const driver = { placement, txDepth: 64, rxDepth: 64, txBufferBytes: 256 };
        const lab = new SimLab();
        const options = { device: { profile: { ...permissive, llq } }, driver };
        const [a, b] = [lab.add(options), lab.add(options)];
        if (header <= 0) {
          assert.throws(() => a.driver.start(), /SET_FEATURE LLQ: ILLEGAL_PARAMETER/);
          assert.match(a.refusals.join(), /^ena\/llq-choice/);
          return;
        }
        for (const guest of [a, b]) guest.driver.start();
        assert.equal(a.driver.tx[0]?.ring.shape.headerBytes, header);
        // From one descriptor to six and a meta descriptor: entries of one kind and the other.
        for (let i = 0; i < 400; i++) {
          const frame = plainFrame(a.mac, b.mac, 60 + ((i * 53) % 1455), i);
          assert.ok(a.send(frame), `frame ${i}`);
          assert.deepEqual(b.receive(), [frame]);
          a.driver.poll();
        }
        assert.deepEqual([...a.refusals, ...b.refusals], []);
      });
    }
