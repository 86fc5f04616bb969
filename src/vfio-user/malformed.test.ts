// The specification's negative space: every request that must be refused, with its errno, and the
// proof that it changed nothing and cost no descriptor.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { createEventFd } from '../sys/eventfd.ts';
import { closeFd } from '../sys/fd.ts';
import { createSharedMemory } from '../sys/memory.ts';
import { socketPair } from '../sys/socket.ts';
import * as p from './protocol.ts';
import { payloadOf, type Reply, type TestClient } from './testing-client.ts';
import { Harness } from './testing-harness.ts';

const [EINVAL, ENOENT, EEXIST, ENOSPC, ENOTSUP] = [22, 2, 17, 28, 95];
const openFds = () => readdirSync('/proc/self/fd').length;
const eventfd = createEventFd();
const guest = createSharedMemory('guest', 0x10000);
const [socket] = socketPair();

const msix = p.VFIO_PCI_MSIX_IRQ_INDEX;
const trigger = p.VFIO_IRQ_SET_ACTION_TRIGGER;
const mask = p.VFIO_IRQ_SET_ACTION_MASK;
const none = p.VFIO_IRQ_SET_DATA_NONE;
const bool = p.VFIO_IRQ_SET_DATA_BOOL;
const fdData = p.VFIO_IRQ_SET_DATA_EVENTFD;
const fds = (...list: number[]) => ({ fds: list });
const irqs =
  (...args: Parameters<TestClient['setIrqs']>) =>
  (c: TestClient) =>
    c.setIrqs(...args);
const words =
  (cmd: number, list: number[], options = {}) =>
  (c: TestClient) =>
    c.words(cmd, list, options);
const map =
  (...args: Parameters<TestClient['map']>) =>
  (c: TestClient) =>
    c.map(...args);
const regionWrite = (offset: number, region: number, count: number, bytes: number) =>
  words(p.VFIO_USER_REGION_WRITE, [offset, 0, region, count], { bytes: new Uint8Array(bytes) });

