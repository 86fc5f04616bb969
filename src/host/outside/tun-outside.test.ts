// Pings of the host by an internet gateway and a TUN device, in namespaces of its own: the
// answers are those of the Linux kernel.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MonotonicClock } from '../../lib/clock.ts';
import { macBytes, parseMac } from '../../net/ethernet.ts';
import { R } from '../../net/reasons.ts';
import { buildPacket, naiveChecksum } from '../../net/testing-packets.ts';
import { TestEndpoint } from '../../switch/testing-endpoint.ts';
import { Poller } from '../../sys/poller.ts';
import { routerMac } from '../../vpc/well-known.ts';
import { createNetwork } from '../dataplane/network.ts';
import { parseVpc } from '../vpc/load.ts';

const inside = process.argv[2] === 'inside';

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
  groups: { web: { in: [udp 9 from 203.0.113.0/24] } }
instances:
  a: { subnet: public, address: 10.0.0.10, public: 198.51.100.10, groups: [web] }
  b: { subnet: private, address: 10.0.1.10 }
`,
  'tun.yaml',
);

function echo(index: number): Uint8Array {
  const at = vpc.interfaces[index];
  assert.ok(at);
  const bytes = buildPacket({
    protocol: 'udp',
    srcMac: [...macBytes(parseMac(at.mac))],
    dstMac: [...macBytes(routerMac(at.subnet))],
    src: (at.addresses[0]?.address ?? '').split('.').map(Number),
    dst: [203, 0, 113, 1],
    payload: new Uint8Array(56),
  });
  bytes[23] = 1;
  bytes.set([8, 0, 0, 0, 0xbe, 0xef, 0, index], 34);
  for (const [from, to, sum] of [
    [34, bytes.length, 36],
    [14, 34, 24],
  ] as const) {
    bytes.set([0, 0], sum);
    const value = naiveChecksum(bytes.subarray(from, to));
    bytes.set([value >>> 8, value & 255], sum);
  }
  return bytes;
}

/** Prints the replies that both instances got, and what the host could send to the first one. */
async function talkFromInside(): Promise<void> {
  const poller = new Poller();
  const outside = { kind: 'tun', name: 'virtfn0' } as const;
  const network = createNetwork({ vpc, outside }, new MonotonicClock());
  const close = network.openOutside(poller);
  const ip = (...args: string[]): unknown => execFileSync('ip', args);
  ip('address', 'add', '203.0.113.1/24', 'dev', 'virtfn0');
  ip('link', 'set', 'virtfn0', 'up');
  ip('route', 'add', '198.51.100.0/24', 'dev', 'virtfn0');
  const ends = vpc.interfaces.map(({ id, mac }) => {
    return new TestEndpoint(network.switch.addPort({ name: id, mac: parseMac(mac) }));
  });
  const waitFor = (done: () => boolean): void => {
    for (const until = performance.now() + 20_000; !done() && performance.now() < until; )
      poller.wait(50);
  };
  for (const [i, end] of ends.entries()) end.send(echo(i));
  waitFor(() => ends.every(({ received }) => received.length > 0));
  const replies = ends.map(({ received }) => received.splice(0));
  const socket = createSocket('udp4');
  for (const port of [10, 9])
    await new Promise((sent) => socket.send(`to ${port}`, port, '198.51.100.10', sent));
  waitFor(() => ends[0]?.received.length !== 0);
  const calls = ends.map(({ received }) => received);
  socket.close();
  ip('link', 'delete', 'virtfn0');
  poller.wait(1000);
  const removed = ends[0]?.send(echo(0));
  close();
  const plain = (all: Uint8Array[][]) => all.map((some) => some.map((bytes) => [...bytes]));
  console.log(JSON.stringify({ replies: plain(replies), calls: plain(calls), removed }));
}

if (inside) await talkFromInside();
else
  test('the host answers instances by both gateways, and calls one where its groups let it in', (t) => {
    const script = fileURLToPath(import.meta.url);
    const args = ['--user', '--map-root-user', '--net', process.execPath, script, 'inside'];
    const probe = spawnSync('unshare', [
      '--user',
      '--map-root-user',
      '--net',
      'ip',
      'tuntap',
      'add',
      'probe0',
      'mode',
      'tun',
    ]);
    if (probe.status !== 0) {
      t.skip(`no TUN device in a namespace of one's own here: ${probe.stderr ?? probe.error}`);
      return;
    }
    const { stdout, stderr, status } = spawnSync('unshare', args, {
      encoding: 'utf8',
      timeout: 90_000,
    });
    assert.equal(status, 0, stderr);
    const said: Record<'replies' | 'calls', number[][][]> & { removed: number } =
      JSON.parse(stdout);
    assert.equal(said.removed, R.noGateway, 'a device that was removed is no outside any more');
    const replies = said.replies.map(([first = []]) => first);
    for (const [i, reply] of replies.entries()) {
      assert.deepEqual(
        reply.slice(26, 34),
        [203, 0, 113, 1, 10, 0, i, 10],
        'to its private address',
      );
      assert.deepEqual([...reply.slice(34, 36), ...reply.slice(38, 42)], [0, 0, 0xbe, 0xef, 0, i]);
      assert.equal(naiveChecksum(reply.slice(14, 34)), 0);
      assert.equal(naiveChecksum(reply.slice(34)), 0);
    }
    const [called = [], other] = said.calls;
    assert.deepEqual(
      [called.length, other],
      [1, []],
      'port 10 is closed, b has no address outside',
    );
    const [call = []] = called;
    assert.deepEqual(call.slice(26, 34), [203, 0, 113, 1, 10, 0, 0, 10]);
    assert.equal(Buffer.from(call.slice(42)).toString(), 'to 9');
  });
