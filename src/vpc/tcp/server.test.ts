import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerMs, nsPerSecond, VirtualClock } from '../../lib/clock.ts';
import { Prng } from '../../lib/prng.ts';
import { seeded, seededTimes } from '../../lib/testing-seed.ts';
import { R } from '../../net/reasons.ts';
import { Switch } from '../../switch/switch.ts';
import { TestEndpoint } from '../../switch/testing-endpoint.ts';
import { limits } from './limits.ts';
import { TcpServer, type TcpService } from './server.ts';
import {
  bit,
  type Ends,
  readTcp,
  type Said,
  TestClient,
  TestLink,
  tcpFrame,
} from './testing-link.ts';

/** Answers a request, which says its own length first, with `times` copies of it. */
const repeater = (times: number): TcpService => ({
  port: 80,
  received(connection) {
    const { input, inputLength } = connection;
    if (inputLength < 2) return;
    const length = ((input[0] as number) << 8) | (input[1] as number);
    if (inputLength < 2 + length) return;
    const body = input.slice(2, 2 + length);
    connection.answer(
      Uint8Array.from({ length: length * times }, (_, i) => body[i % length] as number),
    );
  },
});

function lab(times = 1, seed = 7) {
  const clock = new VirtualClock();
  const fabric = new Switch({ clock });
  const server = new TcpServer(clock, new Prng(seed), fabric, repeater(times));
  fabric.addResponder({ respond: (request, _, from) => server.take(from, request) });
  const a = new TestEndpoint(fabric.addPort({ name: 'a', mac: 0x02_00_00_00_00_0a }));
  return { clock, fabric, server, a };
}

const ends = (port = 40_000): Ends => ({
  version: 4,
  mac: [2, 0, 0, 0, 0, 0x0a],
  toMac: [0x0a, 0, 0, 0, 0, 1],
  address: [10, 0, 0, 10],
  to: [169, 254, 169, 254],
  port,
  toPort: 80,
});

const ends6 = (port = 40_000): Ends => ({
  ...ends(port),
  version: 6,
  address: [0xfd, 0, ...Array(13).fill(1), 10],
  to: [0xfd, 0, 0x0e, 0xc2, ...Array(10).fill(0), 2, 0x54],
});

const framed = (text: string): Uint8Array => {
  const bytes = Buffer.from(text);
  return Uint8Array.from([bytes.length >>> 8, bytes.length & 255, ...bytes]);
};

/** Says something by hand, and returns what came back for it. */
function talk(to: ReturnType<typeof lab>, said: Partial<Said>, by = ends()): Said[] {
  const before = to.a.received.length;
  to.a.send(tcpFrame(by, said));
  return to.a.received.slice(before).map(readTcp);
}

/** A connection by hand: the sequence number to go on with, and what to acknowledge. */
function call(to: ReturnType<typeof lab>, by = ends(), sequence = 100) {
  const [synAck] = talk(to, { sequence, flags: bit.syn, options: [2, 4, 5, 180] }, by);
  assert.ok(synAck);
  const acknowledgement = (synAck.sequence + 1) >>> 0;
  talk(to, { sequence: sequence + 1, acknowledgement }, by);
  return { sequence: sequence + 1, acknowledgement, synAck };
}

test('a handshake names the MSS of a jumbo interface, the data is answered and both sides close', () => {
  const it = lab();
  const { sequence, acknowledgement, synAck } = call(it);
  assert.deepEqual([synAck.flags, synAck.options], [bit.syn | bit.ack, [2, 4, 0x23, 0x01]]);
  assert.deepEqual([synAck.acknowledgement, synAck.window], [101, limits.inputBytes]);
  const [answer] = talk(it, { sequence, acknowledgement, payload: framed('hello') });
  assert.equal(Buffer.from(answer?.payload ?? []).toString(), 'hello');
  assert.deepEqual([answer?.flags, answer?.acknowledgement], [bit.ack | bit.psh | bit.fin, 108]);
  const rest = { sequence: sequence + 7, acknowledgement: acknowledgement + 6 };
  const [ack] = talk(it, { ...rest, flags: bit.ack | bit.fin });
  assert.deepEqual([ack?.flags, ack?.acknowledgement], [bit.ack, 109]);
  assert.equal(it.server.count, 1, 'TIME-WAIT');
  it.clock.advance(61 * nsPerSecond);
  assert.equal(it.server.count, 0);
});

