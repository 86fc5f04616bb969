// The byte stream, the handshake, and what ends a connection.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { createEventFd } from '../sys/eventfd.ts';
import { closeFd } from '../sys/fd.ts';
import * as p from './protocol.ts';
import { payloadOf, qemuCapabilities, type TestClient } from './testing-client.ts';
import { Harness } from './testing-harness.ts';

const openFds = () => readdirSync('/proc/self/fd').length;

/** A message as bytes. */
function message(cmd: number, payload: Uint8Array, flags = 0, size = 16 + payload.length) {
  const header = payloadOf([(cmd << 16) | 0x77, size, flags, 0]);
  return new Uint8Array([...header, ...payload]);
}
const write = (offset: number, value: number) =>
  message(10, payloadOf([offset, 0, 0, 4, value]), 0x10);
const join = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));

test('a message may arrive byte by byte', () => {
  const harness = new Harness();
  const client = harness.connect();
  for (const byte of write(0x10, 0x1234)) {
    client.sendRaw(Uint8Array.of(byte));
    harness.turn();
  }
  assert.deepEqual(harness.fn.log, ['write 0 0x10 4 0x1234']);
});

test('many messages may arrive at once, of any length and alignment', () => {
  const harness = new Harness();
  const client = harness.connect();
  const one = (offset: number, ...bytes: number[]) =>
    message(10, new Uint8Array([...payloadOf([offset, 0, 0, bytes.length]), ...bytes]), 0x10);
  client.sendRaw(join(one(1, 1), one(2, 2, 3), one(4, 4, 5, 6, 7), one(9, 8), write(12, 9)));
  harness.turn();
  assert.deepEqual(
    [...harness.fn.registers.subarray(0, 13)],
    [0, 1, 2, 3, 4, 5, 6, 7, 0, 8, 0, 0, 9],
  );
});

test('the longest message that was negotiated is served, a longer one disconnects', () => {
  const harness = new Harness();
  const client = harness.connect();
  const long = new Uint8Array(0x4000).fill(3);
  assert.equal(client.words(10, [0, 0, 0, long.length], { bytes: long }).errno, 0);
  assert.equal(harness.fn.registers[0x3fff], 3);
  const longest = new Uint8Array(p.maxDataBytes);
  assert.equal(client.words(10, [0, 0, 0, longest.length], { bytes: longest }).errno, 22);
  assert.equal(harness.connected, true);
  client.sendRaw(message(10, new Uint8Array(0), 0, p.maxMessageBytes + 1));
  harness.turn();
  assert.equal(harness.connected, false);
  assert.equal(harness.refused('framing'), 1);
});

for (const size of [0, 1, 15])
  test(`a message that says it has ${size} bytes disconnects`, () => {
    const harness = new Harness();
    const client = harness.connect();
    client.sendRaw(message(4, new Uint8Array(0), 0, size));
    harness.turn();
    assert.equal(harness.connected, false);
    assert.equal(harness.fn.log.at(-1), 'reset detach');
  });

test('one wake-up takes a bounded number of messages; the rest waits for the next', () => {
  const harness = new Harness();
  const client = harness.connect();
  const doorbell = write(0, 1);
  for (let i = 0; i < 1000; i++) client.sendRaw(doorbell);
  harness.turn();
  const first = harness.fn.log.length;
  assert.ok(first > 100 && first < 200, `${first}`);
  for (let i = 0; i < 10; i++) harness.turn();
  assert.equal(harness.fn.log.length, 1000);
});

test('descriptors go to the message they were sent with, whatever came before', () => {
  const harness = new Harness();
  const client = harness.connect();
  const [a, b] = [createEventFd(), createEventFd()];
  const flags = p.VFIO_IRQ_SET_DATA_EVENTFD | p.VFIO_IRQ_SET_ACTION_TRIGGER;
  client.sendRaw(write(0, 1));
  client.sendRaw(message(8, payloadOf([20, flags, 2, 0, 1])), [a]);
  client.sendRaw(message(8, payloadOf([20, flags, 2, 5, 1])), [b]);
  for (let i = 0; i < 4; i++) harness.turn();
  harness.endpoint.interrupts.raise(5);
  assert.deepEqual([client.interrupts(a), client.interrupts(b)], [0, 1]);
  for (const fd of [a, b]) closeFd(fd);
});

test('descriptors that come with the first half of a message are not lost', () => {
  const harness = new Harness();
  const client = harness.connect();
  const fd = createEventFd();
  const flags = p.VFIO_IRQ_SET_DATA_EVENTFD | p.VFIO_IRQ_SET_ACTION_TRIGGER;
  const bytes = message(8, payloadOf([20, flags, 2, 0, 1]));
  client.sendRaw(bytes.subarray(0, 20), [fd]);
  harness.turn();
  client.sendRaw(bytes.subarray(20));
  harness.turn();
  harness.endpoint.interrupts.raise(0);
  assert.equal(client.interrupts(fd), 1);
  closeFd(fd);
});

