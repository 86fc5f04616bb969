import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../lib/clock.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { read16, read32 } from '../../net/bytes.ts';
import { nameBytes } from '../../net/dns.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import { formatIpv6, readIpv6 } from '../../net/ipv6.ts';
import { R } from '../../net/reasons.ts';
import {
  bytesOf,
  datagram,
  type Host,
  ip,
  readDatagram,
  ServicesLab,
  testModel,
  text,
} from './testing-vpc.ts';

const types = { A: 1, NS: 2, SOA: 6, PTR: 12, AAAA: 28, AXFR: 252, ANY: 255 } as const;
const codes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
const header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const queryFor = (name: string, type: keyof typeof types): number[] => [
  ...header,
  ...nameBytes(name),
  0,
  types[type],
  0,
  1,
];

function send(lab: ServicesLab, payload: readonly number[], to = '10.0.0.2', host: Host = 'a') {
  return lab.ask(host, datagram({ host, to, port: 53, payload }));
}

/** A name at `at`, and where it ends; pointers are followed. */
function nameAt(bytes: Uint8Array, start: number): [string, number] {
  const labels: string[] = [];
  let at = start;
  let end = -1;
  for (let steps = 0; steps < 128; steps++) {
    const length = bytes[at] as number;
    if (length >= 0xc0) {
      if (end < 0) end = at + 2;
      at = ((length & 0x3f) << 8) | (bytes[at + 1] as number);
    } else if (length === 0) return [labels.join('.'), end < 0 ? at + 1 : end];
    else {
      labels.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
    }
  }
  throw new Error('a name without end');
}

/** What the resolver said, in words: code, then records of answer and authority. */
function read(payload: Uint8Array): string {
  const said = [codes[(payload[3] as number) & 15] ?? 'other'];
  assert.deepEqual([...payload.subarray(0, 2)], [0x12, 0x34]);
  assert.equal(read16(payload, 2) & 0x8580, 0x8180, 'an answer, not authoritative, RD and RA');
  const [, questionEnd] = nameAt(payload, 12);
  let at = questionEnd + 4;
  const answers = read16(payload, 6);
  for (let n = 0; n < answers + read16(payload, 8); n++) {
    const [owner, end] = nameAt(payload, at);
    const type = read16(payload, end);
    assert.deepEqual([read16(payload, end + 2), read32(payload, end + 4)], [1, 60]);
    const data = end + 10;
    let value = '?';
    if (type === types.A) value = formatIpv4(read32(payload, data));
    if (type === types.AAAA) value = formatIpv6(readIpv6(payload, data));
    if (type === types.PTR) [value] = nameAt(payload, data);
    if (type === types.SOA) value = `SOA ${owner} ${nameAt(payload, data)[0]}`;
    said.push(`${n < answers ? '' : 'by '}${value}`);
    at = data + read16(payload, end + 8);
  }
  assert.equal(at, payload.length - (read16(payload, 10) === 1 ? 11 : 0));
  return said.join(' ');
}

const ask = (
  lab: ServicesLab,
  name: string,
  type: keyof typeof types,
  to = '10.0.0.2',
  host: Host = 'a',
): string => read(readDatagram(send(lab, queryFor(name, type), to, host)).payload);

test('a name of an instance is answered in exactly these bytes, at each of the addresses', () => {
  const lab = new ServicesLab();
  const asked = [
    ...header,
    12,
    ...text('IP-10-0-0-11'),
    3,
    ...text('eC2'),
    8,
    ...text('internal'),
    0,
    0,
    1,
    0,
    1,
  ];
  for (const to of ['10.0.0.2', '169.254.169.253', 'fd00:ec2::253']) {
    const { from, ports, payload } = readDatagram(send(lab, asked, to));
    assert.deepEqual([from, ports], [to, [53, 40_000]]);
    assert.deepEqual(
      [...payload],
      [
        ...[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0],
        ...asked.slice(12),
        ...[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 11],
      ],
      'the question is repeated as it was written',
    );
  }
});

