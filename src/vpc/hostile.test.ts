import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../lib/testing-seed.ts';
import { Frame } from '../net/frame.ts';
import { R, reasonNames } from '../net/reasons.ts';
import { loadPieces } from '../net/testing-packets.ts';
import { everything, nic, testModel } from './testing-model.ts';
import { RegionLab, type Send } from './testing-region.ts';

const tracked = {
  ...everything('sg-1'),
  inbound: [4, 6].map((version) => ({
    id: `sgr-in${version}`,
    protocol: -1,
    peer: { cidr: version === 4 ? '10.0.0.0/8' : '2600::/16' },
  })),
};

const model = testModel({
  securityGroups: [tracked],
  interfaces: [nic('a', 0, { sourceDestCheck: false }), nic('b', 0), nic('c', 1)],
});

const small = { connections: 1024, connectionsPerInstance: 512, flows: 64, fragments: 32 };

/** Sends as it is, without a burst of its own. */
function sender(lab: RegionLab, name: string) {
  const frame = new Frame();
  const { port } = lab.end(name);
  return (bytes: Uint8Array): number => {
    frame.load(bytes, 0, bytes.length);
    return port.transmit(frame);
  };
}

test('a flood of new flows fills its own share, is counted, and leaves the others theirs', () => {
  const lab = new RegionLab(model, small);
  const flood = sender(lab, 'a');
  const verdicts = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const bytes = lab.packet('a', 'b', { protocol: 'udp', srcPort: i & 0xffff, dstPort: i >>> 4 });
    const verdict = flood(bytes);
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  }
  lab.end('a').port.flush();
  assert.deepEqual([...verdicts.keys()].sort(), [R.delivered, R.trackingFull]);
  assert.equal(verdicts.get(R.delivered), 512);
  assert.equal(lab.counters('a')['tx_trackingFull'], verdicts.get(R.trackingFull));
  assert.ok(lab.region.router.trackedConnections() <= 1024);
  assert.equal(
    lab.send('c', 'c', { dst: '10.0.0.11', protocol: 'udp' }),
    'trackingFull',
    'its victim',
  );
  lab.clock.advance(31e9);
  assert.equal(lab.send('c', 'b', { protocol: 'udp' }), 'delivered', 'after the time-out');
});

test('a flood of first fragments makes the table forget, not grow', () => {
  const lab = new RegionLab(model, small);
  const flood = sender(lab, 'a');
  const piece = (identification: number, offset: number): Send => ({
    protocol: 'udp',
    identification,
    payload: new Uint8Array(16),
    edit: (bytes) => bytes.set([offset === 0 ? 0x20 : 0, offset], 20),
  });
  for (let id = 0; id < 5000; id++) flood(lab.packet('a', 'b', piece(id, 0)));
  assert.equal(flood(lab.packet('a', 'b', piece(4999, 3))), R.delivered, 'the last one is known');
  let forgotten = 0;
  for (let id = 0; id < 100; id++)
    if (flood(lab.packet('a', 'b', piece(id, 3))) === R.fragmentUnknown) forgotten++;
  assert.equal(forgotten, 100);
});

seeded('garbage gets a verdict, is counted by it, and a bystander does not notice', (random) => {
  const lab = new RegionLab(model, small);
  const { port } = lab.end('a');
  const frame = new Frame();
  const counts = new Map<string, number>();
  const protocols = ['tcp', 'udp'] as const;
  for (let n = 0; n < 30_000; n++) {
    const bytes = lab.packet('a', random.pick(['b', 'c']), {
      version: random.pick([4, 6] as const),
      protocol: random.pick(protocols),
      via: random.pick(['router', 'b', 'c', 'a']),
      srcPort: random.below(65_536),
      tcpFlags: random.below(256),
      vlans: random.oneIn(10) ? [5] : [],
      payload: new Uint8Array(random.below(120)),
      ...(random.oneIn(4)
        ? { src: `10.0.${random.below(4)}.${random.below(256)}`, version: 4 }
        : {}),
      ...(random.oneIn(4)
        ? { dst: `10.0.${random.below(4)}.${random.below(256)}`, version: 4 }
        : {}),
    });
    for (let i = random.below(6); i > 0; i--)
      bytes[(random.oneIn(20) ? 6 : 12) + random.below(90)] = random.next();
    const length = random.oneIn(10) ? random.below(bytes.length) : bytes.length;
    loadPieces(frame, bytes.subarray(0, length), 20 + random.below(237), [random.below(99)]);
    const name = reasonNames[port.transmit(frame)] as string;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (random.oneIn(16)) port.flush();
    if (random.oneIn(100)) {
      lab.clock.advance(random.below(40) * 1e9);
      assert.equal(lab.send('c', 'b', { protocol: 'udp', srcPort: 7, dstPort: 7 }), 'delivered');
    }
    if (random.oneIn(1000)) lab.region.update({ ...model, interfaces: [...model.interfaces] });
    assert.ok(lab.region.router.trackedConnections() <= 1024);
  }
  const sent = [...counts.values()].reduce((sum, n) => sum + n, 0);
  assert.equal(sent, 30_000);
  for (const name of ['delivered', 'malformed', 'spoofedSource', 'notCarried', 'noSuchAddress'])
    assert.ok((counts.get(name) ?? 0) > 0, `${name}: ${JSON.stringify([...counts])}`);
});

test('link-local services hear 1024 packets a second from one interface, however many it sends', () => {
  const lab = new RegionLab(model);
  const ask = sender(lab, 'b');
  const bytes = lab.packet('b', 'b', { protocol: 'udp', dst: '169.254.169.253', dstPort: 53 });
  const base2 = lab.packet('b', 'b', { protocol: 'udp', dst: '10.0.0.2', dstPort: 53 });
  const count = (reason: string): number => lab.counters('b')[`tx_${reason}`] ?? 0;
  for (let i = 0; i < 3000; i++) ask(i & 1 ? bytes : base2);
  assert.deepEqual([count('notCarried'), count('linkLocalExceeded')], [1024, 1976]);
  lab.end('b').port.flush();
  lab.clock.advance(1e9);
  for (let i = 0; i < 2000; i++) ask(bytes);
  assert.equal(count('notCarried'), 2048);
});