const badLink = 'in order and whole through a link that loses, repeats and reorders';
seededTimes(25, badLink, (random, seed) => {
  const times = 1 + random.below(16);
  const it = lab(times, seed);
  const faults = {
    loss: random.below(21),
    repeat: random.below(20),
    delayMs: 1 + random.below(60),
  };
  const link = new TestLink(it.clock, random, faults, it.a);
  const all = Array.from({ length: 1 + random.below(4) }, (_, i) => {
    const request = framed('x'.repeat(random.below(3000)) + seed + i);
    for (let at = 2; at < request.length; at++) request[at] = random.next();
    const mss = random.pick([300, 536, 1460, 8961]);
    const options = {
      half: random.oneIn(2),
      mss,
      // The server keeps nothing that came early, so thousands of single bytes, reordered, would
      // take longer than a connection may.
      piece: Math.max(request.length >>> 5, 1 + random.below(3000)),
      iss: random.next(),
    };
    const by = random.oneIn(2) ? ends(50_000 + i) : ends6(50_000 + i);
    return { request, client: new TestClient(it.clock, link, by, request, options) };
  });
  for (let s = 0; s < 290 && all.some(({ client }) => !client.closed); s++)
    it.clock.advance(nsPerSecond);
  for (const { request, client } of all) {
    assert.equal(client.reset, false);
    const body = request.subarray(2);
    const right = client.answer.every((byte, i) => byte === body[i % body.length]);
    assert.ok(right, 'every byte is right');
    assert.equal(client.answer.length, body.length * times, 'nothing is missing');
  }
  it.clock.advance(400 * nsPerSecond);
  assert.equal(it.server.count, 0, 'nothing is left');
});

test('an answer is cut to the MSS of the peer, and waits for its window', () => {
  const it = lab(100);
  const { sequence, acknowledgement } = call(it);
  const sent = talk(it, {
    sequence,
    acknowledgement,
    window: 3000,
    payload: framed('0123456789'.repeat(10)),
  });
  assert.deepEqual(
    sent.map(({ payload }) => payload.length),
    [1460, 1460],
  );
  const next = talk(it, {
    sequence: sequence + 102,
    acknowledgement: acknowledgement + 2920,
    window: 0,
  });
  assert.deepEqual(next, [], 'the window is closed');
  it.clock.advance(2 * nsPerSecond);
  const probes = it.a.received
    .splice(0)
    .map(readTcp)
    .filter(({ payload }) => payload.length === 1);
  assert.ok(probes.length >= 1 && probes.length <= 4, `${probes.length} probes of a closed window`);
  const more = talk(it, {
    sequence: sequence + 102,
    acknowledgement: acknowledgement + 2920,
    window: 9000,
  });
  assert.ok(more.length > 0, 'it goes on when the window opens');
});

test('a peer that names a tiny MSS is not believed below 88 bytes', () => {
  const it = lab(1);
  const [synAck] = talk(it, { sequence: 1, flags: bit.syn, options: [2, 4, 0, 1] });
  const acknowledgement = ((synAck?.sequence ?? 0) + 1) >>> 0;
  const sent = talk(it, { sequence: 2, acknowledgement, payload: framed('y'.repeat(1000)) });
  assert.ok(sent.every(({ payload }) => payload.length >= 88 || payload.length === 1000 % 88));
});

test('what is lost is sent again, each time later, and given up at last', () => {
  const it = lab();
  const { sequence, acknowledgement } = call(it);
  talk(it, { sequence, acknowledgement, payload: framed('hello') });
  const times: number[] = [];
  let seen = it.a.received.length;
  for (let ms = 0; ms < 70_000; ms += 10) {
    it.clock.advance(10 * nsPerMs);
    for (; seen < it.a.received.length; seen++) times.push(ms);
  }
  const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
  assert.ok(
    gaps.slice(0, 4).every((gap, i) => i === 0 || gap >= 1.8 * (gaps[i - 1] as number)),
    `${gaps}`,
  );
  const last = readTcp(it.a.received[seen - 1] as Uint8Array);
  assert.equal(last.flags & bit.rst, bit.rst);
  assert.deepEqual([it.server.count, it.server.counts.timedOut], [0, 1]);
});

