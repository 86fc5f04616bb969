import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { datagram, readDatagram, ServicesLab, testModel } from '../../vpc/services/testing-vpc.ts';
import { NameServer } from './name-server.ts';

const query = Uint8Array.of(0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 1, 0, 1);
const asked = (server: NameServer, isStream: boolean): Promise<Uint8Array | null> =>
  new Promise((resolve) => server.ask(query, resolve, isStream));

test('a query by UDP has another number on the way, and its own again in the answer', async (t) => {
  const numbers: number[] = [];
  const peer = createSocket('udp4', (message, from) => {
    numbers.push(message.readUInt16BE(0));
    message[2] = 0x81;
    // A stranger's answer, and one to a question that nobody asked, come first.
    const stranger = createSocket('udp4');
    stranger.send(message, from.port, from.address, () => stranger.close());
    const other = Buffer.from(message);
    other.writeUInt16BE(numbers[0] === 7 ? 8 : 7, 0);
    peer.send(other, from.port, from.address);
    peer.send(message, from.port, from.address);
  });
  t.after(() => peer.close());
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  const server = new NameServer('127.0.0.1', peer.address().port);
  t.after(() => server.close());
  const answers = await Promise.all([
    asked(server, false),
    asked(server, false),
    asked(server, false),
  ]);
  for (const answer of answers) assert.deepEqual(answer, query.with(2, 0x81));
  assert.equal(new Set(numbers).size, 3);
});

test('a query by TCP is asked by TCP, and its answer may come in parts and be long', async (t) => {
  const answer = Buffer.concat([query.with(2, 0x81), Buffer.alloc(40_000, 9)]);
  const peer = createServer((socket) => {
    socket.once('data', (bytes) => {
      assert.deepEqual([...bytes], [0, query.length, ...query]);
      socket.write(Uint8Array.of(answer.length >>> 8));
      socket.write(Buffer.concat([Uint8Array.of(answer.length & 255), answer]));
    });
  });
  peer.listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const { port } = peer.address() as { port: number };
  const server = new NameServer('127.0.0.1', port);
  t.after(() => {
    server.close();
    peer.close();
  });
  assert.deepEqual(await asked(server, true), Uint8Array.from(answer));
  peer.close();
  assert.equal(await asked(server, true), null, 'nobody is there any more');
});

test("a VPC's resolver hands on what the name server says", async (t) => {
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
  const peer = createSocket('udp4', (message, from) => {
    const answer = Buffer.concat([message, Uint8Array.from(record)]);
    answer.set([0x81, 0x80, 0, 1, 0, 1], 2);
    peer.send(answer, from.port, from.address);
  });
  t.after(() => peer.close());
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  const server = new NameServer('127.0.0.1', peer.address().port);
  t.after(() => server.close());
  const lab = new ServicesLab(testModel(), server);
  const { received } = lab.hosts.a;
  lab.ask('a', datagram({ to: '10.0.0.2', port: 53, payload: [...query] }));
  for (let i = 0; i < 500 && received.length === 0; i++) await setTimeout(10);
  const { from, payload } = readDatagram(received[0] ?? 0);
  assert.equal(from, '10.0.0.2');
  assert.deepEqual([...payload.subarray(0, 8)], [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1]);
  assert.deepEqual([...payload.subarray(-16)], record);
});

test('what is no address is refused in a sentence', () => {
  assert.throws(() => new NameServer('dns.example'), /is not the address of a name server/);
});
