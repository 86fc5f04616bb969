/** `virtfn nic` as a process of its own: what it tells of rules that are broken, and how often. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TestClient } from '../../src/vfio-user/testing-client.ts';

const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const times = 6;
const rule = 'ena/doorbell-unknown';

/** Runs `virtfn nic`, lets a client ring doorbells that no queue has, and ends it by SIGINT. */
async function ringUnknown(...options: string[]): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'virtfn-nic-'));
  const socket = join(directory, 'vf0.sock');
  const child = spawn(process.execPath, [program, 'nic', '--socket', socket, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (!/Waiting for machines|"ready"/.test(line)) continue;
      const client = TestClient.connect(socket);
      client.version();
      for (let i = 0; i < times; i++) assert.equal(client.write(0, 0x4000 + 64 * 15, 4, 1), 0);
      client.close();
      child.kill('SIGINT');
    }
  } finally {
    child.kill();
    rmSync(directory, { recursive: true });
  }
  return lines;
}

test('JSON has each refusal with rule, sentence, source and count, and all of them at the end', async () => {
  const lines = await ringUnknown('--json');
  const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const told = events.filter(({ kind }) => kind === 'refusal');
  assert.deepEqual(
    told.map(({ count }) => count),
    [1, 2, 3, 4],
    'the first few, then each time the count doubles',
  );
  for (const event of told) {
    assert.deepEqual([event['function'], event['rule']], ['vf0', rule]);
    assert.equal(event['text'], 'a doorbell belongs to an existing queue');
    assert.match(String(event['source']), /ena_admin_defs\.h/);
    assert.equal(event['detail'], 'submission queue 15');
  }
  const all = events.find(({ kind }) => kind === 'refused');
  assert.deepEqual(all?.['counts'], { [rule]: times });
});

test('people read the rule and its sentence, and at the end how often it was broken', async () => {
  const text = (await ringUnknown('--trace')).join('\n');
  assert.match(text, /vf0 {2}refused: submission queue 15/);
  assert.match(text, /ena\/doorbell-unknown: a doorbell belongs to an existing queue/);
  assert.match(text, /\(4 times so far\)/);
  assert.match(text, /refused in all: ena\/doorbell-unknown 6/);
});
