/** The card's clock as a stock driver gives it: /dev/ptp0. */
import assert from 'node:assert/strict';
import type { Vm } from '../../src/host/guest/guest-vm.ts';
import { readPtpClock } from './guest-programs.ts';

/** A reading fails (phc_exp) when the host is too busy to answer in the time that the card says. */
const readings = 20;
const slackMs = 1000;

/** Asks the driver for the clock, and compares what it says with the host's. */
export async function checkClock(vm: Vm): Promise<void> {
  const [card] = await vm.interfaces();
  const handle = `pci/${card?.pci}`;
  await vm.run(
    `devlink dev param set ${handle} name enable_phc value true cmode driverinit
    devlink dev reload ${handle}
    echo ${readPtpClock.toString('base64')} | base64 -d > /tmp/clock && chmod +x /tmp/clock`,
  );
  assert.match(await vm.run('ethtool -T eth0'), /timestamp provider index: 0|Hardware Clock: 0/);
  const begin = Date.now();
  const { stdoutBytes: bytes } = await vm.exec(
    `got=0
    for try in $(seq ${10 * readings}); do
      /tmp/clock && got=$((got + 1))
      [ $got = ${readings} ] && exit 0
    done; exit 1`,
  );
  const end = Date.now();
  assert.equal(bytes.length, readings * 16);
  let last = begin - slackMs;
  for (let at = 0; at < bytes.length; at += 16) {
    const ms = Number(bytes.readBigInt64LE(at)) * 1000 + Number(bytes.readBigInt64LE(at + 8)) / 1e6;
    assert.ok(ms > last, `reading ${at / 16}: ${ms} after ${last}`);
    last = ms;
  }
  assert.ok(last < end + slackMs, `${last}, and the host has ${end}`);
  const stats = await vm.run(
    `mount -t debugfs debug /sys/kernel/debug 2> /dev/null
    cat /sys/kernel/debug/${card?.pci}/phc_stats`,
  );
  const count = (name: string): number => Number(new RegExp(`${name}: (\\d+)`).exec(stats)?.[1]);
  assert.ok(count('phc_cnt') >= readings, stats);
  assert.deepEqual([count('phc_err_dv'), count('phc_err_ts')], [0, 0], stats);
}
