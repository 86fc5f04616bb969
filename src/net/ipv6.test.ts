import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../lib/testing-seed.ts';
import { parseIpv4 } from './ipv4.ts';
import { formatIpv6, type Ipv6Address, parseIpv6 } from './ipv6.ts';
import { formatPrefix, hasIpv4, hasIpv6, parsePrefix } from './prefix.ts';

test('addresses of RFC 4291 and RFC 5952 are read, and written as RFC 5952 wants them', () => {
  const written: [string, string][] = [
    ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'],
    ['FF01:0:0:0:0:0:0:101', 'ff01::101'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::', '::'],
    ['::13.1.68.3', '::d01:4403'],
    ['::ffff:129.144.52.38', '::ffff:8190:3426'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['fd00:ec2::253', 'fd00:ec2::253'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ];
  for (const [text, expected] of written) assert.equal(formatIpv6(parseIpv6(text)), expected);
  assert.deepEqual(parseIpv6('fe80::1'), [0xfe80_0000 | 0, 0, 0, 1]);
});

test('what is no IPv6 address is refused', () => {
  const wrong = ['', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '12345::'];
  wrong.push('g::', '1:2:3:4:5:6:7:8::', '::256.1.1.1', '1.2.3.4::', '::1.2.3', '::1%eth0', ' ::1');
  for (const text of wrong) assert.throws(() => parseIpv6(text), /is not an IPv6 address/, text);
});

seeded('any address is the same after it was written and read', (random) => {
  for (let n = 0; n < 5000; n++) {
    const word = (): number => (random.next() & (random.oneIn(2) ? -1 : 0xffff0000)) | 0;
    const sparse = (): number => (random.oneIn(2) ? 0 : word());
    const address: Ipv6Address = [sparse(), sparse(), sparse(), sparse()];
    assert.deepEqual(parseIpv6(formatIpv6(address)), address);
  }
});

test('prefixes hold what begins as they do', () => {
  const v4 = parsePrefix('10.1.2.3/20');
  assert.equal(formatPrefix(v4), '10.1.0.0/20');
  assert.deepEqual(
    ['10.1.15.255', '10.1.16.0'].map((a) => hasIpv4(v4, parseIpv4(a))),
    [true, false],
  );
  assert.ok(hasIpv4(parsePrefix('0.0.0.0/0'), parseIpv4('255.1.2.3')));
  const v6 = parsePrefix('2600:1f14:aa:bbcc::9/56');
  assert.equal(formatPrefix(v6), '2600:1f14:aa:bb00::/56');
  const inside = ['2600:1f14:aa:bbff::1', '2600:1f14:aa:bc00::', 'fe80::1'];
  assert.deepEqual(
    inside.map((a) => hasIpv6(v6, parseIpv6(a))),
    [true, false, false],
  );
  assert.ok(hasIpv6(parsePrefix('::/0'), parseIpv6('fe80::1')));
  assert.ok(hasIpv6(parsePrefix('::1/128'), parseIpv6('::1')));
  assert.ok(!hasIpv4(v6, 0) && !hasIpv6(v4, [0, 0, 0, 0]), 'versions do not mix');
  for (const text of ['10.0.0.0', '10.0.0.0/33', '::/129', '10.0.0.0/8/8', '10.0.0.0/', '10.0/8'])
    assert.throws(() => parsePrefix(text), text);
});
