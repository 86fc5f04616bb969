import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../lib/clock.ts';
import { parseMac } from '../../net/ethernet.ts';
import { nic, testModel } from '../../vpc/testing-model.ts';
import { createNetwork } from './network.ts';

test('an instance has its limit of connections, and no more than its share of all', () => {
  const mac = '02:00:00:00:00:01';
  const vpc = testModel({ interfaces: [nic('a', 0)] });
  const available = (connections: number): number => {
    const spec = (name: string) => ({
      name,
      socket: name,
      mac,
      linkMbps: 1,
      limits: { connections },
    });
    const functions = ['a', 'b', 'c', 'd'].map(spec);
    const network = createNetwork({ vpc, functions }, new VirtualClock());
    const port = network.switch.addPort({ name: 'a', mac: parseMac(mac) });
    network.limit(port, { connections });
    return port.trackingAvailable;
  };
  assert.deepEqual([7, 60_000, 136_812, 6_000_000].map(available), [7, 60_000, 136_812, 2 ** 18]);
});
