// A server and its client over a real socket, in front of something that only says what it was told.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import type { Verdict, VerdictListener } from '../../switch/tap-verdicts.ts';
import type { VpcModel } from '../../vpc/model.ts';
import type { Reachability } from '../lab/report.ts';
import { parseVpc } from '../vpc/load.ts';
import { Control, findControls } from './client.ts';
import { CONTROL_SOCKET, type Facts } from './protocol.ts';
import { type Controlled, openControl } from './server.ts';

const model: VpcModel = parseVpc('vpc: {}\ninstances: { a: {}, b: {} }', 'lab.yaml');
const facts: Facts = { kind: 'lab', pid: 1, epochNs: '1700000000000000000', ends: [], vpc: model };
const verdict: Verdict = {
  ...{ timeNs: 1, reason: 'delivered', rule: null, from: 'a', to: 'b', bytes: 60 },
  packet: { kind: 'ip', source: '10.0.0.1', destination: '10.0.0.2', protocol: 6 },
};

class Fake implements Controlled {
  readonly applied: VpcModel[] = [];
  readonly listeners = new Set<VerdictListener>();
  problems: string[] = [];

  describe(): Facts {
    return facts;
  }

  trace(_filter: unknown, _perSecond: number, listener: VerdictListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async apply(next: VpcModel): Promise<readonly string[]> {
    this.applied.push(next);
    return this.problems;
  }

  async reach(): Promise<Reachability> {
    return { services: [], probes: [] };
  }
}

const directory = mkdtempSync(join(tmpdir(), `virtfn-${process.pid}-`));
const fake = new Fake();
const close = await openControl(fake, directory);
const socket = join(directory, CONTROL_SOCKET);
after(() => {
  close();
  rmSync(directory, { recursive: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (is: () => boolean): Promise<void> => {
  while (!is()) await pause(2);
};

test('what runs is found, says who it is, and takes another model', async () => {
  assert.ok(findControls().includes(socket));
  const control = await Control.connect(socket);
  assert.deepEqual(await control.describe(), facts);
  assert.deepEqual(await control.apply(model), []);
  assert.deepEqual(fake.applied, [model]);
  fake.problems = ['it contradicts itself'];
  assert.deepEqual(await control.apply(model), ['it contradicts itself']);
  assert.deepEqual(await control.reach(), { services: [], probes: [] });
  control.close();
});

test('a tracer hears verdicts until it hangs up, and then nobody listens for it', async () => {
  const control = await Control.connect(socket);
  const heard: [number, number][] = [];
  control.trace({ ports: [22] }, 50, (verdicts, leftOut) => heard.push([verdicts.length, leftOut]));
  await until(() => fake.listeners.size === 1);
  for (const listener of fake.listeners) listener([verdict, verdict], 3);
  await until(() => heard.length === 1);
  assert.deepEqual(heard, [[2, 3]]);
  control.close();
  await until(() => fake.listeners.size === 0);
});

test('a reader that does not read is told what it missed, and nothing piles up', async () => {
  const connection = createConnection(socket);
  connection.write('{"do":"trace","filter":{},"perSecond":10}\n');
  connection.pause();
  await until(() => fake.listeners.size === 1);
  const [listener] = fake.listeners;
  const batch = new Array<Verdict>(1000).fill(verdict);
  for (let i = 0; i < 100; i++) listener?.(batch, 0);
  let told = 0;
  createInterface({ input: connection }).on('line', (line) => {
    const { verdicts, leftOut } = JSON.parse(line) as { verdicts: unknown[]; leftOut: number };
    told += verdicts.length + leftOut;
  });
  await pause(50);
  assert.ok(told < 100_000, `${told} were told at once`);
  // It may still be behind when the next verdict comes; then it hears of it with a later one.
  for (let sent = 100_001; told < sent; sent++) {
    listener?.([verdict], 0);
    for (let i = 0; i < 50 && told < sent; i++) await pause(2);
    if (told === sent) break;
  }
  connection.destroy();
});

const wrong: [line: string, message: RegExp][] = [
  ['{', /a JSON object on a line/],
  ['{"do":"dance"}', /^do: /],
  ['{"do":"trace","filter":{"reasons":["bad"]},"perSecond":1}', /filter\.reasons\.0: no reason/],
  ['{"do":"trace","filter":{"ends":[{"prefixes":["x"]}]},"perSecond":1}', /prefixes\.0: no prefix/],
  ['{"do":"apply","model":{"vpcs":[{"id":1}]}}', /model\.vpcs\.0\.id: expected an id/],
];
for (const [line, message] of wrong)
  test(`a request that makes no sense is one sentence: ${line}`, async () => {
    const connection = createConnection(socket);
    connection.write(`${line}\n`);
    const [answer = ''] = await new Promise<string[]>((resolve) => {
      createInterface({ input: connection }).once('line', (text) => resolve([text]));
    });
    connection.destroy();
    assert.match((JSON.parse(answer) as { error: string }).error, message);
  });
