// virtfn trace in front of something that says what it is told to.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, test } from 'node:test';
import { CONTROL_SOCKET, type Verdict, type VerdictFilter } from '../host/control/protocol.ts';
import { type Controlled, openControl } from '../host/control/server.ts';
import { run } from './run.ts';

const directory = mkdtempSync(join(tmpdir(), 'virtfn-trace-test-'));
const socket = join(directory, CONTROL_SOCKET);
const asked: VerdictFilter[] = [];
const dropped: Verdict = {
  ...{ timeNs: 2e9, reason: 'aclInDenied', rule: 'acl-x inbound 120: deny all from 0.0.0.0/0' },
  ...{ from: 'a', to: null, bytes: 60 },
  packet: {
    ...{ kind: 'ip', source: '10.0.0.10', destination: '10.0.1.20', protocol: 6 },
    ...{ sourcePort: 40_000, destinationPort: 22, tcpFlags: 2 },
  },
};
const fake: Controlled = {
  describe: () => ({
    ...{ kind: 'lab', pid: 7, epochNs: '1700000000000000000', vpc: null },
    ends: [
      { name: 'a', addresses: ['10.0.0.10'] },
      { name: 'b', addresses: ['10.0.1.20', '10.0.1.21'] },
    ],
  }),
  trace: (filter, _perSecond, listener) => {
    asked.push(filter);
    listener([dropped], 3);
    listener([dropped, dropped], 4);
    return () => {};
  },
  apply: async () => [],
  reach: async () => ({ services: [], probes: [] }),
};
const close = await openControl(fake, directory);
after(() => {
  close();
  rmSync(directory, { recursive: true });
});

async function trace(
  ...args: string[]
): Promise<{ code: number; lines: string[]; errors: string }> {
  const lines: string[] = [];
  const errors: string[] = [];
  const mocks = [
    mock.method(console, 'log', (line: string) => lines.push(line)),
    mock.method(console, 'error', (line: string) => errors.push(line)),
    mock.method(process.stderr, 'write', (text: string) => errors.push(text) > 0),
  ];
  try {
    return { code: await run(['trace', '--at', socket, ...args]), lines, errors: errors.join('') };
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
}

const line =
  'acl-in-denied     a 10.0.0.10:40000 > b 10.0.1.20:22 tcp syn  acl-x inbound 120: deny all from 0.0.0.0/0';

test('as many lines as were asked for, then how many were left out', async () => {
  const { code, lines, errors } = await trace('--count', '2');
  assert.equal(code, 0);
  assert.deepEqual(lines, [
    line,
    line,
    '7 more were left out: no more than 50 a second are shown (--rate)',
  ]);
  assert.equal(
    errors,
    'Watching the lab of process 7: a 10.0.0.10, b 10.0.1.20. Stop with Ctrl-C.\n',
  );
});

test('as JSON a packet is an object with its time, and so is what was left out', async () => {
  const { lines, errors } = await trace('--count', '3', '--json');
  const [first, , , last] = lines.map((text) => JSON.parse(text));
  const { timeNs: _, packet, ...rest } = dropped;
  const time = '2023-11-14T22:13:22.000Z';
  assert.deepEqual(first, { time, ...rest, why: dropped.rule, packet });
  assert.deepEqual(last, { left_out: 7 });
  assert.equal(errors, '');
});

test('filters are what the words say: instances by name and by all of their addresses', async () => {
  await trace(
    ...['--instance', 'b', '--address', '10.0.0.0/24', '--port', '22', '--port', '23'],
    ...['--reason', 'acl-in-denied', '--reason', 'noRoute', '--count', '1'],
  );
  assert.deepEqual(asked.at(-1), {
    ends: [
      { port: 'b', prefixes: ['10.0.1.20/32', '10.0.1.21/32'] },
      { prefixes: ['10.0.0.0/24'] },
    ],
    ports: [22, 23],
    reasons: ['aclInDenied', 'noRoute'],
  });
});

test('an instance that is not there is one sentence', async () => {
  const { code, lines, errors } = await trace('--instance', 'c');
  assert.equal(code, 2);
  assert.deepEqual(lines, []);
  assert.match(errors, /there is no instance 'c'; there are: a, b/);
});
