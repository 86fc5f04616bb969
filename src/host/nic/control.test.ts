import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseControl } from './control.ts';

const names = ['vf0', 'vf1'];
const commandOf = (line: string): unknown => {
  const parsed = parseControl(line, names);
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
  const unknown = parseControl('vf9 link up', names);
  assert.ok(unknown.kind === 'error' && /there are: vf0, vf1/.test(unknown.message));
});
