import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClosedGate, Probe } from '../host/lab/reach.ts';
import { renderReach } from './reach-report.ts';

const plain = (text: string): string => text;
const paint = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };
const closed: ClosedGate = {
  ...{ direction: 'request', reason: 'sgIngressNone', gate: 'inbound groups' },
  ...{ at: 'eni-b', rule: null },
};
const probe = (from: string, to: string, port: number | null, more: Partial<Probe>): Probe => {
  const protocol = port === null ? 'icmp' : 'tcp';
  return { from, to, protocol, port, reached: true, expected: true, closed: null, ...more };
};
const shut = { reached: false, expected: false, closed };
const services = [
  { protocol: 'icmp', port: null },
  { protocol: 'tcp', port: 80 },
] as const;
const lines = (...probes: Probe[]): string[] => renderReach({ services, probes }, 100, paint);

test('rows ask, columns are asked, and each closed gate has a line', () => {
  const text = lines(
    probe('a', 'b', null, shut),
    probe('a', 'b', 80, {}),
    probe('b', 'a', null, {}),
    probe('b', 'a', 80, {}),
  );
  assert.deepEqual(text, [
    'reaches  a        b',
    'a        .        80',
    'b        ping 80  .',
    '',
    'closed  to    by              of     rule',
    'a > b   ping  inbound groups  eni-b',
    '',
    '4 questions with real packets (ping, tcp 80): all as the rules say.',
  ]);
});

test('what is not as the rules say is marked, and named', () => {
  const text = lines(
    probe('a', 'b', 80, { reached: false }),
    probe('b', 'a', 80, { expected: false, closed }),
  ).join('\n');
  const told = text.replace(/\n/g, ' ');
  assert.match(text, /^a +\. +not 80!$/m);
  assert.match(text, /^b +80! +\.$/m);
  assert.match(told, /2 not as the rules say, marked by '!': a > b tcp 80, b > a tcp 80\./);
});
