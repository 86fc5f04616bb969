// The beds of two workers lose nothing and change nothing; how fast they are is the bench's business.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIXES, WorkersBed } from '../../src/host/bench/workers-bed.ts';

test('one worker and two carry every frame, within and across', () => {
  for (const mix of MIXES)
    for (const workers of [1, 2] as const) {
      const bed = new WorkersBed({ workers, mix, bytes: 64 });
      try {
        // A machine that is busy may give the second thread no time in a slice.
        let frames = 0;
        for (let slices = 0; frames === 0 && slices < 200; slices++) frames = bed.run(20).frames;
        assert.ok(frames > 0, `${mix}, ${workers}`);
      } finally {
        bed.close();
      }
    }
});
