import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Verdict } from '../../switch/tap-verdicts.ts';
import { emptyModel } from '../../vpc/defaults.ts';
import { findReason, losses, nameBook, verdictText } from './verdict-text.ts';

const ends = [
  { name: 'a', addresses: ['10.0.0.10', '2001:db8::10'] },
  { name: 'b', addresses: ['10.0.1.20'] },
];
const names = nameBook({ ends, vpc: null });
const syn: Verdict = {
  ...{ timeNs: 0, reason: 'sgEgressNone', rule: 'no outbound rule in sg-0a1 matches' },
  ...{ from: 'a', to: null, bytes: 74 },
  packet: {
    ...{ kind: 'ip', source: '10.0.0.10', destination: '10.0.1.20', protocol: 6 },
    ...{ sourcePort: 43210, destinationPort: 5432, tcpFlags: 2 },
  },
};
const line = (verdict: Partial<Verdict>): string => {
  const { reason, packet, why } = verdictText({ ...syn, ...verdict }, names);
  return `${reason}  ${packet}  ${why}`;
};

test('a line says the reason, who to whom, what, and the rule', () => {
  assert.equal(
    line({}),
    'sg-egress-none  a 10.0.0.10:43210 > b 10.0.1.20:5432 tcp syn  no outbound rule in sg-0a1 matches',
  );
});

test('without a rule the line says what the reason means', () => {
  assert.match(
    line({ rule: null, reason: 'rxTooLong' }),
    /^rx-too-long .* {2}longer than the receiver/,
  );
});

test('where a frame was is told when its addresses do not say it', () => {
  assert.match(line({ to: 'b' }), /5432 tcp syn {2}/);
  assert.match(line({ to: 'fw' }), /tcp syn at fw {2}/);
  assert.match(line({ from: 'fw', to: 'b' }), /tcp syn by fw {2}/);
  assert.match(line({ from: null, to: 'b' }), /tcp syn by the network {2}/);
});

test('each kind of packet has its own words', () => {
  const ip = { kind: 'ip', source: '10.0.0.10', destination: '192.0.2.1' } as const;
  const of = (packet: Verdict['packet']): string => verdictText({ ...syn, packet }, names).packet;
  assert.equal(
    of({ ...ip, protocol: 1, icmpType: 8, icmpCode: 0 }),
    'a 10.0.0.10 > 192.0.2.1 icmp echo-request',
  );
  assert.equal(
    of({ ...ip, protocol: 1, icmpType: 3, icmpCode: 1 }),
    'a 10.0.0.10 > 192.0.2.1 icmp destination-unreachable (3/1)',
  );
  assert.equal(of({ ...ip, protocol: 47 }), 'a 10.0.0.10 > 192.0.2.1 gre');
  const macs = { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' };
  const srd = of({ kind: 'ethernet', ...macs, etherType: 0x88b5 });
  assert.equal(srd, '02:00:00:00:00:01 > 02:00:00:00:00:02 srd by a');
  assert.equal(
    of({ ...ip, protocol: 17, fragment: 'later' }),
    'a 10.0.0.10 > 192.0.2.1 udp later fragment',
  );
  assert.equal(
    of({
      ...{ kind: 'ip', source: '2001:db8::10', destination: '2001:db8::1', protocol: 6 },
      ...{ sourcePort: 1, destinationPort: 2, tcpFlags: 0x18 },
    }),
    'a [2001:db8::10]:1 > [2001:db8::1]:2 tcp psh ack',
  );
  const { source, destination } = ip;
  assert.equal(
    of({ kind: 'arp', operation: 'request', source, destination }),
    'a 10.0.0.10 > 192.0.2.1 arp request',
  );
});

test('reasons are found by either spelling, and what is lost is told from what is not', () => {
  assert.equal(findReason('sg-egress-none'), 'sgEgressNone');
  assert.equal(findReason('sgEgressNone'), 'sgEgressNone');
  assert.equal(findReason('sg-egress'), undefined);
  assert.ok(losses.includes('aclInDenied') && !losses.includes('answered'));
});

test('ids in rules have the names that people gave, once', () => {
  const { vpc, ...group } = { vpc: 'vpc-1', inbound: [], outbound: [] };
  const securityGroups = [
    { ...group, vpc, id: 'sg-0a1', name: 'web' },
    { ...group, vpc, id: 'sg-db', name: 'db' },
  ];
  const book = nameBook({ ends, vpc: { ...emptyModel, securityGroups } });
  const rule = 'sg-0a1 inbound sgr-0b2: tcp 22 from sg-db, sg-0c3';
  assert.equal(
    verdictText({ ...syn, rule }, book).why,
    'sg-0a1 (web) inbound sgr-0b2: tcp 22 from sg-db, sg-0c3',
  );
});
