/** Quirk Q5: the order of bring-up. What real drivers do passes; what none of them does is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FEATURE, indTableResp, moderationResp } from '../../src/defs/ena-admin.ts';
import { type EnaProfile, enaProfiles } from '../../src/devices/ena/profile.ts';
import { EnaAdminError } from '../../src/drivers/ena/commands.ts';
import type { EnaDriver } from '../../src/drivers/ena/driver.ts';
import { pair, type SimGuest, SimLab } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

type Step =
  | 'host'
  | 'attributes'
  | 'aenq'
  | 'llq'
  | 'moderation'
  | 'interrupts'
  | 'rss'
  | 'queues'
  | 'polled queues'
  | 'table'
  | 'mtu';

const steps = (words: string): Step[] => words.split(' ') as Step[];

/** In what order the drivers that are known to work on EC2 do the steps that they have. */
const orders: Readonly<Record<string, readonly Step[]>> = {
  // ena_device_init, ena_probe, ena_up
  linux: steps('host attributes aenq llq moderation interrupts rss queues table mtu'),
  // ip link set eth0 mtu 9001 up
  'linux, told its MTU before it is up': steps(
    'host attributes aenq llq moderation interrupts rss mtu queues table mtu',
  ),
  // ena_restore_device after a reset
  'linux, once more': steps('host attributes aenq llq interrupts queues table mtu'),
  freebsd: steps('host attributes aenq llq interrupts rss queues table mtu'),
  dpdk: ['host', 'attributes', 'llq', 'rss', 'interrupts', 'aenq', 'polled queues', 'table'],
  ipxe: ['aenq', 'host', 'attributes', 'llq', 'polled queues'],
  vpp: ['host', 'attributes', 'aenq', 'polled queues'],
  illumos: ['attributes', 'host', 'aenq', 'mtu', 'queues', 'interrupts'],
  haiku: steps('host attributes aenq llq interrupts moderation rss queues table mtu'),
};

const createQueues = (driver: EnaDriver): void => {
  if (driver.tx.length === 0) driver.queues.allocate(limits(driver), null);
  driver.queues.create();
};

const does: Readonly<Record<Step, (driver: EnaDriver) => void>> = {
  host: (driver) => driver.sendHostInfo(),
  attributes: (driver) => driver.readAttributes(),
  aenq: (driver) => driver.commands.setEventGroups(0x1f),
  llq: (driver) => driver.allocateQueues(),
  moderation: ({ commands }) => commands.getFeature(FEATURE.INTERRUPT_MODERATION, moderationResp),
  interrupts: (driver) => driver.enableInterrupts(),
  rss: ({ commands }) => commands.getFeature(FEATURE.RSS_INDIRECTION_TABLE_CONFIG, indTableResp, 1),
  queues: createQueues,
  'polled queues': createQueues,
  table: (driver) => driver.rss.spread(driver.rx.map((queue) => queue.sqIndex)),
  mtu: (driver) => driver.setMtu(9001),
};

function limits(driver: EnaDriver) {
  assert.ok(driver.limits);
  return driver.limits;
}

/** A driver's order, from the reset on: the error that it met, or '', and the rules that it broke. */
function bringUp(profile: EnaProfile, order: readonly Step[]): [string, string[], SimGuest] {
  const guest = new SimLab().add({
    device: { profile },
    driver: {
      placement: 'device',
      interrupts: order.includes('queues'),
      txDepth: 64,
      rxDepth: 64,
    },
  });
  const { driver } = guest;
  let error = '';
  driver.resetDevice('NORMAL');
  driver.configureAdmin();
  try {
    for (const step of order) does[step](driver);
  } catch (thrown) {
    assert.ok(thrown instanceof EnaAdminError);
    error = thrown.message;
  }
  return [error, guest.refusals.map((line) => line.split(':')[0] ?? ''), guest];
}

const unknown = 'CREATE_CQ: UNKNOWN_ERROR (status 6, extended 0)';
const named = (name: string): EnaProfile => {
  const found = enaProfiles.find((profile) => profile.name === name);
  assert.ok(found);
  return found;
};

for (const [name, order] of Object.entries(orders))
  test(`the order of ${name} is good for every generation`, () => {
    for (const profile of enaProfiles.filter(({ name }) => name !== 'strict'))
      assert.deepEqual(bringUp(profile, order).slice(0, 2), ['', []], profile.name);
  });

test('the strict card takes no MTU early, no attributes before the host, no vector without MSI-X', () => {
  const met = Object.entries(orders).map(([name, order]) => {
    const [error, rules, guest] = bringUp(named('strict'), order);
    assert.equal(error, rules.length === 0 ? '' : unknown);
    return [name, guest.refusals[0] ?? 'comes up'];
  });
  assert.deepEqual(Object.fromEntries(met), {
    linux: 'comes up',
    'linux, told its MTU before it is up': 'ena/create-cq-order: queues came after mtu',
    'linux, once more': 'comes up',
    freebsd: 'comes up',
    dpdk: 'comes up',
    ipxe: 'comes up',
    vpp: 'comes up',
    illumos: 'ena/create-cq-without-msix: CREATE_CQ',
    haiku: 'comes up',
  });
  const [error, , guest] = bringUp(named('strict'), ['attributes', 'host', 'interrupts', 'queues']);
  assert.equal(error, unknown);
  assert.match(guest.refusals[0] ?? '', /order: host-attributes came after device-attributes/);
});

/** Orders that no known driver has: what is said of them. */
const wrong: [Step[], string][] = [
  [['host', 'moderation', 'attributes'], 'device-attributes came after moderation'],
  [['host', 'rss', 'attributes'], 'device-attributes came after rss'],
  [['host', 'mtu', 'attributes'], 'device-attributes came after mtu'],
  [['host', 'attributes', 'moderation', 'llq'], 'llq came after moderation'],
  [['host', 'attributes', 'interrupts', 'llq'], 'llq came after msix'],
  [['host', 'attributes', 'rss', 'llq'], 'llq came after rss'],
  [['host', 'attributes', 'llq', 'polled queues', 'llq'], 'llq came after queues'],
];

for (const [order, what] of wrong)
  test(`a driver whose ${what} meets an unknown error, and is told why`, () => {
    for (const { name, bringUpOrder } of enaProfiles) {
      const [error, rules, { refusals, driver }] = bringUp(named(name), [
        ...order,
        'polled queues',
      ]);
      const judged = bringUpOrder.length > 0;
      assert.equal(judged, ['nitro-v4', 'nitro-v5', 'nitro-v6', 'strict'].includes(name));
      if (!judged) {
        assert.deepEqual([error, rules], ['', []], name);
        continue;
      }
      assert.equal(error, unknown, name);
      assert.equal(refusals.at(-1), `ena/create-cq-order: ${what}`);
      // Only a reset helps: once more in the right order.
      driver.start();
      assert.equal(driver.fault, null);
    }
  });

test('a driver that runs may change its MTU and make its queues again, on the strictest card', () => {
  const [, a, b] = pair({ device: { profile: named('strict') }, memoryBytes: 16 << 20 });
  b.driver.queues.destroy();
  b.driver.setMtu(9001);
  b.driver.readModeration();
  b.driver.rss.getTable();
  b.driver.queues.create();
  b.driver.rss.spread(b.driver.rx.map((queue) => queue.sqIndex));
  b.driver.queues.postBuffers();
  const frame = plainFrame(a.mac, b.mac, 200, 1);
  assert.ok(a.send(frame));
  assert.deepEqual(b.receive(), [frame]);
  assert.deepEqual(b.refusals, []);
});
