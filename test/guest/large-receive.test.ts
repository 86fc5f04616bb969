// Frames that stay whole on their way to a stock driver: a head and as many fragments as Linux has room for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaints, type Host, Pair, toolsOrSkip } from './pair.ts';
import { transfer } from './stock-driver.ts';

const bytes = 1e8;
/** Of a frame on average; with 16 buffers, and the rest of each frame in another one, it is 32 KB at most. */
const leastBytes = 38_000;
const ways: readonly (readonly [from: Host, to: Host])[] = [
  ['a', 'b'],
  ['b', 'a'],
];

for (const kernel of ['6.12', '7'])
  test(`Linux ${kernel}: 64 KiB arrive in one frame of 18 buffers`, {
    timeout: 200_000,
  }, async (t) => {
    const tools = await toolsOrSkip(t, kernel);
    if (tools === null) return;
    const pair = await Pair.start({ kernel, profile: 'large-receive' }, tools);
    try {
      for (const [name] of ways) await pair.up(name);
      for (const [from, to] of ways) {
        const before = await received(pair, to);
        await transfer(pair, from, to, bytes);
        const frames = (await received(pair, to)) - before;
        t.diagnostic(`${from} to ${to}: ${Math.round(bytes / frames)} bytes each`);
        assert.ok(bytes / frames > leastBytes, `${frames} frames`);
      }
      for (const [name] of ways) {
        const said = await complaints(pair.vms[name], /\bena\b|eth0/);
        assert.deepEqual(
          said.filter((line) => !line.includes('suspect GRO')),
          [],
        );
      }
      assert.deepEqual(pair.refusals(), []);
    } finally {
      await pair.close();
    }
  });

/** Frames, as the driver counts them. */
async function received(pair: Pair, name: Host): Promise<number> {
  const statistics = await pair.vms[name].run('ethtool -S eth0');
  return Number(/queue_0_rx_cnt: (\d+)/.exec(statistics)?.[1]);
}
