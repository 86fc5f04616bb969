import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  basicStatsResp,
  FEATURE,
  getStatsCmd,
  hashFunctionResp,
  OPCODE,
  STATUS,
} from '../../src/defs/ena-admin.ts';
import { type EnaProfile, enaProfiles } from '../../src/devices/ena/profile.ts';
import { EnaAdminError } from '../../src/drivers/ena/commands.ts';
import type { EnaDriver } from '../../src/drivers/ena/driver.ts';
import { PCI_COMMAND, PCI_COMMAND_MEMORY } from '../../src/pci/config-space.ts';
import { pair, type SimGuest, SimLab } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

function profileNamed(name: string): EnaProfile {
  const found = enaProfiles.find((profile) => profile.name === name);
  assert.ok(found, name);
  return found;
}

for (const profile of enaProfiles)
  for (const placement of ['host', 'device'] as const)
    test(`${profile.name}: comes up with rings in ${placement} memory and breaks no rule`, () => {
      const [, a, b] = pair({ memoryBytes: 16 << 20, device: { profile }, driver: { placement } });
      for (let i = 0; i < 2500; i++) {
        const frame = plainFrame(a.mac, b.mac, 60 + ((i * 7) % 1454), i);
        assert.ok(a.send(frame));
        assert.deepEqual(b.receive(), [frame]);
        a.driver.poll();
      }
      assert.deepEqual([a.refusals, b.refusals], [[], []]);
      assert.equal(a.driver.tx[0]?.isInDevice, placement === 'device' && profile.llq !== null);
    });

/** Brings a driver up to its queues, with a step left out; the error of the first CREATE_CQ. */
function withoutStep(profile: EnaProfile, steps: (driver: EnaDriver) => void): [string, SimGuest] {
  const guest = new SimLab().add({ device: { profile }, driver: { txDepth: 64, rxDepth: 64 } });
  const { driver } = guest;
  driver.resetDevice('NORMAL');
  steps(driver);
  try {
    const address = guest.arena.alloc(4096);
    const shape = { address, depth: 64, entryWords: 2, vector: 1, interrupts: true };
    driver.commands.createCq(shape);
  } catch (error) {
    assert.ok(error instanceof EnaAdminError);
    return [error.message, guest];
  }
  return ['', guest];
}

const unknown = 'CREATE_CQ: UNKNOWN_ERROR (status 6, extended 0)';
const demanding = profileNamed('nitro-v4');
const easy = profileNamed('permissive');

/** Quirks Q1, Q2, Q3 and Q5: [what is missing, rule, what the driver does instead]. */
const missing: [string, string, (driver: EnaDriver) => void][] = [
  [
    'host info',
    'create-cq-without-host-info',
    (driver) => {
      driver.configureAdmin();
      driver.readAttributes();
    },
  ],
  [
    'the device attributes',
    'create-cq-before-attributes',
    (driver) => {
      driver.configureAdmin();
      driver.sendHostInfo();
    },
  ],
  [
    'the event queue',
    'create-cq-without-aenq',
    (driver) => {
      driver.admin.configure();
      driver.sendHostInfo();
      driver.readAttributes();
    },
  ],
];

for (const [what, rule, steps] of missing) {
  test(`a card that insists on ${what} fails CREATE_CQ without a reason; the diagnostics say`, () => {
    const [message, guest] = withoutStep(demanding, steps);
    assert.equal(message, unknown);
    assert.match(guest.refusals.join(), new RegExp(`ena/${rule}`));
  });

  test(`a card that does not insist on ${what} makes the queue`, () => {
    assert.equal(withoutStep(easy, steps)[0], '');
  });
}

test('host info of version 1 is as good as none to a card that wants version 2', () => {
  const device = { profile: demanding };
  const guest = new SimLab().add({ device, driver: { specVersion: 0x0100 } });
  assert.throws(() => guest.driver.start(), new RegExp(unknown.replace(/[()]/g, '\\$&')));
  assert.match(guest.refusals.join(), /ena\/create-cq-spec-version/);
});

test('1024 wide entries are too many for a card that recommends them; the driver takes 512', () => {
  const options = { device: { profile: demanding }, driver: { placement: 'device' as const } };
  const [, a] = pair({ ...options, memoryBytes: 16 << 20 });
  const queue = a.driver.tx[0];
  assert.ok(queue);
  assert.deepEqual([queue.spec.depth, queue.ring.shape.entryBytes], [512, 256]);
  a.driver.commands.destroySq(queue.sqIndex, 1);
  assert.throws(
    () =>
      a.driver.commands.createSq({
        direction: 1,
        cqIndex: queue.cqIndex,
        address: 0,
        depth: 1024,
        placement: 3,
      }),
    EnaAdminError,
  );
});

test('statistics are the same for device id 0 and for 0xffff, which both mean mine', () => {
  const [, a, b] = pair();
  a.send(plainFrame(a.mac, b.mac, 100, 1));
  for (const device_id of [0, 0xffff]) {
    const command = Object.assign(getStatsCmd.create(), { opcode: OPCODE.GET_STATS, device_id });
    const done = a.driver.admin.execute(command);
    assert.equal(done?.status, STATUS.SUCCESS);
    const stats = basicStatsResp.create();
    stats.load(done.words, 0);
    assert.deepEqual([stats.tx_pkts_low, stats.tx_bytes_low], [1, 100]);
  }
});

test('an old card has no RSS key to set, and the driver lives with it', () => {
  const [, a, b] = pair({ device: { profile: profileNamed('nitro-v2') } });
  assert.equal(a.driver.rss.getFunction(), null);
  assert.equal(a.driver.rss.setFunction(new Uint8Array(40)), false);
  assert.throws(
    () => a.driver.commands.getFeature(FEATURE.RSS_HASH_FUNCTION, hashFunctionResp),
    /GET_FEATURE RSS_HASH_FUNCTION: UNSUPPORTED_OPCODE/,
  );
  const frame = plainFrame(a.mac, b.mac, 100, 1);
  a.send(frame);
  assert.deepEqual(b.receive(), [frame]);
});

test('a driver that never enables bus mastering is served: firmware has left it on (Q7)', () => {
  for (const profile of enaProfiles) {
    const [, a, b] = pair({ device: { profile } });
    for (const { device } of [a, b]) device.config.write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert.equal(a.device.config.busMaster, false);
    const frame = plainFrame(a.mac, b.mac, 100, 1);
    a.send(frame);
    assert.deepEqual(b.receive(), [frame]);
    assert.equal(a.driver.linkSpeedMbps(), 10_000);
    assert.deepEqual(a.refusals, []);
  }
});
