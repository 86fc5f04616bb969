/**
 * What the stock ixgbevf driver of two kernels shows and can be told, what an administrator of the
 * parent does to it, and whether frames then flow as they should.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Vm } from '../../src/host/guest/guest-vm.ts';
import * as ethtool from './ethtool.ts';
import { answerPings, dropAll } from './guest-programs.ts';
import { atOnce, complaints, type Host, kernels, Pair, toolsOrSkip } from './pair.ts';
import { Stream } from './stream.ts';

const icmpAndIp = 28;
const lossless = / 0% packet loss/;
const lost = / 100% packet loss/;

for (const kernel of kernels)
  test(`a running 82599 VF, with stock ixgbevf of Linux ${kernel}`, {
    timeout: 400_000,
  }, async (t) => {
    const tools = await toolsOrSkip(t, kernel);
    if (tools === null) return;
    const pair = await Pair.start({ kernel, cpus: 2, model: '82599vf' }, tools);
    try {
      await Promise.all([pair.up('a'), pair.up('b')]);
      await suite(t, pair);
    } finally {
      await pair.close();
    }
  });

async function suite(t: TestContext, pair: Pair): Promise<void> {
  await t.test('ethtool shows what an 82599 VF has', () => shows(pair));
  await t.test('frames of every MTU come through, and none that is longer', () => mtus(pair));
  await t.test('a VLAN on both sides is a network of its own', () => vlans(pair));
  await t.test('rings, throttle and offloads change; the connection goes on', () => changes(pair));
  await t.test('a tunnel has its inner packets cut up and summed', () => tunnel(pair));
  await t.test('IPv6 neighbours find each other by multicast', () => neighbours(pair));
  await t.test('XDP drops, and answers by itself', () => xdp(pair));
  await t.test('the function is reset by the bus, unbound and bound', () => resets(pair));
  await t.test('the administrator takes the link away, and gives it back', () => link(pair));
  await t.test('another MAC is found after a reset', () => mac(pair));
  await t.test('an untrusted guest keeps its address, a trusted one chooses', () => trust(pair));
  await t.test('no driver complained', async () => {
    for (const vm of Object.values(pair.vms))
      assert.deepEqual((await complaints(vm, /ixgbevf|eth0/)).filter(isOfCard), []);
    assert.deepEqual(
      pair.refusals().filter((text) => !isExpected(text)),
      [],
    );
  });
  await t.test('the self-test of the driver passes', () => selfTest(pair));
}

/**
 * What the XDP loader, `ethtool -x` and the untrusted guest bring about is no complaint, nor what the
 * PCI core of Linux 7 says of a reset that was asked for.
 */
const isOfCard = (line: string): boolean =>
  !/entered promiscuous mode|: (resetting|reset done)$/.test(line);
const isExpected = (refusal: string): boolean =>
  /82599vf\/mailbox-(mac-set|rss-query)/.test(refusal);

async function ping(pair: Pair, options: string, to = pair.address('b')): Promise<string> {
  return (await pair.vms.a.exec(`ping -q ${options} ${to}`, { timeoutMs: 30_000 })).stdout;
}

const both = (pair: Pair): Vm[] => Object.values(pair.vms);
const addressOf = async (vm: Vm): Promise<string> =>
  (await vm.run('cat /sys/class/net/eth0/address')).trim();