type Case = readonly [claim: string, errno: number, send: (client: TestClient) => Reply];
const cases: Case[] = [
  ['set_irqs shorter than its header', EINVAL, words(8, [20, 33, 2, 0])],
  ['set_irqs with argsz below its header', EINVAL, words(8, [19, 33, 2, 0, 1])],
  ['set_irqs with two kinds of data', EINVAL, irqs(trigger | none | bool, msix, 0, 1)],
  ['set_irqs without any data kind', EINVAL, irqs(trigger, msix, 0, 1)],
  ['set_irqs with two actions', EINVAL, irqs(trigger | mask | none, msix, 0, 1)],
  ['set_irqs without an action', EINVAL, irqs(none, msix, 0, 1)],
  ['set_irqs with unknown flags', EINVAL, irqs(trigger | none | 64, msix, 0, 1)],
  ['set_irqs of an unknown kind', EINVAL, irqs(trigger | none, 5, 0, 1)],
  ['set_irqs of a kind without interrupts', EINVAL, irqs(trigger | none, 0, 0, 0)],
  ['set_irqs with a start past the end', EINVAL, irqs(trigger | none, msix, 8, 1)],
  ['set_irqs with a range past the end', EINVAL, irqs(trigger | none, msix, 7, 2)],
  ['set_irqs with a range that wraps', EINVAL, irqs(trigger | none, msix, 7, 0xffff_ffff)],
  ['set_irqs with a start for count 0', EINVAL, irqs(trigger | none, msix, 1, 0)],
  ['set_irqs with count 0 and booleans', EINVAL, irqs(trigger | bool, msix, 0, 0)],
  ['set_irqs with count 0 and eventfds', EINVAL, irqs(trigger | fdData, msix, 0, 0)],
  ['set_irqs with count 0 to mask', EINVAL, irqs(mask | none, msix, 0, 0)],
  ['set_irqs that masks the error interrupt', EINVAL, irqs(mask | none, 3, 0, 1)],
  ['set_irqs that masks the release interrupt', EINVAL, irqs(mask | none, 4, 0, 1)],
  ['set_irqs with two release interrupts', EINVAL, irqs(trigger | none, 4, 0, 2)],
  [
    'set_irqs with too few booleans',
    EINVAL,
    irqs(trigger | bool, msix, 0, 3, { bytes: new Uint8Array(2) }),
  ],
  [
    'set_irqs with too many booleans',
    EINVAL,
    irqs(trigger | bool, msix, 0, 1, { bytes: new Uint8Array(2) }),
  ],
  ['set_irqs with eventfds for no data', EINVAL, irqs(trigger | none, msix, 0, 1, fds(eventfd))],
  ['set_irqs with too few eventfds', EINVAL, irqs(trigger | fdData, msix, 0, 2, fds(eventfd))],
  [
    'set_irqs with too many eventfds',
    EINVAL,
    irqs(trigger | fdData, msix, 0, 1, fds(eventfd, eventfd)),
  ],
  [
    'set_irqs with something that is no eventfd',
    EINVAL,
    irqs(trigger | fdData, msix, 0, 2, fds(eventfd, guest.fd)),
  ],
  [
    'more descriptors than were negotiated',
    EINVAL,
    irqs(trigger | fdData, msix, 0, 8, { fds: new Array(17).fill(eventfd) }),
  ],
  ['get_irq_info that is too short', EINVAL, words(7, [16, 0, 2])],
  ['get_irq_info with a small argsz', EINVAL, words(7, [15, 0, 2, 0])],
  ['get_irq_info of an unknown kind', EINVAL, words(7, [16, 0, 5, 0])],
  ['get_info that is too short', EINVAL, words(4, [16, 0, 0])],
  ['get_info with a small argsz', EINVAL, words(4, [15, 0, 0, 0])],
  ['get_region_info that is too short', EINVAL, words(5, [32, 0, 0])],
  ['get_region_info with a small argsz', EINVAL, words(5, [31, 0, 0, 0, 0, 0, 0, 0])],
  ['get_region_info of an unknown region', EINVAL, words(5, [32, 0, 9, 0, 0, 0, 0, 0])],
  ['get_region_info of a huge index', EINVAL, words(5, [32, 0, 0xffff_ffff, 0, 0, 0, 0, 0])],
  ['get_region_io_fds with flags', EINVAL, words(6, [64, 1, 0, 0])],
  ['get_region_io_fds with a count', EINVAL, words(6, [64, 0, 0, 1])],
  ['get_region_io_fds that is too short', EINVAL, words(6, [64, 0, 0])],
  ['a region read that is too short', EINVAL, words(9, [0, 0, 0])],
  ['a region read past the end', EINVAL, words(9, [0x3ffd, 0, 0, 4])],
  ['a region read far past the end', EINVAL, words(9, [0, 1, 0, 4])],
  ['a region read at an address that wraps', EINVAL, words(9, [0xffff_fffe, 0xffff_ffff, 0, 4])],
  ['a region read of too much', EINVAL, words(9, [0, 0, 0, 0x10001])],
  ['a region read where there is no region', EINVAL, words(9, [0, 0, 3, 1])],
  ['a region read of an unknown region', EINVAL, words(9, [0, 0, 9, 1])],
  ['a region write with too few data', EINVAL, regionWrite(0, 0, 8, 4)],
  ['a region write with too many data', EINVAL, regionWrite(0, 0, 4, 8)],
  ['a region write past the end', EINVAL, regionWrite(0x3fff, 0, 2, 2)],
  ['a region write of an unknown region', EINVAL, regionWrite(0, 77, 4, 4)],
  ['a config write past the end', EINVAL, regionWrite(254, 7, 4, 4)],
  ['many writes that are too short', EINVAL, words(15, [0])],
  ['many writes with a wrong count', EINVAL, words(15, [2, 0, 0, 0, 0, 4, 1, 0])],
  ['many writes with a huge count', EINVAL, words(15, [0, 1, 0, 0, 0, 4, 1, 0])],
  ['dma_map that is too short', EINVAL, words(2, [32, 3, 0, 0, 0, 0, 0x1000])],
  ['dma_map with a small argsz', EINVAL, words(2, [31, 3, 0, 0, 0, 0, 0x1000, 0])],
  ['dma_map without permissions', EINVAL, map(0x90000, 0x1000, { flags: 0 })],
  ['dma_map with unknown flags', EINVAL, map(0x90000, 0x1000, { flags: 0x13 })],
  ['dma_map of nothing', EINVAL, map(0x90000, 0)],
  ['dma_map of half a page', EINVAL, map(0x90000, 0x800)],
  ['dma_map at half a page', EINVAL, map(0x90800, 0x1000)],
  ['dma_map of addresses beyond 2^52', EINVAL, map(2 ** 52 - 0x1000, 0x2000)],
  ['dma_map that wraps', EINVAL, words(2, [32, 3, 0, 0, 0xffff_f000, 0xffff_ffff, 0x2000, 0])],
  ['dma_map that asks for a file without one', EINVAL, map(0x90000, 0x1000, { flags: 7 })],
  [
    'dma_map that asks for file input and output',
    ENOTSUP,
    map(0x90000, 0x1000, { flags: 11, ...fds(guest.fd) }),
  ],
  ['dma_map with two files', EINVAL, map(0x90000, 0x1000, fds(guest.fd, guest.fd))],
  ['dma_map of more than its file', EINVAL, map(0x90000, 0x11000, fds(guest.fd))],
  [
    'dma_map past the end of its file',
    EINVAL,
    map(0x90000, 0x1000, { offset: 0x10000, ...fds(guest.fd) }),
  ],
  [
    'dma_map of a file at a huge offset',
    EINVAL,
    map(0x90000, 0x1000, { offset: 2 ** 63, ...fds(guest.fd) }),
  ],
  ['dma_map of what cannot be mapped', EINVAL, map(0x90000, 0x1000, fds(socket.fd))],
  ['dma_map of too much memory', ENOSPC, map(0x90000, 2 ** 42)],
  ['dma_map over the same range', EEXIST, map(0x10000, 0x10000)],
  ['dma_map over the start of a range', EEXIST, map(0xf000, 0x2000)],
  ['dma_map over the end of a range', EEXIST, map(0x1f000, 0x2000)],
  ['dma_map inside a range', EEXIST, map(0x11000, 0x1000)],
  ['dma_map around a range', EEXIST, map(0x1000, 0x40000)],
  ['dma_unmap that is too short', EINVAL, words(3, [24, 0, 0x10000, 0, 0x10000])],
  ['dma_unmap with a small argsz', EINVAL, words(3, [23, 0, 0x10000, 0, 0x10000, 0])],
  ['dma_unmap of part of a range', ENOENT, (c) => c.unmap(0x10000, 0x1000)],
  ['dma_unmap of more than a range', ENOENT, (c) => c.unmap(0x10000, 0x20000)],
  ['dma_unmap of what was never mapped', ENOENT, (c) => c.unmap(0x50000, 0x1000)],
  ['dma_unmap of all with an address', EINVAL, (c) => c.unmap(0x10000, 0, 2)],
  ['dma_unmap that wants dirty pages', EINVAL, (c) => c.unmap(0x10000, 0x10000, 1)],
  ['dma_unmap with unknown flags', EINVAL, (c) => c.unmap(0x10000, 0x10000, 4)],
  ['a second handshake', EINVAL, words(1, [0x1_0000])],
  ['a device feature', EINVAL, words(16, [16, 0x1_0001, 0, 0])],
];

