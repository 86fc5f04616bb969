/**
 * What the stock ena driver of two kernels can be told while frames flow, and whether it is then
 * so: queues, rings, receive-side scaling, moderation, MTU, XDP, the clock.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { checkClock } from './clock.ts';
import { devlink } from './devlink.ts';
import * as ethtool from './ethtool.ts';
import { sendFlows } from './flows.ts';
import { answerPings, dropAll } from './guest-programs.ts';
import { checkLanding, otherKey } from './landing.ts';
import { atOnce, complaints, type Host, kernels, Pair, toolsOrSkip } from './pair.ts';
import { askedReset, loseKeepAlives, resetOften } from './recovery.ts';
import { Stream } from './stream.ts';

const macOfB = '02:00:00:00:00:0b';
const icmpAndIp = 28;

for (const kernel of kernels)
  test(`a running card, with stock ena of Linux ${kernel}`, { timeout: 600_000 }, async (t) => {
    const tools = await toolsOrSkip(t, kernel, await devlink());
    if (tools === null) return;
    const pair = await Pair.start({ kernel, cpus: 2 }, tools);
    try {
      await suite(t, pair);
    } finally {
      await pair.close();
    }
  });

async function suite(t: TestContext, pair: Pair): Promise<void> {
  await Promise.all([pair.up('a'), pair.up('b')]);

  await t.test('frames of every MTU come through, and none that is longer', () => mtus(pair));
  await t.test('flows land on the queue that the shown key and table say', () =>
    checkLanding(pair, macOfB),
  );
  for (const [side, what] of [
    ['b', 'receiver'],
    ['a', 'sender'],
  ] as const)
    await t.test(`the ${what} is changed in every way; the connection goes on`, () =>
      changes(pair, side),
    );
  await t.test('moderation moderates', () => moderation(pair));
  await t.test('XDP drops, answers by itself, redirects, and is gone again', () => xdp(pair));
  await t.test('the link goes down and up as the card says', () => link(pair));
  await t.test('/dev/ptp0 is the time', async (t) => {
    if (await ethtool.driverKnows(pair.vms.a, 'enable_phc')) await checkClock(pair.vms.a);
    else t.skip('this driver has no PTP clock: Linux has it from 6.17 on');
  });
  await t.test('100 resets under traffic, and no link is lost', async (t) => {
    t.diagnostic(await resetOften(pair));
  });
  await t.test('a reset that the card asks for', async (t) => {
    if (await ethtool.driverKnows(pair.vms.a, 'unhealthy')) return askedReset(pair);
    pair.dataplane.command({ kind: 'request-reset', function: 'a' });
    assert.match(await ping(pair, atOnce(5)), lossless);
    t.skip("no driver in Linux enables that event, and none minds it; Amazon's own does");
  });
  await t.test('flow rules of ethtool -N', async (t) => {
    const rule = 'flow-type udp4 dst-port 9 action 1 loc 0';
    const { stderr } = await pair.vms.b.exec(`ethtool -N eth0 ${rule}`);
    assert.match(stderr, /not supported/);
    t.skip("no driver in Linux has flow rules; Amazon's own does");
  });
  await t.test('no driver complained, and no rule was broken', async () => {
    for (const vm of Object.values(pair.vms))
      assert.deepEqual((await complaints(vm, /\bena\b|eth0/)).filter(isOfCard), []);
    assert.deepEqual(pair.refusals(), []);
  });
  await t.test('keep-alives stay away; the driver starts the card anew', () =>
    loseKeepAlives(pair),
  );
}

/** ethtool asks for flow rules before it changes a table; the driver of 6.12 says it has none. */
const isOfCard = (line: string): boolean => !/Command parameter \d+ is not supported/.test(line);

async function ping(pair: Pair, options: string): Promise<string> {
  const command = `ping -q ${options} ${pair.address('b')}`;
  return (await pair.vms.a.exec(command, { timeoutMs: 30_000 })).stdout;
}

const lossless = / 0% packet loss/;
const lost = / 100% packet loss/;

async function setMtu(pair: Pair, mtu: number): Promise<void> {
  for (const vm of Object.values(pair.vms)) await vm.run(`ip link set eth0 mtu ${mtu}`);
}

async function mtus(pair: Pair): Promise<void> {
  for (const mtu of [9216, 9001, 4000, 1500, 576, 128]) {
    await setMtu(pair, mtu);
    const largest = mtu - icmpAndIp;
    assert.match(await ping(pair, `${atOnce(3)} -M do -s ${largest}`), lossless, `${mtu}`);
    assert.match(await ping(pair, `${atOnce(3)} -s ${3 * largest}`), lossless, `fragments ${mtu}`);
  }
  await pair.vms.a.run('ip link set eth0 mtu 1500');
  assert.match(await ping(pair, '-c 3 -i 0.01 -W 1 -M do -s 1400'), lost);
  for (const mtu of [127, 9217])
    assert.notEqual((await pair.vms.a.exec(`ip link set eth0 mtu ${mtu}`)).code, 0);
  await setMtu(pair, 9001);
}