test('three duplicate ACKs send the missing segment at once', () => {
  const it = lab(60);
  const { sequence, acknowledgement } = call(it);
  const sent = talk(it, { sequence, acknowledgement, payload: framed('z'.repeat(200)) });
  assert.ok(sent.length > 4);
  const ack = { sequence: sequence + 202, acknowledgement };
  const again = [1, 2, 3].flatMap(() => talk(it, ack));
  assert.equal(again.length, 1);
  assert.deepEqual([again[0]?.sequence, again[0]?.payload.length], [acknowledgement, 1460]);
});

test('SYN-ACKs are sent four times, then the half-open connection is forgotten', () => {
  const it = lab();
  talk(it, { sequence: 1, flags: bit.syn });
  it.clock.advance(60 * nsPerSecond);
  assert.equal(it.a.received.length, 4);
  assert.deepEqual([it.server.count, it.server.counts.timedOut], [0, 1]);
});

test('a flood of SYNs keeps to its bound, and a caller still comes through', () => {
  const it = lab();
  for (let port = 1; port <= 5000; port++)
    it.a.send(tcpFrame(ends(port), { sequence: port, flags: bit.syn }));
  assert.equal(it.server.count, limits.perInterface);
  const { sequence, acknowledgement } = call(it, ends(60_000));
  const [answer] = talk(it, { sequence, acknowledgement, payload: framed('hi') }, ends(60_000));
  assert.equal(Buffer.from(answer?.payload ?? []).toString(), 'hi');
  it.clock.advance(100 * nsPerSecond);
  assert.equal(it.server.count, 0);
});

test('established connections are not pushed out; one interface does not take the room of another', () => {
  const it = lab();
  for (let i = 0; i < limits.perInterface; i++) call(it, ends(1000 + i), 5);
  assert.deepEqual(talk(it, { sequence: 1, flags: bit.syn }, ends(9)), []);
  assert.equal(it.server.counts.full, 1);
  const b = new TestEndpoint(it.fabric.addPort({ name: 'b', mac: 0x02_00_00_00_00_0b }));
  b.send(tcpFrame({ ...ends(), mac: [2, 0, 0, 0, 0, 0x0b] }, { flags: bit.syn }));
  assert.equal(b.received.length, 1);
  it.clock.advance(70 * nsPerSecond);
  assert.equal(it.server.count, 0, 'silent ones are reset after a minute');
});

test('what belongs to no connection is reset, exactly as RFC 9293 says; a reset never is', () => {
  const it = lab();
  const [toAck] = talk(it, { sequence: 5, acknowledgement: 77, flags: bit.ack });
  assert.deepEqual([toAck?.flags, toAck?.sequence], [bit.rst, 77]);
  const closed = { ...ends(), toPort: 81 };
  const [toSyn] = talk(it, { sequence: 5, flags: bit.syn }, closed);
  assert.deepEqual(
    [toSyn?.flags, toSyn?.sequence, toSyn?.acknowledgement],
    [bit.rst | bit.ack, 0, 6],
  );
  assert.deepEqual(talk(it, { sequence: 5, flags: bit.rst }), []);
  assert.equal(it.server.counts.refused, 2);
});

test('a reset counts only at exactly the next byte; elsewhere in the window it is challenged', () => {
  const it = lab();
  const { sequence, acknowledgement } = call(it);
  const [challenge] = talk(it, { sequence: sequence + 10, flags: bit.rst });
  assert.deepEqual([challenge?.flags, challenge?.acknowledgement], [bit.ack, sequence]);
  assert.deepEqual(talk(it, { sequence: sequence + 100_000, flags: bit.rst }), []);
  const [toSyn] = talk(it, { sequence: sequence + 3, flags: bit.syn });
  assert.deepEqual([toSyn?.flags, toSyn?.sequence], [bit.ack, acknowledgement]);
  assert.equal(it.server.count, 1);
  talk(it, { sequence, flags: bit.rst });
  assert.equal(it.server.count, 0);
});

