import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chooseFunctions,
  dataplaneConfig,
  type FunctionRequest,
  qemuArguments,
} from './functions.ts';

const request = (name: string, more: Partial<FunctionRequest> = {}): FunctionRequest => {
  return { name, socket: `/run/${name}.sock`, linkMbps: 10_000, ...more };
};

test('what is not given is chosen, around what is given', () => {
  const chosen = chooseFunctions([
    request('a'),
    request('b', { mac: '02:00:00:00:00:01', address: '10.0.0.10' }),
    request('c'),
  ]);
  assert.deepEqual(
    chosen.map(({ mac, address }) => [mac, address]),
    [
      ['02:00:00:00:00:02', '10.0.0.11'],
      ['02:00:00:00:00:01', '10.0.0.10'],
      ['02:00:00:00:00:03', '10.0.0.12'],
    ],
  );
});

test('every function has a lease in the plan of its data plane', () => {
  const config = dataplaneConfig(chooseFunctions([request('a'), request('b')]));
  assert.ok('plan' in config);
  assert.deepEqual(config.plan.leases, [
    { mac: 0x0200_0000_0001, address: '10.0.0.10', hostname: 'a' },
    { mac: 0x0200_0000_0002, address: '10.0.0.11', hostname: 'b' },
  ]);
});

const wrong: [claim: string, requests: FunctionRequest[], message: RegExp][] = [
  [
    'two of one socket',
    [request('a'), request('b', { socket: '/run/a.sock' })],
    /a and b both have the socket \/run\/a\.sock/,
  ],
  [
    'two of one MAC',
    [request('a', { mac: '02:00:00:00:00:aa' }), request('b', { mac: '02-00-00-00-00-AA' })],
    /a and b both have the mac/,
  ],
  ['a MAC that is none', [request('a', { mac: '2:0:0' })], /'2:0:0' is not a MAC address/],
  ['a group MAC', [request('a', { mac: '01:00:5e:00:00:01' })], /is a group address/],
  [
    'an address of another network',
    [request('a', { address: '192.168.0.1' })],
    /not in the network/,
  ],
  [
    'a socket path that is too long',
    [request('a', { socket: `/run/${'x'.repeat(110)}` })],
    /at most 107/,
  ],
  ['an unknown profile', [request('a', { profile: 'c9' })], /no ENA profile 'c9': choose one of/],
];
for (const [claim, requests, message] of wrong)
  test(`functions with ${claim} are refused in one sentence`, () => {
    assert.throws(() => chooseFunctions(requests), { name: 'FunctionError', message });
  });

test("QEMU's arguments share the memory and name the socket, quoted for a shell", () => {
  const [fn] = chooseFunctions([request('a', { socket: "/run/it's.sock" })]);
  assert.ok(fn);
  assert.deepEqual(qemuArguments(fn, '2G'), [
    '-m 2G -object memory-backend-memfd,id=mem,size=2G,share=on',
    '-machine q35,memory-backend=mem -nic none',
    `-device '{"driver":"vfio-user-pci","id":"a","socket":{"type":"unix","path":"/run/it'\\''s.sock"}}'`,
  ]);
});
