import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../lib/testing-seed.ts';
import { DnsAnswer, DnsQuery, dnsCode, nameBytes } from './dns.ts';

const text = (value: string): number[] => [...new TextEncoder().encode(value)];
/** A query for `F.ISI.ARPA`, the name of the examples in RFC 1034 and 1035. */
const header = [0x30, 0x39, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
const name = [1, ...text('F'), 3, ...text('ISI'), 4, ...text('ARPA'), 0];
const question = [...name, 0, 1, 0, 1];
const query = [...header, ...question];

function read(bytes: readonly number[]): { code: number; query: DnsQuery } {
  const result = new DnsQuery();
  // Something before and behind it, which must not be read.
  const all = Uint8Array.from([0xee, ...bytes, 0, 0, 0, 0]);
  return { code: result.read(all, 1, 1 + bytes.length), query: result };
}

/** The query with an OPT record (RFC 6891, 6.1.2). */
const withOpt = (size: readonly number[], ttl: readonly number[], count = 1): number[] => {
  const bytes = [
    ...query,
    ...Array(count)
      .fill([0, 0, 41, ...size, ...ttl, 0, 0])
      .flat(),
  ];
  bytes[11] = count;
  return bytes;
};

test('a query is read, its name in lower case', () => {
  const { code, query: asked } = read(query);
  assert.equal(code, dnsCode.noError);
  assert.deepEqual(
    [asked.id, asked.flags, asked.name, asked.type, asked.class, asked.questionEnd, asked.maxBytes],
    [12345, 0x0100, 'f.isi.arpa', 1, 1, 28, 512],
  );
  assert.equal(read([...header, 0, 0, 2, 0, 1]).query.name, '', 'the root');
  const odd = [...header, 4, ...text('a.b\\'), 0, 0, 1, 0, 1];
  assert.equal(read(odd).query.name, 'a\\046b\\092', 'a dot within a label divides nothing');
});

test('EDNS: size, version and DO are read, one OPT at most', () => {
  const { code, query: asked } = read(withOpt([0x04, 0xd0], [0, 0, 0x80, 0]));
  assert.deepEqual([code, asked.hasEdns, asked.maxBytes, asked.dnssecOk], [0, true, 1232, true]);
  assert.equal(read(withOpt([0, 10], [0, 0, 0, 0])).query.maxBytes, 512, 'less is taken as 512');
  assert.equal(read(withOpt([0xff, 0xff], [0, 0, 0, 0])).query.maxBytes, 4096, 'and more as 4096');
  assert.equal(read(withOpt([2, 0], [0, 1, 0, 0])).code, dnsCode.badVersion);
  assert.equal(read(withOpt([2, 0], [0, 0, 0, 0], 2)).code, dnsCode.formatError);
});

test('what is no query gets no answer, what is a wrong one says so', () => {
  const changed = (at: number, ...values: number[]): number[] => query.with(at, values[0] ?? 0);
  assert.equal(read(query.slice(0, 11)).code, -1, 'no header');
  assert.equal(read(changed(2, 0x81)).code, -1, 'a response');
  assert.equal(read(changed(2, 0x29)).code, dnsCode.notImplemented, 'a notification');
  const wrong: Record<string, number[]> = {
    'no question': changed(5, 0),
    'two questions': changed(5, 2),
    'cut off in a label': query.slice(0, 20),
    'cut off before the type': query.slice(0, 24),
    'a label of 64 bytes': [...header, 64, ...Array(64).fill(97), 0, 0, 1, 0, 1],
    'a name of 256 bytes': [
      ...header,
      ...Array(4)
        .fill([63, ...Array(63).fill(97)])
        .flat(),
      0,
      0,
      1,
      0,
      1,
    ],
    'a pointer to itself': [...header, 0xc0, 12, 0, 1, 0, 1],
    'a pointer forward': [...header, 1, 97, 0xc0, 16, 0, 0, 1, 0, 1],
    'a record that is not there': changed(11, 1),
    'a record that is cut off': withOpt([2, 0], [0, 0, 0, 0]).slice(0, -1),
    'a record of 65535 bytes': [...withOpt([2, 0], [0, 0, 0, 0]).slice(0, -2), 0xff, 0xff],
    '65535 records': changed(7, 255),
  };
  for (const [what, bytes] of Object.entries(wrong))
    assert.equal(read(bytes).code, dnsCode.formatError, what);
});

seeded('any bytes are read within their bounds, and in time', (random) => {
  let good = 0;
  for (let n = 0; n < 20_000; n++) {
    const bytes = random.oneIn(2) ? query.slice() : withOpt([2, 0], [0, 0, 0, 0]);
    for (let i = random.below(4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
    if (random.oneIn(3))
      bytes.push(
        ...Array.from({ length: random.below(300) }, () => random.pick([0xc0, 12, 0, 63])),
      );
    const end = random.oneIn(4) ? random.below(bytes.length) : bytes.length;
    const { code, query: asked } = read(bytes.slice(0, end));
    if (code === dnsCode.noError) good++;
    assert.ok(asked.questionEnd <= Math.max(end, 12) && asked.name.length <= 4 * 255);
  }
  assert.ok(good > 1000);
});

test('an answer that does not fit is truncated, at a record', () => {
  const { query: asked } = read(query);
  const out = new Uint8Array(600);
  const answer = new DnsAnswer(out);
  answer.begin(0, 28 + 2 * 16 + 11, Uint8Array.from(question), 0, question.length);
  for (let i = 0; i < 3; i++) answer.address(60, i);
  const end = answer.end(asked, dnsCode.noError);
  const record = (last: number): number[] => [
    0xc0,
    12,
    0,
    1,
    0,
    1,
    0,
    0,
    0,
    60,
    0,
    4,
    0,
    0,
    0,
    last,
  ];
  const head = [0x30, 0x39, 0x83, 0x80, 0, 1, 0, 2, 0, 0, 0, 0];
  assert.deepEqual([...out.subarray(0, end)], [...head, ...question, ...record(0), ...record(1)]);
});

test('names of ours are written as RFC 1035 draws them', () => {
  assert.deepEqual([...nameBytes('F.ISI.ARPA')], name);
  assert.deepEqual([...nameBytes('')], [0]);
});
