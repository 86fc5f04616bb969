import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../lib/clock.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { formatIpv6, readIpv6 } from '../../net/ipv6.ts';
import { R, reasonNames } from '../../net/reasons.ts';
import { naiveChecksum } from '../../net/testing-packets.ts';
import { linkLocalOf } from '../well-known.ts';
import { bytesOf, icmp6, ip6, mac, macs, routers, ServicesLab } from './testing-vpc.ts';

const own = 'fe80::ff:fe00:a';
const router = formatIpv6(linkLocalOf(routers.a));
const prefix = '2600:1f18:aa:bb00::';

/** RFC 4861, 4.3. */
const solicitation = (target: string, from = own, options = [1, 1, ...mac(macs.a)]): Uint8Array => {
  const last = ip6(target)
    .slice(13)
    .map((byte) => byte.toString(16).padStart(2, '0'));
  const group = `ff02::1:ff${last[0]}:${last[1]}${last[2]}`;
  return icmp6('a', from, group, [135, 0, 0, 0, 0, 0, 0, 0, ...ip6(target), ...options]);
};

/** RFC 4861, 4.1. */
const routerSolicitation = (from = own, options = [1, 1, ...mac(macs.a)]): Uint8Array =>
  icmp6('a', from, 'ff02::2', [133, 0, 0, 0, 0, 0, 0, 0, ...options]);

/** The ICMPv6 message of a frame whose headers and sum are right. */
function read(frame: Uint8Array | number | undefined) {
  if (typeof frame !== 'object') throw new Error(`no answer: ${reasonNames[frame ?? 0]}`);
  const message = frame.subarray(54);
  const pseudo = [...frame.subarray(22, 54), ...bytesOf(4, message.length), 0, 0, 0, 58];
  assert.equal(naiveChecksum([...pseudo, ...message]), 0);
  assert.deepEqual([...frame.subarray(18, 22)], [...bytesOf(2, message.length), 58, 255]);
  return {
    toMac: [...frame.subarray(0, 6)],
    fromMac: [...frame.subarray(6, 12)],
    from: formatIpv6(readIpv6(frame, 22)),
    to: formatIpv6(readIpv6(frame, 38)),
    message: [...message],
  };
}

const verdict = (answer: Uint8Array | number): string =>
  typeof answer === 'number' ? (reasonNames[answer] ?? '') : 'an answer';

test('a neighbour in the subnet is advertised with its own MAC, in exactly these bytes', () => {
  const { message, ...way } = read(new ServicesLab().ask('a', solicitation(`${prefix}11`)));
  assert.deepEqual(way, {
    toMac: mac(macs.a),
    fromMac: mac(macs.b),
    from: `${prefix}11`,
    to: own,
  });
  assert.deepEqual(message.slice(4), [0x60, 0, 0, 0, ...ip6(`${prefix}11`), 2, 1, ...mac(macs.b)]);
  assert.deepEqual(message.slice(0, 2), [136, 0]);
});

test('the router is advertised as one, and unicast solicitations are answered too', () => {
  const lab = new ServicesLab();
  const target = [135, 0, 0, 0, 0, 0, 0, 0, ...ip6(router)];
  for (const frame of [solicitation(router), icmp6('a', own, router, target)]) {
    const { message, from } = read(lab.ask('a', frame));
    assert.equal(from, router);
    assert.deepEqual(message.slice(4, 8), [0xe0, 0, 0, 0]);
    assert.deepEqual(message.slice(24), [2, 1, ...mac(routers.a)]);
  }
});

test('duplicate address detection hears nothing about its own, and the owner of others', () => {
  const lab = new ServicesLab();
  const probe = (target: string) => lab.ask('a', solicitation(target, '::', []));
  assert.equal(verdict(probe(`${prefix}10`)), 'notCarried');
  assert.equal(verdict(probe(`${prefix}30`)), 'notCarried');
  assert.equal(verdict(probe(own)), 'noSuchAddress', 'its link-local one is nobody else');
  const { message, to, toMac } = read(probe(`${prefix}11`));
  assert.deepEqual([to, toMac], ['ff02::1', [0x33, 0x33, 0, 0, 0, 1]]);
  assert.deepEqual(message.slice(4, 8), [0x20, 0, 0, 0], 'not solicited, to override');
});

