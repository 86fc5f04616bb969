/**
 * The stock ena driver of two kernels on every generation of the card at once: one guest with a
 * function of each. Expectations come from the profiles that the device itself goes by.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CAPABILITY, FEATURE, OFFLOAD_RX, OFFLOAD_TX } from '../../src/defs/ena-admin.ts';
import { type EnaProfile, enaProfiles } from '../../src/devices/ena/profile.ts';
import { checkChecksums } from './capture.ts';
import * as ethtool from './ethtool.ts';
import { type FunctionChoice, ManyFunctions } from './many-functions.ts';
import { complaints, kernels, toolsOrSkip } from './pair.ts';

/** What the others send to; it and `permissive` are in name spaces of their own later. */
const peer: FunctionChoice = { name: 'peer', profile: 'permissive' };
const tested: readonly FunctionChoice[] = [
  ...enaProfiles.map(({ name }) => ({ name, profile: name })),
  { name: 'v5-llq', profile: 'nitro-v5', access: 'llq' },
  { name: 'v4-polled', profile: 'nitro-v4', access: 'polled' },
];
const late: FunctionChoice = { name: 'late', profile: 'nitro-v5', access: 'llq', later: true };
const noUnplug =
  'QEMU 11.1 aborts when any vfio-user function with MSI-X is unplugged: its ' +
  'vfio_user_msix_teardown() takes the PBA out of a BAR that is gone already';
const cpus = 2;
const defaultRing = 1024;

for (const kernel of kernels)
  test(`every generation, with stock ena of Linux ${kernel}`, { timeout: 600_000 }, async (t) => {
    const tools = await toolsOrSkip(t, kernel);
    if (tools === null) return;
    const guest = await ManyFunctions.start(tools, [peer, ...tested, late]);
    try {
      await suite(t, guest);
    } finally {
      await guest.close();
    }
  });

async function suite(t: TestContext, guest: ManyFunctions): Promise<void> {
  const { vm } = guest;
  const remote = await guest.interfaceOf(peer.name);
  await vm.run(`ip netns add peer && ip link set ${remote} netns peer up mtu 9001`);

  for (const choice of tested)
    await t.test(
      `${choice.name}: binds, shows what the profile says, and carries frames`,
      async () => {
        const iface = await guest.interfaceOf(choice.name);
        // The strict card wants its queues before its MTU; the others take both orders.
        if (choice.profile === 'strict') await vm.run(`ip link set ${iface} up`);
        await vm.run(`ip link set ${iface} up mtu 9001`);
        const profile = enaProfiles.find(({ name }) => name === choice.profile);
        assert.ok(profile !== undefined);
        await showsProfile(guest, iface, profile, choice.access ?? 'posted');
        await reachesPeer(guest, iface);
      },
    );

  await t.test('no driver complained of these, and no rule was broken', () => noComplaints(guest));

  await t.test('a function is plugged in; it is removed under traffic and found again', () =>
    comeAndGo(guest),
  );

  await t.test('traffic with every combination of offloads', () => everyOffload(guest, remote));

  await t.test('still no complaint', () => noComplaints(guest));

  await t.test('a function is unplugged under traffic', { todo: noUnplug }, async () => {
    const traffic = guest.vm.exec(
      `ping -q -6 -i 0.002 -w 4 ff02::1%${await guest.interfaceOf('late')}`,
    );
    await Promise.all([guest.vm.unplug('late'), traffic]);
    await guest.plug('late');
    await reachesPeer(guest, await found(guest, 'late'));
  });

  await t.test('every checksum on the wire was right', async () => {
    await guest.stop();
    const { counts, wrong } = checkChecksums(guest.pcap);
    assert.deepEqual(wrong, []);
    for (const kind of ['tcp4', 'tcp6', 'udp4', 'udp6'])
      assert.ok((counts[kind] ?? 0) > 500, `${counts[kind]} of ${kind}`);
  });
}

async function noComplaints(guest: ManyFunctions): Promise<void> {
  assert.deepEqual(await complaints(guest.vm, /\bena\b|\beth\d/), []);
  assert.deepEqual(guest.refusals(), []);
}

