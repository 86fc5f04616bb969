import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { hostRules } from '../../check/host/rules.ts';
import { check, type Finding, type Report } from '../../check/report.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { inspectHost } from './host.ts';
import { type Files, instanceFiles, writeTree } from './testing-tree.ts';

async function reportOf(files: Files): Promise<Report> {
  const root = writeTree(files);
  try {
    const facts = await inspectHost(root, 0);
    return check({ kind: 'host', name: 'tree', detail: '' }, hostRules, facts, '');
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const outcomes = ({ findings }: Report): Record<string, string> =>
  Object.fromEntries(findings.map(({ rule, outcome }) => [rule.id, outcome]));

const finding = ({ findings }: Report, id: string): Finding =>
  findings.find(({ rule }) => rule.id === id) ?? assert.fail(id);

test('the tree of an instance that is well is ready, and nothing is left out', async () => {
  const report = await reportOf(instanceFiles);
  assert.equal(report.readiness, 'ready');
  const told = outcomes(report);
  const expected = {
    'host-type-known': 'pass',
    'host-card-present': 'pass',
    'host-driver-bound': 'pass',
    'host-ena-llq': 'pass',
    'host-ena-module': 'pass',
    'host-persistent-names': 'pass',
    'host-queues': 'pass',
    'host-irq-spread': 'pass',
    'host-allowance-counters': 'pass',
    'host-allowance-exceeded-ever': 'fail',
    'host-allowance-exceeded-now': 'unknown',
    'host-conntrack-available': 'pass',
    'host-express-mtu': 'notApplicable',
    'host-efa-verbs': 'notApplicable',
  };
  for (const [id, outcome] of Object.entries(expected)) assert.equal(told[id], outcome, id);
  assert.deepEqual(finding(report, 'host-mtu').evidence, [
    { value: '9001', at: { file: '/sys/bus/pci/devices/0000:00:05.0/net/eth0/mtu' } },
  ]);
});

test('what a tree lacks could not be told', async () => {
  const folder = '/sys/devices/pci0000:00/0000:00:05.0';
  const report = await reportOf({
    ...instanceFiles,
    [`${folder}/net/eth0/mtu`]: null,
    [`${folder}/resource`]: 'garbage\n',
    '/virtfn/ethtool/eth0.S': null,
    '/virtfn/ethtool/eth0.g': null,
    '/sys/devices/system/cpu/online': 'all of them\n',
  });
  const told = outcomes(report);
  for (const id of ['mtu', 'ena-llq', 'allowance-counters', 'queues', 'irq-spread'])
    assert.equal(told[`host-${id}`], 'unknown', id);
});

test('an EFA instance without its stack is not ready, and is told each command', async () => {
  const folder = '/sys/devices/pci0000:00/0000:00:06.0';
  const report = await reportOf({
    ...instanceFiles,
    '/sys/bus/pci/devices/0000:00:06.0': '-> ../../../devices/pci0000:00/0000:00:06.0',
    [`${folder}/vendor`]: '0x1d0f\n',
    [`${folder}/device`]: '0xefa1\n',
    [`${folder}/resource`]: '\n\n\n',
  });
  assert.equal(report.readiness, 'notReady');
  const told = outcomes(report);
  for (const id of ['device', 'verbs', 'libfabric', 'rdma-core', 'huge-pages', 'memlock', 'ptrace'])
    assert.equal(told[`host-efa-${id}`], 'fail', id);
  assert.deepEqual(finding(report, 'host-efa-verbs').mend, ['sudo modprobe ib_uverbs']);
});

test('stale udev rules are found with their lines', async () => {
  const rules =
    '# eth9 ATTR{address}=="0a:00:00:00:00:09" NAME="eth9"\n' +
    'SUBSYSTEM=="net", ATTR{address}=="02:00:00:00:00:01", NAME="eth0"\n' +
    'SUBSYSTEM=="net", ATTR{address}=="0A:00:00:00:00:01", NAME="eth1"\n';
  const report = await reportOf({
    ...instanceFiles,
    '/etc/udev/rules.d/70-persistent-net.rules': rules,
  });
  assert.deepEqual(finding(report, 'host-persistent-names').evidence, [
    {
      value: '0a:00:00:00:00:01',
      at: { file: '/etc/udev/rules.d/70-persistent-net.rules', line: 3 },
    },
  ]);
});

seeded('no file of a tree, whatever is in it, makes a check crash or escape', async (chance) => {
  const garbage = [
    '',
    '\x1b[2J\x1b]0;owned\x07',
    '\0'.repeat(5000),
    '9'.repeat(400),
    '-> ../../../../../../../../etc/passwd',
    '-> .',
    '-> \x1b[31m',
    `${'a: 1\n'.repeat(50_000)}`,
    '0-99999999999,\u202e\n0x 0x 0x\n',
  ];
  for (let round = 0; round < 12; round++) {
    const files: Record<string, string | null> = { ...instanceFiles };
    for (const path of Object.keys(files))
      if (!path.endsWith('/') && chance.oneIn(4)) files[path] = chance.pick(garbage);
    files[chance.pick(['/proc/cmdline', '/proc/meminfo'])] = null;
    const { findings } = await reportOf(files);
    const words = findings.map(({ rule: _rule, ...said }) => said);
    const texts = JSON.stringify(words, (_key, value) => value);
    assert.doesNotMatch(texts, /\\u00[01]|[\x7f-\x9f\u202e]/, `round ${round}`);
    assert.doesNotMatch(texts, /root:x:0/);
  }
});
