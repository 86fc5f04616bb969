// Trees that the collector brings from guests with stock drivers, judged here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostRules } from '../../src/check/host/rules.ts';
import { check, type Finding } from '../../src/check/report.ts';
import type { Vm } from '../../src/host/guest/guest-vm.ts';
import { collectorScript } from '../../src/host/inspect/collector.ts';
import { inspectHost } from '../../src/host/inspect/host.ts';
import { withCluster } from '../guest/efa-guests.ts';
import { Pair, toolsOrSkip } from '../guest/pair.ts';

type Told = (rule: string) => Finding;

async function judge(vm: Vm): Promise<Told> {
  const root = mkdtempSync(join(tmpdir(), 'virtfn-guest-tree-'));
  try {
    const script = Buffer.from(collectorScript()).toString('base64');
    const brought = await vm.run(
      `echo ${script} | base64 -d > /tmp/collect.sh && sh /tmp/collect.sh | gzip | base64`,
      { timeoutMs: 120_000 },
    );
    execFileSync('tar', ['xzf', '-', '-C', root], { input: Buffer.from(brought, 'base64') });
    const facts = await inspectHost(root, 0);
    const { findings } = check({ kind: 'host', name: 'a', detail: '' }, hostRules, facts, '');
    return (id) => findings.find(({ rule }) => rule.id === id) ?? assert.fail(id);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function assertOutcomes(told: Told, expected: Readonly<Record<string, readonly string[]>>): void {
  for (const [outcome, rules] of Object.entries(expected))
    for (const rule of rules)
      assert.equal(told(rule).outcome, outcome, `${rule}: ${told(rule).text}`);
}

test('a guest with the stock ena driver', { timeout: 300_000 }, async (t) => {
  const tools = await toolsOrSkip(t, '6.12');
  if (tools === null) return;
  const pair = await Pair.start({ kernel: '6.12', cpus: 2 }, tools);
  try {
    await pair.up('a');
    const told = await judge(pair.vms.a);
    assertOutcomes(told, {
      pass: [
        'host-card-present',
        'host-driver-bound',
        'host-ena-module',
        'host-link-up',
        'host-mtu',
        'host-queues',
        'host-allowance-counters',
        'host-allowance-exceeded-ever',
      ],
      // Doorbells are posted here, so that none of the low-latency queues can be had: decision 4.
      fail: ['host-ena-llq'],
      notApplicable: ['host-efa-device', 'host-express-mtu'],
    });
    assert.match(told('host-driver-bound').text, /^ena 6\.12\S* drives ena 1d0f:ec20$/);
    assert.match(told('host-queues').text, /2 queue pairs for 2 vCPUs/);
    // What this function answers is what the rule sees: without a type it has nothing left to track.
    assert.notEqual(told('host-conntrack-available').outcome, 'unknown');
  } finally {
    await pair.close();
  }
});

test('a guest with the stock EFA stack', { timeout: 300_000 }, async (t) => {
  await withCluster(t, {}, async (_cluster, a) => {
    assertOutcomes(await judge(a), {
      pass: [
        'host-driver-bound',
        'host-efa-device',
        'host-efa-verbs',
        'host-efa-libfabric',
        'host-efa-rdma-core',
      ],
    });
    await a.run('rmmod efa');
    const without = await judge(a);
    assertOutcomes(without, { fail: ['host-efa-device'] });
    assert.deepEqual(without('host-efa-device').mend, [
      'sudo modprobe ib_uverbs && sudo modprobe efa',
    ]);
  });
});
