// Guests fetch from a server on this machine's loopback: by an internet gateway, by a NAT gateway.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { startPasst } from '../../src/host/outside/passt.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import { parseVpc } from '../../src/host/vpc/load.ts';
import { Pair, toolsOrSkip } from './pair.ts';

/** What stands for this machine's loopback outside of the VPC (RFC 5737: nobody's). */
const loopback = '203.0.113.1';
const vpc = parseVpc(
  `
vpc:
  subnets:
    public: { cidr: 10.0.0.0/24, routes: out }
    private: { cidr: 10.0.1.0/24, routes: nat }
  gateways:
    igw: internet
    nat: { nat: { subnet: public, address: 10.0.0.5, public: 198.51.100.5 } }
  routes: { out: { 0.0.0.0/0: igw }, nat: { 0.0.0.0/0: nat } }
instances:
  a: { subnet: public, address: 10.0.0.10, public: 198.51.100.10 }
  b: { subnet: private, address: 10.0.1.10 }
`,
  'outside.yaml',
);

const body = Buffer.alloc(2_000_000, 'virtfn ');

async function listen(): Promise<[Server, number]> {
  const server = createServer((_, response) => response.end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return [server, (server.address() as AddressInfo).port];
}

test('guests fetch from this machine by an internet gateway and by a NAT gateway, through passt', async (t) => {
  const tools = await toolsOrSkip(t, '6.12');
  if (tools === null) return;
  const [server, port] = await listen();
  t.after(() => server.close());
  const options = { cache: cacheDirectory(), progress: noProgress };
  const passt = await startPasst({ ...options, hostLoopback: loopback });
  t.after(() => passt.close());
  const outside = { kind: 'stream', socket: passt.socket } as const;
  const pair = await Pair.start({ kernel: '6.12', vpc, outside }, tools);
  t.after(() => pair.close());
  const expected = createHash('md5').update(body).digest('hex');
  for (const name of ['a', 'b'] as const) {
    await pair.up(name);
    const get = `busybox wget -q -T 20 -O /tmp/got http://${loopback}:${port}/ && md5sum /tmp/got`;
    const { stdout, stderr } = await pair.vms[name].exec(get, { timeoutMs: 90_000 });
    assert.equal(stdout.slice(0, 32), expected, `${name}: all of it came as it was sent ${stderr}`);
    const refused = await pair.vms[name].exec(`busybox wget -T 5 -O - http://${loopback}:1/`);
    assert.match(refused.stderr, /refused/, `${name}: a closed port is refused`);
  }
  assert.deepEqual(pair.refusals(), []);
});
