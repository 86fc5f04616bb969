/** Resets of a card under traffic, by each way that a stock driver has, and by none of its own. */
import assert from 'node:assert/strict';
import * as ethtool from './ethtool.ts';
import type { Pair } from './pair.ts';

const driver = '/sys/bus/pci/drivers/ena';

type Way = { readonly name: string; readonly script: (pci: string) => string };

const reload: Way = { name: 'devlink reload', script: (pci) => `devlink dev reload pci/${pci}` };
const rebind: Way = {
  name: 'unbind and bind',
  script: (pci) => `echo ${pci} > ${driver}/unbind && echo ${pci} > ${driver}/bind`,
};
const remove: Way = { name: 'rmmod and modprobe', script: () => 'rmmod ena && modprobe ena' };

/** A hundred in all. @returns what was done, in words */
export async function resetOften(pair: Pair): Promise<string> {
  const { a, b } = pair.vms;
  const canReload = await ethtool.driverKnows(a, 'devlink_reload');
  const ways: readonly (readonly [Way, number])[] = canReload
    ? [
        [reload, 60],
        [rebind, 30],
        [remove, 10],
      ]
    : [
        [rebind, 80],
        [remove, 20],
      ];
  const peerLink = await b.run('cat /sys/class/net/eth0/carrier_changes');
  const traffic = await startTraffic(pair);
  const [card] = await a.interfaces();
  assert.ok(card !== undefined);
  for (const [{ script }, count] of ways)
    await a.run(RESETS(script(card.pci), count, pair), { timeoutMs: 180_000 });
  assert.ok((await traffic()) > 0, 'some of the pings of that time came back');
  assert.equal(await b.run('cat /sys/class/net/eth0/carrier_changes'), peerLink);
  for (const vm of [a, b])
    assert.equal((await vm.run('cat /sys/class/net/eth0/carrier')).trim(), '1');
  return ways.map(([{ name }, count]) => `${count} by ${name}`).join(', ');
}

/** Each reset ends with a ping that comes back; what the interface had is given to a new one. */
const RESETS = (script: string, count: number, pair: Pair): string => `
  for i in $(seq ${count}); do
    ${script} || { echo "reset $i" >&2; exit 1; }
    for try in $(seq 100); do [ -e /sys/class/net/eth0 ] && break; sleep 0.05; done
    ip link set dev eth0 up mtu 9001
    ip addr replace ${pair.address('a')}/16 dev eth0
    for try in $(seq 40); do
      ping -q -c 1 -W 1 ${pair.address('b')} > /dev/null 2>&1 && continue 2
      sleep 0.05
    done
    echo "no answer after reset $i" >&2
    exit 1
  done`;

/** B pings A all the time; the function that ends it tells how many answers there were. */
async function startTraffic(pair: Pair): Promise<() => Promise<number>> {
  const { b } = pair.vms;
  await b.run(
    `ping -q -i 0.005 -s 1000 ${pair.address('a')} > /tmp/pings 2>&1 & echo $! > /tmp/pings.pid`,
  );
  return async () => {
    const report = await b.run(
      'kill -INT $(cat /tmp/pings.pid); sleep 0.5; cat /tmp/pings; rm /tmp/pings.pid',
    );
    return Number(/(\d+) received/.exec(report)?.[1]);
  };
}

/**
 * A function-level reset that the driver is not told of: the card forgets everything and sends no
 * more keep-alives, so the driver's watchdog finds it dead after some seconds and starts it anew.
 */
export async function loseKeepAlives(pair: Pair): Promise<void> {
  const { a } = pair.vms;
  const [card] = await a.interfaces();
  const traffic = await startTraffic(pair);
  await a.run(`dmesg -C; echo 1 > /sys/bus/pci/devices/${card?.pci}/reset`);
  assert.notEqual((await a.exec(`ping -q -c 2 -i 0.2 -W 1 ${pair.address('b')}`)).code, 0);
  await a.run(
    `for try in $(seq 60); do
      ping -q -c 1 -W 1 ${pair.address('b')} > /dev/null && exit 0
      sleep 0.2
    done; exit 1`,
    { timeoutMs: 90_000 },
  );
  await traffic();
  assert.match(await a.run('dmesg'), /Device reset completed successfully/);
  assert.equal((await a.run('cat /sys/class/net/eth0/carrier')).trim(), '1');
  const report = await a.run(`ping -q -c 50 -i 0.01 -s 2000 ${pair.address('b')}`);
  assert.match(report, / 0% packet loss/);
}

/** With a driver that has enabled that event. */
export async function askedReset(pair: Pair): Promise<void> {
  await pair.vms.a.run('dmesg -C');
  pair.dataplane.command({ kind: 'request-reset', function: 'a' });
  await pair.vms.a.run(
    `for try in $(seq 50); do
      dmesg | grep -q 'reset completed' && ping -q -c 1 -W 2 ${pair.address('b')} && exit 0
      sleep 0.2
    done; exit 1`,
    { timeoutMs: 120_000 },
  );
}
