import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInterfaces } from './guest-vm.ts';

test('interfaces are told by name, driver, function, address, size, state and speed', () => {
  const text = 'eth0 ena 0000:01:00.0 02:00:00:00:00:01 9001 up 12500\nlo - -\n\n';
  assert.deepEqual(parseInterfaces(text), [
    {
      name: 'eth0',
      driver: 'ena',
      pci: '0000:01:00.0',
      mac: '02:00:00:00:00:01',
      mtu: 9001,
      state: 'up',
      speedMbps: 12500,
    },
  ]);
});
