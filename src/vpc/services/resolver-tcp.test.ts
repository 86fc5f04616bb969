import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../lib/clock.ts';
import { Prng } from '../../lib/prng.ts';
import { nameBytes } from '../../net/dns.ts';
import { TestClient, TestLink } from '../tcp/testing-link.ts';
import { bytesOf, ip, ip6, mac, macs, routers, ServicesLab, testModel } from './testing-vpc.ts';

/** Each client calls from a port of its own. */
let lastPort = 40_000;

const ends = (to: string, toPort: number) => {
  const isV6 = to.includes(':');
  return {
    version: isV6 ? (6 as const) : (4 as const),
    mac: mac(macs.a),
    toMac: mac(routers.a),
    address: isV6 ? ip6('2600:1f18:aa:bb00::10') : ip('10.0.0.10'),
    to: isV6 ? ip6(to) : ip(to),
    port: lastPort++,
    toPort,
  };
};
const head = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const query = (name: string): number[] => [...head, ...nameBytes(name), 0, 1, 0, 1];
const framed = (message: readonly number[]): Uint8Array =>
  Uint8Array.from([...bytesOf(2, message.length), ...message]);
const faultless = { loss: 0, repeat: 0, delayMs: 1 };

function client(lab: ServicesLab, request: Uint8Array, to = '10.0.0.2', options = {}, port = 53) {
  // Routers that advertise themselves are no TCP.
  lab.services.close();
  const link = new TestLink(lab.clock, new Prng(7), faultless, lab.hosts.a);
  return new TestClient(lab.clock, link, ends(to, port), request, options);
}

/** The answer to a query with `count` addresses. */
function answerTo(asked: Uint8Array, count: number): Uint8Array {
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ip('93.184.216.34')];
  const answer = [...asked, ...Array(count).fill(record).flat()];
  answer.splice(2, 6, 0x81, 0x80, 0, 1, ...bytesOf(2, count));
  return Uint8Array.from(answer);
}

test('a query by TCP is answered at each address, in one piece or byte by byte', () => {
  const name = query('ip-10-0-0-11.ec2.internal');
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 11];
  const answer = framed([...name, ...record].toSpliced(2, 6, 0x81, 0x80, 0, 1, 0, 1));
  for (const to of ['10.0.0.2', '169.254.169.253', 'fd00:ec2::253'])
    for (const piece of [1400, 1]) {
      const lab = new ServicesLab();
      const asking = client(lab, framed(name), to, { piece });
      lab.clock.advance(20 * nsPerSecond);
      assert.deepEqual(asking.answer, [...answer], `${to} ${piece}`);
      assert.ok(asking.closed && !asking.reset);
    }
});

test('an answer from the upstream that no datagram holds comes whole', () => {
  const asked: ((answer: Uint8Array | null) => void)[] = [];
  let message: Uint8Array = new Uint8Array(0);
  const lab = new ServicesLab(testModel(), {
    ask: (one, done) => {
      message = one;
      asked.push(done);
    },
  });
  const asking = client(lab, framed(query('example.com')));
  lab.clock.advance(nsPerSecond);
  assert.deepEqual([asked.length, asking.answer.length], [1, 0]);
  const answer = answerTo(message, 3000);
  asked[0]?.(answer);
  lab.clock.advance(5 * nsPerSecond);
  assert.deepEqual(asking.answer, [...framed([...answer])]);
  assert.ok(asking.closed);
});

test('an upstream that is silent leaves the client with SERVFAIL', () => {
  const lab = new ServicesLab(testModel(), { ask: () => {} });
  const asking = client(lab, framed(query('example.com')));
  lab.clock.advance(10 * nsPerSecond);
  const expected = framed(query('example.com').toSpliced(2, 2, 0x81, 0x82));
  assert.deepEqual(asking.answer, [...expected]);
});

test('what will never be a query ends the connection: half of one, none, and other ports', () => {
  const response = framed(query('a.ec2.internal').with(2, 0x81));
  const endless = new Uint8Array(9000).fill(0xff);
  const half = framed(query('a.ec2.internal')).subarray(0, 20);
  const wrong: [Uint8Array, string, { half?: boolean }, number][] = [
    [half, '10.0.0.2', { half: true }, 53],
    [response, '10.0.0.2', {}, 53],
    [endless, '10.0.0.2', {}, 53],
    [framed([]), '169.254.169.253', {}, 80],
  ];
  for (const [i, [bytes, to, options, port]] of wrong.entries()) {
    const lab = new ServicesLab();
    const asking = client(lab, bytes, to, options, port);
    lab.clock.advance(60 * nsPerSecond);
    assert.deepEqual([asking.reset, asking.answer.length], [true, 0], `case ${i}`);
  }
});

test('without DNS support, and where there is no interface any more, nobody is there', () => {
  const off = new ServicesLab(testModel({ vpc: { dnsSupport: false } }));
  const asking = client(off, framed(query('ec2.internal')));
  off.clock.advance(nsPerSecond);
  assert.deepEqual([asking.answer.length, asking.reset], [0, false]);
  assert.ok(off.hosts.a.port.counters.get('tx_badRequest') > 0);
  const lab = new ServicesLab(testModel(), { ask: () => {} });
  client(lab, framed(query('example.com')));
  lab.clock.advance(nsPerSecond);
  const model = testModel();
  lab.services.update({ ...model, interfaces: model.interfaces.slice(1) });
  const before = lab.hosts.a.received.length;
  lab.clock.advance(10 * nsPerSecond);
  const answered = lab.hosts.a.received.slice(before).filter((bytes) => bytes[23] === 6);
  assert.deepEqual(answered, [], 'a connection of nobody is forgotten');
});
