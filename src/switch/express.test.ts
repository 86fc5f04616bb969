import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond, VirtualClock } from '../lib/clock.ts';
import { buildPacket, macA, macB, type PacketSpec } from '../net/testing-packets.ts';
import { Allowance, type AllowanceLimits } from './allowance/allowance.ts';
import type { Express } from './express.ts';
import { Switch } from './switch.ts';
import { TestEndpoint } from './testing-endpoint.ts';

const tcp: Express = { udp: false };
const both: Express = { udp: true };

function pair(from: Express | null, to: Express | null, limits?: AllowanceLimits) {
  const clock = new VirtualClock();
  const fabric = new Switch({ clock });
  const add = (name: string, mac: number, express: Express | null, allowance?: Allowance) =>
    new TestEndpoint(
      fabric.addPort({
        ...{ name, mac },
        ...(express !== null && { express }),
        ...(allowance !== undefined && { allowance }),
      }),
    );
  const a = add('a', 0x0200_0000_000a, from, limits && new Allowance(limits, 0));
  const b = add('b', 0x0200_0000_000b, to);
  const send = (spec: PacketSpec = {}, mss = 0) =>
    a.send(buildPacket({ srcMac: macA, dstMac: macB, ...spec }), 0, mss);
  const counted = (): [number, number] => [a.port.expressSent, b.port.expressReceived];
  return { clock, a, b, send, counted };
}

const payload = (bytes: number) => ({ payload: new Uint8Array(bytes) });

test('with both ends switched on TCP goes by it, UDP where both want that, others never', () => {
  for (const [from, to, tcpGoes, udpGoes] of [
    [null, both, 0, 0],
    [both, null, 0, 0],
    [tcp, tcp, 1, 0],
    [both, tcp, 1, 0],
    [both, both, 1, 1],
  ] as const) {
    for (const [protocol, goes] of [
      ['tcp', tcpGoes],
      ['udp', udpGoes],
    ] as const)
      for (const version of [4, 6] as const) {
        const { send, counted, b } = pair(from, to);
        send({ protocol, version });
        assert.equal(b.received.length, 1);
        assert.deepEqual(counted(), [goes, goes], `${protocol} ${version}`);
      }
  }
});

test('an IP packet of 8900 bytes goes by it, one of 8901 does not; segments count one by one', () => {
  const { send, counted, b } = pair(both, both);
  send(payload(8900 - 40));
  assert.deepEqual(counted(), [1, 1]);
  send(payload(8901 - 40));
  assert.deepEqual([counted(), b.received.length], [[1, 1], 2]);
  send(payload(10_000), 1000);
  assert.deepEqual(counted(), [11, 11]);
  send(payload(18_000), 8900);
  assert.deepEqual(counted(), [11, 11], 'segments of 8940 bytes');
});

test('what a middlebox is given or sends does not go by it', () => {
  for (const end of ['a', 'b'] as const) {
    const bench = pair(both, both);
    bench[end].port.sendsOn = true;
    bench.send();
    assert.deepEqual(bench.counted(), [0, 0], end);
  }
});

test('one flow may have more by it, to the bit; without it, to others, it may not', () => {
  const bits = (bps: number) => ({ baselineBps: bps, burstBps: bps, creditBits: 0 });
  // 8 Mbit/s for one flow, 40 by ENA Express, of 80.
  const limits = { out: bits(80e6), flowBps: 8e6, expressFlowBps: 40e6 };
  for (const [to, expected] of [
    [both, 5e6],
    [null, 1e6],
  ] as const) {
    const { clock, send, b } = pair(both, to, limits);
    for (let i = 0; i < 8000; i++) {
      send(payload(1000 - 54));
      clock.advance(nsPerSecond / 8000);
    }
    const bytes = b.received.length * 1000;
    // At once: the largest frame, once of all flows together and once of the flow, and of the latter
    // as many times more as its rate.
    const most = expected + 9234 * (1 + (to === null ? 1 : 5)) + 1000;
    assert.ok(bytes >= expected && bytes <= most, `${bytes} bytes in a second, of ${expected}`);
  }
});