test('a message of an unknown type is refused with EINVAL', () => {
  const harness = new Harness();
  const client = harness.connect();
  client.sendRaw(message(4, payloadOf([16, 0, 0, 0]), 2));
  assert.equal(client.reply(0x77).errno, 22);
});

test('a reply that nobody waits for is dropped, its descriptors closed', () => {
  const harness = new Harness();
  const client = harness.connect();
  const fd = createEventFd();
  const before = openFds();
  client.sendRaw(message(11, payloadOf([0, 0, 0, 0]), 1), [fd]);
  harness.turn();
  assert.equal(harness.refused('reply'), 1);
  assert.equal(openFds(), before);
  assert.equal(client.read(7, 0, 2), 0x1d0f);
  closeFd(fd);
});

test('a client that does not read is not served until it does, and gets every reply', () => {
  const harness = new Harness();
  const client = harness.connect();
  harness.near.capacityBytes = 40;
  const ids = Array.from({ length: 20 }, (_, i) => client.send(9, payloadOf([i * 4, 0, 0, 4])));
  for (let i = 0; i < 20; i++) harness.turn();
  assert.ok(harness.fn.log.length <= 2, 'further requests wait');
  for (const id of ids) assert.equal(client.reply(id).errno, 0);
  assert.equal(harness.fn.log.length, 20);
});

/** Sends a VERSION and returns its reply, or throws when disconnected. */
function hello(client: TestClient, major: number, minor: number, text: string) {
  const bytes = new TextEncoder().encode(text);
  const payload = new Uint8Array([major, 0, minor, 0, ...bytes]);
  return client.call(p.VFIO_USER_VERSION, payload);
}

test('the lower minor version counts, and the reply names what the client proposed', () => {
  const reply = hello(new Harness().connect(false), 0, 9, '');
  assert.equal(reply.payload.getUint32(0, true), 0x1_0000);
  const old = hello(new Harness().connect(false), 0, 0, '');
  assert.equal(old.payload.getUint32(0, true), 0);
  const plain = new Harness().connect(false).version(null);
  assert.deepEqual(Object.keys(plain), ['max_msg_fds', 'max_data_xfer_size']);
  const qemu = new Harness().connect(false).version();
  assert.deepEqual(qemu, {
    max_msg_fds: 16,
    max_data_xfer_size: 65536,
    max_dma_maps: 1024,
    pgsizes: 4096,
  });
  const multiple = new Harness({ writeMultiple: true }).connect(false);
  assert.equal(multiple.version()['write_multiple'], true);
});

test('twin sockets and migration are not offered, whoever asks', () => {
  const harness = new Harness({ writeMultiple: true });
  const asks = { ...qemuCapabilities, twin_socket: { supported: true } };
  const capabilities = harness.connect(false).version(asks);
  assert.equal('twin_socket' in capabilities || 'migration' in capabilities, false);
});

const badHellos: [claim: string, major: number, text: string][] = [
  ['another major version', 1, ''],
  ['a text without its NUL', 0, '{}'],
  ['a text that is no JSON', 0, '{\0'],
  ['a text that is no object', 0, '[]\0'],
  ['capabilities that are no object', 0, '{"capabilities":3}\0'],
  ['a negative max_msg_fds', 0, '{"capabilities":{"max_msg_fds":-1}}\0'],
  ['a max_msg_fds that is a text', 0, '{"capabilities":{"max_msg_fds":"8"}}\0'],
  ['a max_data_xfer_size of zero', 0, '{"capabilities":{"max_data_xfer_size":0}}\0'],
  ['a fractional max_data_xfer_size', 0, '{"capabilities":{"max_data_xfer_size":0.5}}\0'],
];
for (const [claim, major, text] of badHellos)
  test(`a handshake with ${claim} is refused with EINVAL and ends the connection`, () => {
    const harness = new Harness();
    const client = harness.connect(false);
    assert.equal(hello(client, major, 1, text).errno, 22);
    assert.equal(harness.connected, false);
    assert.equal(harness.refused('version'), 1);
  });

test('whoever does not begin with a handshake is refused and disconnected', () => {
  const harness = new Harness();
  const client = harness.connect(false);
  assert.equal(client.words(4, [16, 0, 0, 0]).errno, 22);
  assert.equal(harness.connected, false);
});

test('after any end of a connection the next client finds a fresh function', () => {
  const harness = new Harness();
  for (let i = 0; i < 3; i++) {
    const client = harness.connect();
    assert.equal(client.read(0, 0, 4), 0);
    client.write(0, 0, 4, 5);
    client.write(7, 4, 2, 6);
    client.share(0, 0x1000);
    if (i === 0) client.close();
    else client.sendRaw(new Uint8Array(16));
    harness.turn();
    assert.equal(harness.connected, false);
    assert.equal(harness.fn.config.command, 0);
    assert.equal(harness.endpoint.memory.locate(0, 1), null);
  }
});