for (const [claim, errno, send] of cases)
  test(`${claim} is refused`, () => {
    const harness = new Harness();
    const client = harness.connect();
    const memory = client.share(0x10000, 0x10000);
    const [vector] = client.enableVectors(1, 1) as [number];
    harness.fn.log.length = 0;
    const before = openFds();
    const reply = send(client);
    assert.equal(reply.errno, errno);
    assert.equal(reply.payload.byteLength, 0, 'an error has no payload');
    assert.equal(openFds(), before);
    assert.deepEqual(harness.fn.log, []);
    assert.equal(harness.refused('request'), 1);
    // All is as it was.
    harness.endpoint.interrupts.raise(1);
    assert.equal(client.interrupts(vector), 1);
    assert.equal(harness.endpoint.memory.write(0x1fff0, new Uint8Array([9]), 0, 1), true);
    assert.equal(memory.bytes[0xfff0], 9);
    assert.equal(client.read(7, 0, 2), 0x1d0f);
    client.close();
    harness.turn();
    assert.equal(harness.connected, false);
  });

test('the count of mapped ranges has a limit', () => {
  const client = new Harness().connect();
  let errno = 0;
  let count = 0;
  for (; errno === 0; count++) errno = client.map(count * 0x1000, 0x1000).errno;
  assert.equal(errno, ENOSPC);
  assert.equal(count - 1, 1024);
});

test('descriptors that no request asks for are closed', () => {
  const harness = new Harness();
  const client = harness.connect();
  const before = openFds();
  assert.equal(client.words(4, [16, 0, 0, 0], fds(eventfd, guest.fd)).errno, 0);
  client.send(p.VFIO_USER_DEVICE_RESET, payloadOf([]), { fds: [eventfd], noReply: true });
  harness.turn();
  assert.equal(openFds(), before);
});

test('the descriptors of a request that was only half sent are closed with the connection', () => {
  const before = openFds();
  const harness = new Harness();
  const client = harness.connect();
  client.sendRaw(new Uint8Array(8), [eventfd, eventfd]);
  harness.turn();
  assert.equal(openFds(), before + 2);
  client.close();
  harness.turn();
  assert.equal(openFds(), before);
});

test('clean up', () => {
  for (const fd of [eventfd, guest.fd]) closeFd(fd);
});