async function showsProfile(
  { vm }: ManyFunctions,
  iface: string,
  profile: EnaProfile,
  access: string,
): Promise<void> {
  const info = await vm.run(`ethtool -i ${iface}`);
  assert.match(info, /^driver: ena\n/);
  assert.ok(info.includes(`version: ${vm.kernelVersion}`));
  const { on, changeable } = await ethtool.features(vm, iface);
  for (const [name, offered] of offloadsOf(profile)) {
    assert.equal(on.has(name), offered, name);
    assert.equal(changeable.has(name), offered, name);
  }
  const pairs = Math.min(cpus, profile.queuePairs);
  assert.deepEqual(await ethtool.channels(vm, iface), { max: pairs, now: pairs });
  const { max, now } = await ethtool.rings(vm, iface);
  assert.equal(max.rx, Math.min(profile.maxSqDepth, profile.maxCqDepth));
  assert.equal(now.rx, Math.min(max.rx, defaultRing));
  assert.equal(now.tx, Math.min(max.tx, defaultRing));
  if (access === 'posted') {
    assert.equal(now.push, 0);
    assert.equal(max.tx, Math.min(profile.maxSqDepth, profile.maxCqDepth));
  } else {
    // What of an entry two descriptors leave: 96 or 224 bytes.
    const { maxDepth, maxWideDepth } = profile.llq ?? { maxDepth: 0, maxWideDepth: 0 };
    assert.ok(now.push === 96 || now.push === 224, `${now.push}`);
    assert.equal(max.tx, now.push === 96 ? maxDepth : maxWideDepth || maxDepth / 2);
  }
  assert.ok(has(profile, FEATURE.INTERRUPT_MODERATION));
  assert.deepEqual(await ethtool.coalescing(vm, iface), { rx: 20, tx: 64, adaptive: true });
  await showsRss(vm, iface, profile, pairs);
  await showsAllowances(vm, iface, profile);
  const clock = await vm.run(`ethtool -T ${iface}`);
  assert.match(clock, /PTP Hardware Clock: none/); // until it is asked for
  assert.match(clock, /software-transmit/);
}

async function showsRss(
  vm: ManyFunctions['vm'],
  iface: string,
  profile: EnaProfile,
  queues: number,
): Promise<void> {
  const rss = await ethtool.indirection(vm, iface);
  // Amazon's driver takes the card's largest table, Linux's own always one of 128 entries.
  const asks = await ethtool.driverKnows(vm, 'indirect table size too large');
  assert.equal(rss.table.length, 2 ** (asks ? profile.rssTableLog[1] : 7));
  assert.deepEqual(
    rss.table,
    rss.table.map((_, i) => i % queues),
  );
  const known = has(profile, FEATURE.RSS_HASH_FUNCTION);
  assert.equal(rss.function, known ? 'toeplitz' : null);
  assert.equal(rss.key?.length, known ? 40 : undefined);
}

/** Counters of what EC2 grants, as far as the card and this kernel's driver have them. */
async function showsAllowances(
  vm: ManyFunctions['vm'],
  iface: string,
  { capabilities }: EnaProfile,
): Promise<void> {
  const has = (bit: number): boolean => (capabilities & bit) !== 0;
  const metrics = has(CAPABILITY.CUSTOMER_METRICS);
  const groups: [boolean, string[]][] = [
    [
      has(CAPABILITY.ENI_STATS) || metrics,
      ['bw_in', 'bw_out', 'pps', 'conntrack', 'linklocal'].map((n) => `${n}_allowance_exceeded`),
    ],
    [metrics, ['conntrack_allowance_available']],
    [
      has(CAPABILITY.ENA_SRD_INFO),
      ['mode', 'tx_pkts', 'eligible_tx_pkts', 'rx_pkts', 'resource_utilization'].map(
        (name) => `ena_srd_${name}`,
      ),
    ],
  ];
  const found = await ethtool.statistics(vm, iface);
  for (const [offered, names] of groups) {
    const known = await ethtool.driverKnows(vm, names[0] ?? '');
    for (const name of names) assert.equal(found[name] !== undefined, offered && known, name);
  }
}

const has = ({ features }: EnaProfile, feature: number): boolean =>
  (features & (1 << feature)) !== 0;

/** What `ethtool -k` calls an offload, and whether the card has it. */
function offloadsOf({ offloadTx: tx, offloadRx: rx }: EnaProfile): [string, boolean][] {
  return [
    ['tx-checksum-ipv4', (tx & OFFLOAD_TX.L4_IPV4_CSUM_PART) !== 0],
    ['tx-checksum-ipv6', (tx & OFFLOAD_TX.L4_IPV6_CSUM_PART) !== 0],
    ['tx-tcp-segmentation', (tx & OFFLOAD_TX.TSO_IPV4) !== 0],
    ['tx-tcp6-segmentation', (tx & OFFLOAD_TX.TSO_IPV6) !== 0],
    ['tx-tcp-ecn-segmentation', (tx & OFFLOAD_TX.TSO_ECN) !== 0],
    ['rx-checksumming', (rx & (OFFLOAD_RX.L4_IPV4_CSUM | OFFLOAD_RX.L4_IPV6_CSUM)) !== 0],
  ];
}

