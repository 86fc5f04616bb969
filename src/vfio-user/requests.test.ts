// What a client may ask for and what it is told: the shapes that QEMU and libvfio-user agree on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventFd, drainEventFd } from '../sys/eventfd.ts';
import { closeFd } from '../sys/fd.ts';
import { mapFile } from '../sys/memory.ts';
import { socketPair } from '../sys/socket.ts';
import * as p from './protocol.ts';
import type { Reply, TestClient } from './testing-client.ts';
import { payloadOf } from './testing-client.ts';
import { mappedArea } from './testing-function.ts';
import { Harness } from './testing-harness.ts';

const wordsOf = (reply: Reply): number[] =>
  Array.from({ length: reply.payload.byteLength >>> 2 }, (_, i) =>
    reply.payload.getUint32(4 * i, true),
  );
const msix = p.VFIO_PCI_MSIX_IRQ_INDEX;
const triggerFd = p.VFIO_IRQ_SET_DATA_EVENTFD | p.VFIO_IRQ_SET_ACTION_TRIGGER;
const triggerNone = p.VFIO_IRQ_SET_DATA_NONE | p.VFIO_IRQ_SET_ACTION_TRIGGER;
const triggerBool = p.VFIO_IRQ_SET_DATA_BOOL | p.VFIO_IRQ_SET_ACTION_TRIGGER;

test('the device is a PCI device that can be reset, with nine regions and five interrupts', () => {
  const client = new Harness().connect();
  const reply = client.words(p.VFIO_USER_DEVICE_GET_INFO, [16, 0, 0, 0]);
  assert.deepEqual(wordsOf(reply), [16, 3, 9, 5]);
});

test('regions have the sizes of the BARs and of config space, the others none', () => {
  const client = new Harness({ mappedBar: true }).connect();
  const sizes = Array.from({ length: 9 }, (_, i) => wordsOf(client.regionInfo(i))[4]);
  assert.deepEqual(sizes, [0x4000, 0x1000, 0x4000, 0, 0, 0, 0, 256, 0]);
  assert.deepEqual(wordsOf(client.regionInfo(7)), [32, 3, 7, 0, 256, 0, 0, 0]);
  assert.deepEqual(wordsOf(client.regionInfo(6)), [32, 0, 6, 0, 0, 0, 0, 0]);
});

test('a region with mappable pages tells their places and passes one descriptor', () => {
  const harness = new Harness({ mappedBar: true });
  const reply = harness.connect().regionInfo(2);
  const { offset, sizeBytes } = mappedArea;
  const info = [64, 15, 2, 32, 0x4000, 0, 0, 0];
  assert.deepEqual(wordsOf(reply), [...info, 0x1_0001, 0, 1, 0, offset, 0, sizeBytes, 0]);
  assert.equal(reply.fds.length, 1);
  const [fd] = reply.fds as [number];
  const [page] = mapFile({ fd, offset: 0x1000, sizeBytes: 4096, writable: true }).pieces;
  if (page !== undefined) page.bytes[8] = 0x5a;
  assert.equal(harness.fn.shared?.bytes[0x1008], 0x5a);
  closeFd(fd);
});

test('a client whose buffer is too small learns the size and gets no descriptor', () => {
  const client = new Harness({ mappedBar: true }).connect();
  const reply = client.regionInfo(2, 32);
  assert.deepEqual(wordsOf(reply), [64, 7, 2, 0, 0x4000, 0, 0, 0]);
  assert.equal(reply.fds.length, 0);
});

test('accesses inside a mappable page are memory, outside of it they are traps', () => {
  const harness = new Harness({ mappedBar: true });
  const client = harness.connect();
  client.write(2, 0x1ffc, 4, 0x1122_3344);
  client.write(2, 0x2000, 4, 0x55);
  assert.equal(client.read(2, 0x1ffc, 4), 0x1122_3344);
  assert.equal(harness.fn.shared?.bytes[0x1ffc], 0x44);
  assert.deepEqual(harness.fn.log, ['write 2 0x2000 4 0x55']);
});

test('BAR accesses reach the function in naturally aligned pieces of up to four bytes', () => {
  const harness = new Harness();
  const client = harness.connect();
  const cases: [number, number, string[]][] = [
    [0, 4, ['0x0 4 0x44332211']],
    [0, 6, ['0x0 4 0x44332211', '0x4 2 0x6655']],
    [1, 4, ['0x1 1 0x11', '0x2 2 0x3322', '0x4 1 0x44']],
    [2, 6, ['0x2 2 0x2211', '0x4 4 0x66554433']],
    [3, 1, ['0x3 1 0x11']],
    [6, 2, ['0x6 2 0x2211']],
  ];
  for (const [offset, size, want] of cases) {
    harness.fn.log.length = 0;
    assert.equal(client.write(0, offset, size, 0x6655_4433_2211 % 256 ** size), 0);
    assert.deepEqual(
      harness.fn.log,
      want.map((piece) => `write 0 ${piece}`),
    );
    assert.equal(client.read(0, offset, size), 0x6655_4433_2211 % 256 ** size);
  }
});