test('names by address and by instance, A and AAAA, and back', () => {
  const lab = new ServicesLab();
  assert.equal(ask(lab, 'ip-10-0-0-30.ec2.internal', 'A'), 'NOERROR 10.0.0.30');
  assert.equal(ask(lab, 'ip-10-0-1-20.ec2.internal', 'A'), 'NOERROR 10.0.1.20', 'all subnets');
  assert.equal(ask(lab, 'i-0a1.ec2.internal', 'A'), 'NOERROR 10.0.0.10');
  assert.equal(ask(lab, 'i-0a1.ec2.internal', 'AAAA'), 'NOERROR 2600:1f18:aa:bb00::10');
  assert.equal(ask(lab, 'i-0b1.ec2.internal', 'ANY'), 'NOERROR 10.0.0.11 2600:1f18:aa:bb00::11');
  assert.equal(ask(lab, '11.0.0.10.in-addr.arpa', 'PTR'), 'NOERROR ip-10-0-0-11.ec2.internal');
  const nibbles = `${'1.1'}.${Array(14).fill('0').join('.')}.0.0.b.b.a.a.0.0.8.1.f.1.0.0.6.2.ip6.arpa`;
  assert.equal(ask(lab, nibbles, 'PTR'), 'NOERROR i-0b1.ec2.internal');
  assert.equal(ask(lab, 'localhost', 'AAAA'), 'NOERROR ::1');
});

test('public names lead to the private address within the VPC, and to the public one outside', () => {
  const lab = new ServicesLab();
  const name = 'ec2-54-1-2-3.compute-1.amazonaws.com';
  assert.equal(ask(lab, name, 'A'), 'NOERROR 10.0.0.10');
  assert.equal(ask(lab, name, 'A', '10.0.0.2', 'other'), 'NOERROR 54.1.2.3');
  const other = 'ec2-3-4-5-6.eu-west-1.compute.amazonaws.com';
  assert.equal(ask(lab, other, 'A'), 'NOERROR 3.4.5.6');
  assert.equal(ask(lab, '3.2.1.54.in-addr.arpa', 'PTR'), `NOERROR ${name}`);
});

test('another VPC has other names; its Region is in them', () => {
  const lab = new ServicesLab();
  const name = 'ip-10-0-0-10.eu-west-1.compute.internal';
  assert.equal(ask(lab, name, 'A', '10.0.0.2', 'other'), 'NOERROR 10.0.0.10');
  assert.equal(
    ask(lab, 'i-0d1.eu-west-1.compute.internal', 'A', '10.0.0.2', 'other'),
    'NOERROR 10.0.0.10',
  );
  const zone = 'eu-west-1.compute.internal';
  const none = ask(lab, `ip-10-0-0-11.${zone}`, 'A', '10.0.0.2', 'other');
  assert.equal(none, `NXDOMAIN by SOA ${zone} ns0.${zone}`);
  assert.match(ask(lab, name, 'A'), /^NXDOMAIN by SOA compute.internal /);
});

test('NXDOMAIN, NODATA and the zone itself bring its SOA, as RFC 2308 wants it', () => {
  const lab = new ServicesLab();
  const soa = 'SOA ec2.internal ns0.ec2.internal';
  assert.equal(ask(lab, 'ip-10-0-0-99.ec2.internal', 'A'), `NXDOMAIN by ${soa}`);
  assert.equal(ask(lab, 'x.ip-10-0-0-10.ec2.internal', 'A'), `NXDOMAIN by ${soa}`);
  assert.equal(ask(lab, 'ip-10-0-0-10.ec2.internal', 'AAAA'), `NOERROR by ${soa}`);
  assert.equal(ask(lab, 'ec2.internal', 'SOA'), `NOERROR ${soa}`);
  assert.equal(ask(lab, 'ec2.internal', 'A'), `NOERROR by ${soa}`);
  const reverse = 'SOA 0.10.in-addr.arpa ns0.0.10.in-addr.arpa';
  assert.equal(ask(lab, '99.0.0.10.in-addr.arpa', 'PTR'), `NXDOMAIN by ${reverse}`);
  assert.equal(
    ask(lab, '0.0.10.in-addr.arpa', 'PTR'),
    `NOERROR by ${reverse}`,
    'names are below it',
  );
  assert.match(ask(lab, '1.10.64.100.in-addr.arpa', 'PTR'), /^NXDOMAIN by SOA 10.64.100/);
  assert.match(ask(lab, '1.2.168.192.in-addr.arpa', 'PTR'), /^NXDOMAIN by SOA 168.192/);
  const { noName, noData, answered } = lab.services.resolver.counts;
  assert.deepEqual([noName, noData, answered], [5, 3, 1]);
});