test('nobody else is there, and IPv6 is only where the subnet has it', () => {
  const lab = new ServicesLab();
  for (const target of [`${prefix}99`, '2600:1f18:aa:bb01::11', 'fe80::ff:fe00:b', 'fd00:ec2::254'])
    assert.equal(verdict(lab.ask('a', solicitation(target))), 'noSuchAddress', target);
  const frame = icmp6('c', 'fe80::ff:fe00:c', 'ff02::2', [133, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(verdict(lab.ask('c', frame)), 'notCarried');
});

test('a solicited router says what EC2 says, in exactly these bytes', () => {
  const lab = new ServicesLab();
  for (const frame of [routerSolicitation(), routerSolicitation('::', [])]) {
    const { message, ...way } = read(lab.ask('a', frame));
    assert.deepEqual(way, {
      toMac: [0x33, 0x33, 0, 0, 0, 1],
      fromMac: mac(routers.a),
      from: router,
      to: 'ff02::1',
    });
    assert.deepEqual(message.slice(0, 2), [134, 0]);
    assert.deepEqual(message.slice(4), [
      ...[255, 0x80, ...bytesOf(2, 1800), ...bytesOf(4, 0), ...bytesOf(4, 0)],
      ...[1, 1, ...mac(routers.a)],
      ...[5, 1, 0, 0, ...bytesOf(4, 9001)],
      ...[3, 4, 64, 0x80, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, ...ip6(prefix)],
    ]);
  }
});

test('every ten seconds the router is advertised to interfaces with an IPv6 address', () => {
  const lab = new ServicesLab();
  const counts = (): number[] => Object.values(lab.hosts).map(({ received }) => received.length);
  lab.clock.advance(9.9 * nsPerSecond);
  assert.deepEqual(counts(), [0, 0, 0, 0]);
  lab.clock.advance(20 * nsPerSecond);
  assert.deepEqual(counts(), [2, 2, 0, 0]);
  assert.equal(read(lab.hosts.b.received[0]).message[0], 134);
  lab.hosts.b.port.setLink(false);
  lab.clock.advance(10 * nsPerSecond);
  assert.deepEqual(counts(), [3, 2, 0, 0], 'not where there is no link');
  lab.services.close();
  lab.clock.advance(100 * nsPerSecond);
  assert.deepEqual(counts(), [3, 2, 0, 0]);
});

test('what section 7.1 of RFC 4861 calls invalid is not answered', () => {
  const lab = new ServicesLab();
  const target = ip6(`${prefix}11`);
  const head = [135, 0, 0, 0, 0, 0, 0, 0];
  const group = 'ff02::1:ff00:11';
  const invalid: Record<string, Uint8Array> = {
    'a hop limit below 255': icmp6('a', own, group, [...head, ...target], 254),
    'a code': icmp6('a', own, group, [135, 1, ...head.slice(2), ...target]),
    'too short': icmp6('a', own, group, [...head, ...target.slice(1)]),
    'a multicast target': icmp6('a', own, group, [...head, ...ip6('ff02::1')]),
    'an option of no length': icmp6('a', own, group, [...head, ...target, 1, 0, 0, 0, 0, 0, 0, 0]),
    'an option that is cut off': icmp6('a', own, group, [
      ...head,
      ...target,
      1,
      2,
      0,
      0,
      0,
      0,
      0,
      0,
    ]),
    'a link address of nobody': solicitation(`${prefix}11`, '::', [1, 1, ...mac(macs.a)]),
    'a router for nobody with one': routerSolicitation('::', [1, 1, ...mac(macs.a)]),
  };
  const wrongSum = solicitation(`${prefix}11`);
  wrongSum[56] = (wrongSum[56] as number) ^ 1;
  invalid['a wrong checksum'] = wrongSum;
  for (const [what, frame] of Object.entries(invalid))
    assert.equal(verdict(lab.ask('a', frame)), 'badRequest', what);
  const lies = icmp6('a', own, 'ff02::1', [136, 0, 0, 0, 0xa0, 0, 0, 0, ...ip6(router)]);
  assert.equal(verdict(lab.ask('a', lies)), 'notCarried', 'guests advertise to nobody');
  const rogue = icmp6('a', own, 'ff02::1', [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(verdict(lab.ask('a', rogue)), 'notCarried');
});

seeded('any bytes get a verdict, and an answer only when they are a solicitation', (random) => {
  const lab = new ServicesLab();
  let answers = 0;
  for (let n = 0; n < 5000; n++) {
    const frame = random.oneIn(2) ? routerSolicitation() : solicitation(`${prefix}11`);
    for (let i = random.below(3); i > 0; i--)
      frame[14 + random.below(frame.length - 14)] = random.next();
    const answer = lab.ask(
      'a',
      random.oneIn(4) ? frame.subarray(0, random.below(frame.length)) : frame,
    );
    if (typeof answer === 'number') assert.notEqual(answer, R.answered);
    else {
      answers++;
      assert.ok([134, 136].includes(read(answer).message[0] as number));
    }
  }
  assert.ok(answers > 500);
});