test('long accesses keep every byte in its place, whatever the alignment', () => {
  const harness = new Harness();
  const client = harness.connect();
  const data = Uint8Array.from({ length: 45 }, (_, i) => i + 1);
  for (const offset of [0, 1, 2, 3, 5]) {
    const words = [offset, 0, 0, data.length];
    client.words(p.VFIO_USER_REGION_WRITE, words, { bytes: data });
    assert.deepEqual([...harness.fn.registers.subarray(offset, offset + 45)], [...data]);
    const reply = client.words(p.VFIO_USER_REGION_READ, words);
    assert.deepEqual([...new Uint8Array(reply.payload.buffer, 16)], [...data]);
  }
});

test('a write is answered without its data, a read with them, both with their place', () => {
  const client = new Harness().connect();
  const write = client.words(p.VFIO_USER_REGION_WRITE, [8, 0, 0, 4], { bytes: new Uint8Array(4) });
  assert.deepEqual(wordsOf(write), [8, 0, 0, 4]);
  const read = client.words(p.VFIO_USER_REGION_READ, [8, 0, 0, 4]);
  assert.deepEqual(wordsOf(read), [8, 0, 0, 4, 0]);
});

test('a posted write takes effect and is not answered, not even when it is refused', () => {
  const harness = new Harness();
  const client = harness.connect();
  client.post(0, 0x20, 4, 7);
  client.post(0, 0x9999, 4, 7);
  assert.equal(client.read(0, 0x20, 4), 7);
  assert.equal(harness.near.queuedBytes, 0);
  assert.equal(harness.refused('request'), 1);
});

test('many writes in one message happen in order, up to the first that is refused', () => {
  const harness = new Harness();
  const client = harness.connect();
  const one = (offset: number, value: number, count = 4) => [offset, 0, 0, count, value, 0];
  const multi = (...writes: number[][]) =>
    client.words(p.VFIO_USER_REGION_WRITE_MULTI, [writes.length, 0, ...writes.flat()]);
  assert.deepEqual(wordsOf(multi(one(0, 1), one(4, 2), one(0, 3))), [3, 0]);
  assert.deepEqual(harness.fn.log, ['write 0 0x0 4 0x1', 'write 0 0x4 4 0x2', 'write 0 0x0 4 0x3']);
  assert.deepEqual(wordsOf(multi(one(0, 1), one(0x9000, 2), one(0, 3))), [1, 0]);
  assert.equal(multi(one(0, 1, 9)).errno, 22);
});

test('config space is reached at any size and offset', () => {
  const harness = new Harness();
  const client = harness.connect();
  assert.equal(client.read(7, 0, 2), 0x1d0f);
  assert.equal(client.read(7, 1, 2), 0x201d);
  const all = client.words(p.VFIO_USER_REGION_READ, [0, 0, 7, 256]);
  assert.equal(all.payload.getUint32(16, true), 0xec20_1d0f);
  assert.equal(client.write(7, 4, 2, 6), 0);
  assert.equal(harness.fn.config.busMaster, true);
  assert.equal(client.write(7, 0xfe, 4, 0), 22);
});

test('a function level reset by way of config space resets the function', () => {
  const harness = new Harness();
  const client = harness.connect();
  const devctl = harness.fn.config.capabilityAt(0x10) + 8;
  client.write(7, devctl, 2, 0x8000);
  assert.deepEqual(harness.fn.log, ['reset function']);
});

test('no region has descriptors for its input and output', () => {
  const client = new Harness().connect();
  const ask = (...words: number[]) => client.words(p.VFIO_USER_DEVICE_GET_REGION_IO_FDS, words);
  assert.deepEqual(wordsOf(ask(4096, 0, 0, 0)), [16, 0, 0, 0]);
  assert.equal(ask(4096, 0, 3, 0).errno, 22);
  assert.equal(ask(8, 0, 0, 0).errno, 22);
});

test('interrupts are one eventfd per vector, and only MSI-X has more than one', () => {
  const client = new Harness().connect();
  const counts = [0, 1, 2, 3, 4].map((index) =>
    wordsOf(client.words(p.VFIO_USER_DEVICE_GET_IRQ_INFO, [16, 0, index, 0])),
  );
  assert.deepEqual(
    counts.map(([, , , count]) => count),
    [0, 0, 8, 1, 1],
  );
  assert.deepEqual(counts[2], [16, p.VFIO_IRQ_INFO_EVENTFD, 2, 8]);
});

