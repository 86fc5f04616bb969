import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { createEventFd, drainEventFd, signalEventFd } from './eventfd.ts';
import { closeFd, isEventFd } from './fd.ts';
import { Poller } from './poller.ts';
import { socketPair } from './socket.ts';

if (isMainThread) {
  test('an eventfd counts its signals and starts again when drained', () => {
    const fd = createEventFd();
    assert.equal(isEventFd(fd), true);
    assert.equal(drainEventFd(fd), 0);
    for (let i = 0; i < 3; i++) assert.equal(signalEventFd(fd), true);
    assert.equal(drainEventFd(fd), 3);
    assert.equal(drainEventFd(fd), 0);
    closeFd(fd);
    assert.equal(signalEventFd(fd), false);
    assert.equal(isEventFd(fd), false);
  });

  test('a socket is no eventfd', () => {
    const [a, b] = socketPair();
    assert.equal(isEventFd(a.fd), false);
    a.close();
    b.close();
  });

  test('every ready descriptor is served once per wait, the others not', () => {
    const poller = new Poller();
    const fds = [createEventFd(), createEventFd(), createEventFd()];
    const served: number[] = [];
    for (const fd of fds) poller.add(fd, () => served.push(fds.indexOf(fd)));
    signalEventFd(fds[0] as number);
    signalEventFd(fds[2] as number);
    assert.equal(poller.wait(0), 2);
    assert.deepEqual(served.sort(), [0, 2]);
    drainEventFd(fds[0] as number);
    poller.remove(fds[2] as number);
    assert.equal(poller.wait(0), 0);
    for (const fd of fds) closeFd(fd);
    poller.close();
  });

  test('a wait ends when its time is over', () => {
    const poller = new Poller();
    const start = performance.now();
    assert.equal(poller.wait(20), 0);
    assert.ok(performance.now() - start >= 19);
    poller.close();
  });

  test('deferred work runs in the next wait, which does not block, and only once', () => {
    const poller = new Poller();
    const ran: number[] = [];
    poller.defer(() => {
      ran.push(1);
      poller.defer(() => ran.push(2));
    });
    assert.equal(poller.wait(-1), 1);
    assert.deepEqual(ran, [1]);
    assert.equal(poller.wait(-1), 1);
    assert.deepEqual(ran, [1, 2]);
    assert.equal(poller.wait(0), 0);
    poller.close();
  });

  test('whoever waits to write hears nothing of input until it goes back', () => {
    const poller = new Poller();
    const [a, b] = socketPair();
    const heard: string[] = [];
    poller.add(a.fd, () => heard.push('readable'));
    b.send(new Uint8Array(1), 0, 1, []);
    poller.awaitWritable(a.fd, () => heard.push('writable'));
    poller.wait(0);
    poller.awaitWritable(a.fd, null);
    poller.wait(0);
    assert.deepEqual(heard, ['writable', 'readable']);
    a.close();
    b.close();
    poller.close();
  });

  test('several workers wait and wake each other at the same time', async () => {
    const fds = Array.from({ length: 4 }, createEventFd);
    const rounds = 200;
    const workers = fds.map((_, index) => {
      return new Worker(new URL(import.meta.url), { workerData: { fds, index, rounds } });
    });
    const results = workers.map(
      (worker) => new Promise((resolve) => worker.on('message', resolve)),
    );
    signalEventFd(fds[0] as number);
    assert.deepEqual(await Promise.all(results), [rounds, rounds, rounds, rounds]);
    for (const fd of fds) closeFd(fd);
  });
} else {
  // Passes a token on to the next worker, so often.
  const { fds, index, rounds } = workerData as { fds: number[]; index: number; rounds: number };
  const poller = new Poller();
  let count = 0;
  poller.add(fds[index] as number, () => {
    drainEventFd(fds[index] as number);
    count++;
    signalEventFd(fds[(index + 1) % fds.length] as number);
  });
  while (count < rounds && poller.wait(2000) > 0);
  poller.close();
  parentPort?.postMessage(count);
}