test('without an upstream other names fail: nobody knows whether they exist', () => {
  const lab = new ServicesLab();
  for (const name of [
    'example.com',
    'ec2-9-9-9-9.compute-1.amazonaws.com',
    'compute-1.amazonaws.com',
    '8.8.8.8.in-addr.arpa',
    '',
  ])
    assert.equal(ask(lab, name, 'A'), 'SERVFAIL', name);
  assert.equal(lab.services.resolver.counts.failed, 5);
});

test('DNS attributes of the VPC: no names of hosts, or no resolver at all', () => {
  const noNames = new ServicesLab(testModel({ vpc: { dnsHostnames: false } }));
  assert.match(ask(noNames, 'ip-10-0-0-10.ec2.internal', 'A'), /^NXDOMAIN/);
  assert.equal(ask(noNames, 'ec2-54-1-2-3.compute-1.amazonaws.com', 'A'), 'SERVFAIL');
  const nobody = new ServicesLab(testModel({ vpc: { dnsSupport: false } }));
  assert.equal(send(nobody, queryFor('ec2.internal', 'SOA')), R.badRequest);
  assert.match(ask(nobody, 'eu-west-1.compute.internal', 'SOA', '10.0.0.2', 'other'), /^NOERROR/);
});

test('EDNS is answered with EDNS; transfers, other classes and other operations are refused', () => {
  const lab = new ServicesLab();
  const name = 'ip-10-0-0-10.ec2.internal';
  const opt = [0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0];
  const withOpt = queryFor(name, 'A').with(11, 1).concat(opt);
  const { payload } = readDatagram(send(lab, withOpt));
  assert.equal(read(payload), 'NOERROR 10.0.0.10');
  assert.deepEqual([...payload.subarray(-11)], [0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0]);
  const newer = readDatagram(send(lab, withOpt.with(withOpt.length - 5, 1))).payload;
  assert.equal(newer.at(-6), 1, 'BADVERS is 16: one in the upper byte');
  assert.equal(ask(lab, 'ec2.internal', 'AXFR'), 'REFUSED');
  const chaos = queryFor('version.bind', 'A');
  assert.equal(read(readDatagram(send(lab, chaos.with(chaos.length - 1, 3))).payload), 'REFUSED');
  const update = readDatagram(send(lab, queryFor(name, 'A').with(2, 0x29))).payload;
  assert.deepEqual([...update], [0x12, 0x34, 0xa9, 0x84, ...Array(8).fill(0)]);
  const loop = [...header, 0xc0, 12, 0, 1, 0, 1];
  const formatError = readDatagram(send(lab, loop)).payload;
  assert.deepEqual([...formatError], [0x12, 0x34, 0x81, 0x81, ...Array(8).fill(0)]);
  assert.equal(send(lab, queryFor(name, 'A').with(2, 0x80)), R.badRequest, 'a response');
});

/** A lab whose upstream keeps what it is asked. */
function upstreamLab() {
  const asked: { query: Uint8Array; done: (answer: Uint8Array | null) => void }[] = [];
  const lab = new ServicesLab(testModel(), { ask: (query, done) => asked.push({ query, done }) });
  return { lab, asked, received: lab.hosts.a.received };
}

/** An answer to a query with `count` addresses. */
function answerTo(query: Uint8Array, count: number): Uint8Array {
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ip('93.184.216.34')];
  const answer = [...query, ...Array(count).fill(record).flat()];
  answer.splice(2, 6, 0x81, 0x80, 0, 1, ...bytesOf(2, count));
  return Uint8Array.from(answer);
}

