import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../lib/clock.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { naiveChecksum } from '../../net/testing-packets.ts';
import {
  GatewayLab,
  gatedModel,
  natAddress,
  octets,
  remote,
  remote6,
  see,
} from './testing-gateways.ts';

const ends = ({ src, dst, srcPort, dstPort, sums }: ReturnType<typeof see>) => [
  `${src}:${srcPort}`,
  `${dst}:${dstPort}`,
  sums,
];
const syn = 2;
const dotted6 = (text: string): string => octets(text).join('.');

/** An ICMP error by `from` to `to` about `quoted` (an Ethernet frame), as much of it as RFC 792 has. */
function errorAbout(quoted: Uint8Array, from: string, to: string, keep = 28): Uint8Array {
  const inner = [...quoted.subarray(14, 14 + keep)];
  const icmp = [3, 4, 0, 0, 0, 0, 5, 220, ...inner];
  const sum = naiveChecksum(icmp);
  icmp.splice(2, 2, sum >>> 8, sum & 255);
  const ip = [
    0x45,
    0,
    0,
    20 + icmp.length,
    0,
    0,
    0,
    0,
    64,
    1,
    0,
    0,
    ...octets(from),
    ...octets(to),
  ];
  const ipSum = naiveChecksum(ip);
  ip.splice(10, 2, ipSum >>> 8, ipSum & 255);
  return Uint8Array.from([...Array(12).fill(2), 8, 0, ...ip, ...icmp]);
}

test('an internet gateway translates each address one to one, both ways, and its checksums', () => {
  const it = new GatewayLab();
  for (const protocol of ['tcp', 'udp'] as const)
    for (const [own, seen] of [
      ['10.0.0.11', '198.51.100.11'],
      ['10.0.0.21', '198.51.100.21'],
    ] as const) {
      assert.equal(it.lab.send('a', 'b', { protocol, src: own, dst: remote }), 'delivered');
      assert.deepEqual(it.left().map(ends), [[`${seen}:40000`, `${remote}:5201`, true]]);
      assert.equal(it.arrive({ protocol, dst: seen, srcPort: 5201, dstPort: 40_000 }), 'queued');
      assert.deepEqual(it.got('a').map(ends), [[`${remote}:5201`, `${own}:40000`, true]]);
    }
  assert.equal(it.lab.send('a', 'b', { src: '10.0.0.31', dst: remote }), 'noPublicAddress');
  assert.equal(it.arrive({ dst: '198.51.100.99' }), 'noSuchAddress');
  assert.deepEqual(it.left(), []);
});

test('what comes from outside passes the groups of its receiver', () => {
  const closed = gatedModel.securityGroups.map((group) => ({ ...group, inbound: [] }));
  const it = new GatewayLab({ ...gatedModel, securityGroups: closed });
  assert.equal(it.arrive({ dst: '198.51.100.11', tcpFlags: syn }), 'sgIngressNone');
  assert.equal(it.lab.send('a', 'b', { dst: remote, tcpFlags: syn }), 'delivered');
  assert.equal(it.arrive({ dst: '198.51.100.11', srcPort: 5201, dstPort: 40_000 }), 'queued');
  assert.equal(it.got('a').length, 1);
});

test('a UDP packet without a checksum gets none', () => {
  const it = new GatewayLab();
  const edit = (bytes: Uint8Array): void => bytes.set([0, 0], 40);
  it.lab.send('a', 'b', { protocol: 'udp', dst: remote, edit });
  assert.deepEqual([...(it.out[0] as Uint8Array).subarray(40, 42)], [0, 0]);
});

test('addresses of the region itself are reached through their gateway without an outside', () => {
  const it = new GatewayLab();
  it.gateways.connect(null);
  assert.equal(it.lab.send('a', 'd', { dst: '198.51.100.14' }), 'delivered');
  assert.deepEqual(it.got('d').map(ends), [['198.51.100.11:40000', '10.0.0.14:5201', true]]);
  assert.equal(it.lab.send('a', 'd', { dst: remote }), 'noGateway');
  assert.equal(
    it.lab.send('b', 'd', { dst: '198.51.100.14', tcpFlags: syn }),
    'delivered',
    'by NAT',
  );
  const [seen] = it.got('d');
  assert.deepEqual([seen?.src, seen?.dst, seen?.sums], [natAddress, '10.0.0.14', true]);
});

