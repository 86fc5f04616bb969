import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../lib/clock.ts';
import { R } from '../../net/reasons.ts';
import { datagram, type Host, ServicesLab, testModel } from './testing-vpc.ts';

const query = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x78, 0, 0, 1, 0, 1];
const services = [
  '10.0.0.2',
  '169.254.169.253',
  'fd00:ec2::253',
  '169.254.169.123',
  'fd00:ec2::123',
];
services.push('169.254.169.254', 'fd00:ec2::254');

/** How many of `count` packets to all services in turn were above the allowance. */
function exceeded(lab: ServicesLab, host: Host, count: number): number {
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const to = services[i % services.length] as string;
    const answer = lab.ask(host, datagram({ host, to, port: 53, payload: query }));
    if (answer === R.linkLocalExceeded) refused++;
  }
  return refused;
}

test('an interface may send 1024 packets per second to all link-local services together', () => {
  const lab = new ServicesLab();
  assert.equal(exceeded(lab, 'a', 1024), 0);
  assert.equal(exceeded(lab, 'a', 100), 100);
  assert.equal(exceeded(lab, 'b', 1024), 0, 'each interface has its own');
  lab.clock.advance(nsPerSecond / 2);
  assert.equal(exceeded(lab, 'a', 600), 88);
  assert.equal(lab.hosts.a.port.counters.get('tx_linkLocalExceeded'), 188);
});

test('a new model neither fills nor forgets the allowance of interfaces that stay', () => {
  const lab = new ServicesLab();
  assert.equal(exceeded(lab, 'a', 1030), 6);
  lab.services.update(testModel());
  assert.equal(exceeded(lab, 'a', 10), 10);
});

test('what is not a link-local service has no such limit', () => {
  const lab = new ServicesLab();
  const frame = datagram({ to: '10.0.0.1', port: 9, payload: [] });
  for (let i = 0; i < 3000; i++) assert.equal(lab.ask('a', frame), R.badRequest);
});
