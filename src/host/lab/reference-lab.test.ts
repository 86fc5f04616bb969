import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { startLab } from './lab.ts';
import { isComplete, METRICS } from './report.ts';
import { parseTopology } from './topology.ts';

const observer = { step: () => {}, detail: () => {}, note: () => {} };
const topology = (seconds: number) => {
  const file = 'instances: { x: {}, y: { type: m5.large, address: 10.0.0.99 }, z: {} }';
  const parsed = parseTopology(file, 'x.yaml', InstanceTypes.load());
  return { ...parsed, measure: { ...parsed.measure, rounds: 1, seconds, pings: 10 } };
};
const request = (seconds: number, signal: AbortSignal) => {
  return { topology: topology(seconds), accelerator: 'auto', guest: 'reference', signal } as const;
};

test('without QEMU the same lab runs on reference drivers', async () => {
  const { signal } = new AbortController();
  const { report, close } = await startLab({ ...request(0.1, signal), observer });
  await close();
  assert.deepEqual(
    report.instances.map(({ name, address, link_mbps }) => [name, address, link_mbps]),
    [
      ['x', '10.0.0.10', 12500],
      ['y', '10.0.0.99', 10000],
      ['z', '10.0.0.11', 12500],
    ],
  );
  assert.equal(report.machine.qemu, null);
  assert.equal(report.measured?.transport, 'verified-udp');
  assert.equal(isComplete(report), true);
  const [row] = report.comparison;
  for (const metric of METRICS) assert.ok((row?.[metric] ?? 0) > 0, metric);
});

test('a lab that is interrupted ends at once, by the reason it was given', async () => {
  const controller = new AbortController();
  const work = startLab({ ...request(60, controller.signal), observer });
  setTimeout(() => controller.abort(new Error('enough')), 200);
  await assert.rejects(work, /enough/);
});
