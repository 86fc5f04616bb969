/**
 * What a stock driver has to do on a function of any model, from binding to the death of its peer:
 * the part of the guest tests that is the same for all NICs.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Vm } from '../../src/host/guest/guest-vm.ts';
import { atOnce, complaints, type Host, kernels, type Pair } from './pair.ts';

/** ICMP payload sizes whose frames are 60 .. 9015 bytes long, without FCS. */
const payloads = [18, 22, 56, 100, 470, 1472, 1473, 1500, 2000, 4000, 8972, 8973];
const icmpAndIp = 28;
const gigabyte = 1e9;

export async function stockDriver(t: TestContext, pair: Pair, kernel: string): Promise<void> {
  const other = (name: Host): Host => (name === 'a' ? 'b' : 'a');
  const both = Object.keys(pair.vms) as Host[];

  await t.test('binds, links up and gets its address by DHCP', async () => {
    for (const name of both) {
      assert.equal(await pair.up(name), 'eth0');
      const vm = pair.vms[name];
      const driver = pair.driver(name);
      const [nic] = await vm.interfaces();
      assert.equal(nic?.driver, driver);
      assert.equal(nic?.speedMbps, pair.linkMbps(name));
      assert.equal(nic?.mtu, 9001);
      assert.match(await vm.run('ethtool -i eth0'), new RegExp(`^driver: ${driver}\\n`));
      assert.match(await vm.run('ip -4 addr show eth0'), new RegExp(`${pair.address(name)}/16`));
    }
  });

  await t.test('loses no ping, and frames of every size come through intact', async () => {
    await ping(pair.vms.a, pair.address('b'), '-c 200 -i 0.005');
    for (const size of payloads) {
      if (size + icmpAndIp > 9001) continue;
      await ping(pair.vms.b, pair.address('a'), `${atOnce(3)} -M do -s ${size}`);
    }
  });

  await t.test('TCP delivers every byte, both ways at once', async () => {
    // The whole gigabyte on one kernel, a tenth on the others: the hash is what takes the time.
    const bytes = kernel === kernels[0] ? gigabyte : gigabyte / 10;
    await Promise.all(both.map((from) => transfer(pair, from, other(from), bytes)));
  });

  await t.test('the driver can be reloaded twenty times', async () => {
    const driver = pair.driver('b');
    await pair.vms.b.run(
      `for i in $(seq 20); do
        rmmod ${driver} && modprobe ${driver} &&
          virtfn-net wait ${driver} 20 && virtfn-net dhcp eth0 15 || { echo "reload $i" >&2; exit 1; }
      done`,
      { timeoutMs: 120_000 },
    );
    await ping(pair.vms.a, pair.address('b'), atOnce(5));
  });

  await t.test('a guest reboots and is back', async () => {
    await pair.vms.b.reboot();
    await pair.up('b');
    await ping(pair.vms.a, pair.address('b'), atOnce(5));
  });

  await t.test(
    'a guest is killed under traffic; the other keeps its link and finds it again',
    async () => {
      const traffic = pair.vms.a.exec(`ping -q -i 0.002 -w 2 ${pair.address('b')}`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await pair.vms.b.kill();
      await traffic;
      assert.equal((await pair.vms.a.run('cat /sys/class/net/eth0/carrier')).trim(), '1');
      await pair.restart('b');
      await pair.up('b');
      await ping(pair.vms.a, pair.address('b'), atOnce(5));
    },
  );

  await t.test('neither the driver nor the device had anything to complain about', async () => {
    for (const name of both) {
      const about = new RegExp(`\\b${pair.driver(name)}\\b|eth0`);
      assert.deepEqual(await complaints(pair.vms[name], about), []);
    }
    assert.deepEqual(pair.refusals(), []);
  });
}

export async function ping(vm: Vm, address: string, options: string): Promise<void> {
  const report = await vm.run(`ping -q ${options} ${address}`, { timeoutMs: 30_000 });
  assert.match(report, / 0% packet loss/);
}

/** Fetches a file of the sender's, again and again, about `bytes` in all; each time its MD5 is right. */
export async function transfer(pair: Pair, from: Host, to: Host, bytes: number): Promise<void> {
  const megabytes = 15;
  const times = Math.ceil(bytes / (megabytes * 1e6));
  const sum = await pair.vms[from].run(
    `mkdir -p /tmp/www && head -c ${megabytes}000000 /dev/urandom > /tmp/www/chunk &&
     httpd -h /tmp/www -p 80 && md5sum < /tmp/www/chunk`,
  );
  const fetch = `wget -q -O - http://${pair.address(from)}/chunk | md5sum`;
  const sums = await pair.vms[to].run(`for i in $(seq ${times}); do ${fetch}; done`, {
    timeoutMs: 300_000,
  });
  assert.equal(sums, sum.repeat(times));
}