test('ICMP errors name what their receiver knows: quoted addresses are translated, too', () => {
  const it = new GatewayLab();
  it.lab.send('a', 'b', { dst: remote, tcpFlags: syn });
  const [sent] = it.left();
  assert.ok(sent);
  assert.equal(it.arriveBytes(errorAbout(sent.bytes, '192.0.2.1', '198.51.100.11', 40)), 'queued');
  const [told] = it.got('a');
  assert.ok(told?.sums);
  assert.equal(told.dst, '10.0.0.11');
  const quoted = told.bytes.subarray(14 + 28);
  assert.deepEqual([...quoted.subarray(12, 16)], [10, 0, 0, 11], 'quoted source');
  assert.equal(naiveChecksum(quoted.subarray(0, 20)), 0, 'quoted header');
  it.arrive({ dst: '198.51.100.11', tcpFlags: syn });
  const [asked] = it.got('a');
  assert.ok(asked);
  const back = errorAbout(asked.bytes, '10.0.0.11', remote);
  it.lab.send('a', 'b', {
    payload: new Uint8Array(16),
    edit: (bytes) => bytes.set(back.subarray(14), 14),
  });
  const out = it.left();
  assert.deepEqual(
    out.map(({ src, sums }) => [src, sums]),
    [['198.51.100.11', true]],
  );
  assert.deepEqual(
    [...(out[0] as ReturnType<typeof see>).bytes.subarray(58, 62)],
    [198, 51, 100, 11],
  );
});

test('IPv6 goes as it is by an internet gateway; by an egress-only one answers alone come back', () => {
  const it = new GatewayLab();
  const a = '2600:1f14:0:0::11';
  const b = '2600:1f14:0:1::12';
  assert.equal(it.lab.send('a', 'b', { version: 6, dst: remote6 }), 'delivered');
  assert.deepEqual(
    it.left().map(({ src, sums }) => [src, sums]),
    [[dotted6(a), true]],
  );
  assert.equal(it.arrive({ dst: a, tcpFlags: syn }), 'queued', 'from outside');
  assert.equal(it.arrive({ dst: b, tcpFlags: syn }), 'natConnectionUnknown');
  assert.equal(it.lab.send('b', 'a', { version: 6, dst: remote6, tcpFlags: syn }), 'delivered');
  assert.equal(it.arrive({ dst: b, srcPort: 5201, dstPort: 40_000 }), 'queued');
  assert.equal(it.arrive({ dst: b, srcPort: 5201, dstPort: 40_001 }), 'natConnectionUnknown');
  it.lab.clock.advance(349 * nsPerSecond);
  assert.equal(it.arrive({ dst: b, srcPort: 5201, dstPort: 40_000 }), 'queued');
  it.lab.clock.advance(350 * nsPerSecond);
  assert.equal(it.arrive({ dst: b, srcPort: 5201, dstPort: 40_000 }), 'natConnectionUnknown');
});

test('a NAT gateway gives each connection a port of its own, and gives back what answers it', () => {
  const it = new GatewayLab();
  for (const protocol of ['tcp', 'udp'] as const) {
    it.lab.send('b', 'a', { protocol, dst: remote, srcPort: 1234, tcpFlags: syn });
    it.lab.send('c', 'a', { protocol, dst: remote, srcPort: 1234, tcpFlags: syn });
    const [one, other] = it.left();
    assert.ok(one && other);
    assert.deepEqual([one.src, one.dst, one.dstPort, one.sums], [natAddress, remote, 5201, true]);
    assert.notEqual(one.srcPort, other.srcPort);
    assert.equal(
      it.arrive({ protocol, dst: natAddress, srcPort: 5201, dstPort: other.srcPort }),
      'queued',
    );
    assert.deepEqual(it.got('c').map(ends), [[`${remote}:5201`, '10.0.1.13:1234', true]]);
    it.lab.send('b', 'a', { protocol, dst: remote, srcPort: 1234 });
    assert.equal(it.left()[0]?.srcPort, one.srcPort, 'the same connection, the same port');
  }
  assert.equal(it.arrive({ dst: natAddress, dstPort: 1234 }), 'natConnectionUnknown');
  assert.deepEqual(it.got('b'), []);
});

