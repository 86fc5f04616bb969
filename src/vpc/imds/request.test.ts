import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../../lib/testing-seed.ts';
import { type HttpRequest, type Parsed, parseRequest } from './request.ts';

const room = 8192;

function parse(text: string, whole = false): Parsed {
  const bytes = new Uint8Array(room);
  const said = Buffer.from(text, 'latin1').subarray(0, room);
  bytes.set(said);
  return parseRequest(bytes, said.length, whole);
}

function request(text: string): HttpRequest {
  const parsed = parse(text);
  assert.ok(parsed !== null && typeof parsed === 'object', `${parsed}`);
  return parsed;
}

test('a request of curl is read: its path without the query, its headers by lower-case name', () => {
  const { method, path, headers } = request(
    'GET /latest/meta-data/?x=1 HTTP/1.1\r\nHost: 169.254.169.254\r\nUser-Agent:curl/8\r\nX-A: \t b c \t\r\n\r\n',
  );
  assert.deepEqual([method, path], ['GET', '/latest/meta-data/']);
  assert.deepEqual(
    [...headers],
    [
      ['host', '169.254.169.254'],
      ['user-agent', 'curl/8'],
      ['x-a', 'b c'],
    ],
  );
});

test('HTTP/1.0 needs no host; an absolute target and escapes are decoded', () => {
  assert.equal(request('GET / HTTP/1.0\r\n\r\n').path, '/');
  const host = 'Host: [fd00:ec2::254]\r\n\r\n';
  assert.equal(request(`GET http://169.254.169.254/a%2Db HTTP/1.1\r\n${host}`).path, '/a-b');
  assert.equal(request(`GET http://169.254.169.254 HTTP/1.1\r\n${host}`).path, '/');
  assert.equal(request(`\r\nGET /a HTTP/1.1\r\n${host}`).path, '/a');
});

test('a request that is not all there waits, for its head and for its body', () => {
  assert.equal(parse('GET / HTTP/1.1\r\nHost: a\r\n'), null);
  assert.equal(parse('GET / HTTP/1.1\r\nHost: a\r\n', true), 400);
  const head = 'PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n';
  assert.equal(parse(`${head}ab`), null);
  assert.equal(parse(`${head}ab`, true), 400);
  assert.equal(request(`${head}abc`).method, 'PUT');
});

test('what could be read in two ways is refused, each by its status', () => {
  const host = 'Host: a\r\n';
  const cases: [string, number][] = [
    ['GET /  HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['GET /\r\nHost: a\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\n${host}X : 1\r\n\r\n`, 400],
    [`GET / HTTP/1.1\r\n${host}X: 1\r\n folded\r\n\r\n`, 400],
    [`GET / HTTP/1.1\r\n${host}X: a\nY: b\r\n\r\n`, 400],
    [`GET / HTTP/1.1\r\n${host}X: a\0\r\n\r\n`, 400],
    [`G(T / HTTP/1.1\r\n${host}\r\n`, 400],
    [`GET x HTTP/1.1\r\n${host}\r\n`, 400],
    [`GET * HTTP/1.1\r\n${host}\r\n`, 400],
    [`GET /%zz HTTP/1.1\r\n${host}\r\n`, 400],
    [`GET /%00 HTTP/1.1\r\n${host}\r\n`, 400],
    [`GET /a#b HTTP/1.1\r\n${host}\r\n`, 400],
    [`GET / http/1.1\r\n${host}\r\n`, 400],
    [`GET / HTTP/2.0\r\n${host}\r\n`, 505],
    [`GET /${'a'.repeat(3000)} HTTP/1.1\r\n${host}\r\n`, 414],
    [`PUT / HTTP/1.1\r\n${host}Content-Length: 1, 1\r\n\r\nx`, 400],
    [`PUT / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`, 400],
    [`PUT / HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`, 400],
    [`PUT / HTTP/1.1\r\n${host}Content-Length: 9000\r\n\r\n`, 413],
    [`PUT / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 501],
    [`GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(room)}`, 431],
  ];
  for (const [text, status] of cases)
    assert.equal(parse(text), status, JSON.stringify(text).slice(0, 80));
});

test('hostile heads are read in the time of their length, and never throw', () => {
  const began = process.cpuUsage();
  for (const filler of [' ', '\t', 'a', ':', '%41', '\r\n', 'x: y\r\n'])
    parse(`GET / HTTP/1.1\r\nHost: a\r\nX: ${filler.repeat(8000)}x\r\n\r\n`);
  assert.ok(process.cpuUsage(began).user < 1e6, 'a second of CPU time');
});

seeded('a request with wrong bytes is parsed or gets a status', (random) => {
  const good = 'PUT /latest/api/token?a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab';
  for (let n = 0; n < 20_000; n++) {
    const bytes = Buffer.from(good);
    for (let i = random.below(4); i >= 0; i--) bytes[random.below(bytes.length)] = random.next();
    const parsed = parseRequest(bytes, random.below(bytes.length + 1), random.oneIn(2));
    if (typeof parsed === 'number') assert.ok(parsed >= 400 && parsed <= 505);
  }
});
