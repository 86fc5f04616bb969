import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { parseVpc } from '../vpc/load.ts';
import { objectionsTo } from '../vpc/members.ts';
import { clientScript, judge, parseAnswers, questionsOf, servicesOf } from './reach.ts';
import { settling } from './vpc-guests.ts';

const file = (web: string, a = '{ groups: web }'): string => `
vpc:
  groups:
    web: { in: [${web}] }
    unused: { in: [tcp 9999 from anywhere] }
instances: { a: ${a}, b: { groups: web } }`;
const load = (web: string, a?: string) => parseVpc(file(web, a), 'lab.yaml');

test('asked is a ping, and each TCP port that a rule in use names', () => {
  const ports = (text: string) => servicesOf(load(text)).map(({ port }) => port);
  assert.deepEqual(ports('tcp 443 80 from self, tcp 80 from default'), [null, 80, 443]);
  assert.deepEqual(ports('tcp 8000-8080 from self, udp 53 from self, all from self'), [null, 8000]);
  assert.deepEqual(ports('tcp from self'), [null, 22]);
  assert.deepEqual(ports('tcp 1 2 3 4 5 6 7 8 9 from self'), [null, 1, 2, 3, 4, 5, 6]);
});

test('everybody asks everybody else', () => {
  const asked = questionsOf(['a', 'b', 'c'], [{ protocol: 'icmp', port: null }]);
  assert.deepEqual(
    asked.map(({ from, to }) => `${from}${to}`),
    ['ab', 'ac', 'ba', 'bc', 'ca', 'cb'],
  );
});

test('what was measured stands beside what the rules say, with the gate that is closed', () => {
  const model = load('tcp 80 from self');
  const ask = (port: number | null) =>
    judge(model, { protocol: port === null ? 'icmp' : 'tcp', port, from: 'a', to: 'b' }, false);
  assert.equal(ask(80).expected, true);
  assert.equal(ask(80).closed, null);
  const { expected, closed } = ask(null);
  assert.equal(expected, false);
  assert.deepEqual(closed, {
    ...{ direction: 'request', reason: 'sgIngressNone', gate: 'inbound groups' },
    ...{ at: 'eni-b', rule: null },
  });
});

test("the guests' script says which questions were answered, and waits for all of them", () => {
  const questions = questionsOf(['a', 'b'], servicesOf(load('tcp 80 from self')));
  const script = clientScript(questions, (name) => `address-of-${name}`);
  assert.match(script, /ping .* address-of-b /);
  const stand =
    'ping() { sleep 0.1; }; busybox() { [ "$4" = address-of-a ] && echo virtfn-reached; };';
  const output = execFileSync('sh', ['-c', `${stand}\n${script}`], { encoding: 'utf8' });
  const answered = [...parseAnswers(output)].sort();
  assert.deepEqual(
    answered.map((i) => [questions[i]?.from, questions[i]?.port]),
    [
      ['a', null],
      ['b', null],
      ['b', 80],
    ],
  );
});

test('guests that run keep their NIC and address, and no other instance comes or goes', () => {
  const running = load('tcp 80 from self');
  const objections = (a: string): string[] => objectionsTo(running, load('all from self', a));
  assert.deepEqual(objections('{ groups: default, source-dest-check: false }'), []);
  assert.match(
    objections('{ address: 10.0.0.99 }')[0] ?? '',
    /^a has the address 10\.0\.0\.10 .* 10\.0\.0\.99/,
  );
  assert.match(objections('{ mac: 02:00:00:00:00:99 }')[0] ?? '', /^a has the MAC/);
  const others = parseVpc('vpc: {}\ninstances: { a: {}, c: {} }', 'lab.yaml');
  assert.deepEqual(
    objectionsTo(running, others).map((text) => text.slice(0, 14)),
    ['b runs, and ha', 'c does not run'],
  );
});

test('a guest follows the model: addresses come and go, and forwarding with the check', () => {
  const plain = load('all from self');
  const more = load(
    'all from self',
    '{ address: [10.0.0.10, 10.0.0.99], source-dest-check: false }',
  );
  assert.deepEqual(settling('eth0', 'a', plain, null), []);
  assert.deepEqual(settling('eth0', 'a', more, plain).slice(0, 2), [
    'ip addr add 10.0.0.99/20 dev eth0',
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
  ]);
  assert.deepEqual(settling('eth0', 'a', more, more), []);
  assert.deepEqual(settling('eth0', 'a', plain, more).slice(0, 2), [
    'ip addr del 10.0.0.99/20 dev eth0',
    'echo 0 > /proc/sys/net/ipv4/ip_forward',
  ]);
});
