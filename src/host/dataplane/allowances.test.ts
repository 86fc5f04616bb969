import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../lib/clock.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { Switch } from '../../switch/switch.ts';
import { InstanceAllowances } from './allowances.ts';
import type { FunctionSpec } from './nic-model.ts';

const clock = new VirtualClock();
const fabric = new Switch({ clock });
const spec = (name: string, more: Partial<FunctionSpec> = {}): FunctionSpec => ({
  ...{ name, socket: `${name}.sock`, mac: '02:00:00:00:00:01', linkMbps: 1000, ...more },
});

test('functions of one instance share its allowance, also when it changes, and others have none', () => {
  const told: [string, number | undefined][] = [];
  const allowances = new InstanceAllowances(clock, (port, { connections }) =>
    told.push([port.name, connections]),
  );
  const ports: SwitchPort[] = ['eth0', 'eth1', 'other'].map((name) => fabric.addPort({ name }));
  const [eth0, eth1, other] = ports as [SwitchPort, SwitchPort, SwitchPort];
  const limits = { packetsPerSecond: 1000, connections: 7 };
  allowances.join(spec('eth0', { instance: 'i-1', limits }), eth0);
  allowances.join(spec('eth1', { instance: 'i-1' }), eth1);
  allowances.join(spec('other'), other);
  assert.ok(eth0.shaper !== null && eth0.shaper.allowance === eth1.shaper?.allowance);
  assert.equal(other.shaper, null);

  eth0.shaper.allowance.out.take(0, 500);
  allowances.change(spec('eth1', { instance: 'i-1' }), { packetsPerSecond: 2000, connections: 9 });
  const { allowance } = eth0.shaper;
  assert.equal(eth1.shaper?.allowance, allowance);
  assert.equal(allowance.out.packets?.level, 4 - 500, 'what was spent stays spent');
  assert.deepEqual(told, [
    ['eth0', 7],
    ['eth1', 7],
    ['eth0', 9],
    ['eth1', 9],
  ]);

  allowances.change(spec('eth0', { instance: 'i-1' }), null);
  assert.deepEqual([eth0.shaper, eth1.shaper], [null, null]);
});