test('a connection lasts 350 idle seconds; whoever goes on with it is reset', () => {
  const it = new GatewayLab();
  it.lab.send('b', 'a', { dst: remote, tcpFlags: syn });
  const [first] = it.left();
  it.lab.clock.advance(349 * nsPerSecond);
  assert.equal(it.lab.send('b', 'a', { dst: remote }), 'delivered');
  it.left();
  it.lab.clock.advance(350 * nsPerSecond);
  const dstPort = first?.srcPort ?? 0;
  assert.equal(it.arrive({ dst: natAddress, srcPort: 5201, dstPort }), 'natConnectionUnknown');
  assert.equal(it.lab.send('b', 'a', { dst: remote }), 'natConnectionUnknown');
  const [reset] = it.got('b');
  assert.ok(reset);
  assert.deepEqual(ends(reset), [`${remote}:5201`, '10.0.1.12:40000', true]);
  assert.equal((reset.bytes[47] as number) & 4, 4, 'RST');
  assert.equal(it.lab.send('b', 'a', { dst: remote, tcpFlags: syn }), 'delivered');
});

test('ports are counted per destination, and who finds none is told why', () => {
  const it = new GatewayLab(gatedModel, { ports: 8 });
  const ask = (srcPort: number, dst: string): string =>
    it.lab.send('b', 'a', { protocol: 'udp', srcPort, dst });
  for (let port = 1; port <= 8; port++) assert.equal(ask(port, remote), 'delivered');
  assert.equal(ask(9, remote), 'natPortsExhausted');
  assert.equal(ask(9, '203.0.113.8'), 'delivered', 'another destination');
  assert.equal(
    new Set(
      it
        .left()
        .slice(0, 8)
        .map(({ srcPort }) => srcPort),
    ).size,
    8,
  );
  it.lab.clock.advance(350 * nsPerSecond);
  assert.equal(ask(9, remote), 'delivered', 'idle ones have made room');
});

test('the table is bounded, whatever is sent', () => {
  const it = new GatewayLab(gatedModel, { connections: 64 });
  const verdicts = new Set<string>();
  for (let port = 1; port <= 500; port++)
    verdicts.add(it.lab.send('b', 'a', { protocol: 'udp', srcPort: port, dst: remote }));
  assert.deepEqual([...verdicts], ['delivered', 'natPortsExhausted']);
  assert.equal(it.left().length, 64);
});

test('echoes are told apart by their identifier, and errors find who caused them', () => {
  const it = new GatewayLab();
  const echo = (bytes: Uint8Array): void => {
    bytes[23] = 1;
    bytes.set([8, 0, 0, 0, 0x12, 0x34, 0, 1], 34);
    bytes.set([0, 0], 24);
    const sum = naiveChecksum(bytes.subarray(34));
    bytes.set([sum >>> 8, sum & 255], 36);
    const ip = naiveChecksum(bytes.subarray(14, 34));
    bytes.set([ip >>> 8, ip & 255], 24);
  };
  const ask = (from: string) =>
    it.lab.send(from, 'a', {
      protocol: 'udp',
      dst: remote,
      payload: new Uint8Array(9),
      edit: echo,
    });
  assert.deepEqual([ask('b'), ask('c')], ['delivered', 'delivered']);
  const [one, other] = it.left();
  assert.ok(one?.sums && other?.sums);
  const id = (bytes: Uint8Array): number[] => [...bytes.subarray(38, 40)];
  assert.notDeepEqual(id(one.bytes), id(other.bytes));
  const reply = Uint8Array.from(other.bytes);
  reply.set([...octets(remote), ...octets(natAddress)], 26);
  reply.set([0, 0], 34);
  reply.set([0, 0], 36);
  const sum = naiveChecksum(reply.subarray(34));
  reply.set([sum >>> 8, sum & 255], 36);
  assert.equal(it.arriveBytes(reply), 'queued');
  const [got] = it.got('c');
  assert.deepEqual(
    [got?.dst, got?.sums, id(got?.bytes ?? reply)],
    ['10.0.1.13', true, [0x12, 0x34]],
  );
  assert.equal(it.arriveBytes(errorAbout(one.bytes, '192.0.2.1', natAddress)), 'queued');
  const [told] = it.got('b');
  assert.deepEqual([told?.dst, told?.sums], ['10.0.1.12', true]);
  assert.deepEqual([...(told?.bytes ?? []).slice(66, 68)], [0x12, 0x34], 'the identifier it knows');
});

