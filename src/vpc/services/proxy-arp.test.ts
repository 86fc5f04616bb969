import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../../lib/testing-seed.ts';
import { R, reasonNames } from '../../net/reasons.ts';
import { type Host, ip, mac, macs, routers, ServicesLab, testModel } from './testing-vpc.ts';

const broadcast = 'ff:ff:ff:ff:ff:ff';

/** RFC 826, field by field. */
const arpFrame = (
  operation: number,
  target: string,
  { host = 'a' as Host, sender = '10.0.0.10', senderMac = '' as string, to = broadcast } = {},
): Uint8Array =>
  Uint8Array.from([
    ...mac(to),
    ...mac(macs[host]),
    ...[0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, operation],
    ...mac(senderMac || macs[host]),
    ...ip(sender),
    ...[0, 0, 0, 0, 0, 0],
    ...ip(target),
  ]);

/** Whose MAC the network says, or the verdict. */
function whoHas(lab: ServicesLab, frame: Uint8Array, host: Host = 'a'): string {
  const answer = lab.ask(host, frame);
  if (typeof answer === 'number') return reasonNames[answer] ?? '';
  const said = [...answer.subarray(22, 28)];
  assert.deepEqual([...answer.subarray(6, 12)], said, 'who answers is who it is about');
  return said.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

test('an interface of the same subnet is answered with its own MAC, in exactly these bytes', () => {
  const answer = new ServicesLab().ask('a', arpFrame(1, '10.0.0.11'));
  assert.deepEqual(
    [...(answer as Uint8Array)],
    [
      ...[2, 0, 0, 0, 0, 0x0a, 2, 0, 0, 0, 0, 0x0b, 0x08, 0x06],
      ...[0, 1, 0x08, 0, 6, 4, 0, 2],
      ...[2, 0, 0, 0, 0, 0x0b, 10, 0, 0, 11],
      ...[2, 0, 0, 0, 0, 0x0a, 10, 0, 0, 10],
    ],
  );
});

test('the router has its own MAC, and so has what only the router leads to', () => {
  const lab = new ServicesLab();
  const router = mac(routers.a)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(':');
  for (const target of [
    '10.0.0.1',
    '10.0.0.2',
    '169.254.169.253',
    '169.254.169.254',
    '169.254.169.123',
  ])
    assert.equal(whoHas(lab, arpFrame(1, target)), router, target);
  const other = arpFrame(1, '10.0.0.1', { host: 'other' });
  assert.notEqual(whoHas(lab, other, 'other'), router, 'another subnet has another router');
  const c = { host: 'c', sender: '10.0.1.20' } as const;
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.2', c), 'c'), 'noSuchAddress', 'not in this subnet');
});

test('nobody else is there: other subnets, other VPCs, free addresses', () => {
  const lab = new ServicesLab();
  for (const target of ['10.0.1.20', '10.0.0.99', '10.0.0.3', '10.0.0.255', '8.8.8.8', '0.0.0.0'])
    assert.equal(whoHas(lab, arpFrame(1, target)), 'noSuchAddress', target);
  const other = arpFrame(1, '10.0.0.11', { host: 'other' });
  assert.equal(whoHas(lab, other, 'other'), 'noSuchAddress', 'the same address in another VPC');
});

test("probes and announcements of RFC 5227: nobody claims what is the asker's own", () => {
  const lab = new ServicesLab();
  const probe = { sender: '0.0.0.0' };
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.10', probe)), 'notCarried');
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.30', probe)), 'notCarried', 'a secondary address');
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.10')), 'notCarried', 'an announcement');
  assert.equal(whoHas(lab, arpFrame(2, '10.0.0.10')), 'notCarried', 'and one as a reply');
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.11', probe)), macs.b, 'a conflict is found');
});

test('unicast requests are answered as broadcast ones are', () => {
  const frame = arpFrame(1, '10.0.0.11', { to: macs.b });
  assert.equal(whoHas(new ServicesLab(), frame), macs.b);
});

test('who claims to be somebody else is told nothing, unless its check is off', () => {
  const lab = new ServicesLab();
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.11', { sender: '10.0.0.77' })), 'spoofedSource');
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.11', { senderMac: macs.b })), 'spoofedSource');
  const off = new ServicesLab(testModel({ a: { sourceDestCheck: false } }));
  assert.equal(whoHas(off, arpFrame(1, '10.0.0.11', { sender: '10.0.0.77' })), macs.b);
});

test('a new model moves addresses at once', () => {
  const lab = new ServicesLab();
  const model = testModel();
  const moved = model.interfaces.map((one) =>
    one.id === 'eni-b' ? { ...one, addresses: [{ address: '10.0.0.12' }] } : one,
  );
  lab.services.update({ ...model, interfaces: moved });
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.11')), 'noSuchAddress');
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.12')), macs.b);
  lab.services.update({ ...model, interfaces: moved.filter(({ id }) => id !== 'eni-a') });
  assert.equal(whoHas(lab, arpFrame(1, '10.0.0.12')), 'notCarried', 'the asker is no interface');
});

seeded('any bytes get a verdict, and an answer only when they are a request', (random) => {
  const lab = new ServicesLab();
  for (let n = 0; n < 5000; n++) {
    const frame = arpFrame(1, random.oneIn(2) ? '10.0.0.11' : '10.0.0.1');
    for (let i = random.below(3); i >= 0; i--) frame[14 + random.below(28)] = random.next();
    const cut = random.oneIn(4) ? frame.subarray(0, 14 + random.below(28)) : frame;
    const answer = lab.ask('a', cut);
    if (typeof answer === 'number') assert.notEqual(answer, R.answered);
    else assert.deepEqual([answer.length, cut.length], [42, 42]);
  }
});
