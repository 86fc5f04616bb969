import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Diagnostics } from '../lib/diagnostics.ts';
import { Poller } from '../sys/poller.ts';
import { VfioUserEndpoint } from './endpoint.ts';
import { createServer } from './server.ts';
import { TestClient } from './testing-client.ts';
import { TestFunction } from './testing-function.ts';

const folder = mkdtempSync(join(tmpdir(), 'vfio-user-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

function serve() {
  const path = join(folder, `${count++}.sock`);
  const poller = new Poller();
  const endpoint = new VfioUserEndpoint({ diagnostics: new Diagnostics() });
  const fn = new TestFunction();
  endpoint.attach(fn);
  const server = createServer({ path, endpoint, poller });
  const connect = () => TestClient.connect(path, () => poller.wait(0));
  const close = () => {
    server.close();
    poller.close();
  };
  return { path, poller, endpoint, fn, server, connect, close };
}

test('a client negotiates, finds the function and drives it over a socket', () => {
  const { endpoint, fn, connect, close, path } = serve();
  const client = connect();
  const capabilities = client.version();
  assert.equal(capabilities['max_msg_fds'], 16);
  assert.equal(client.read(7, 0, 4), 0xec20_1d0f);
  assert.equal(client.write(0, 0x10, 4, 0x1234_5678), 0);
  assert.equal(client.read(0, 0x12, 2), 0x1234);
  const shared = client.share(0x10_0000, 0x10000);
  assert.equal(endpoint.memory.write(0x10_0010, new Uint8Array([1, 2, 3]), 0, 3), true);
  assert.deepEqual([...shared.bytes.subarray(0x10, 0x13)], [1, 2, 3]);
  const [eventfd] = client.enableVectors(2, 1);
  endpoint.interrupts.raise(2);
  endpoint.interrupts.raise(3);
  assert.equal(client.interrupts(eventfd as number), 1);
  assert.equal(endpoint.droppedInterrupts, 1);
  assert.equal(client.reset().errno, 0);
  assert.equal(fn.log.at(-1), 'reset function');
  client.close();
  close();
  assert.equal(existsSync(path), false);
});

test('a client that leaves takes its windows and interrupts along, and the next one is served', () => {
  const { endpoint, fn, poller, connect, close } = serve();
  const first = connect();
  first.version();
  first.share(0, 0x10000);
  first.enableVectors(0, 8);
  first.close();
  poller.wait(100);
  assert.equal(fn.log.at(-1), 'reset detach');
  assert.equal(endpoint.memory.locate(0, 1), null);
  endpoint.interrupts.raise(0);
  assert.equal(endpoint.droppedInterrupts, 1);
  const second = connect();
  second.version();
  assert.equal(second.read(7, 0, 2), 0x1d0f);
  second.close();
  close();
});

test('a second client is told EBUSY and disconnected, the first one is not disturbed', () => {
  const { connect, close } = serve();
  const first = connect();
  first.version();
  const second = connect();
  assert.throws(() => second.version(), /errno 16/);
  assert.throws(() => second.version(), /disconnected/);
  assert.equal(first.read(7, 0, 2), 0x1d0f);
  second.close();
  first.close();
  close();
});

test('a client that connects before the last one was seen to leave is served', () => {
  const { connect, close } = serve();
  const first = connect();
  first.version();
  const second = connect();
  first.close();
  second.version();
  second.close();
  close();
});

test('functions in a worker reach shared and lent memory of clients in another thread', async () => {
  const paths = ['x', 'y'].map((name) => join(folder, `${name}.sock`));
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url.replace('server.test', 'testing-worker')), {
    workerData: { paths, stop },
  });
  await new Promise((resolve) => worker.once('message', resolve));
  const [one, two] = paths.map((path) => TestClient.connect(path)) as [TestClient, TestClient];
  one.version();
  two.version();
  const shared = one.share(0x1000, 0x1000).bytes;
  const lent = two.lend(0x1000, 0x1000);
  const [eventfd] = one.enableVectors(0, 1) as [number];
  for (let i = 0; i < 200; i++) {
    assert.equal(one.write(0, i, 1, i), 0);
    assert.equal(two.write(0, i, 1, i), 0);
    assert.deepEqual([shared[i], lent[i]], [i, i]);
  }
  assert.equal(one.interrupts(eventfd), 200);
  one.close();
  two.close();
  Atomics.store(stop, 0, 1);
  await new Promise((resolve) => worker.once('exit', resolve));
  assert.deepEqual(paths.map(existsSync), [false, false]);
});
