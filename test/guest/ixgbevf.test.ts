/**
 * The stock ixgbevf driver of two kernels, in two guests; beside a guest with ena; on the function
 * as the datasheet has it; and with its rings mapped.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaints, kernels, Pair, type PairOptions, toolsOrSkip } from './pair.ts';
import { stockDriver } from './stock-driver.ts';

const [oldest, newest] = kernels;

const pairs: [claim: string, options: PairOptions][] = [
  ...kernels.map((kernel): [string, PairOptions] => [
    `stock ixgbevf of Linux ${kernel}`,
    { kernel, model: '82599vf' },
  ]),
  ['ena and ixgbevf talk', { kernel: newest, model: { a: 'ena', b: '82599vf' } }],
];

for (const [claim, options] of pairs)
  test(claim, { timeout: 400_000 }, async (t) => {
    const tools = await toolsOrSkip(t, options.kernel);
    if (tools === null) return;
    const pair = await Pair.start(options, tools);
    try {
      await stockDriver(t, pair, options.kernel);
    } finally {
      await pair.close();
    }
  });

const ping = /, 0% packet loss/;

for (const kernel of kernels)
  test(`the datasheet's function, newest messages and an address of the guest's own, Linux ${kernel}`, {
    timeout: 200_000,
  }, async (t) => {
    const tools = await toolsOrSkip(t, kernel);
    if (tools === null) return;
    const more = { parent: { rssQuery: true } };
    const pair = await Pair.start(
      { kernel, cpus: 2, model: '82599vf', profile: 'datasheet', more },
      tools,
    );
    try {
      const vms = Object.values(pair.vms);
      for (const [i, vm] of vms.entries()) {
        const iface = await vm.waitForDriver('ixgbevf');
        await vm.configure(iface, `10.0.0.${10 + i}/16`, 9710);
        const address = await vm.run(`cat /sys/class/net/${iface}/address`);
        assert.ok(!address.startsWith('02:00:00:00:00'), 'the guest made it up');
      }
      const [a, b] = vms;
      assert.ok(a && b);
      assert.match(await a.run('ping -q -c 20 -i 0.02 -s 9000 10.0.0.11'), ping);
      assert.match(await b.run('ethtool -x eth0'), /with 2 RX ring/);
      for (const vm of vms) {
        const lines = await complaints(vm, /ixgbevf|eth0/);
        assert.deepEqual(
          lines.filter((line) => !/random MAC/i.test(line)),
          [],
        );
      }
      assert.deepEqual(pair.refusals(), []);
    } finally {
      await pair.close();
    }
  });

test('mapped rings carry traffic too, and cost no message', { timeout: 200_000 }, async (t) => {
  const tools = await toolsOrSkip(t, oldest);
  if (tools === null) return;
  const more = { access: 'polled' } as const;
  const pair = await Pair.start({ kernel: oldest, model: '82599vf', more }, tools);
  try {
    await Promise.all([pair.up('a'), pair.up('b')]);
    const { a, b } = pair.vms;
    assert.match(await a.run(`ping -q -c 50 -i 0.02 -s 8000 ${pair.address('b')}`), ping);
    await b.run('iperf3 -s -D');
    const report = await a.run(`iperf3 -c ${pair.address('b')} -t 2 -f m`, { timeoutMs: 20_000 });
    assert.match(report, /receiver/);
    t.diagnostic(/[\d.]+ Mbits\/sec(?=\s+receiver)/.exec(report)?.[0] ?? 'no rate');
    await b.run('rmmod ixgbevf && modprobe ixgbevf');
    await pair.up('b');
    assert.match(await a.run(`ping -q -c 5 -i 0.2 ${pair.address('b')}`), /[1-5] received/);
    for (const vm of [a, b]) assert.deepEqual(await complaints(vm, /ixgbevf|eth0/), []);
    assert.deepEqual(pair.refusals(), []);
  } finally {
    await pair.close();
  }
});
