import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../../lib/testing-seed.ts';
import { formatIpv6 } from '../../net/ipv6.ts';
import { R } from '../../net/reasons.ts';
import { linkLocalOf } from '../well-known.ts';
import {
  bytesOf,
  datagram,
  type Host,
  ip6,
  mac,
  macs,
  readDatagram,
  routers,
  ServicesLab,
  testModel,
  text,
  withOptions,
} from './testing-vpc.ts';

const own = 'fe80::ff:fe00:a';
const router = formatIpv6(linkLocalOf(routers.a));
const first = '2600:1f18:aa:bb00::10';
const second = '2600:1f18:aa:bb00::30';

const option = (code: number, ...value: number[]): number[] => [
  ...bytesOf(2, code),
  ...bytesOf(2, value.length),
  ...value,
];
const clientId = option(1, 0, 3, 0, 1, ...mac(macs.a));
const serverId = option(2, 0, 3, 0, 1, ...mac(routers.a));
const address = (text6: string, preferred: number, valid: number): number[] =>
  option(5, ...ip6(text6), ...bytesOf(4, preferred), ...bytesOf(4, valid));
const iaNa = (iaid: number, t1: number, t2: number, ...options: number[]): number[] =>
  option(3, ...bytesOf(4, iaid), ...bytesOf(4, t1), ...bytesOf(4, t2), ...options);
const wantsAll = option(6, 0, 23, 0, 24, 0, 56);
const assigned = iaNa(7, 70, 112, ...address(first, 140, 450), ...address(second, 140, 450));

function send(lab: ServicesLab, message: number[], to = 'ff02::1:2', host: Host = 'a') {
  const frame = datagram({ host, from: own, to, port: 547, fromPort: 546, payload: message });
  return lab.ask(host, frame);
}

/** The server's message. */
function ask(lab: ServicesLab, type: number, ...options: number[]): number[] {
  const answer = readDatagram(send(lab, [type, 0xab, 0xcd, 0xef, ...options]));
  assert.deepEqual([answer.from, answer.to, answer.ports], [router, own, [547, 546]]);
  assert.deepEqual([answer.fromMac, answer.toMac], [mac(routers.a), mac(macs.a)]);
  return [...answer.payload];
}

test('SOLICIT is met by ADVERTISE, REQUEST by REPLY, with all addresses, in exactly these bytes', () => {
  const lab = new ServicesLab();
  const rapidCommit = option(14);
  const elapsed = option(8, 0, 0);
  const advertise = ask(
    lab,
    1,
    ...rapidCommit,
    ...clientId,
    ...elapsed,
    ...iaNa(7, 0, 0),
    ...wantsAll,
  );
  const told = [...option(23, ...ip6('fd00:ec2::253'))];
  told.push(...option(24, 3, ...text('ec2'), 8, ...text('internal'), 0));
  const head = [0xab, 0xcd, 0xef, ...clientId, ...serverId];
  assert.deepEqual(advertise, [2, ...head, ...assigned, ...told]);
  const reply = ask(lab, 3, ...clientId, ...serverId, ...iaNa(7, 0, 0, ...address(first, 0, 0)));
  assert.deepEqual(reply, [7, ...head, ...assigned], 'and only what was asked for');
  assert.deepEqual(lab.services.dhcp6.counts, { advertise: 1, reply: 1, malformed: 0 });
});

test('RENEW and REBIND extend what is its own, and take back what is not any more', () => {
  const lab = new ServicesLab();
  const stale = address('2600:1f18:aa:bb00::99', 0, 0);
  const expected = [
    ...iaNa(7, 70, 112, ...address(first, 140, 450), ...address(second, 140, 450), ...stale),
  ];
  const held = iaNa(7, 70, 112, ...address(first, 140, 450), ...stale);
  const head = [7, 0xab, 0xcd, 0xef, ...clientId, ...serverId];
  assert.deepEqual(ask(lab, 5, ...clientId, ...serverId, ...held), [...head, ...expected]);
  assert.deepEqual(ask(lab, 6, ...clientId, ...held), [...head, ...expected]);
});

test('CONFIRM says whether addresses fit the link, RELEASE and DECLINE are taken note of', () => {
  const lab = new ServicesLab();
  const head = [7, 0xab, 0xcd, 0xef, ...clientId, ...serverId];
  const held = (text6: string): number[] => iaNa(7, 0, 0, ...address(text6, 0, 0));
  assert.deepEqual(ask(lab, 4, ...clientId, ...held(first)), [...head, ...option(13, 0, 0)]);
  const elsewhere = held('2600:1f18:aa:bb01::10');
  assert.deepEqual(ask(lab, 4, ...clientId, ...elsewhere), [...head, ...option(13, 0, 4)]);
  for (const type of [8, 9])
    assert.deepEqual(ask(lab, type, ...clientId, ...serverId, ...held(first)), [
      ...head,
      ...option(13, 0, 0),
    ]);
  assert.equal(send(lab, [4, 1, 2, 3, ...clientId, ...iaNa(7, 0, 0)]), R.badRequest, 'no address');
});

