// Stock drivers whose functions are served by two threads: everything that one guest sends to the other
// crosses a trunk, on an Ethernet and in a VPC. What it shows is that nothing is lost or changed.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseVpc } from '../../src/host/vpc/load.ts';
import { atOnce, complaints, type Host, Pair, type PairOptions, toolsOrSkip } from './pair.ts';
import { ping, transfer } from './stock-driver.ts';

const kernel = '6.12';
const bytes = 4e7;
const hosts: readonly Host[] = ['a', 'b'];

async function crossing(
  t: TestContext,
  options: Omit<PairOptions, 'kernel' | 'workers'>,
  check: (pair: Pair) => Promise<void>,
): Promise<void> {
  const tools = await toolsOrSkip(t, kernel);
  if (tools === null) return;
  const pair = await Pair.start({ kernel, workers: 2, ...options }, tools);
  try {
    for (const name of hosts) await pair.up(name);
    await ping(pair.vms.a, pair.address('b'), '-c 200 -i 0.005');
    for (const size of ['18', '1472', '8972'])
      await ping(pair.vms.b, pair.address('a'), `${atOnce(5)} -M do -s ${size}`);
    await transfer(pair, 'a', 'b', bytes);
    await transfer(pair, 'b', 'a', bytes);
    await pair.vms.b.run('iperf3 -s -D > /dev/null; sleep 0.5');
    const report = await pair.vms.a.run(`iperf3 -J -t 3 -P 4 -c ${pair.address('b')}`);
    const { bits_per_second: bps } = JSON.parse(report).end.sum_received;
    t.diagnostic(`TCP, 4 flows: ${Math.round(bps / 1e6)} Mbit/s`);
    assert.ok(bps > 1e6);
    await check(pair);
    const counters = pair.dataplane.counters();
    t.diagnostic(JSON.stringify(counters));
    for (const name of hosts) {
      assert.equal(counters[name]?.['tx_queueFull'] ?? 0, 0, 'no ring was full');
      assert.deepEqual(await complaints(pair.vms[name], /\bena\b|eth0/), []);
    }
    assert.deepEqual(pair.refusals(), []);
  } finally {
    await pair.close();
  }
}

test('two guests on two workers, on an Ethernet', { timeout: 200_000 }, (t) =>
  crossing(t, {}, async () => {}),
);

test('two guests on two workers, in a VPC whose rules change', { timeout: 200_000 }, (t) => {
  const model = (group: string) =>
    parseVpc(
      `vpc:
  groups:
    open: { in: [all from 10.0.0.0/16] }
    iperf: { in: [tcp 5201 from 10.0.0.0/16] }
instances: { a: { groups: open }, b: { groups: ${group} } }`,
      'lab.yaml',
    );
  return crossing(t, { vpc: model('open') }, async (pair) => {
    assert.deepEqual(await pair.dataplane.setVpc(model('iperf')), []);
    const to = pair.address('b');
    await assert.rejects(ping(pair.vms.a, to, '-c 3 -i 0.2 -W 1'));
    await pair.vms.a.run(`iperf3 -t 1 -c ${to}`);
    const lost = pair.dataplane.counters()['b']?.['rx_sgIngressNone'] ?? 0;
    assert.ok(lost >= 3, 'counted where it was decided');
  });
});
