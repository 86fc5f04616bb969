// Against what iperf3 3.18 and iputils' ping really printed in a guest (ping's output shortened).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { median, parseIperfTcp, parseIperfUdp, parsePing, percentile } from './parsers.ts';

const recording = (name: string) => readFileSync(`src/host/lab/recordings/${name}`, 'utf8');

test('TCP is what the receiver got, over all flows', () => {
  assert.deepEqual(parseIperfTcp(recording('iperf3-tcp4.json')), {
    bytes: 225574912,
    seconds: 2.064944,
  });
});

test('UDP counts the datagrams that arrived, not those that were sent', () => {
  assert.deepEqual(parseIperfUdp(recording('iperf3-udp.json')), {
    received: 101020 - 25090,
    lost: 25090,
    seconds: 2.005877,
  });
});

test('an iperf3 that was refused says why', () => {
  const refused = recording('iperf3-refused.json');
  const why = { name: 'MeasureError', message: /^iperf3: unable to connect .*Connection refused/ };
  assert.throws(() => parseIperfTcp(refused), why);
  assert.throws(() => parseIperfUdp(refused), why);
});

test('what is no JSON, or has no result, is no measurement', () => {
  const name = 'MeasureError';
  assert.throws(() => parseIperfTcp('iperf3: not found'), { name, message: /not found/ });
  assert.throws(() => parseIperfTcp(''), { name, message: /printed nothing/ });
  assert.throws(() => parseIperfTcp('{"end":{}}'), { name, message: /receiver/ });
  const nothing = '{"end":{"sum_received":{"bytes":0,"seconds":1,"packets":9,"lost_packets":9}}}';
  assert.throws(() => parseIperfTcp(nothing), { name, message: /no data/ });
  assert.throws(() => parseIperfUdp(nothing), { name, message: /no datagram/ });
});

test('every answer of a ping is one round-trip time, and the summary is none', () => {
  const times = parsePing(recording('ping.txt'));
  assert.deepEqual(times, [1060, 615, 588, 438, 485, 408, 414, 426, 412, 525, 523]);
  assert.throws(() => parsePing('PING 10.0.0.11\n3 packets transmitted, 0 received'), {
    name: 'MeasureError',
    message: /no answer/,
  });
});

test('percentiles are values that were measured, by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(percentile(hundred, 50), 50);
  assert.equal(percentile(hundred, 99), 99);
  assert.equal(percentile(hundred, 100), 100);
  assert.equal(percentile([7], 99), 7);
});

test('a median does not depend on the order', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});