async function shows(pair: Pair): Promise<void> {
  const { a } = pair.vms;
  assert.match(await a.run('dmesg'), /Intel\(R\) 82599 Virtual Function/);
  assert.match(await a.run('ethtool eth0'), /Speed: 10000Mb\/s[\s\S]*Link detected: yes/);
  const { on } = await ethtool.features(a, 'eth0');
  for (const name of ['tx-checksum-ip-generic', 'tx-checksum-sctp', 'tx-tcp-segmentation'])
    assert.ok(on.has(name), name);
  for (const name of ['tx-tcp6-segmentation', 'rx-checksumming', 'tx-udp_tnl-segmentation'])
    assert.ok(on.has(name), name);
  const { max, now } = await ethtool.rings(a, 'eth0');
  assert.deepEqual([max.rx, max.tx, now.rx, now.tx], [4096, 4096, 512, 1024]);
  const statistics = await ethtool.statistics(a, 'eth0');
  assert.equal(statistics['rx_csum_offload_errors'], 0);
  assert.ok('rx_queue_1_packets' in statistics, 'two queues');
  assert.match(await a.run('ethtool -d eth0 raw on | wc -c'), /^180\s/);
  assert.match((await a.exec('ethtool -x eth0')).stderr, /not supported|not permitted/i);
}

async function setMtu(pair: Pair, mtu: number): Promise<void> {
  for (const vm of both(pair)) await vm.run(`ip link set eth0 mtu ${mtu}`);
  await linkIs(pair.vms.a, true);
  await linkIs(pair.vms.b, true);
}

async function mtus(pair: Pair): Promise<void> {
  for (const mtu of [9710, 4000, 1500, 576, 68]) {
    await setMtu(pair, mtu);
    const largest = mtu - icmpAndIp;
    assert.match(await ping(pair, `${atOnce(3)} -M do -s ${largest}`), lossless, `${mtu}`);
    assert.match(await ping(pair, `${atOnce(3)} -s ${3 * largest}`), lossless, `fragments ${mtu}`);
  }
  for (const mtu of [67, 9711])
    assert.notEqual((await pair.vms.a.exec(`ip link set eth0 mtu ${mtu}`)).code, 0);
  await setMtu(pair, 9001);
  // A change of MTU below 1280 takes the IPv6 addresses away.
  for (const vm of both(pair)) await vm.run('ip link set eth0 down && ip link set eth0 up');
  for (const name of ['a', 'b'] as const) await readdress(pair, name);
}

async function readdress(pair: Pair, name: Host): Promise<void> {
  await linkIs(pair.vms[name], true);
  await pair.vms[name].run(`ip addr replace ${pair.address(name)}/16 dev eth0`);
}

async function vlans(pair: Pair): Promise<void> {
  for (const [i, vm] of both(pair).entries())
    await vm.run(
      `modprobe 8021q && for id in 5 6; do
         ip link add link eth0 name v$id type vlan id $id
         ip addr add 10.$id.0.${i + 1}/24 dev v$id && ip link set v$id up
       done`,
    );
  for (const size of [18, 1472, 8969])
    assert.match(await ping(pair, `${atOnce(3)} -s ${size}`, '10.5.0.2'), lossless);
  await pair.vms.b.run('ip link set v5 down');
  assert.match(await ping(pair, '-c 2 -i 0.1 -W 1', '10.5.0.2'), lost);
  await pair.vms.b.run('ip link set v5 up');
  assert.match(await ping(pair, atOnce(3), '10.5.0.2'), lossless);
  for (const vm of both(pair)) await vm.run('ip link del v5 && ip link del v6');
}

async function changes(pair: Pair): Promise<void> {
  const { a } = pair.vms;
  const stream = await Stream.start(pair, 'a', 'b');
  const change = async (options: string): Promise<void> => {
    const [option, ...rest] = options.split(' ');
    await a.run(`ethtool ${option} eth0 ${rest.join(' ')}`);
    await stream.goesOn();
  };
  for (const [rx, tx] of [
    [4096, 4096],
    [64, 64],
    [512, 1024],
  ] as const) {
    await change(`-G rx ${rx} tx ${tx}`);
    const { now } = await ethtool.rings(a, 'eth0');
    assert.deepEqual([now.rx, now.tx], [rx, tx]);
  }
  for (const usecs of [200, 0, 20]) await change(`-C rx-usecs ${usecs}`);
  for (const feature of ['tso', 'sg', 'tx', 'rx', 'gro', 'gso'])
    for (const state of ['off', 'on']) await change(`-K ${feature} ${state}`);
  await change('-K tso on sg on tx on');
  await stream.stop();
}

