// Stock drivers whose frames go by the fast path: bursts that a driver posts with one doorbell. TSO is
// off, so that TCP comes in such bursts, with sums that the card makes and verifies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaints, type Host, Pair, toolsOrSkip } from './pair.ts';
import { ping, transfer } from './stock-driver.ts';

const bytes = 4e7;
const hosts: readonly Host[] = ['a', 'b'];

for (const kernel of ['6.12', '7'])
  test(`Linux ${kernel}: what goes by the fast path arrives`, { timeout: 200_000 }, async (t) => {
    const tools = await toolsOrSkip(t, kernel);
    if (tools === null) return;
    const pair = await Pair.start({ kernel }, tools);
    try {
      for (const name of hosts) {
        await pair.up(name);
        await pair.vms[name].run('ethtool -K eth0 tso off gso off');
      }
      await ping(pair.vms.a, pair.address('b'), '-c 50 -i 0.005');
      await transfer(pair, 'a', 'b', bytes);
      await transfer(pair, 'b', 'a', bytes);
      const counters = pair.dataplane.counters();
      t.diagnostic(JSON.stringify(counters));
      for (const name of hosts) {
        const { fast_tx_frames: fast = 0, tx_frames: all = 0 } = counters[name] ?? {};
        assert.ok(fast > all / 2, `${fast} of ${all} frames of ${name}`);
        assert.deepEqual(await complaints(pair.vms[name], /\bena\b|eth0/), []);
      }
      const statistics = await pair.vms.b.run('ethtool -S eth0');
      assert.match(statistics, /queue_0_rx_csum_good: [1-9]/);
      assert.doesNotMatch(statistics, /queue_0_rx_(csum_bad|bad_csum): [1-9]/);
      assert.deepEqual(pair.refusals(), []);
    } finally {
      await pair.close();
    }
  });
