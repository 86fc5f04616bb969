/** The program of one contender of our own: makes the bed that it is told, and runs it in slices. */
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { tuneEngine } from '../dataplane/engine.ts';
import { LatencyBed } from './latency-bed.ts';
import { CopyBed, PathBed } from './path-bed.ts';
import type { Job, LatencySlice, Slice } from './path-spec.ts';
import { SwitchBed } from './switch-bed.ts';
import { ThreadedBed } from './threaded-bed.ts';

const CHANNEL = 3;

type Bed = { warmUp(): void | Promise<void>; run(ms: number): Slice | Promise<LatencySlice> };

tuneEngine();
const job = JSON.parse(process.argv[2] ?? '') as Job;
const bed = await bedOf(job);
await bed.warmUp();
const channel = new Socket({ fd: CHANNEL });
channel.on('error', () => process.exit(1)); // whoever asked has gone
channel.write('{"ready":true}\n');
for await (const line of createInterface({ input: channel }))
  channel.write(`${JSON.stringify(await bed.run(Number(line)))}\n`);

function bedOf(what: Job): Bed | Promise<Bed> {
  switch (what.kind) {
    case 'path':
      return ThreadedBed.start(what.spec);
    case 'one-thread':
      return new PathBed(what.spec);
    case 'switch':
      return new SwitchBed(what.spec);
    case 'copy':
      return new CopyBed(what.spec);
    case 'latency':
      return LatencyBed.start(what.spec);
  }
}
