import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { SysError } from './errno.ts';
import { EthtoolSocket } from './ethtool.ts';

test('a name that nobody has, and one that is no name, are errors', () => {
  const ethtool = new EthtoolSocket();
  assert.throws(() => ethtool.driverInfo('virtfn-none'), { code: 'ENODEV' });
  assert.throws(() => ethtool.statistics('x'.repeat(16)), /no name of a network interface/);
  ethtool.close();
});

test('each interface of this machine says its driver, rings and counters, or that it does not', () => {
  const ethtool = new EthtoolSocket();
  const told = <T>(ask: () => T): T | null => {
    try {
      return ask();
    } catch (error) {
      assert.ok(error instanceof SysError && error.code === 'EOPNOTSUPP', `${error}`);
      return null;
    }
  };
  for (const name of readdirSync('/sys/class/net')) {
    const info = told(() => ethtool.driverInfo(name));
    if (info !== null) assert.match(info.driver, /^[\w.-]+$/);
    const rings = told(() => ethtool.rings(name));
    if (rings !== null) assert.ok(rings.rx > 0 && rings.tx > 0);
    for (const [counter, value] of told(() => ethtool.statistics(name)) ?? [])
      assert.ok(/^[\x20-\x7e]{1,32}$/.test(counter) && value >= 0, counter);
  }
  ethtool.close();
});