/** Each is made while one TCP connection is busy, and reads back. */
async function changes(pair: Pair, side: Host): Promise<void> {
  const vm = pair.vms[side];
  const stream = await Stream.start(pair, 'a', 'b');
  const change = async (options: string): Promise<void> => {
    const [option, ...rest] = options.split(' ');
    await vm.run(`ethtool ${option} eth0 ${rest.join(' ')}`);
    await stream.goesOn();
  };
  for (const count of [1, 2, 1, 2]) {
    await change(`-L combined ${count}`);
    assert.equal((await ethtool.channels(vm, 'eth0')).now, count);
  }
  for (const [rx, tx] of [
    [256, 512],
    [8192, 8192],
    [1024, 1024],
  ] as const) {
    await change(`-G rx ${rx} tx ${tx}`);
    const { now } = await ethtool.rings(vm, 'eth0');
    assert.deepEqual([now.rx, now.tx], [rx, tx]);
  }
  await change('-X weight 1 3');
  const { table } = await ethtool.indirection(vm, 'eth0');
  assert.equal(table.filter((queue) => queue === 1).length, (table.length * 3) / 4);
  await change(`-X hkey ${otherKey}`);
  await change('-X hfunc crc32');
  assert.equal((await ethtool.indirection(vm, 'eth0')).function, 'crc32');
  await change('-X hfunc toeplitz');
  await change('-X default');
  for (const [rx, tx] of [
    [100, 200],
    [0, 0],
    [20, 64],
  ] as const) {
    await change(`-C adaptive-rx off rx-usecs ${rx} tx-usecs ${tx}`);
    assert.deepEqual(await ethtool.coalescing(vm, 'eth0'), { rx, tx, adaptive: false });
  }
  await change('-C adaptive-rx on');
  await stream.stop();
}

/**
 * As many packets a second with and without delay: interrupts never come faster than the delay, and
 * they become fewer, unless the machine is so busy that they are few anyway: then once more.
 */
async function moderation(pair: Pair): Promise<void> {
  const { a, b } = pair.vms;
  const delayUs = 500;
  const count = 2000;
  const flows = { from: pair.address('a'), to: pair.address('b'), toMac: macOfB };
  const measure = async (usecs: number): Promise<{ interrupts: number; seconds: number }> => {
    await b.run(`ethtool -C eth0 adaptive-rx off rx-usecs ${usecs} tx-usecs ${usecs}`);
    const before = await interrupts(pair);
    const seconds = await sendFlows(a, 'eth0', { ...flows, ports: [1000], count, delayUs: 150 });
    return { interrupts: (await interrupts(pair)) - before, seconds };
  };
  const rounds: string[] = [];
  for (let fewer = false; !fewer; ) {
    assert.ok(rounds.length < 4, `interrupts without and with delay: ${rounds.join(', ')}`);
    const plain = (await measure(0)).interrupts;
    const { interrupts: moderated, seconds } = await measure(delayUs);
    const most = (seconds + 0.3) / (delayUs / 1e6);
    assert.ok(moderated <= most, `${moderated} interrupts in ${seconds} s`);
    fewer = moderated < 0.75 * plain;
    rounds.push(`${plain} and ${moderated}`);
  }
  await b.run('ethtool -C eth0 adaptive-rx on rx-usecs 20 tx-usecs 64');
}

/** How often the vectors of B's queues have fired. */
async function interrupts(pair: Pair): Promise<number> {
  const table = await pair.vms.b.run('grep eth0-Tx-Rx /proc/interrupts');
  return table
    .split('\n')
    .flatMap((line) => /^\s*\d+:((?:\s+\d+)+)/.exec(line)?.[1]?.trim().split(/\s+/) ?? [])
    .reduce((sum, n) => sum + Number(n), 0);
}

/** XDP needs a queue for each that it sends by, so half of them; frames lie in one page. */
async function xdp(pair: Pair): Promise<void> {
  const { b } = pair.vms;
  await b.run('ip link set eth0 mtu 1500 && ethtool -L eth0 combined 1');
  const index = Number(await b.run('cat /sys/class/net/eth0/ifindex'));
  const load = async (program: Buffer): Promise<void> => {
    await b.run(`echo ${program.toString('base64')} | base64 -d > /tmp/xdp.o
      ip link set dev eth0 xdp off && ip link set dev eth0 xdp obj /tmp/xdp.o sec xdp`);
  };
  const echoes = async (): Promise<string> =>
    b.run("grep ^Icmp: /proc/net/snmp | tail -n 1 | cut -d ' ' -f 10");
  const counted = async (verdict: string): Promise<number> =>
    (await ethtool.statistics(b, 'eth0'))[`queue_0_rx_xdp_${verdict}`] ?? 0;

  await load(dropAll);
  assert.match(await ping(pair, '-c 3 -i 0.1 -W 1'), lost);
  assert.ok((await counted('drop')) > 0);
  const seen = await echoes();
  for (const [verdict, program] of [
    ['tx', answerPings()],
    ['redirect', answerPings(index)],
  ] as const) {
    await load(program);
    assert.match(await ping(pair, '-c 100 -i 0.005 -s 1000'), lossless, verdict);
    assert.ok((await counted(verdict)) >= 100, verdict);
  }
  assert.equal(await echoes(), seen, 'the guest itself has seen no ping');
  await b.run('ip link set dev eth0 xdp off && ethtool -L eth0 combined 2');
  await setMtu(pair, 9001);
  assert.match(await ping(pair, `${atOnce(5)} -s 8000`), lossless);
  assert.notEqual(await echoes(), seen);
}

async function link(pair: Pair): Promise<void> {
  const { b } = pair.vms;
  for (const up of [false, true]) {
    pair.dataplane.command({ kind: 'set-link', function: 'b', up });
    await b.run(
      `for try in $(seq 100); do
        [ $(cat /sys/class/net/eth0/carrier) = ${up ? 1 : 0} ] && exit 0
        sleep 0.1
      done; exit 1`,
      { timeoutMs: 20_000 },
    );
  }
  assert.match(await ping(pair, '-c 3 -i 0.2 -W 2'), /[1-3] received/);
}
