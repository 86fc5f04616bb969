// Two threads and a ring each way: nothing is lost, changed or late, whoever sleeps when.
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { seeded } from '../../lib/testing-seed.ts';
import { Frame } from '../../net/frame.ts';
import type { Trunk } from '../../switch/trunk/trunk.ts';
import { Poller } from '../../sys/poller.ts';
import type { EchoData } from './testing-echo.ts';
import { createTrunkLines, WorkerTrunks } from './trunk-lines.ts';

const frames = 20_000;
/** In which the other thread has answered, or was not woken. */
const patienceMs = 20_000;

seeded(
  'what another thread is sent comes back in its order, and nobody sleeps too long',
  async (random) => {
    const { lines, close } = createTrunkLines(2);
    const [mine, theirs] = lines;
    assert.ok(mine !== undefined && theirs !== undefined);
    const poller = new Poller();
    const trunks = new WorkerTrunks(mine, poller);
    const trunk = trunks.to[1] as Trunk;
    const workerData: EchoData = { lines: theirs, frames };
    const worker = new Worker(new URL('./testing-echo.js', import.meta.url), { workerData });
    const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
    const frame = new Frame();
    const bytes = new Uint8Array(70_000);
    let sent = 0;
    let back = 0;
    let slept = 0;
    try {
      while (back < frames) {
        for (let burst = random.below(50); burst > 0 && sent < frames; burst--, sent++) {
          const length = 14 + ((sent * 7919) % (sent % 97 === 0 ? 60_000 : 900));
          bytes[length - 1] = sent;
          frame.load(bytes, 0, length);
          if (!trunk.push(1, sent & 0xffff, 3, frame)) break;
        }
        trunk.flush();
        for (; trunk.next(); back++) {
          const { length } = trunk.frame;
          assert.equal(trunk.to, back & 0xffff);
          assert.equal(length, 14 + ((back * 7919) % (back % 97 === 0 ? 60_000 : 900)));
          trunk.frame.copyPart(length - 1, 1, bytes, 0);
          assert.equal(bytes[0], back & 255);
        }
        trunk.release();
        // All is under way, or nothing has to be: what comes must wake us.
        if (sent > back && (random.oneIn(8) || sent === frames) && trunks.sleep()) {
          slept++;
          assert.ok(
            poller.wait(patienceMs) > 0,
            `${back} of ${sent} came back, and nobody woke us`,
          );
        }
        trunks.wake();
      }
      assert.equal(await exited, 0);
      assert.ok(slept > 0);
    } finally {
      await worker.terminate();
      poller.close();
      close();
    }
  },
);
