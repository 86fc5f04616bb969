// The script that collects a tree for `virtfn check host --root`, run on this machine.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isKnown } from '../../src/check/fact.ts';
import { collectorScript } from '../../src/host/inspect/collector.ts';
import { inspectHost } from '../../src/host/inspect/host.ts';

test('what the collector brings from this machine is judged as the machine itself', async () => {
  const root = mkdtempSync(join(tmpdir(), 'virtfn-collected-'));
  const tar = execFileSync('sh', ['-c', collectorScript()], { maxBuffer: 64 << 20 });
  execFileSync('tar', ['xf', '-', '-C', root], { input: tar });
  const [there, here] = [await inspectHost(root, 0), await inspectHost('/', 0)];
  const plain = ({ enaLog: _log, efa, ...facts }: typeof here) => {
    const { memlock: _limit, ...stack } = efa;
    return JSON.parse(JSON.stringify({ ...facts, efa: stack }));
  };
  assert.deepEqual(plain(there), plain(here));
  assert.ok(isKnown(there.kernel));
  rmSync(root, { recursive: true });
});
