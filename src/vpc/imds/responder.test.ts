import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond, VirtualClock } from '../../lib/clock.ts';
import { Prng } from '../../lib/prng.ts';
import { parseMac } from '../../net/ethernet.ts';
import { Switch } from '../../switch/switch.ts';
import { TestEndpoint } from '../../switch/testing-endpoint.ts';
import type { VpcModel } from '../model.ts';
import { type Ends, TestClient, TestLink } from '../tcp/testing-link.ts';
import { MetadataResponder } from './responder.ts';
import { testModel } from './testing-model.ts';

const noFaults = { loss: 0, repeat: 0, delayMs: 1 };

function lab(faults = noFaults) {
  const clock = new VirtualClock();
  const fabric = new Switch({ clock });
  const metadata = new MetadataResponder(testModel, {
    ...{ clock, outlet: fabric, secret: new Uint8Array(32), seed: 3 },
  });
  fabric.addResponder(metadata);
  const ports = 'abc'.split('').map((name) => {
    const mac = parseMac(`02:00:00:00:00:0${name}`);
    const endpoint = new TestEndpoint(fabric.addPort({ name, mac }));
    return new TestLink(clock, new Prng(5), faults, endpoint);
  });
  let port = 40_000;
  const ask = (request: string, on: string = 'a', version: 4 | 6 = 4) => {
    const i = 'abc'.indexOf(on);
    const ends: Ends = {
      ...{
        version,
        mac: [2, 0, 0, 0, 0, 10 + i],
        toMac: [10, 0, 0, 0, 0, 1],
        port: port++,
        toPort: 80,
      },
      address: version === 4 ? [10, 0, 1, 10 + i] : [0x20, 1, 13, 0xb8, ...Array(11).fill(0), 16],
      to:
        version === 4 ? [169, 254, 169, 254] : [0xfd, 0, 0x0e, 0xc2, ...Array(10).fill(0), 2, 0x54],
    };
    const text = Buffer.from(request, 'latin1');
    const client = new TestClient(clock, ports[i] as TestLink, ends, text);
    for (let s = 0; s < 30 && !client.closed && !client.reset; s++) clock.advance(nsPerSecond);
    const answer = Buffer.from(client.answer);
    const end = answer.indexOf('\r\n\r\n');
    return {
      client,
      head: answer.subarray(0, Math.max(end, 0)).toString().split('\r\n'),
      body: answer.subarray(end + 4).toString(),
    };
  };
  return { clock, fabric, metadata, ask };
}

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: 169.254.169.254', ...headers, '', ''].join('\r\n');
const put = (...headers: string[]): string =>
  ['PUT /latest/api/token HTTP/1.1', 'Host: x', ...headers, '', ''].join('\r\n');
const ttl = 'X-aws-ec2-metadata-token-ttl-seconds: 60';

test('a document comes with the headers that EC2 sends, and the connection closes', () => {
  const { ask, metadata } = lab();
  const { client, head, body } = ask(get('/latest/meta-data/instance-id'));
  assert.deepEqual(head, [
    'HTTP/1.1 200 OK',
    'Content-Type: text/plain',
    'Accept-Ranges: none',
    'Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT',
    'Content-Length: 3',
    'Date: Thu, 01 Jan 1970 00:00:00 GMT',
    'Server: EC2ws',
    'Connection: close',
  ]);
  assert.equal(body, 'i-a');
  assert.ok(client.closed);
  assert.deepEqual([...metadata.answers], [[200, 1]]);
});

test('HEAD has the length and no body; garbage has a page that says so', () => {
  const { ask } = lab();
  const { head, body } = ask(get('/latest/user-data').replace('GET', 'HEAD'));
  assert.ok(head.includes('Content-Length: 18'), `${head}`);
  assert.equal(body, '');
  assert.equal(ask('hello\r\n\r\n').head[0], 'HTTP/1.1 400 Bad Request');
  assert.equal(ask(`GET / HTTP/1.1\r\n${'x'.repeat(9000)}`).head[0]?.slice(0, 12), 'HTTP/1.1 431');
});

test('packets with a token have the hop limit of the instance, others travel on', () => {
  const { ask } = lab();
  const a = ask(put(ttl));
  assert.equal(a.client.hops, 2, 'as the model says');
  const b = ask(put(ttl), 'b');
  assert.equal(b.client.hops, 1, 'unless told');
  assert.equal(b.head[0], 'HTTP/1.1 200 OK');
  const session = `X-aws-ec2-metadata-token: ${b.body}`;
  const found = ask(get('/latest/meta-data/instance-type', session), 'b');
  assert.deepEqual([found.body, found.client.hops], ['m5.large', 64]);
  assert.equal(ask(put()).client.hops, 64, 'a refusal carries none');
  assert.equal(ask(get('/latest/meta-data/', session)).head[0], 'HTTP/1.1 401 Unauthorized');
});

test('over IPv6 where the instance asks for it, and nowhere else', () => {
  const { ask } = lab();
  assert.equal(ask(get('/latest/meta-data/ipv6'), 'a', 6).body, '2001:db8:0:101::10');
  assert.deepEqual(ask(get('/'), 'b', 6).client.answer, []);
});

test('instances are told by the port that they are at; turned off is 403', () => {
  const { ask } = lab();
  assert.equal(ask(get('/latest/meta-data/'), 'b').head[0], 'HTTP/1.1 401 Unauthorized');
  assert.equal(ask(get('/latest/meta-data/'), 'c').head[0], 'HTTP/1.1 403 Forbidden');
});

test('an update is served at once, and whoever has lost its instance is not heard', () => {
  const { ask, metadata } = lab();
  const [, ...others] = testModel.instances;
  const [, a, ...rest] = testModel.interfaces;
  const moved: VpcModel = {
    ...testModel,
    instances: others,
    interfaces: a ? [{ ...a, instance: 'i-b' }, ...rest] : [],
  };
  metadata.update(moved);
  assert.equal(ask(get('/latest/meta-data/')).head[0], 'HTTP/1.1 401 Unauthorized', 'as i-b');
  metadata.update({ ...moved, interfaces: rest });
  assert.deepEqual(ask(get('/')).client.answer, []);
});

test('sixteen kilobytes of user data come whole through a link that loses and reorders', () => {
  const { ask, metadata } = lab({ loss: 10, repeat: 10, delayMs: 30 });
  const userData = Array.from({ length: 1600 }, (_, i) => `${i}`.padStart(10, '-')).join('');
  const [a, ...rest] = testModel.instances;
  assert.ok(a);
  metadata.update({ ...testModel, instances: [{ ...a, userData }, ...rest] });
  assert.equal(ask(get('/latest/user-data')).body, userData);
});
