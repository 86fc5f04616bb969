/**
 * The stock efa driver, rdma-core, libfabric, perftest and Open MPI of a distribution, unmodified, in two
 * guests, on functions that virtfn serves.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HpcCluster } from '../../src/host/lab/hpc-cluster.ts';
import { both, withCluster } from './efa-guests.ts';
import { complaints } from './pair.ts';

function refusals({ events }: HpcCluster): string[] {
  return events.flatMap((event) =>
    event.kind === 'refusal' ? [`${event.function}: ${event.rule}: ${event.detail}`] : [],
  );
}

/** Ours is compiled outside of the kernel's tree, which the kernel says once. */
const expected = /out-of-tree module|module verification failed/;

/** Modules of its tests; the rest is for other makes, or for CUDA. */
const pyverbs = ['efa', 'addr', 'cq', 'device', 'mr', 'pd', 'qp', 'shared_pd', 'fork', 'odp']
  .map((name) => `-k test_${name}`)
  .join(' ');

const perftest = '-F -d efa_0 -x 0';

test('the stock stack of Linux 6.12 on EFA', { timeout: 300_000 }, async (t) => {
  await withCluster(t, {}, async (cluster, a, b) => {
    await t.test('the driver binds, and the port is active', async () => {
      for (const vm of [a, b]) {
        const info = await vm.run('ibv_devinfo -v');
        assert.match(info, /hca_id:\s+efa_0/);
        assert.match(info, /state:\s+PORT_ACTIVE/);
        assert.match(info, /vendor_part_id:\s+61347/);
      }
      assert.match(await a.run('fi_info -p efa'), /fabric: efa-direct[\s\S]*FI_EP_DGRAM/);
    });

    await t.test('libfabric: messages of every size arrive as they were sent', async () => {
      await both(cluster, 'fi_pingpong -p efa -e rdm -c');
      await both(cluster, 'fi_pingpong -p efa -e rdm -m tagged -c -S all -I 3');
      await both(cluster, 'fi_pingpong -p efa -e dgram -c');
    });

    await t.test(
      'perftest: SRD and UD, sends, reads and writes, polled and by events',
      async () => {
        const before = await cluster.counters(1);
        for (const command of [
          'ib_send_bw -c SRD -n 500 -s 8192',
          'ib_send_lat -c SRD -n 300 -s 32',
          'ib_read_bw -c SRD -n 100 -s 1048576',
          'ib_write_bw -c SRD -n 100 -s 1048576',
          'ib_write_bw -c SRD -n 100 -s 65536 --write_with_imm',
          'ib_send_bw -c SRD -n 300 -s 4096 -e',
          'ib_send_bw -c UD -n 300 -s 4096 -Q 1',
        ])
          assert.match(await both(cluster, `${command} ${perftest}`), /#bytes/);
        const after = await cluster.counters(1);
        const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
        assert.ok(grown('send_wrs') >= 1400, `${grown('send_wrs')} sends`);
        assert.equal(grown('rdma_read_bytes'), 100 * 1_048_576);
        assert.equal(grown('rdma_write_bytes'), 100 * (1_048_576 + 65_536));
      },
    );

    await t.test('MPI: right results over EFA, which carried them', async () => {
      const before = await cluster.counters(0);
      const two = await cluster.mpi('efa', 1, 50);
      assert.deepEqual([two.ranks, two.hosts, two.wrong], [2, 2, 0]);
      const after = await cluster.counters(0);
      const carried = ['send_bytes', 'rdma_read_resp_bytes', 'rdma_write_bytes']
        .map((name) => (after[name] ?? 0) - (before[name] ?? 0))
        .reduce((sum, bytes) => sum + bytes);
      assert.ok(carried > 8 << 20, `the EFA carried ${carried} bytes`);
      const four = await cluster.mpi('efa', 2, 20);
      assert.deepEqual([four.ranks, four.hosts, four.wrong], [4, 2, 0]);
    });

    await t.test("rdma-core's own tests of EFA, and of verbs as far as EFA has them", async () => {
      const known = cluster.events.length;
      const { code, stderr } = await b.exec(`virtfn-pyverbs ${pyverbs}`, { timeoutMs: 120_000 });
      assert.equal(code, 0, stderr);
      const passed = stderr.match(/\.\.\. ok$/gm)?.length ?? 0;
      assert.ok(passed >= 40, `${passed} passed`);
      assert.match(stderr, /test_qp_ex_srd_rdma_write_with_imm \(.*\.\.\. ok/);
      // one of them posts a receive request before the queue pair takes any
      const rules = cluster.events.slice(known).flatMap((event) => {
        return event.kind === 'refusal' ? [event.rule] : [];
      });
      assert.deepEqual([...new Set(rules)], ['efa/doorbell-state']);
    });

    await t.test('the driver can be reloaded', async () => {
      for (let i = 0; i < 3; i++) await b.run('rmmod efa && modprobe efa');
      await both(cluster, 'fi_pingpong -p efa -e rdm -c');
    });

    await t.test('neither the driver nor the device had anything to complain about', async () => {
      for (const vm of [a, b]) {
        const lines = await complaints(vm, /\befa\b|infiniband/);
        assert.deepEqual(
          lines.filter((line) => !expected.test(line)),
          [],
        );
      }
      assert.deepEqual(
        refusals(cluster).filter((line) => !line.includes('efa/doorbell-state')),
        [],
      );
    });
  });
});

test('OS bypass: no system call and no trap per message', { timeout: 200_000 }, async (t) => {
  await withCluster(t, { access: 'polled', trace: true }, async (cluster, _a, b) => {
    const syscalls = async (messages: number): Promise<number> => {
      const strace = 'strace -f -c -o /tmp/calls';
      // writes: a send's receiver that lags behind is not ready, and perftest asks for no retry
      await both(cluster, `${strace} ib_write_bw -c SRD -n ${messages} -s 4096 ${perftest}`);
      const summary = await b.run('tail -1 /tmp/calls');
      return Number(/(\d+)\s+\d*\s*total/.exec(summary)?.[1]);
    };
    /** Doorbells and queue stores that were trapped since the driver was loaded. */
    const traps = async (): Promise<number> => {
      await b.run('rmmod efa && sleep 0.5');
      const told = cluster.events.flatMap((event) => {
        const line = event.kind === 'trace' && event.function === 'b-efa' ? event.line : '';
        return /trapped (\d+) times/.exec(line)?.[1] ?? [];
      });
      await b.run('modprobe efa');
      return Number(told.at(-1));
    };
    const sent = async (): Promise<number> => (await cluster.counters(1))['rdma_write_wrs'] ?? 0;
    const few = await syscalls(500);
    assert.ok((await sent()) >= 500);
    assert.equal(await traps(), 0);
    const many = await syscalls(5000);
    assert.ok((await sent()) >= 5500);
    assert.equal(await traps(), 0);
    // waiting for the other side takes some, by the time that it lasts; ten times the messages do not
    assert.ok(many < few + 1500, `${few} system calls for 500 messages, ${many} for 5000`);
  });
});