/** By link-local addresses: they need no set-up, and name the interface. */
async function reachesPeer({ vm }: ManyFunctions, iface: string): Promise<void> {
  const address = await vm.run(
    "ip -n peer -6 -o addr show scope link | sed -n 's/.*inet6 \\([^/]*\\).*/\\1/p'",
  );
  const target = `${address.trim()}%${iface}`;
  await vm.run(WAIT_FOR_PING(`-6 ${target}`), { timeoutMs: 40_000 });
  // Without -w ping waits two round trips for its last answer: too little on a busy machine.
  for (const options of ['-c 50 -i 0.002 -s 1200', '-c 3 -i 0.2 -w 10 -s 8950']) {
    const report = await vm.run(`ping -q -6 ${options} ${target}`, { timeoutMs: 30_000 });
    assert.match(report, / 0% packet loss/);
  }
}

const WAIT_FOR_PING = (target: string): string =>
  `for try in $(seq 30); do ping -q -c 1 -W 1 ${target} && exit 0; sleep 0.1; done; exit 1`;

/** Brings a function's interface up, once it is there. */
async function found(guest: ManyFunctions, name: string): Promise<string> {
  const iface = await guest.interfaceOf(name);
  await guest.vm.run(`ip link set ${iface} up mtu 9001`);
  return iface;
}

async function comeAndGo(guest: ManyFunctions): Promise<void> {
  const { vm } = guest;
  await guest.plug('late');
  const iface = await found(guest, 'late');
  await reachesPeer(guest, iface);
  const traffic = vm.exec(`ping -q -6 -i 0.002 -w 2 ff02::1%${iface}`);
  const at = (await vm.run(`readlink -f /sys/class/net/${iface}/device`)).trim();
  await vm.run(`sleep 0.5; echo 1 > ${at}/remove; sleep 0.5; ! [ -e /sys/class/net/${iface} ]`);
  await traffic;
  await vm.run('echo 1 > /sys/bus/pci/rescan', { timeoutMs: 20_000 });
  await reachesPeer(guest, await found(guest, 'late'));
}

const knobs = ['tx', 'tso', 'rx', 'sg'];

/** TCP and UDP over IPv4 and IPv6 for each of 16 settings, which both ends have. */
async function everyOffload(guest: ManyFunctions, far: string): Promise<void> {
  const { vm } = guest;
  const near = await guest.interfaceOf('permissive');
  await vm.run(`ip netns add here && ip link set ${near} netns here
    for end in here:${near}:1 peer:${far}:2; do
      ns=\${end%%:*} dev=\${end#*:} dev=\${dev%:*} host=\${end##*:}
      ip -n $ns addr add 10.9.0.$host/24 dev $dev
      ip -n $ns addr add fd00::$host/64 dev $dev nodad
      ip -n $ns link set $dev up mtu 1500
    done
    mkdir -p /tmp/www && seq 1 60000 > /tmp/www/file
    ip netns exec peer httpd -h /tmp/www -p 80
    for port in 5201 5202; do ip netns exec peer iperf3 -s -D -p $port > /dev/null; done
    ip netns exec here sh -c '${WAIT_FOR_PING('10.9.0.2')}'`);
  for (let bits = 0; bits < 2 ** knobs.length; bits++) {
    const setting = knobs.map((knob, i) => `${knob} ${(bits >> i) & 1 ? 'on' : 'off'}`).join(' ');
    await vm.run(EXCHANGE(setting, near, far), { timeoutMs: 60_000 });
  }
  for (const ns of ['here', 'peer']) {
    const errors = await vm.run(
      `ip netns exec ${ns} cat /proc/net/snmp | grep -E '^(Tcp|Udp):'; ip netns exec ${ns} cat /proc/net/snmp6`,
    );
    for (const [protocol, at] of [
      ['Tcp', 'InCsumErrors'],
      ['Udp', 'InCsumErrors'],
    ] as const) {
      const [names = '', values = ''] = errors.split('\n').filter((l) => l.startsWith(protocol));
      assert.equal(values.split(' ')[names.split(' ').indexOf(at)], '0', `${ns} ${protocol}`);
    }
    assert.match(errors, /^Udp6InCsumErrors\s+0$/m);
  }
}

/** What one side sends is the file, both ways of a connection; the other's answer is compared. */
const EXCHANGE = (setting: string, near: string, far: string): string => `
  ip netns exec here ethtool -K ${near} ${setting}
  ip netns exec peer ethtool -K ${far} ${setting}
  ip netns exec here iperf3 -p 5201 -u -b 0 -l 1200 -n 60K -c 10.9.0.2 > /tmp/udp4 & one=$!
  ip netns exec here iperf3 -p 5202 -u -b 0 -l 1201 -n 60K -c fd00::2 > /tmp/udp6 & two=$!
  for host in 10.9.0.2 [fd00::2]; do
    ip netns exec here wget -q -O - http://$host/file | cmp - /tmp/www/file || exit 1
  done
  for job in $one $two; do wait $job || { cat /tmp/udp4 /tmp/udp6 >&2; exit 1; }; done
  grep -q '(0%)  *receiver' /tmp/udp4 && grep -q '(0%)  *receiver' /tmp/udp6`;
