import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createEventFd, drainEventFd, signalEventFd } from './eventfd.ts';
import { closeFd } from './fd.ts';
import { connectUnix, disconnected, Listener, socketPair, wouldBlock } from './socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'sys-socket-'));
after(() => rmSync(folder, { recursive: true }));
const openFds = () => readdirSync('/proc/self/fd').length;
const bytes = (...values: number[]) => Uint8Array.from(values);

test('bytes and descriptors arrive together, and the descriptor is the same object', () => {
  const [a, b] = socketPair();
  const eventfd = createEventFd();
  assert.equal(a.send(bytes(9, 1, 2, 3, 9), 1, 3, [eventfd]), 3);
  const into = new Uint8Array(16);
  const fds: number[] = [];
  assert.equal(b.receive(into, 4, 12, fds), 3);
  assert.deepEqual([...into.subarray(3, 8)], [0, 1, 2, 3, 0]);
  assert.equal(fds.length, 1);
  signalEventFd(fds[0] as number);
  assert.equal(drainEventFd(eventfd), 1);
  for (const fd of [...fds, eventfd]) closeFd(fd);
  a.close();
  b.close();
});

test('a read ends after the part that carries descriptors', () => {
  const [a, b] = socketPair();
  const eventfd = createEventFd();
  a.send(bytes(1), 0, 1, []);
  a.send(bytes(2), 0, 1, [eventfd]);
  a.send(bytes(3), 0, 1, []);
  const into = new Uint8Array(16);
  const fds: number[] = [];
  assert.equal(b.receive(into, 0, 16, fds), 2);
  assert.equal(fds.length, 1);
  assert.equal(b.receive(into, 2, 14, fds), 1);
  assert.equal(fds.length, 1);
  for (const fd of [...fds, eventfd]) closeFd(fd);
  a.close();
  b.close();
});

test('nothing to receive and nobody to receive from are told apart', () => {
  const [a, b] = socketPair();
  const into = new Uint8Array(8);
  assert.equal(b.receive(into, 0, 8, []), wouldBlock);
  assert.equal(b.waitReadable(0), false);
  assert.equal(b.hungUp(), false);
  a.send(bytes(1), 0, 1, []);
  a.close();
  assert.equal(b.hungUp(), true);
  assert.equal(b.receive(into, 0, 8, []), 1);
  assert.equal(b.receive(into, 0, 8, []), disconnected);
  assert.equal(b.send(into, 0, 8, []), disconnected);
  b.close();
});

test('a full socket takes part of what is sent and then would block', () => {
  const [a, b] = socketPair();
  const lots = new Uint8Array(4 * 2 ** 20);
  const sent = a.send(lots, 0, lots.length, []);
  assert.ok(sent > 0 && sent < lots.length);
  assert.equal(a.send(lots, 0, lots.length, []), wouldBlock);
  assert.equal(a.waitWritable(0), false);
  a.close();
  b.close();
});

test('two hundred descriptors in one message all arrive', () => {
  const [a, b] = socketPair();
  const mine = Array.from({ length: 200 }, createEventFd);
  a.send(bytes(1), 0, 1, mine);
  const fds: number[] = [];
  b.receive(new Uint8Array(1), 0, 1, fds);
  assert.equal(fds.length, 200);
  assert.equal(b.fdsTruncated, false);
  for (const fd of [...fds, ...mine]) closeFd(fd);
  a.close();
  b.close();
});

test('when not all descriptors can be taken, none is, and the loss is told', () => {
  const script = `
    const { socketPair } = await import(${JSON.stringify(new URL('./socket.js', import.meta.url))});
    const { createEventFd } = await import(${JSON.stringify(new URL('./eventfd.js', import.meta.url))});
    const { readdirSync } = await import('node:fs');
    const [a, b] = socketPair();
    const mine = [];
    while (readdirSync('/proc/self/fd').length < 60) mine.push(createEventFd());
    a.send(new Uint8Array(1), 0, 1, mine.slice(0, 8));
    const before = readdirSync('/proc/self/fd').length;
    const fds = [];
    const count = b.receive(new Uint8Array(1), 0, 1, fds);
    const after = readdirSync('/proc/self/fd').length;
    console.log(JSON.stringify([count, fds.length, b.fdsTruncated, after - before]));`;
  const command = 'ulimit -n 64 && exec "$0" --input-type=module -e "$1"';
  const output = execFileSync('sh', ['-c', command, process.execPath, script], {
    encoding: 'utf8',
  });
  assert.deepEqual(JSON.parse(output), [1, 0, true, 0]);
});

test('a listener accepts, is private to its owner, and removes its path', () => {
  const path = join(folder, 'a.sock');
  const listener = new Listener(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(listener.accept(), null);
  const client = connectUnix(path);
  const server = listener.accept();
  assert.notEqual(server, null);
  client.close();
  server?.close();
  listener.close();
  assert.equal(existsSync(path), false);
});

test('a socket that nobody listens at is replaced, one in use or another file is not', () => {
  const path = join(folder, 'b.sock');
  const first = new Listener(path);
  assert.throws(() => new Listener(path), { code: 'EADDRINUSE' });
  closeFd(first.fd);
  const second = new Listener(path);
  connectUnix(path).close();
  second.close();
  const file = join(folder, 'file');
  writeFileSync(file, '');
  assert.throws(() => new Listener(file), /no socket/);
});

test('paths that no socket can have, or that nobody listens at, are refused by name', () => {
  const before = openFds();
  assert.throws(() => new Listener(join(folder, 'x'.repeat(120))), /1 to 107 bytes/);
  assert.throws(() => connectUnix(join(folder, 'none.sock')), { code: 'ENOENT' });
  assert.equal(openFds(), before);
});