test('INFORMATION-REQUEST gets configuration only, from an option set if there is one', () => {
  const set = {
    domainName: 'corp.example x..y',
    domainNameServers: ['10.0.0.53', '2600:1f18::53'],
    ntpServers: ['fd00:ec2::123', '10.0.0.1'],
  };
  const lab = new ServicesLab(withOptions(set));
  assert.deepEqual(ask(lab, 11, ...wantsAll), [
    ...[7, 0xab, 0xcd, 0xef, ...serverId],
    ...option(23, ...ip6('2600:1f18::53')),
    ...option(24, 4, ...text('corp'), 7, ...text('example'), 0),
    ...option(56, ...option(1, ...ip6('fd00:ec2::123'))),
  ]);
});

test('further associations, temporary addresses and prefixes are not to be had', () => {
  const lab = new ServicesLab();
  const iaTa = option(4, 0, 0, 0, 9);
  const iaPd = option(25, 0, 0, 0, 5, ...bytesOf(8, 0));
  const reply = ask(lab, 1, ...clientId, ...iaPd, ...iaNa(7, 0, 0), ...iaTa, ...iaNa(8, 0, 0));
  assert.deepEqual(reply, [
    ...[2, 0xab, 0xcd, 0xef, ...clientId, ...serverId],
    ...option(25, 0, 0, 0, 5, ...bytesOf(8, 0), ...option(13, 0, 6)),
    ...assigned,
    ...option(4, 0, 0, 0, 9, ...option(13, 0, 2)),
    ...iaNa(8, 0, 0, ...option(13, 0, 2)),
  ]);
});

test('what section 16 of RFC 8415 says to discard is discarded and counted', () => {
  const lab = new ServicesLab();
  const message = (type: number, ...options: number[]): number[] => [type, 1, 2, 3, ...options];
  const otherServer = option(2, 0, 3, 0, 1, ...mac(macs.b));
  const invalid: Record<string, number[]> = {
    'SOLICIT without client': message(1, ...iaNa(7, 0, 0)),
    'SOLICIT with server': message(1, ...clientId, ...serverId),
    'REQUEST without server': message(3, ...clientId, ...iaNa(7, 0, 0)),
    'REQUEST to another server': message(3, ...clientId, ...otherServer, ...iaNa(7, 0, 0)),
    'RENEW without client': message(5, ...serverId),
    'REBIND with server': message(6, ...clientId, ...serverId),
    'INFORMATION-REQUEST with an IA': message(11, ...iaNa(7, 0, 0)),
    'a server message': message(7, ...clientId, ...serverId),
    'a relayed one': message(12, ...clientId),
    'no message': [1, 2, 3],
    'an option that is cut off': message(1, ...clientId, 0, 3, 0, 40, 1, 2),
    'half an option': message(1, ...clientId, 0, 3, 0),
    'an IA that is too short': message(1, ...clientId, ...option(3, 1, 2, 3)),
    'an address that is too short': message(1, ...clientId, ...iaNa(7, 0, 0, ...option(5, 1, 2))),
    'a DUID of 131 bytes': message(1, ...option(1, ...Array(131).fill(1))),
    'nine IAs': message(
      1,
      ...clientId,
      ...Array(9)
        .fill(iaNa(7, 0, 0))
        .flat(),
    ),
  };
  for (const [what, bytes] of Object.entries(invalid))
    assert.equal(send(lab, bytes), R.badRequest, what);
  assert.equal(send(lab, message(1, ...clientId), router), R.badRequest, 'unicast');
  assert.equal(lab.services.dhcp6.counts.malformed, Object.keys(invalid).length + 1);
});

test('an interface without IPv6 addresses has no server', () => {
  const lab = new ServicesLab(testModel({ a: { ipv6Addresses: [] } }));
  assert.equal(send(lab, [1, 1, 2, 3, ...clientId, ...iaNa(7, 0, 0)]), R.notCarried);
});

test('the longest of messages have answers that fit, and any bytes get a verdict', () => {
  const many = Array.from({ length: 50 }, (_, i) => `2600:1f18:aa:bb00::${(i + 256).toString(16)}`);
  const lab = new ServicesLab(testModel({ a: { ipv6Addresses: many } }));
  const held = Array.from({ length: 32 }, (_, i) => address(`fd00::${i}`, 1, 1)).flat();
  const longId = option(1, ...Array(130).fill(9));
  const seven = Array(7)
    .fill(iaNa(1, 0, 0))
    .flat();
  const reply = ask(
    lab,
    5,
    ...longId,
    ...serverId,
    ...iaNa(7, 0, 0, ...held),
    ...seven,
    ...wantsAll,
  );
  assert.ok(reply.length > 50 * 28 + 32 * 28 && reply.length < 4096);
});

seeded('a message with wrong bytes is answered or counted', (random) => {
  const lab = new ServicesLab();
  const valid = [1, 1, 2, 3, ...clientId, ...iaNa(7, 0, 0, ...address(first, 0, 0)), ...wantsAll];
  let answers = 0;
  for (let n = 0; n < 5000; n++) {
    const bytes = valid.slice();
    for (let i = random.below(4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
    const answer = send(lab, random.oneIn(4) ? bytes.slice(0, random.below(bytes.length)) : bytes);
    if (typeof answer === 'object') answers++;
    else assert.notEqual(answer, R.answered);
  }
  assert.ok(answers > 1000 && lab.services.dhcp6.counts.malformed > 500);
});
