import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseControl } from './control.ts';

const names = ['vf0', 'vf1'];
const commandOf = (line: string): unknown => {
  const parsed = parseControl(line, names, ['vf0'], false);
  return parsed.kind === 'command' ? parsed.command : parsed.kind;
};

test('each command becomes what the data plane is told', () => {
  assert.deepEqual(commandOf('vf0 link down'), { kind: 'set-link', function: 'vf0', up: false });
  assert.deepEqual(commandOf(' vf1  spoofchk on '), {
    kind: 'set-spoof-check',
    function: 'vf1',
    on: true,
  });
  assert.deepEqual(commandOf('vf0 rate 100'), { kind: 'set-rate', function: 'vf0', rateMbps: 100 });
  assert.deepEqual(commandOf('vf0 rate off'), {
    kind: 'set-rate',
    function: 'vf0',
    rateMbps: null,
  });
  assert.deepEqual(commandOf('vf1 reset'), { kind: 'request-reset', function: 'vf1' });
  assert.deepEqual(commandOf('vf0 hint driver_watchdog_timeout=9000'), {
    kind: 'hint',
    function: 'vf0',
    hints: { driver_watchdog_timeout: 9000 },
  });
  assert.equal(commandOf('show'), 'show');
  assert.equal(commandOf('   '), 'nothing');
});

test('a limit is told by its name, all of them end by off', () => {
  const parsed = parseControl('vf0 limit bandwidthGbps=0.2', names, [], false);
  assert.ok(parsed.kind === 'limit');
  assert.equal(parsed.set.burstInGbps, 0.2);
  assert.deepEqual(commandOf('vf1 limit off'), {
    ...{ kind: 'set-limits', function: 'vf1', limits: null },
  });
  for (const line of ['vf0 limit', 'vf0 limit pps=1', 'vf0 limit queueMs=x', 'vf0 limit queueMs'])
    assert.equal(commandOf(line), 'error', line);
});

test('an administrator of a parent function has words of his own', () => {
  const changeOf = (line: string): unknown => {
    const command = commandOf(line) as { kind: string; change: unknown };
    assert.equal(command.kind, 'administer', line);
    return command.change;
  };
  assert.deepEqual(changeOf('vf0 mac 02:00:00:00:00:07'), { what: 'mac', mac: 0x0200_0000_0007 });
  assert.deepEqual(changeOf('vf0 mac off'), { what: 'mac', mac: 0 });
  assert.deepEqual(changeOf('vf0 vlan 5'), { what: 'vlan', vlan: 5, qos: 0 });
  assert.deepEqual(changeOf('vf0 vlan 4094:7'), { what: 'vlan', vlan: 4094, qos: 7 });
  assert.deepEqual(changeOf('vf0 vlan off'), { what: 'vlan', vlan: 0, qos: 0 });
  assert.deepEqual(changeOf('vf0 trust on'), { what: 'trust', on: true });
  assert.deepEqual(changeOf('vf0 query_rss off'), { what: 'rss-query', on: false });
  assert.equal(commandOf('vf1 trust on'), 'error', 'it has no parent');
  for (const line of ['mac 1', 'mac 01:00:5e:00:00:01', 'vlan 0', 'vlan 4095', 'vlan 5:8', 'trust'])
    assert.equal(commandOf(`vf0 ${line}`), 'error', line);
});

test('what is not understood says what there is', () => {
  for (const line of [
    'vf0',
    'vf0 link',
    'vf0 rate -1',
    'vf0 rate 0',
    'vf0 link up now',
    'vf0 hint driver_watchdog_timeout',
    'vf0 hint driver_watchdog_timeout=65536',
    'vf0 hint driver_watchdog_timeout=1=2',
    'vf0 hint patience=1',
    'show vf0',
  ])
    assert.equal(commandOf(line), 'error', line);
  const unknown = parseControl('vf9 link up', names, [], false);
  assert.ok(unknown.kind === 'error' && /there are: vf0, vf1/.test(unknown.message));
  const inVpc = parseControl('vf0 spoofchk off', names, [], true);
  assert.ok(inVpc.kind === 'error' && /in a VPC/.test(inVpc.message));
});
