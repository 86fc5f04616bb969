/** Whether flows land on the queue that the card's key and table, as the guest shows them, say. */
import assert from 'node:assert/strict';
import * as ethtool from './ethtool.ts';
import { queueOf, sendFlows } from './flows.ts';
import type { Pair } from './pair.ts';

/** As `ethtool` takes and shows it. */
export const otherKey = Array.from({ length: 40 }, (_, i) => (i * 73 + 29) & 255)
  .map((byte) => byte.toString(16).padStart(2, '0'))
  .join(':');

const flowsPerQueue = 6;
const count = 10;

/** For the key and table as they are, another table, another key. */
export async function checkLanding(pair: Pair, toMac: string): Promise<void> {
  const { b } = pair.vms;
  await check(pair, toMac);
  await b.run('ethtool -X eth0 weight 1 3');
  await check(pair, toMac);
  await b.run(`ethtool -X eth0 hkey ${otherKey}`);
  assert.equal(
    Buffer.from((await ethtool.indirection(b, 'eth0')).key ?? []).toString('hex'),
    otherKey.replaceAll(':', ''),
  );
  await check(pair, toMac);
  await b.run('ethtool -X eth0 default');
}

async function check(pair: Pair, toMac: string): Promise<void> {
  const { a, b } = pair.vms;
  const rss = await ethtool.indirection(b, 'eth0');
  const flows = { from: pair.address('a'), to: pair.address('b'), toMac, count };
  const all = Array.from({ length: 200 }, (_, i) => 20_000 + 37 * i);
  for (const queue of [0, 1]) {
    const ports = all
      .filter((port) => queueOf(rss, { ...flows, ports: all }, port) === queue)
      .slice(0, flowsPerQueue);
    assert.equal(ports.length, flowsPerQueue);
    const before = await ethtool.rxCounts(b, 'eth0');
    await sendFlows(a, 'eth0', { ...flows, ports });
    const after = await ethtool.rxCounts(b, 'eth0');
    const grown = after.map((n, i) => n - (before[i] ?? 0));
    // What else there is (ARP, IPv6) is a packet or two.
    assert.ok((grown[queue] ?? 0) >= flowsPerQueue * count, `queue ${queue}: ${grown}`);
    assert.ok((grown[1 - queue] ?? 0) < count, `queue ${queue}: ${grown}`);
  }
}
