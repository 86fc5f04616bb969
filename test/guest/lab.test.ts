// The main job as a person runs it: the real program, real guests, and nothing left behind.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startVm } from '../../src/host/guest/guest-vm.ts';
import type { LabReport } from '../../src/host/lab/report.ts';
import { toolsOrSkip } from './pair.ts';
import { Program } from './program.ts';

/** The one that a lab boots when nothing is said, on Debian. */
const kernel = '6.12';
const scratch = mkdtempSync(join(tmpdir(), 'virtfn-lab-test-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

test('the lab measures stock drivers on ENA and on NICs of QEMU, as one JSON document', async (t) => {
  if ((await toolsOrSkip(t, kernel)) === null) return;
  const topology = join(scratch, 'short.yaml');
  writeFileSync(
    topology,
    'instances: { a: {}, b: { type: m5.large } }\nmeasure: { rounds: 1, pings: 100 }\n',
  );
  const program = new Program('lab', topology, '--json');
  await program.says(/Measuring/);
  assert.equal(await program.code, 0, program.stderr);
  assert.ok(program.children.size >= 2, 'a machine per guest');
  program.assertNothingLeft();
  const report = JSON.parse(program.stdout) as LabReport;
  assert.deepEqual(
    report.instances.map((i) => [i.name, i.driver, i.link_mbps, i.address, i.mtu]),
    [
      ['a', 'ena', 12_500, '10.0.0.10', 9001],
      ['b', 'ena', 10_000, '10.0.0.11', 9001],
    ],
  );
  assert.match(report.machine.guest_kernel ?? '', /^\d+\.\d+/);
  assert.deepEqual(
    report.comparison.map(({ nic, driver, link_mbps, mtu }) => [nic, driver, link_mbps, mtu]),
    [
      ['ena', 'ena', 12_500, 1500],
      ['82599vf', 'ixgbevf', 10_000, 1500],
      ['e1000e', 'e1000e', 1000, 1500],
      ['virtio', 'virtio_net', null, 1500],
    ],
  );
  for (const row of report.comparison) assertSane(row);
});

/** Wide limits: they tell a number from nonsense, on any machine. */
function assertSane(row: LabReport['comparison'][number]): void {
  const within = (metric: keyof typeof row, low: number, high: number): void => {
    const value = Number(row[metric]);
    assert.ok(value > low && value < high, `${row.nic} ${metric}: ${value}`);
  };
  assert.deepEqual(row.failures, {});
  within('tcp_gbps', 0.01, 100);
  within('tcp4_gbps', 0.01, 100);
  within('udp64_pps', 100, 50e6);
  within('rtt_p50_us', 5, 100_000);
  within('rtt_p99_us', 5, 1_000_000);
  within('host_cpu_s_per_gbit', 0.001, 100);
  assert.ok(Number(row.rtt_p99_us) >= Number(row.rtt_p50_us));
}

for (const moment of [/Getting QEMU/, /Booting/, /Measuring/])
  test(`Ctrl-C while it says ${moment.source} ends it with 130 and leaves nothing`, async (t) => {
    if ((await toolsOrSkip(t, kernel)) === null) return;
    const program = new Program('lab');
    await program.says(moment);
    await new Promise((resolve) => setTimeout(resolve, 300));
    program.look();
    program.child.kill('SIGINT');
    assert.equal(await program.code, 130, program.stderr);
    assert.equal(program.stdout, '');
    program.assertNothingLeft();
  });

test('virtfn nic serves a guest, tells of it, and takes its socket away', async (t) => {
  const tools = await toolsOrSkip(t, kernel);
  if (tools === null) return;
  const [image] = tools.guestImages;
  assert.ok(image);
  const socket = join(scratch, 'vf0.sock');
  const program = new Program('nic', '--socket', socket, '--type', 'c6i.large', '--json');
  await program.says(/"ready"/);
  const vm = await startVm({
    ...{ qemu: tools.qemu, accelerator: 'tcg', name: 'guest', image },
    nics: [{ kind: 'vfio-user', socket }],
  });
  try {
    assert.equal(await vm.dhcp(await vm.waitForDriver('ena')), '10.0.0.10/16');
  } finally {
    await vm.close();
  }
  await program.says(/"detached"/);
  program.child.kill('SIGTERM');
  assert.equal(await program.code, 0, program.stderr);
  const events = program.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== 'refusal');
  assert.deepEqual(kinds, ['ready', 'attached', 'detached', 'closed', 'counters']);
  assert.ok(events.at(-1).functions.vf0.tx_frames >= 2, 'its DHCP messages were counted');
  assert.equal(existsSync(socket), false);
});