test('acknowledging what was never sent, and data outside the window, change nothing', () => {
  const it = lab();
  const { sequence, acknowledgement } = call(it);
  const ahead = talk(it, {
    sequence,
    acknowledgement: acknowledgement + 5,
    payload: framed('bad'),
  });
  assert.deepEqual([ahead[0]?.flags, ahead[0]?.acknowledgement], [bit.ack, sequence]);
  const far = talk(it, { sequence: sequence + 9000, acknowledgement, payload: framed('far') });
  assert.deepEqual([far[0]?.flags, far[0]?.acknowledgement], [bit.ack, sequence]);
  assert.deepEqual([it.server.counts.badAck, it.server.counts.outOfWindow], [1, 1]);
  const [answer] = talk(it, { sequence, acknowledgement, payload: framed('good') });
  assert.equal(Buffer.from(answer?.payload ?? []).toString(), 'good');
});

test('a SYN in TIME-WAIT begins anew when its number is higher', () => {
  const it = lab();
  const { sequence, acknowledgement } = call(it);
  talk(it, { sequence, acknowledgement, payload: framed('hello') });
  talk(it, {
    sequence: sequence + 7,
    acknowledgement: acknowledgement + 6,
    flags: bit.ack | bit.fin,
  });
  const [old] = talk(it, { sequence: 50, flags: bit.syn });
  assert.equal(old?.flags, bit.ack, 'an old duplicate is no new call');
  const [synAck] = talk(it, { sequence: 5000, flags: bit.syn });
  assert.equal(synAck?.flags, bit.syn | bit.ack);
});

test('wrong checksums, land attacks, fragments and cut headers are counted and get no answer', () => {
  const it = lab();
  const wrong = tcpFrame(ends(), { flags: bit.syn });
  wrong[36] = 99;
  assert.equal(it.a.send(wrong), R.badRequest);
  const land = { ...ends(80), address: [169, 254, 169, 254] };
  assert.equal(it.a.send(tcpFrame(land, { flags: bit.syn })), R.badRequest);
  const part = tcpFrame(ends(), { flags: bit.syn });
  part[20] = 0x20;
  assert.equal(it.a.send(part), R.badRequest);
  assert.equal(it.a.send(tcpFrame(ends(), { flags: bit.syn }).subarray(0, 40)), R.badRequest);
  assert.deepEqual([it.server.counts.malformed, it.a.received.length, it.server.count], [4, 0, 0]);
});

seeded('random segments neither throw nor leave anything behind', (random, seed) => {
  const it = lab(3, seed);
  let { sequence, acknowledgement } = call(it);
  for (let n = 0; n < 30_000; n++) {
    const near = random.pick([0, 0, 1, 5, -1, -7, 8000, 9000, random.next()]);
    const said = {
      sequence: sequence + near,
      acknowledgement: acknowledgement + random.pick([0, 0, 1, 6, -1, random.next()]),
      flags: random.oneIn(3) ? random.below(64) : bit.ack,
      window: random.pick([0, 1, 65_535]),
      options: random.oneIn(4) ? [random.below(5), random.below(9), random.below(256), 0] : [],
      payload: random.oneIn(2) ? framed('q'.repeat(random.below(50))) : new Uint8Array(0),
    };
    const back = talk(it, said, ends(40_000 + random.below(3)));
    assert.ok(back.length <= 12, `one segment makes a bounded answer`);
    const synAck = back.find(({ flags }) => flags === (bit.syn | bit.ack));
    if (synAck !== undefined) acknowledgement = synAck.sequence + 1;
    if (synAck !== undefined) sequence = synAck.acknowledgement;
    if (random.oneIn(20)) it.clock.advance(random.below(3000) * nsPerMs);
    assert.ok(it.server.count <= limits.perInterface);
  }
  it.clock.advance(700 * nsPerSecond);
  assert.equal(it.server.count, 0);
});
