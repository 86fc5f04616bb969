/** Sorted hash inputs: a card that offers them hashes both directions of a connection alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FEATURE, hashInputResp } from '../../src/defs/ena-admin.ts';
import { enaProfiles, permissive } from '../../src/devices/ena/profile.ts';
import { INPUT_SORT } from '../../src/devices/ena/rss-sort.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { packet } from './naive-packets.ts';

const driver = { txDepth: 32, rxDepth: 64 };
type Flow = { readonly ip: 4 | 6; readonly ports: readonly [number, number] };

/** The hash of a packet that `from` sends to `to`, as its completion tells it. */
function hashOf(from: SimGuest, to: SimGuest, { ip, ports }: Flow, isBack: boolean): number {
  const [sourcePort, destinationPort] = isBack ? [ports[1], ports[0]] : ports;
  const payload = new Uint8Array(8);
  const spec = { from: from.mac, to: to.mac, ip, l4: 'tcp', payload } as const;
  from.send(packet({ ...spec, sourcePort, destinationPort }));
  from.driver.poll();
  const [queue] = to.driver.rx;
  assert.ok(queue);
  assert.ok(queue.next());
  const { hash } = queue;
  queue.replenish();
  return hash;
}

function enable(guest: SimGuest): number {
  const inputs = guest.driver.rss.getInputs();
  assert.ok(inputs);
  guest.driver.rss.setInputs(inputs.selected); // as Linux, with both kinds of sorting
  const buffer = { address: guest.arena.alloc(1024), length: 1024 };
  const { commands } = guest.driver;
  const feature = FEATURE.RSS_HASH_INPUT;
  return commands.getFeature(feature, hashInputResp, 0, buffer).enabled_input_sort;
}

const flows: readonly Flow[] = ([4, 6] as const).flatMap((ip) =>
  Array.from({ length: 20 }, (_, i) => ({ ip, ports: [1000 + 37 * i, 65_000 - 911 * i] as const })),
);

for (const [name, sort] of [
  ['addresses and ports', INPUT_SORT.L3 | INPUT_SORT.L4],
  ['addresses only', INPUT_SORT.L3],
  ['ports only', INPUT_SORT.L4],
  ['nothing', 0],
] as const)
  test(`a card that sorts ${name} hashes both directions alike only when it sorts both`, () => {
    const [, a, b] = pair({ driver, device: { profile: { ...permissive, rssInputSort: sort } } });
    for (const guest of [a, b]) assert.equal(enable(guest), sort);
    const alike = flows.filter((flow) => hashOf(a, b, flow, false) === hashOf(b, a, flow, true));
    assert.equal(alike.length, sort === (INPUT_SORT.L3 | INPUT_SORT.L4) ? flows.length : 0);
    a.driver.start();
    b.driver.start();
    const [flow] = flows;
    assert.ok(flow);
    assert.notEqual(hashOf(a, b, flow, false), hashOf(b, a, flow, true), 'off after a reset');
  });

test('no generation sorts, though drivers ask for it', () => {
  for (const profile of enaProfiles) {
    if (((profile.features >>> FEATURE.RSS_HASH_INPUT) & 1) === 0) continue;
    const [, a] = pair({ driver, device: { profile } });
    assert.equal(enable(a), 0, profile.name);
  }
});
