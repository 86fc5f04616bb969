import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerMs, nsPerSecond, VirtualClock } from '../lib/clock.ts';
import { parseMac } from '../net/ethernet.ts';
import { R } from '../net/reasons.ts';
import { buildPacket, macA } from '../net/testing-packets.ts';
import { Switch } from './switch.ts';
import { type Verdict, type VerdictFilter, VerdictTap } from './tap-verdicts.ts';
import { TestEndpoint } from './testing-endpoint.ts';

/** Two endpoints, `a` (10.0.0.10) and `b` (10.0.0.11), and a tap between them. */
class Watched {
  readonly clock = new VirtualClock();
  readonly fabric = new Switch({ clock: this.clock });
  readonly a = this.#add('a', 0x0a);
  readonly b = this.#add('b', 0x0b);
  readonly verdicts: Verdict[] = [];
  leftOut = 0;
  readonly tap: VerdictTap;

  constructor(filter: VerdictFilter = {}, perSecond = 100) {
    this.tap = new VerdictTap(this.clock, { filter, perSecond }, (verdicts, leftOut) => {
      this.verdicts.push(...verdicts);
      this.leftOut += leftOut;
    });
    this.fabric.addTap(this.tap);
  }

  #add(name: string, last: number): TestEndpoint {
    return new TestEndpoint(
      this.fabric.addPort({ name, mac: parseMac(`02:00:00:00:00:0${last.toString(16)}`) }),
    );
  }

  /** What was told, once it was gathered. */
  told(): Verdict[] {
    this.clock.advance(50 * nsPerMs);
    return this.verdicts.splice(0);
  }
}

const syn = buildPacket({ srcPort: 40_000, dstPort: 22, tcpFlags: 0x02 });

test('a frame is told once, with both ends, what it is and why', () => {
  const watched = new Watched();
  watched.a.send(syn);
  const [verdict, ...more] = watched.told();
  assert.deepEqual(more, []);
  assert.deepEqual(verdict, {
    ...{ timeNs: 0, reason: 'delivered', rule: null, from: 'a', to: 'b', bytes: syn.length },
    packet: {
      ...{ kind: 'ip', source: '10.0.0.10', destination: '10.0.0.11', protocol: 6 },
      ...{ sourcePort: 40_000, destinationPort: 22, tcpFlags: 2 },
    },
  });
});

test('a frame that waited and was lost is told again; one that waited and arrived is not', () => {
  const watched = new Watched();
  watched.b.buffers = 0;
  watched.a.send(syn);
  watched.a.send(syn);
  assert.deepEqual(
    watched.told().map(({ reason }) => reason),
    ['queued', 'queued'],
  );
  watched.b.buffers = 1;
  watched.b.port.drain(0);
  assert.deepEqual(watched.told(), []);
  watched.b.refusal = R.rxBadAddress;
  watched.b.port.drain(0);
  assert.deepEqual(
    watched.told().map(({ reason, from, to }) => [reason, from, to]),
    [['rxBadAddress', 'a', 'b']],
  );
});

test('filters are passed together: ends, ports, reasons', () => {
  const passes = (filter: VerdictFilter): boolean => {
    const watched = new Watched(filter);
    watched.a.send(syn);
    return watched.told().length === 1;
  };
  const end = (port: string, ...prefixes: string[]) => ({ port, prefixes });
  assert.ok(passes({ ends: [end('a')] }));
  assert.ok(passes({ ends: [end('a'), end('b')] }));
  assert.ok(passes({ ends: [end('c', '10.0.0.11/32')] }));
  assert.ok(!passes({ ends: [end('a'), end('c')] }));
  assert.ok(!passes({ ends: [{ prefixes: ['10.0.1.0/24'] }] }));
  assert.ok(passes({ ports: [22] }) && passes({ ports: [40_000] }) && !passes({ ports: [80] }));
  assert.ok(passes({ reasons: ['delivered'] }) && !passes({ reasons: ['runt'] }));
  assert.ok(!passes({ reasons: ['delivered'], ports: [80] }));
});

test('IPv6, ARP and what is neither are told as what they are', () => {
  const watched = new Watched({ ends: [{ prefixes: ['fd00::/8', '10.0.0.0/8'] }] });
  watched.a.send(buildPacket({ version: 6, protocol: 'udp', srcPort: 1, dstPort: 2 }));
  const arp = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ...macA, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
  watched.a.send(Uint8Array.from([...arp, ...macA, 10, 0, 0, 10, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]));
  const [v6, request] = watched.told().map(({ packet }) => packet);
  assert.deepEqual(v6, {
    ...{ kind: 'ip', source: 'fd00:101:101:101:101:101:101:10a' },
    ...{ destination: 'fd00:101:101:101:101:101:101:10b', protocol: 17 },
    ...{ sourcePort: 1, destinationPort: 2 },
  });
  assert.deepEqual(request, {
    ...{ kind: 'arp', operation: 'request', source: '10.0.0.10', destination: '10.0.0.1' },
  });
  const plain = new Watched();
  plain.a.send(Uint8Array.from([2, 0, 0, 0, 0, 0x0b, ...macA, 0x88, 0xcc, 0, 0]));
  plain.a.send(new Uint8Array(5));
  assert.deepEqual(
    plain.told().map(({ packet, reason }) => [reason, packet.kind, packet.source]),
    [
      ['delivered', 'ethernet', '02:00:00:00:00:0a'],
      ['runt', 'ethernet', '?'],
    ],
  );
});

test('beyond its rate a tracer counts, and tells how many it left out', () => {
  const watched = new Watched({}, 10);
  for (let i = 0; i < 25; i++) watched.a.send(syn);
  assert.equal(watched.told().length, 10);
  assert.equal(watched.leftOut, 15);
  watched.clock.advance(nsPerSecond);
  for (let i = 0; i < 25; i++) watched.a.send(syn);
  assert.equal(watched.told().length, 10);
  assert.equal(watched.leftOut, 30);
});
