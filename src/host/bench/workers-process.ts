/** The program of one contender of `part-workers.ts`: works for a slice when it is asked to. */
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { tuneEngine } from '../dataplane/engine.ts';
import { WorkersBed, type WorkersSpec } from './workers-bed.ts';

const CHANNEL = 3;

tuneEngine();
const bed = new WorkersBed(JSON.parse(process.argv[2] ?? '') as WorkersSpec);
bed.warmUp();
const channel = new Socket({ fd: CHANNEL });
channel.on('error', () => process.exit(1)); // whoever asked has gone
channel.write('{"ready":true}\n');
for await (const line of createInterface({ input: channel }))
  channel.write(`${JSON.stringify(bed.run(Number(line)))}\n`);
bed.close();
