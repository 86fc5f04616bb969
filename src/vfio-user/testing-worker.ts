/**
 * A worker thread for tests: serves two functions, whose BAR 0 copies what is written to it to
 * guest memory and raises vector 0, until it is told to stop.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Diagnostics } from '../lib/diagnostics.ts';
import { Poller } from '../sys/poller.ts';
import { VfioUserEndpoint } from './endpoint.ts';
import { createServer } from './server.ts';
import { TestFunction } from './testing-function.ts';

const { paths, stop } = workerData as { paths: string[]; stop: Int32Array };
const poller = new Poller();
const servers = paths.map((path) => {
  const endpoint = new VfioUserEndpoint({ diagnostics: new Diagnostics() });
  const fn = new TestFunction();
  fn.onWrite = (offset, _size, value) => {
    endpoint.memory.write(0x1000 + offset, Uint8Array.of(value), 0, 1);
    endpoint.interrupts.raise(0);
  };
  endpoint.attach(fn);
  return createServer({ path, endpoint, poller });
});
parentPort?.postMessage('ready');
while (Atomics.load(stop, 0) === 0) poller.wait(20);
for (const server of servers) server.close();
poller.close();
