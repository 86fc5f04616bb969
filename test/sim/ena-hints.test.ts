/** HW hints: what a card would like its driver's patience to be, read once and changed by events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FEATURE, HW_HINTS_NO_TIMEOUT, hwHintsResp } from '../../src/defs/ena-admin.ts';
import { enaRegisters } from '../../src/defs/ena-regs.ts';
import type { HwHints } from '../../src/devices/ena/hints.ts';
import { EnaDriver } from '../../src/drivers/ena/driver.ts';
import { nsPerMs, nsPerSecond } from '../../src/lib/clock.ts';
import type { PciFunction } from '../../src/pci/function.ts';
import { pair, type SimGuest, SimLab } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

const all: HwHints = {
  mmio_read_timeout: 11,
  driver_watchdog_timeout: 9000,
  missing_tx_completion_timeout: 2000,
  missed_tx_completion_count_threshold_to_reset: 3,
  admin_completion_tx_timeout: 500,
  netdev_wd_timeout: 1234,
  max_tx_sgl_size: 5,
  max_rx_sgl_size: 4,
};

const read = (guest: SimGuest): HwHints => {
  const resp = guest.driver.commands.getFeature(FEATURE.HW_HINTS, hwHintsResp);
  const names = Object.keys(all) as (keyof HwHints)[];
  return Object.fromEntries(names.map((name) => [name, resp[name]])) as HwHints;
};

/** The function as a driver sees it through which some writes do not get. */
function without(fn: PciFunction, lost: (offset: number) => boolean): PciFunction {
  const { model, config, bars, vectors } = fn;
  return {
    ...{ model, config, bars, vectors },
    read: (bar, offset, size) => fn.read(bar, offset, size),
    write: (bar, offset, size, value) => {
      if (!lost(offset)) fn.write(bar, offset, size, value);
    },
    reset: (cause) => fn.reset(cause),
  };
}

test('a card that does not mind hints no times, and as many buffers as its profile says', () => {
  const [, a] = pair();
  const { max_tx_sgl_size, max_rx_sgl_size, ...times } = read(a);
  assert.deepEqual([max_tx_sgl_size, max_rx_sgl_size], [20, 16]);
  assert.ok(Object.values(times).every((value) => value === 0));
  assert.deepEqual(a.driver.watchdog.patience, {
    mmioReadMs: 200,
    adminMs: 3000,
    keepAliveMs: 6000,
    missingTxMs: 5000,
    missedTxPackets: 128,
  });
});

test('hints that the card was made with are read, kept over a reset, and kept to', () => {
  const [, a, b] = pair({ device: { hints: all } });
  assert.deepEqual(read(a), all);
  a.driver.start();
  assert.deepEqual(read(a), all);
  assert.deepEqual(a.driver.watchdog.patience, {
    mmioReadMs: 11,
    adminMs: 500,
    keepAliveMs: 9000,
    missingTxMs: 2000,
    missedTxPackets: 3,
  });
  assert.equal(a.driver.tx[0]?.spec.maxDescs, 5);
  assert.equal(a.driver.rx[0]?.spec.maxDescs, 4);
  const frame = plainFrame(a.mac, b.mac, 1400, 1);
  assert.ok(a.send(frame));
  assert.deepEqual(b.receive(), [frame]);
});

test('hints change by an event that holds them all, and by the next GET_FEATURE', () => {
  const [, a] = pair();
  assert.equal(a.device.hint(all), true);
  assert.deepEqual(read(a), all);
  assert.equal(a.driver.watchdog.patience.keepAliveMs, 6000, 'not before the event is taken');
  a.driver.poll();
  assert.equal(a.driver.watchdog.patience.keepAliveMs, 9000);
  assert.equal(a.driver.watchdog.patience.missedTxPackets, 3);
  a.device.hint({ driver_watchdog_timeout: HW_HINTS_NO_TIMEOUT, admin_completion_tx_timeout: 0 });
  a.driver.poll();
  const { keepAliveMs, adminMs, missingTxMs } = a.driver.watchdog.patience;
  assert.deepEqual([keepAliveMs, adminMs, missingTxMs], [Infinity, 500, 2000]);
  const deaf = new SimLab().add({ driver: { eventGroups: 1 } });
  deaf.driver.start();
  assert.equal(deaf.device.hint(all), false, 'its driver has not enabled notifications');
  assert.deepEqual(read(deaf), all);
});