test('fragments of UDP pass a NAT gateway both ways, those of TCP do not', () => {
  const it = new GatewayLab();
  const part =
    (offset: number, more: boolean) =>
    (bytes: Uint8Array): void => {
      bytes.set([0, 9, (more ? 0x20 : 0) | (offset >>> 8), offset & 255], 18);
      bytes.set([0, 0], 24);
      const sum = naiveChecksum(bytes.subarray(14, 34));
      bytes.set([sum >>> 8, sum & 255], 24);
    };
  const payload = new Uint8Array(24);
  const send = (protocol: 'tcp' | 'udp', offset: number, more: boolean): string =>
    it.lab.send('b', 'a', {
      protocol,
      dst: remote,
      payload,
      tcpFlags: syn,
      edit: part(offset, more),
    });
  assert.deepEqual([send('udp', 0, true), send('udp', 4, false)], ['delivered', 'delivered']);
  const [first, later] = it.left();
  assert.deepEqual([first?.src, later?.src], [natAddress, natAddress]);
  assert.equal(send('tcp', 0, true), 'natUntranslatable');
  const answer = (offset: number, more: boolean): string => {
    const bytes = it.lab.packet('a', 'b', {
      protocol: 'udp',
      src: remote,
      dst: natAddress,
      payload,
      srcPort: 5201,
      dstPort: first?.srcPort ?? 0,
    });
    part(offset, more)(bytes);
    return it.arriveBytes(bytes);
  };
  assert.equal(answer(4, false), 'fragmentUnknown');
  assert.equal(answer(0, true), 'queued');
  assert.equal(answer(4, false), 'queued');
  assert.deepEqual(
    it.got('b').map(({ dst }) => dst),
    ['10.0.1.12', '10.0.1.12'],
  );
});

test("a NAT gateway stands in a subnet: that subnet's ACL and routes count, in all four ways", () => {
  const deny = { number: 1, action: 'deny', protocol: -1, cidr: `${remote}/32` } as const;
  const toB = { number: 1, action: 'deny', protocol: -1, cidr: '10.0.1.0/24' } as const;
  const acl = (change: 'inbound' | 'outbound', entry: typeof deny | typeof toB) => ({
    ...gatedModel,
    networkAcls: gatedModel.networkAcls.map((one) =>
      one.id === 'acl-nat' ? { ...one, [change]: [entry, ...one[change]] } : one,
    ),
  });
  const it = new GatewayLab();
  const ask = (): string => it.lab.send('b', 'a', { protocol: 'udp', dst: remote });
  assert.equal(ask(), 'delivered');
  const dstPort = it.left()[0]?.srcPort ?? 0;
  const answer = () => it.arrive({ protocol: 'udp', dst: natAddress, srcPort: 5201, dstPort });
  it.update(acl('inbound', toB));
  assert.deepEqual([ask(), answer()], ['aclInDenied', 'queued']);
  it.update(acl('outbound', deny));
  assert.deepEqual([ask(), answer()], ['aclOutDenied', 'queued']);
  it.update(acl('inbound', deny));
  assert.deepEqual([ask(), answer()], ['delivered', 'aclInDenied']);
  it.update(acl('outbound', toB));
  assert.deepEqual([ask(), answer()], ['delivered', 'aclOutDenied']);
  const subnets = gatedModel.subnets.map((one) => ({ ...one, routeTable: 'rtb-private' }));
  it.update({ ...gatedModel, subnets });
  assert.equal(ask(), 'noRoute', 'its own subnet has no way to the internet');
});

test('a private NAT gateway has no way to the internet', () => {
  const natGateways = [{ id: 'nat-1', subnet: 'subnet-2', address: '10.0.2.5' }];
  const it = new GatewayLab({ ...gatedModel, natGateways });
  assert.equal(it.lab.send('b', 'a', { dst: remote, tcpFlags: syn }), 'noPublicAddress');
});