test('with an upstream other names are asked there, and the answer is handed on', () => {
  const { lab, asked, received } = upstreamLab();
  assert.equal(send(lab, queryFor('example.com', 'A')), R.answered);
  assert.equal(ask(lab, 'i-0a1.ec2.internal', 'A'), 'NOERROR 10.0.0.10', 'others do not wait');
  assert.match(ask(lab, 'nobody.ec2.internal', 'A'), /NXDOMAIN/, 'what is known is not asked');
  assert.deepEqual([...(asked[0]?.query ?? [])], queryFor('example.com', 'A'));
  asked[0]?.done(answerTo(asked[0].query, 1));
  asked[0]?.done(answerTo(asked[0].query, 1));
  assert.equal(received.length, 3, 'once');
  const { from, ports, payload } = readDatagram(received[2] ?? 0);
  assert.deepEqual(
    [from, ports, read(payload)],
    ['10.0.0.2', [53, 40_000], 'NOERROR 93.184.216.34'],
  );
});

test('an answer from the upstream that does not fit is truncated', () => {
  const { lab, asked, received } = upstreamLab();
  send(lab, queryFor('example.com', 'A'));
  asked[0]?.done(answerTo(asked[0].query, 40));
  const { payload } = readDatagram(received[0] ?? 0);
  assert.equal(read16(payload, 2) & 0x0200, 0x0200);
  assert.deepEqual([read(payload), payload.length], ['NOERROR', 29]);
});

test('an upstream that fails, lies or is silent leaves the client with SERVFAIL', () => {
  const { lab, asked, received } = upstreamLab();
  const wrong: ((query: Uint8Array) => Uint8Array | null)[] = [
    () => null,
    () => Uint8Array.of(1, 2, 3),
    (query) => answerTo(query, 1).with(0, 0x99),
    (query) => answerTo(query, 1).with(14, 0x99),
    (query) => answerTo(query, 1).with(5, 0),
    (query) => query,
  ];
  for (const [i, make] of wrong.entries()) {
    send(lab, queryFor('example.com', 'A'));
    asked[i]?.done(make(asked[i].query));
    assert.equal(read(readDatagram(received[i] ?? 0).payload), 'SERVFAIL', `case ${i}`);
  }
  send(lab, queryFor('example.com', 'A'));
  lab.clock.advance(5 * nsPerSecond);
  assert.equal(
    read(readDatagram(received.findLast((bytes) => bytes[12] === 8) ?? 0).payload),
    'SERVFAIL',
  );
});

test('a bounded number of queries waits for the upstream, and for nobody who has gone', () => {
  const { lab, asked, received } = upstreamLab();
  for (let i = 0; i < 64; i++) assert.equal(send(lab, queryFor(`x${i}.example`, 'A')), R.answered);
  assert.equal(received.length, 0);
  assert.equal(ask(lab, 'one-more.example', 'A'), 'SERVFAIL');
  asked[0]?.done(null);
  assert.equal(send(lab, queryFor('next.example', 'A')), R.answered, 'there is room again');
  assert.equal(asked.length, 65);
  const port = lab.hosts.a.port;
  lab.network.removePort(port);
  const before = received.length;
  for (const { query, done } of asked) done(answerTo(query, 1));
  assert.equal(received.length, before);
});

seeded('any bytes are answered or counted, and nothing throws', (random) => {
  const lab = new ServicesLab();
  const valid = queryFor('ip-10-0-0-10.ec2.internal', 'A').with(11, 1);
  valid.push(0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0);
  let answers = 0;
  for (let n = 0; n < 5000; n++) {
    const bytes = valid.slice();
    for (let i = random.below(4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
    const answer = send(lab, random.oneIn(4) ? bytes.slice(0, random.below(bytes.length)) : bytes);
    if (typeof answer === 'object') {
      answers++;
      assert.ok(readDatagram(answer).payload.length <= 4096);
    }
    if (n % 500 === 0) lab.clock.advance(nsPerSecond);
  }
  assert.ok(answers > 1000);
  assert.ok(lab.services.resolver.counts.malformed > 100);
});
