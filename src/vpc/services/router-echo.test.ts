import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read16 } from '../../net/bytes.ts';
import { formatIpv6 } from '../../net/ipv6.ts';
import { R } from '../../net/reasons.ts';
import { buildPacket, naiveChecksum } from '../../net/testing-packets.ts';
import { linkLocalOf } from '../well-known.ts';
import { bytesOf, icmp6, ip, mac, macs, routers, ServicesLab } from './testing-vpc.ts';

/** An echo request of RFC 792, with `length` bytes of data; its sums are right. */
function ping(to: string, length: number): Uint8Array {
  const bytes = buildPacket({
    protocol: 'udp',
    srcMac: mac(macs.a),
    dstMac: mac(routers.a),
    dst: ip(to),
    payload: Uint8Array.from({ length }, (_, i) => i * 3),
  });
  bytes[23] = 1;
  bytes.set([0, 0], 24);
  bytes.set(bytesOf(2, naiveChecksum(bytes.subarray(14, 34))), 24);
  bytes.set([8, 0, 0, 0, 0x12, 0x34, 0, 1], 34);
  bytes.set(bytesOf(2, naiveChecksum(bytes.subarray(34))), 36);
  return bytes;
}

test("the router answers pings to its own address, byte for byte, up to the VPC's MTU", () => {
  const lab = new ServicesLab();
  for (const length of [0, 1, 56, 1472, 8973]) {
    const sent = ping('10.0.0.1', length);
    const answer = lab.ask('a', sent) as Uint8Array;
    assert.deepEqual([...answer.subarray(0, 12)], [...mac(macs.a), ...mac(routers.a)]);
    assert.deepEqual([...answer.subarray(26, 34)], [...ip('10.0.0.1'), ...ip('10.0.0.10')]);
    assert.deepEqual(
      [...answer.subarray(34, 36), ...answer.subarray(38, 42)],
      [0, 0, 0x12, 0x34, 0, 1],
    );
    assert.deepEqual(answer.subarray(42), sent.subarray(42));
    assert.equal(naiveChecksum(answer.subarray(14, 34)), 0);
    assert.equal(naiveChecksum(answer.subarray(34)), 0);
  }
});

test('its link-local address answers too', () => {
  const router = formatIpv6(linkLocalOf(routers.a));
  const sent = icmp6('a', 'fe80::ff:fe00:a', router, [128, 0, 0, 0, 0x12, 0x34, 0, 1, 5, 6, 7], 64);
  const answer = new ServicesLab().ask('a', sent) as Uint8Array;
  assert.deepEqual(answer.subarray(22, 38), sent.subarray(38, 54));
  assert.deepEqual(answer.subarray(38, 54), sent.subarray(22, 38));
  assert.deepEqual(
    [...answer.subarray(54, 56), ...answer.subarray(58)],
    [129, 0, 0x12, 0x34, 0, 1, 5, 6, 7],
  );
  const pseudo = [...answer.subarray(22, 54), 0, 0, 0, 11, 0, 0, 0, 58];
  assert.equal(naiveChecksum([...pseudo, ...answer.subarray(54)]), 0);
});

test('fragments, wrong sums and everything but pings get no answer; others are not the router', () => {
  const lab = new ServicesLab();
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = ping('10.0.0.1', 56);
    bytes[at] = value;
    return bytes;
  };
  assert.equal(lab.ask('a', changed(20, 0x20)), R.badRequest, 'a fragment');
  assert.equal(lab.ask('a', changed(24, 1)), R.badRequest, 'a header with a wrong sum');
  assert.equal(lab.ask('a', changed(60, 1)), R.badRequest, 'data with a wrong sum');
  assert.equal(lab.ask('a', changed(34, 13)), R.badRequest, 'a timestamp request');
  assert.equal(lab.ask('a', ping('10.0.0.2', 56)), R.notCarried, 'the resolver answers no pings');
  assert.equal(lab.ask('a', ping('10.0.1.1', 56)), R.notCarried, "another subnet's router");
  assert.equal(read16(lab.ask('a', ping('10.0.0.1', 56)) as Uint8Array, 34), 0);
});
