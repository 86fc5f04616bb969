import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isComplete, type LabReport, type NicResult } from '../host/lab/report.ts';
import { advantage, renderReport } from './lab-report.ts';

const ena: NicResult = {
  ...{ nic: 'ena', driver: 'ena', link_mbps: 12500, mtu: 1500 },
  ...{ tcp_gbps: 1.5, tcp4_gbps: 1.2, udp64_pps: 60_000, rtt_p50_us: 420, rtt_p99_us: 1500 },
  ...{ host_cpu_s_per_gbit: 1.25, samples: {}, failures: {} },
};
const virtio: NicResult = {
  ...ena,
  ...{ nic: 'virtio', driver: 'virtio_net', link_mbps: null, tcp_gbps: 0.75, udp64_pps: null },
  failures: { udp64_pps: 'no datagram arrived' },
};
const report: LabReport = {
  machine: {
    ...{ cpu: 'CPU', cores: 2, kernel: '6.1', node: '20.20.2', qemu: '11.1.3' },
    ...{ accelerator: 'tcg', accelerator_reason: 'as asked for', guest_kernel: '6.12' },
    access_reason: '2 cores are not enough',
  },
  instances: ['a', 'b'].map((name, i) => {
    return {
      ...{ name, type: 'c6i.large', nic: 'ena', driver: 'ena', driver_version: '6.12' },
      ...{ interface: 'eth0', pci: '0000:01:00.0', mac: '02:00:00:00:00:01', link_mbps: 12500 },
      ...{ address: `10.0.0.1${i}`, mtu: 9001, kernel: '6.12', cpus: 1, access: 'posted' },
    };
  }),
  measured: { from: 'a', to: 'b', transport: 'tcp', rounds: 3, seconds: 1, pings: 250, mtu: 1500 },
  reachability: null,
  comparison: [ena, virtio],
  notes: [],
};

test('what the link claims and what was reached are separate columns', () => {
  const lines = renderReport(report);
  assert.deepEqual(lines.slice(0, 7), [
    'instance  type       nic  driver    link seen  address',
    'a         c6i.large  ena  ena 6.12  12.5 Gbps  10.0.0.10',
    'b         c6i.large  ena  ena 6.12  12.5 Gbps  10.0.0.11',
    '',
    'a -> b  link claims  TCP 1 flow  TCP 4 flows   UDP 64 B    RTT p50 / p99  host CPU per Gbit',
    'ena       12.5 Gbps   1.50 Gbps    1.20 Gbps  60.0 kpps  0.420 / 1.50 ms             1.25 s',
    'virtio      unknown   0.75 Gbps    1.20 Gbps     failed  0.420 / 1.50 ms             1.25 s',
  ]);
});

test('how doorbells are rung is told, and why', () => {
  assert.match(renderReport(report).join('\n'), /Doorbells are posted: 2 cores are not enough\./);
  const machine = { ...report.machine, access_reason: null };
  assert.match(renderReport({ ...report, machine }).join('\n'), /Doorbells are posted\.$/m);
});

test('a number that is missing says why, claims nothing, and the lab has failed', () => {
  const text = renderReport(report).join('\n');
  assert.match(text, /virtio udp64_pps failed: no datagram arrived/);
  assert.match(text, /more packets per second +unknown/);
  assert.equal(isComplete(report), false);
  assert.equal(isComplete({ ...report, comparison: [ena] }), true);
});

test('a claim is a ratio, and says when it does not hold', () => {
  assert.equal(advantage(3, 2, 'more'), '1.50x');
  assert.equal(advantage(2, 3, 'less'), '1.50x');
  assert.equal(advantage(1, 2, 'more'), 'no: 0.50x');
  assert.equal(advantage(2, 2, 'less'), '1.00x');
  assert.equal(advantage(null, 2, 'more'), 'unknown');
});

test('in a narrow terminal no line is wider than it', () => {
  for (const line of renderReport(report, 60)) assert.ok(line.length <= 60, line);
});

test('without anything to compare with there are no claims', () => {
  const text = renderReport({ ...report, comparison: [ena] }).join('\n');
  assert.doesNotMatch(text, /more bandwidth/);
});