test('nothing larger than 1500 bytes leaves: it is cut, or its sender is told', () => {
  const it = new GatewayLab();
  const payload = new Uint8Array(4000);
  assert.equal(it.lab.send('a', 'b', { dst: remote, payload }), 'tooBigForPath');
  const mayBeCut = (bytes: Uint8Array): void => {
    bytes[20] = 0;
    bytes.set([0, 0], 24);
    const sum = naiveChecksum(bytes.subarray(14, 34));
    bytes.set([sum >>> 8, sum & 255], 24);
  };
  assert.equal(it.lab.send('a', 'b', { dst: remote, payload, edit: mayBeCut }), 'delivered');
  const pieces = it.left();
  assert.equal(pieces.length, 3);
  assert.ok(
    pieces.every(({ src, sums, bytes }) => src === '198.51.100.11' && sums && bytes.length <= 1514),
  );
  assert.equal(it.arrive({ dst: '198.51.100.11', payload }), 'malformed', 'nor does it enter');
});

test('a TSO frame leaves in segments, each translated', () => {
  const it = new GatewayLab();
  const bytes = it.lab.packet('a', 'b', { dst: remote, payload: new Uint8Array(5000) });
  it.lab.end('a').send(bytes, 4, 1460);
  const pieces = it.left();
  assert.equal(pieces.length, 4);
  assert.ok(pieces.every(({ src, sums }) => src === '198.51.100.11' && sums));
});

test('from outside nobody comes with an address of inside, or with none', () => {
  const it = new GatewayLab();
  const dst = '198.51.100.11';
  for (const src of [
    '10.0.1.12',
    '127.0.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '169.254.169.254',
    '255.255.255.255',
  ])
    assert.equal(it.arrive({ src, dst }), 'spoofedSource', src);
  for (const src of ['2600:1f14:0:1::2', '::1', 'fe80::1', 'ff02::1'])
    assert.equal(it.arrive({ src, dst: '2600:1f14::1' }), 'spoofedSource', src);
  assert.equal(it.arrive({ dst: '2001:db8:1::1' }), 'noSuchAddress');
});

test('an outside without room loses the packet and says so', () => {
  const it = new GatewayLab();
  it.full = true;
  assert.equal(it.lab.send('a', 'b', { dst: remote }), 'queueFull');
});

test('connections of a NAT gateway outlive a new model; a gateway that is gone does not', () => {
  const it = new GatewayLab();
  it.lab.send('b', 'a', { dst: remote, tcpFlags: syn });
  const dstPort = it.left()[0]?.srcPort ?? 0;
  it.update({ ...gatedModel, instances: [] });
  assert.equal(it.arrive({ dst: natAddress, srcPort: 5201, dstPort }), 'queued');
  it.update({ ...gatedModel, internetGateways: [] });
  assert.equal(it.arrive({ dst: natAddress, srcPort: 5201, dstPort }), 'noSuchAddress');
  assert.equal(it.arrive({ dst: '198.51.100.11' }), 'noSuchAddress');
});

seeded('random packets from both sides do not throw; sums that were right stay right', (random) => {
  const it = new GatewayLab(gatedModel, { connections: 256 });
  const spoil = (bytes: Uint8Array): void => {
    for (let i = random.below(4); i > 0; i--)
      bytes[14 + random.below(bytes.length - 14)] = random.next();
  };
  for (let n = 0; n < 5000; n++) {
    const protocol = random.pick(['tcp', 'udp'] as const);
    const common = {
      protocol,
      payload: new Uint8Array(random.below(80)),
      tcpFlags: random.below(64),
    };
    const from = random.pick(['a', 'b', 'c']);
    const srcPort = 1000 + random.below(300);
    const sent = it.lab.packet(from, 'a', { ...common, dst: remote, srcPort });
    spoil(sent);
    it.lab.end(from).send(sent);
    for (const seen of it.left()) assert.equal(seen.sums, see(sent).sums);
    const dst = random.pick([natAddress, '198.51.100.11']);
    const dstPort = 10_536 + random.below(55_000);
    const came = it.lab.packet('a', 'b', { ...common, src: remote, dst, dstPort });
    spoil(came);
    it.arriveBytes(came.subarray(0, random.oneIn(5) ? random.below(came.length) : came.length));
    for (const seen of it.got('a')) assert.equal(seen.sums, see(came).sums);
    if (random.oneIn(50)) it.lab.clock.advance(random.below(100) * nsPerSecond);
  }
});
