import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bench, measureAll } from './measure.ts';
import { MeasureError } from './parsers.ts';

const plan = { rounds: 3, seconds: 1, pings: 2, mtu: 1500 };

/** A bench whose numbers grow with each TCP run, and which says what it was asked. */
function bench(nic: Bench['nic'], log: string[], faults: Partial<Bench> = {}): Bench {
  let runs = 0;
  return {
    ...{ nic, driver: nic, linkMbps: null },
    tcp: async (flows) => {
      log.push(`${nic} tcp${flows}`);
      return { gbit: ++runs, seconds: 1, cpu: 2 * runs };
    },
    udp: async () => ({ received: 1000, seconds: 2 }),
    rtt: async () => [100, 300],
    ...faults,
  };
}
const options = (more: object = {}) => ({ isFailure: () => false, onRun: () => {}, ...more });

test('NICs take turns, and the median of the rounds counts', async () => {
  const log: string[] = [];
  const [ena] = await measureAll([bench('ena', log), bench('virtio', log)], plan, options());
  assert.deepEqual(log.slice(0, 4), ['ena tcp1', 'ena tcp4', 'virtio tcp1', 'virtio tcp4']);
  assert.equal(log.length, 12);
  assert.deepEqual(ena?.samples.tcp_gbps, [1, 3, 5]);
  assert.equal(ena?.tcp_gbps, 3);
  assert.equal(ena?.tcp4_gbps, 4);
  assert.equal(ena?.host_cpu_s_per_gbit, 2);
  assert.equal(ena?.udp64_pps, 500);
  assert.deepEqual([ena?.rtt_p50_us, ena?.rtt_p99_us], [100, 300]);
});

test('what could not be measured is null with its reason, and the rest goes on', async () => {
  let round = 0;
  const udp = async () => {
    if (++round === 2) throw new MeasureError('no datagram arrived');
    return { received: 1, seconds: 1 };
  };
  const [ena] = await measureAll([bench('ena', [], { udp })], plan, options());
  assert.equal(ena?.udp64_pps, null);
  assert.deepEqual(ena?.failures, { udp64_pps: 'no datagram arrived' });
  assert.equal(ena?.tcp_gbps, 3);
});

test('a fault that is no failed measurement ends the lab', async () => {
  const tcp = async () => {
    throw new Error('interrupted');
  };
  const work = measureAll([bench('ena', [], { tcp })], plan, options());
  await assert.rejects(work, /interrupted/);
  const failing = options({ isFailure: () => true });
  const [ena] = await measureAll([bench('ena', [], { tcp })], plan, failing);
  assert.equal(ena?.failures.tcp4_gbps, 'interrupted');
});
