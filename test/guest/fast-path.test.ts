// Stock drivers whose frames go by the fast path: bursts that a driver posts with one doorbell. First TSO
// is off, so that TCP comes in such bursts, with sums that the card makes and verifies; then the card cuts
// it up, and the guests verify its sums themselves.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
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
      await t.test('cut up by the card', () => cutUp(t, pair));
      assert.deepEqual(pair.refusals(), []);
    } finally {
      await pair.close();
    }
  });

/** What the card sends, in packets of the driver and in frames of the wire; and sums that were wrong. */
async function cutUp(t: TestContext, pair: Pair): Promise<void> {
  for (const name of hosts)
    await pair.vms[name].run(
      'killall httpd && ip link set eth0 mtu 1500 && ethtool -K eth0 tso on gso on rx off',
    );
  const posted = async (name: Host): Promise<number> => {
    const lines = await pair.vms[name].run('ethtool -S eth0');
    const counts = [...lines.matchAll(/queue_\d+_tx_cnt: (\d+)/g)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const before = pair.dataplane.counters();
  const packets = { a: -(await posted('a')), b: -(await posted('b')) };
  await transfer(pair, 'a', 'b', bytes);
  await transfer(pair, 'b', 'a', bytes);
  const after = pair.dataplane.counters();
  for (const name of hosts) {
    packets[name] += await posted(name);
    const count = (what: string) => (after[name]?.[what] ?? 0) - (before[name]?.[what] ?? 0);
    const [fast, all] = [count('fast_tx_frames'), count('tx_frames')];
    t.diagnostic(`${name}: ${packets[name]} packets, ${all} frames, ${fast} by the fast path`);
    assert.ok(all > 2 * packets[name], `${packets[name]} packets became ${all} frames`);
    assert.ok(fast > all / 2, `${fast} of ${all} frames of ${name}`);
    const tcp = await pair.vms[name].run('cat /proc/net/snmp');
    const [names = '', values = ''] = tcp.split('\n').filter((line) => line.startsWith('Tcp:'));
    const errors = names.split(' ').indexOf('InCsumErrors');
    assert.equal(values.split(' ')[errors], '0', 'sums that the guest found wrong');
  }
}
