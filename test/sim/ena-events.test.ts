/** Every group of events, on every generation; and what a reset may give as its reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AENQ_GROUP, CAPABILITY } from '../../src/defs/ena-admin.ts';
import { DEV_CTL, DEV_STS, resetReasons } from '../../src/defs/ena-regs.ts';
import type { EnaFunction } from '../../src/devices/ena/ena-function.ts';
import { enaProfiles } from '../../src/devices/ena/profile.ts';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { pair, type SimGuest, SimLab } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

const groups = Object.entries(AENQ_GROUP) as [keyof typeof AENQ_GROUP, number][];
const everything = 0xff;

/** What makes the card report each group. */
const causes: Readonly<Record<keyof typeof AENQ_GROUP, (guest: SimGuest, lab: SimLab) => void>> = {
  LINK_CHANGE: ({ device }) => device.setLink(false),
  FATAL_ERROR: ({ device, driver }) =>
    device.write(0, driver.tx[0]?.doorbellOffset ?? 0, 4, 0x7fff),
  WARNING: ({ device }) => device.announce('WARNING'),
  NOTIFICATION: ({ device }) => device.hint({ netdev_wd_timeout: 1 }),
  KEEP_ALIVE: (_, lab) => lab.clock.advance(nsPerSecond),
  REFRESH_CAPABILITIES: ({ device }) => device.announce('REFRESH_CAPABILITIES'),
  CONF_NOTIFICATIONS: ({ device }) => device.notify(1),
  DEVICE_REQUEST_RESET: ({ device }) => device.requestReset(),
};

/** Events of a group that the driver has taken. */
function seen({ driver }: SimGuest, group: number): number {
  driver.poll();
  const { linkChanges, keepAlives, others } = driver.events;
  if (group === AENQ_GROUP.LINK_CHANGE) return linkChanges;
  if (group === AENQ_GROUP.KEEP_ALIVE) return keepAlives;
  return others.filter((event) => event.group === group).length;
}

for (const profile of enaProfiles)
  test(`${profile.name}: each event of its groups arrives if it is enabled, and no other`, () => {
    for (const [name, group] of groups)
      for (const enabled of [everything, everything & ~(1 << group)]) {
        const lab = new SimLab();
        const guest = lab.add({ device: { profile }, driver: { eventGroups: enabled } });
        guest.driver.start();
        assert.equal(guest.driver.eventGroups, enabled & profile.aenqGroups);
        const before = seen(guest, group);
        causes[name](guest, lab);
        const offered = (enabled & profile.aenqGroups & (1 << group)) !== 0;
        assert.equal(seen(guest, group) - before, offered ? 1 : 0, name);
      }
  });

test('a reset that the device asks for is made, for that reason, and is over', () => {
  const [, a, b] = pair();
  assert.equal(a.driver.fault, null);
  assert.equal(a.device.requestReset(), true);
  a.driver.poll();
  assert.equal(a.driver.fault, 'DEVICE_REQUEST');
  a.driver.start('DEVICE_REQUEST');
  assert.equal(a.driver.fault, null);
  const frame = plainFrame(a.mac, b.mac, 100, 1);
  assert.ok(a.send(frame));
  assert.deepEqual(b.receive(), [frame]);
});

/** Resets by register, with any reason; the reason that the trace tells. */
function reset(device: EnaFunction, traced: string[], reason: number): string {
  const value = DEV_CTL.reset | ((reason & 0xf) << 28) | ((reason >>> 4) << 24);
  traced.length = 0;
  device.write(0, 0x54, 4, value >>> 0);
  assert.equal(device.read(0, 0x58, 4), DEV_STS.ready | DEV_STS.resetInProgress);
  device.write(0, 0x54, 4, 0);
  assert.equal(device.read(0, 0x58, 4), DEV_STS.ready | DEV_STS.resetFinished);
  return traced.join();
}

for (const profile of enaProfiles)
  test(`${profile.name}: resets have the reasons that the card knows`, () => {
    const traced: string[] = [];
    const add = () => new SimLab().add({ device: { profile }, trace: (line) => traced.push(line) });
    const isExtended = (profile.capabilities & CAPABILITY.EXTENDED_RESET_REASONS) !== 0;
    for (const [reason, name] of resetReasons.entries()) {
      const { device, refusals } = add();
      const known = reason < 16 || isExtended;
      const told = known ? name : resetReasons[reason & 0xf];
      assert.equal(reset(device, traced, reason), `reset by the driver: ${told}`);
      assert.deepEqual(refusals, known ? [] : [`ena/reset-reason: ${name}, taken as ${told}`]);
    }
    const { device, refusals } = add();
    reset(device, traced, 21);
    assert.match(refusals.join(), /^ena\/reset-reason: 21/);
  });

test('a driver gives old cards a reason that they know', () => {
  for (const profile of enaProfiles) {
    const traced: string[] = [];
    const guest = new SimLab().add({ device: { profile }, trace: (line) => traced.push(line) });
    guest.driver.start();
    guest.driver.start('DEVICE_REQUEST');
    const isExtended = (profile.capabilities & CAPABILITY.EXTENDED_RESET_REASONS) !== 0;
    const told = traced.filter((line) => line.startsWith('reset by')).at(-1);
    assert.equal(told, `reset by the driver: ${isExtended ? 'DEVICE_REQUEST' : 'GENERIC'}`);
    assert.deepEqual(guest.refusals, []);
  }
});

test('registers tell where the next answer and the next event go', () => {
  const [lab, a] = pair();
  const { mmio, admin } = a.driver;
  assert.equal(mmio.read('ACQ_TAIL'), admin.tail);
  a.driver.linkSpeedMbps();
  assert.equal(mmio.read('ACQ_TAIL'), admin.tail);
  const before = mmio.read('AENQ_TAIL');
  lab.clock.advance(3 * nsPerSecond);
  a.driver.poll();
  assert.equal(mmio.read('AENQ_TAIL'), before + 3);
  a.driver.resetDevice('NORMAL');
  assert.deepEqual([mmio.read('ACQ_TAIL'), mmio.read('AENQ_TAIL')], [0, 0]);
});