/** A VXLAN: TCP in UDP, both sides with all offloads; what arrives is what was sent. */
async function tunnel(pair: Pair): Promise<void> {
  const { a, b } = pair.vms;
  for (const [i, vm] of [a, b].entries())
    await vm.run(
      `modprobe vxlan && ip link set eth0 mtu 1500 &&
       ip link add vx0 type vxlan id 7 dstport 4789 dev eth0 remote ${pair.address(i === 0 ? 'b' : 'a')} &&
       ip addr add 10.77.0.${i + 1}/24 dev vx0 && ip link set vx0 up`,
    );
  await linkIs(a, true);
  await linkIs(b, true);
  assert.match(await ping(pair, '-c 5 -i 0.2', '10.77.0.2'), /[1-5] received/);
  await b.run(
    'mkdir -p /tmp/t && head -c 15000000 /dev/urandom > /tmp/t/x && httpd -h /tmp/t -p 8080',
  );
  const sum = (await b.run('md5sum < /tmp/t/x')).split(' ')[0];
  const before = await ethtool.statistics(b, 'eth0');
  const got = await a.run('wget -q -O - http://10.77.0.2:8080/x | md5sum', { timeoutMs: 60_000 });
  assert.equal(got.split(' ')[0], sum);
  const after = await ethtool.statistics(b, 'eth0');
  assert.ok((after['tx_bytes'] ?? 0) - (before['tx_bytes'] ?? 0) > 14e6);
  for (const vm of [a, b]) await vm.run('ip link del vx0');
  await setMtu(pair, 9001);
}

async function neighbours(pair: Pair): Promise<void> {
  const { a, b } = pair.vms;
  const local = await b.run(
    `for try in $(seq 50); do
       ip -6 addr show dev eth0 scope link -tentative | grep -o 'fe80[^/]*' && exit 0
       sleep 0.1
     done; exit 1`,
  );
  const report = await a.run(
    `ip -6 neigh flush dev eth0; ping -6 -q -c 3 -i 0.2 ${local.trim()}%eth0`,
  );
  assert.match(report, lossless);
}

async function xdp(pair: Pair): Promise<void> {
  const { b } = pair.vms;
  await setMtu(pair, 1500);
  const load = async (program: Buffer): Promise<void> => {
    await b.run(`echo ${program.toString('base64')} | base64 -d > /tmp/xdp.o
      ip link set dev eth0 xdp off && ip link set dev eth0 xdp obj /tmp/xdp.o sec xdp`);
    await linkIs(b, true);
  };
  const echoes = async (): Promise<string> =>
    b.run("grep ^Icmp: /proc/net/snmp | tail -n 1 | cut -d ' ' -f 10");
  await load(dropAll);
  assert.match(await ping(pair, '-c 3 -i 0.1 -W 1'), lost);
  const seen = await echoes();
  await pair.vms.a.run(
    `ip neigh replace ${pair.address('b')} lladdr ${await addressOf(b)} dev eth0`,
  );
  await load(answerPings());
  assert.match(await ping(pair, '-c 100 -i 0.005 -s 1000'), lossless);
  assert.equal(await echoes(), seen, 'the guest itself has seen no ping');
  await b.run('ip link set dev eth0 xdp off');
  await pair.vms.a.run(`ip neigh del ${pair.address('b')} dev eth0`);
  await setMtu(pair, 9001);
  assert.match(await ping(pair, `${atOnce(5)} -s 8000`), lossless);
}

