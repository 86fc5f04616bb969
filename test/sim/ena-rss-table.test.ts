/** Indirection tables of every size that a card may offer, by command and by register. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FEATURE, indTableResp, setIndTable } from '../../src/defs/ena-admin.ts';
import { enaRegisters } from '../../src/defs/ena-regs.ts';
import { permissive } from '../../src/devices/ena/profile.ts';
import { type GuestOptions, pair, type SimGuest } from './ena-lab.ts';
import { packet } from './naive-packets.ts';

const options: GuestOptions = { driver: { queuePairs: 4, rxDepth: 64 }, memoryBytes: 16 << 20 };
const updateRegister = enaRegisters.registers.RSS_IND_ENTRY_UPDATE.offset;

/** The queue of `to` that a flow landed on, and its hash. */
function land(from: SimGuest, to: SimGuest, port: number): { queue: number; hash: number } {
  const payload = new Uint8Array(16);
  from.send(packet({ from: from.mac, to: to.mac, ip: 4, l4: 'udp', sourcePort: port, payload }));
  from.driver.poll();
  const found = to.driver.rx.find((queue) => queue.next());
  assert.ok(found, 'the frame landed nowhere');
  const landed = { queue: found.sqIndex, hash: found.hash };
  for (const queue of to.driver.rx) queue.replenish();
  return landed;
}

/** Flows land where `table` says, which is read back. */
function follows(a: SimGuest, b: SimGuest, table: readonly number[]): void {
  assert.deepEqual([...(b.driver.rss.getTable() ?? [])], table);
  for (let port = 1; port <= 64; port++) {
    const { queue, hash } = land(a, b, port);
    assert.equal(queue, table[(hash >>> 0) % table.length], `hash ${hash}`);
  }
}

for (let log = permissive.rssTableLog[0]; log <= permissive.rssTableLog[1]; log++)
  test(`a table of ${2 ** log} entries decides, whole or changed entry by entry`, () => {
    const [, a, b] = pair(options);
    const queues = b.driver.rx.map((queue) => queue.sqIndex);
    const table = Array.from({ length: 2 ** log }, (_, i) => queues[(i * 7 + 3) % 4] ?? 0);
    assert.ok(b.driver.rss.setTable(table));
    follows(a, b, table);
    const last = table.length - 1;
    for (const [index, queue] of [
      [0, queues[1]],
      [last, queues[2]],
      [last >>> 1, queues[3]],
    ] as [number, number][]) {
      table[index] = queue;
      const one = setIndTable.create();
      [one.inline_index, one.inline_cq_idx] = [index, queue];
      b.driver.commands.setFeature(FEATURE.RSS_INDIRECTION_TABLE_CONFIG, one);
      follows(a, b, table);
      table[index] = queues[0] ?? 0;
      b.device.write(0, updateRegister, 4, index | (table[index] << 16));
      follows(a, b, table);
    }
    assert.deepEqual(b.refusals, []);
    b.device.write(0, updateRegister, 4, table.length | ((queues[0] ?? 0) << 16));
    assert.match(b.refusals.at(-1) ?? '', /^ena\/rss-entry-update/);
    const beyond = setIndTable.create();
    [beyond.inline_index, beyond.inline_cq_idx] = [table.length, queues[0] ?? 0];
    assert.throws(
      () => b.driver.commands.setFeature(FEATURE.RSS_INDIRECTION_TABLE_CONFIG, beyond),
      /ILLEGAL_PARAMETER/,
    );
    follows(a, b, table);
  });

test('a card refuses sizes that it does not offer, and its driver takes the largest', () => {
  const profile = { ...permissive, rssTableLog: [5, 8] as const };
  const [, a, b] = pair({ ...options, device: { profile } });
  assert.deepEqual(b.driver.rss.tableSizes(), { min: 5, max: 8 });
  assert.equal(b.driver.rss.getTable()?.length, 256);
  const queues = b.driver.rx.map((queue) => queue.sqIndex);
  const tableOf = (log: number): number[] =>
    Array.from({ length: 2 ** log }, (_, i) => queues[i % 4] ?? 0);
  for (const log of [4, 9])
    assert.throws(() => b.driver.rss.setTable(tableOf(log)), /ILLEGAL_PARAMETER/);
  assert.deepEqual(
    b.refusals.map((line) => line.split(':')[0]),
    ['ena/rss-table-size', 'ena/rss-table-size'],
  );
  follows(a, b, tableOf(8));
  assert.ok(b.driver.rss.setTable(tableOf(5)));
  follows(a, b, tableOf(5));
});

test('a driver of before the sizes is told of 128 entries, or of the nearest that there is', () => {
  for (const [offer, told] of [
    [[0, 10], 7],
    [[7, 7], 7],
    [[8, 9], 8],
    [[2, 5], 5],
  ] as const) {
    const profile = { ...permissive, rssTableLog: offer };
    const [, , b] = pair({ ...options, device: { profile } });
    b.driver.start();
    const ask = (version: number) =>
      b.driver.commands.getFeature(FEATURE.RSS_INDIRECTION_TABLE_CONFIG, indTableResp, version);
    const old = ask(0);
    assert.deepEqual([old.min_size, old.max_size], [told, told]);
    const now = ask(1);
    assert.deepEqual([now.min_size, now.max_size, now.size], [...offer, offer[1]]);
  }
});