test('no card hints what does not fit into 16 bits', () => {
  const [, a] = pair();
  for (const value of [-1, 65_536, 1.5])
    assert.throws(() => a.device.hint({ netdev_wd_timeout: value }), /netdev_wd_timeout/);
  assert.equal(read(a).netdev_wd_timeout, 0);
  assert.throws(
    () => new SimLab().add({ device: { hints: { max_tx_sgl_size: 1e6 } } }),
    /max_tx_sgl_size/,
  );
});

for (const [hints, lateMs] of [
  [{}, 6000],
  [{ driver_watchdog_timeout: 9000 }, 9000],
] as const)
  test(`a driver gives up after ${lateMs} ms without a keep-alive`, () => {
    const [lab, a] = pair({ device: { hints } });
    lab.clock.advance(5 * nsPerSecond);
    a.driver.poll();
    assert.equal(a.driver.fault, null);
    a.device.reset('function'); // the driver is not told
    lab.clock.advance(lateMs * nsPerMs);
    a.driver.poll();
    assert.equal(a.driver.fault, null);
    lab.clock.advance(1);
    assert.equal(a.driver.fault, 'KEEP_ALIVE_TO');
    a.driver.start('KEEP_ALIVE_TO');
    assert.equal(a.driver.fault, null);
  });

test('a driver that is hinted not to mind waits for keep-alives for ever', () => {
  const [lab, a] = pair({ device: { hints: { driver_watchdog_timeout: HW_HINTS_NO_TIMEOUT } } });
  a.device.reset('function');
  lab.clock.advance(3600 * nsPerSecond);
  assert.equal(a.driver.fault, null);
});

test('a driver gives up when more packets than hinted are not completed in the hinted time', () => {
  const lab = new SimLab();
  const guest = lab.add({ device: { hints: all } });
  let cut = false;
  const fn = without(guest.device, (offset) => cut && offset >= 0x4000 && offset < 0x5000);
  const driver = new EnaDriver(fn, guest.arena, { clock: lab.clock });
  driver.start();
  cut = true; // no doorbell arrives any more
  const [queue] = driver.tx;
  assert.ok(queue);
  for (let i = 0; i < 4; i++) {
    const frame = plainFrame(guest.mac, 1, 60, i);
    assert.ok(queue.send(frame, 0, frame.length));
    queue.kick();
    assert.equal(driver.fault, null);
    lab.clock.advance(100 * nsPerMs);
    driver.poll();
  }
  lab.clock.advance(1900 * nsPerMs);
  driver.poll();
  assert.equal(driver.fault, null, 'three are late: as many as are allowed');
  lab.clock.advance(1);
  driver.poll();
  assert.equal(driver.fault, 'MISS_TX_CMPL');
});

test('a driver waits for answers as long as hinted, and then wants a reset', () => {
  const lab = new SimLab();
  const guest = lab.add({ device: { hints: all } });
  let cut = -1;
  const fn = without(guest.device, (offset) => offset === cut);
  const pause = () => lab.clock.advance(nsPerMs);
  const driver = new EnaDriver(fn, guest.arena, { clock: lab.clock, pause, maxPolls: 1e6 });
  driver.start();
  const took = (what: () => void): number => {
    const before = lab.clock.now();
    what();
    return Math.round((lab.clock.now() - before) / nsPerMs);
  };
  cut = enaRegisters.registers.MMIO_REG_READ.offset;
  assert.equal(
    took(() => assert.equal(driver.mmio.read('VERSION'), 0xffff_ffff)),
    12,
  );
  cut = enaRegisters.registers.AQ_DB.offset;
  assert.equal(
    took(() => assert.throws(() => driver.linkSpeedMbps(), /no completion/)),
    501,
  );
  assert.equal(driver.fault, 'ADMIN_TO');
  cut = -1;
  driver.start('ADMIN_TO');
  assert.equal(driver.linkSpeedMbps(), 10_000);
  assert.equal(driver.fault, null);
});