async function resets(pair: Pair): Promise<void> {
  const { b } = pair.vms;
  const [card] = await b.interfaces();
  assert.ok(card !== undefined);
  const driver = '/sys/bus/pci/drivers/ixgbevf';
  // The parent forgets what was agreed on, and only a driver that starts anew agrees again.
  await b.run(`ip link set eth0 down && echo 1 > /sys/bus/pci/devices/${card.pci}/reset &&
    echo ${card.pci} > ${driver}/unbind && echo ${card.pci} > ${driver}/bind`);
  await b.run('for try in $(seq 50); do [ -e /sys/class/net/eth0 ] && break; sleep 0.1; done');
  await b.run('ip link set dev eth0 up mtu 9001');
  await readdress(pair, 'b');
  assert.match(await ping(pair, '-c 5 -i 0.1'), /[1-5] received/);
}

/** Waits until a guest sees its link in a state. */
async function linkIs(vm: Vm, up: boolean): Promise<void> {
  await vm.run(
    `for try in $(seq 150); do
      [ "$(cat /sys/class/net/eth0/carrier 2> /dev/null)" = ${up ? 1 : 0} ] && exit 0
      sleep 0.1
    done; exit 1`,
    { timeoutMs: 20_000 },
  );
}

async function link(pair: Pair): Promise<void> {
  const { b } = pair.vms;
  for (const up of [false, true]) {
    pair.dataplane.command({ kind: 'set-link', function: 'b', up });
    await linkIs(b, up);
  }
  assert.match(await ping(pair, '-c 5 -i 0.2 -W 2'), /[1-5] received/);
}

async function mac(pair: Pair): Promise<void> {
  const { b } = pair.vms;
  const before = await addressOf(b);
  const set = async (text: string): Promise<void> => {
    const value = Number.parseInt(text.replaceAll(':', ''), 16);
    const change = { what: 'mac', mac: value } as const;
    pair.dataplane.command({ kind: 'administer', function: 'b', change });
    pair.dataplane.command({ kind: 'request-reset', function: 'b' });
    await b.run(
      `for try in $(seq 150); do
         [ $(cat /sys/class/net/eth0/address) = ${text} ] && exit 0
         sleep 0.1
       done; exit 1`,
      { timeoutMs: 20_000 },
    );
    await linkIs(b, true);
    await pair.vms.a.run('ip neigh flush dev eth0');
    assert.match(await ping(pair, '-c 5 -i 0.2 -W 2'), /[1-5] received/);
  };
  await set('02:00:00:00:0b:0b');
  await set(before);
}

async function trust(pair: Pair): Promise<void> {
  const { b } = pair.vms;
  const own = await addressOf(b);
  const other = '02:00:00:00:0c:0c';
  assert.notEqual((await b.exec(`ip link set eth0 address ${other}`)).code, 0);
  assert.equal(await addressOf(b), own);
  const administer = (on: boolean): void =>
    pair.dataplane.command({ kind: 'administer', function: 'b', change: { what: 'trust', on } });
  administer(true);
  await b.run(
    `for try in $(seq 100); do ip link set eth0 address ${other} && exit 0; sleep 0.2; done; exit 1`,
    { timeoutMs: 40_000 },
  );
  await linkIs(b, true);
  await pair.vms.a.run('ip neigh flush dev eth0');
  assert.match(await ping(pair, '-c 5 -i 0.2 -W 2'), /[1-5] received/);
  await b.run(`ip link set eth0 address ${own}`);
  administer(false);
  await linkIs(b, true);
  await pair.vms.a.run('ip neigh flush dev eth0'); // it still has the other address
}

/** It writes patterns to a queue that has no ring, which we tell of. */
async function selfTest(pair: Pair): Promise<void> {
  const { a } = pair.vms;
  const report = await a.run('ethtool -t eth0 offline', { timeoutMs: 20_000 });
  assert.match(report, /The test result is PASS/);
  const strange = pair.refusals().filter((text) => !/ring-(length|tail)/.test(text));
  assert.deepEqual(
    strange.filter((text) => !isExpected(text)),
    [],
  );
  await readdress(pair, 'a');
  assert.match(await ping(pair, '-c 5 -i 0.2'), /[1-5] received/);
}
