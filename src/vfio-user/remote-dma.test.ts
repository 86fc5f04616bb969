// Guest memory that only the client can reach.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as p from './protocol.ts';
import { payloadOf } from './testing-client.ts';
import { Harness } from './testing-harness.ts';

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7) % 251);

test('memory without a descriptor is read and written by messages', () => {
  const harness = new Harness();
  const client = harness.connect();
  const guest = client.lend(0x4000, 0x2000);
  const { memory } = harness.endpoint;
  assert.equal(memory.write(0x4010, pattern(100), 0, 100), true);
  assert.deepEqual(guest.subarray(0x10, 0x10 + 100), pattern(100));
  const back = new Uint8Array(100);
  assert.equal(memory.read(0x4010, 100, back, 0), true);
  assert.deepEqual(back, pattern(100));
  assert.equal(memory.read(0x5fff, 2, back, 0), false, 'past the end of the window');
});

test('a remote ring is pulled and pushed', () => {
  const harness = new Harness();
  const client = harness.connect();
  const guest = client.lend(0x4000, 0x1000);
  const range = harness.endpoint.memory.range(0x4100, 64, 'both');
  new DataView(guest.buffer).setUint32(0x108, 77, true);
  range?.pull(2, 1);
  assert.equal(range?.words[range.base + 2], 77);
  if (range) range.words[range.base + 3] = 88;
  range?.push(3, 1);
  assert.equal(new DataView(guest.buffer).getUint32(0x10c, true), 88);
});

test('no message carries more than the client takes', () => {
  const harness = new Harness();
  const client = harness.connect(false);
  client.version({ max_data_xfer_size: 64 });
  const guest = client.lend(0, 0x1000);
  let messages = 0;
  const serve = harness.far.onWait;
  harness.far.onWait = () => {
    messages++;
    assert.ok(harness.near.queuedBytes <= 32 + 64);
    serve();
  };
  assert.equal(harness.endpoint.memory.write(8, pattern(1000), 0, 1000), true);
  assert.deepEqual(guest.subarray(8, 1008), pattern(1000));
  assert.equal(messages, 16);
});

test('transfers of more than a message are cut into several', () => {
  const harness = new Harness();
  const client = harness.connect();
  const guest = client.lend(0, 2 ** 20);
  const data = pattern(200_000);
  assert.equal(harness.endpoint.memory.write(5, data, 0, data.length), true);
  assert.deepEqual(guest.subarray(5, 5 + data.length), data);
  const back = new Uint8Array(data.length);
  assert.equal(harness.endpoint.memory.read(5, data.length, back, 0), true);
  assert.deepEqual(back, data);
});

test('a function may reach memory while it serves a write, and is answered afterwards', () => {
  const harness = new Harness();
  const client = harness.connect();
  const guest = client.lend(0x1000, 0x1000);
  harness.fn.onWrite = (_offset, _size, value) => {
    harness.endpoint.memory.write(0x1000, Uint8Array.of(value), 0, 1);
  };
  assert.equal(client.write(0, 0, 4, 42), 0);
  assert.equal(guest[0], 42);
});

test('what the client sends while it is waited for is served afterwards, in order', () => {
  const harness = new Harness();
  const client = harness.connect();
  client.lend(0x1000, 0x1000);
  const serve = harness.far.onWait;
  harness.far.onWait = () => {
    harness.far.onWait = serve;
    // 1 byte more than a word, so that what follows is not aligned.
    client.sendRaw(new Uint8Array([...payloadOf([10 << 16, 33, 0x10, 0, 8, 0, 0, 1]), 1]));
    client.post(0, 0x10, 4, 2);
    serve();
    client.post(0, 0x14, 4, 3);
  };
  harness.fn.onWrite = (offset) => {
    if (offset !== 0) return;
    const into = new Uint8Array(4);
    assert.equal(harness.endpoint.memory.read(0x1000, 4, into, 0), true);
    assert.deepEqual(harness.fn.log, ['write 0 0x0 4 0x1'], 'nothing was served meanwhile');
  };
  assert.equal(client.write(0, 0, 4, 1), 0);
  harness.turn();
  assert.deepEqual(harness.fn.log, [
    'write 0 0x0 4 0x1',
    'write 0 0x8 1 0x1',
    'write 0 0x10 4 0x2',
    'write 0 0x14 4 0x3',
  ]);
});

test('what arrived while nobody was being served is not forgotten', () => {
  const harness = new Harness();
  const client = harness.connect();
  client.lend(0x1000, 0x1000);
  const serve = harness.far.onWait;
  harness.far.onWait = () => {
    harness.far.onWait = serve;
    client.post(0, 0x10, 4, 2);
    serve();
  };
  harness.endpoint.memory.read(0x1000, 4, new Uint8Array(4), 0);
  assert.deepEqual(harness.fn.log, []);
  harness.turn();
  assert.deepEqual(harness.fn.log, ['write 0 0x10 4 0x2']);
});

test('an error reply makes the access fail and nothing else', () => {
  const harness = new Harness();
  const client = harness.connect();
  client.lend(0x1000, 0x1000);
  client.remote.length = 0;
  assert.equal(harness.endpoint.memory.read(0x1000, 4, new Uint8Array(4), 0), false);
  assert.equal(harness.endpoint.memory.write(0x1000, new Uint8Array(4), 0, 4), false);
  assert.equal(client.read(7, 0, 2), 0x1d0f);
});

test('a client that does not answer in time is disconnected', () => {
  const harness = new Harness({ patienceMs: 20 });
  const client = harness.connect();
  client.lend(0x1000, 0x1000);
  harness.far.onWait = () => {};
  assert.equal(harness.endpoint.memory.read(0x1000, 4, new Uint8Array(4), 0), false);
  assert.equal(harness.endpoint.memory.read(0x1000, 4, new Uint8Array(4), 0), false);
  assert.equal(harness.refused('unanswered'), 1, 'the second try did not wait');
  harness.turn();
  assert.equal(harness.connected, false);
  assert.equal(harness.fn.log.at(-1), 'reset detach');
});

test('a client that leaves while it is waited for takes the access along', () => {
  const harness = new Harness();
  const client = harness.connect();
  client.lend(0x1000, 0x1000);
  harness.far.onWait = () => client.close();
  harness.fn.onWrite = () => {
    assert.equal(harness.endpoint.memory.read(0x1000, 4, new Uint8Array(4), 0), false);
  };
  client.post(0, 0, 4, 1);
  harness.turn();
  assert.equal(harness.connected, false);
});

test('a reply of the wrong length is refused', () => {
  const harness = new Harness();
  const client = harness.connect();
  client.lend(0x1000, 0x1000);
  harness.far.onWait = () => {
    const header = new Uint8Array(2 ** 10);
    harness.near.receive(header, 0, header.length, []);
    const id = new DataView(header.buffer).getUint16(0, true);
    const words = [(p.VFIO_USER_DMA_READ << 16) | id, 34, 1, 0, 0x1000, 0, 2, 0];
    client.sendRaw(new Uint8Array([...payloadOf(words), 9, 9]));
  };
  assert.equal(harness.endpoint.memory.read(0x1000, 4, new Uint8Array(4), 0), false);
});

test('without a client there is no memory', () => {
  const harness = new Harness();
  const client = harness.connect();
  client.lend(0x1000, 0x1000);
  const range = harness.endpoint.memory.range(0x1000, 4, 'both');
  client.close();
  harness.turn();
  range?.pull(0, 1);
  range?.push(0, 1);
  assert.equal(harness.endpoint.memory.read(0x1000, 4, new Uint8Array(4), 0), false);
});
