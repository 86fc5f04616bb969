// A tree that the collector brings from a guest with the stock ena driver, judged here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostRules } from '../../src/check/host/rules.ts';
import { check } from '../../src/check/report.ts';
import { collectorScript } from '../../src/host/inspect/collector.ts';
import { inspectHost } from '../../src/host/inspect/host.ts';
import { Pair, toolsOrSkip } from '../guest/pair.ts';

test('a guest with the stock ena driver is judged by what it shows', {
  timeout: 300_000,
}, async (t) => {
  const tools = await toolsOrSkip(t, '6.12');
  if (tools === null) return;
  const pair = await Pair.start({ kernel: '6.12', cpus: 2 }, tools);
  const root = mkdtempSync(join(tmpdir(), 'virtfn-guest-tree-'));
  try {
    await pair.up('a');
    const script = Buffer.from(collectorScript()).toString('base64');
    const brought = await pair.vms.a.run(
      `echo ${script} | base64 -d > /tmp/collect.sh && sh /tmp/collect.sh | gzip | base64`,
      { timeoutMs: 120_000 },
    );
    execFileSync('tar', ['xzf', '-', '-C', root], { input: Buffer.from(brought, 'base64') });
    const facts = await inspectHost(root, 0);
    const { findings } = check({ kind: 'host', name: 'a', detail: '' }, hostRules, facts, '');
    const told = (rule: string) => findings.find((one) => one.rule.id === rule);
    const passes = [
      'host-card-present',
      'host-driver-bound',
      'host-ena-module',
      'host-link-up',
      'host-mtu',
      'host-queues',
      'host-allowance-counters',
      'host-allowance-exceeded-ever',
    ];
    for (const rule of passes)
      assert.equal(told(rule)?.outcome, 'pass', `${rule}: ${told(rule)?.text}`);
    assert.match(told('host-driver-bound')?.text ?? '', /^ena 6\.12\S* drives ena 1d0f:ec20$/);
    assert.match(told('host-queues')?.text ?? '', /2 queue pairs for 2 vCPUs/);
    // What this function answers is what the rule sees: without a type it has nothing left to track.
    assert.notEqual(told('host-conntrack-available')?.outcome, 'unknown');
    // Doorbells are posted here, so that none of the low-latency queues can be had: decision 4.
    assert.equal(told('host-ena-llq')?.outcome, 'fail', told('host-ena-llq')?.text);
  } finally {
    await pair.close();
    rmSync(root, { recursive: true });
  }
});