/** A harness with eventfds for vectors 2 and 3. */
function withVectors(): [Harness, TestClient, number, number] {
  const harness = new Harness();
  const client = harness.connect();
  const [two, three] = client.enableVectors(2, 2) as [number, number];
  return [harness, client, two, three];
}

test('eventfds can be replaced, and taken away by sending none', () => {
  const [{ endpoint }, client, two, three] = withVectors();
  const other = createEventFd();
  client.setIrqs(triggerFd, msix, 2, 1, { fds: [other] });
  client.setIrqs(triggerFd, msix, 3, 1);
  for (const vector of [2, 3]) endpoint.interrupts.raise(vector);
  assert.deepEqual([two, three, other].map(drainEventFd), [0, 0, 1]);
  closeFd(other);
});

test('a count of zero without data disables the whole kind', () => {
  const [{ endpoint }, client, two] = withVectors();
  assert.equal(client.setIrqs(triggerNone, msix, 0, 0).errno, 0);
  endpoint.interrupts.raise(2);
  assert.equal(drainEventFd(two), 0);
});

test('the client can trigger interrupts itself, all or some of a range', () => {
  const [, client, two, three] = withVectors();
  client.setIrqs(triggerNone, msix, 2, 2);
  client.setIrqs(triggerBool, msix, 2, 2, { bytes: new Uint8Array([0, 1]) });
  assert.deepEqual([two, three].map(drainEventFd), [1, 2]);
});

test('a masked vector is remembered and raised once when it is unmasked', () => {
  const [{ endpoint }, client, two] = withVectors();
  client.setIrqs(p.VFIO_IRQ_SET_DATA_NONE | p.VFIO_IRQ_SET_ACTION_MASK, msix, 2, 1);
  endpoint.interrupts.raise(2);
  endpoint.interrupts.raise(2);
  assert.equal(drainEventFd(two), 0);
  const bytes = new Uint8Array([1]);
  const unmask = p.VFIO_IRQ_SET_DATA_BOOL | p.VFIO_IRQ_SET_ACTION_UNMASK;
  client.setIrqs(unmask, msix, 2, 1, { bytes });
  assert.equal(drainEventFd(two), 1);
  endpoint.interrupts.raise(2);
  assert.equal(drainEventFd(two), 1);
});

test('eventfds for masking tell when the client masks and unmasks', () => {
  const [, client] = withVectors();
  const [masked, unmasked] = [createEventFd(), createEventFd()];
  const eventfd = p.VFIO_IRQ_SET_DATA_EVENTFD;
  client.setIrqs(eventfd | p.VFIO_IRQ_SET_ACTION_MASK, msix, 2, 1, { fds: [masked] });
  client.setIrqs(eventfd | p.VFIO_IRQ_SET_ACTION_UNMASK, msix, 2, 1, { fds: [unmasked] });
  client.setIrqs(p.VFIO_IRQ_SET_DATA_NONE | p.VFIO_IRQ_SET_ACTION_MASK, msix, 0, 8);
  assert.deepEqual([masked, unmasked].map(drainEventFd), [1, 0]);
  client.setIrqs(p.VFIO_IRQ_SET_DATA_NONE | p.VFIO_IRQ_SET_ACTION_UNMASK, msix, 0, 8);
  assert.deepEqual([masked, unmasked].map(drainEventFd), [0, 1]);
  for (const fd of [masked, unmasked]) closeFd(fd);
});

test('the server can ask a client that listens to let go of the device', () => {
  const harness = new Harness();
  const client = harness.connect();
  assert.equal(harness.endpoint.requestRelease(), false);
  const fd = createEventFd();
  client.setIrqs(triggerFd, p.VFIO_PCI_REQ_IRQ_INDEX, 0, 1, { fds: [fd] });
  assert.equal(harness.endpoint.requestRelease(), true);
  assert.equal(drainEventFd(fd), 1);
  closeFd(fd);
});

test('sealed memory can be demanded', () => {
  const harness = new Harness({ requireSealedMemory: true });
  const client = harness.connect();
  client.share(0, 0x1000);
  const [a, b] = socketPair();
  assert.equal(client.map(0x10000, 0x1000, { fds: [a.fd] }).errno, 1);
  a.close();
  b.close();
});

test('what is no request of this protocol is refused, and so are features that nobody has', () => {
  const client = new Harness().connect();
  for (const cmd of [0, 11, 12, 14, 16, 17, 18, 19, 0xffff])
    assert.equal(client.call(cmd, payloadOf([64, 0, 0, 0])).errno, 22, `command ${cmd}`);
  assert.equal(client.read(7, 0, 2), 0x1d0f);
});
