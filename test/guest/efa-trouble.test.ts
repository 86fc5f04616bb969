/**
 * The stock EFA stack when something is wrong: a fabric that loses and reorders packets, peers that
 * end, and a security group that does not let EFA through.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Vm } from '../../src/host/guest/guest-vm.ts';
import type { HpcCluster } from '../../src/host/lab/hpc-cluster.ts';
import { parseVpc } from '../../src/host/vpc/load.ts';
import { noFaults } from '../../src/srd/faults.ts';
import { both, inBackground, waitFor, withCluster } from './efa-guests.ts';

// the driver of Linux 7 has counters of what was sent again
test('on a fabric that loses 1 % and reorders, applications get what was sent', async (t) => {
  const fabric = { ...noFaults, seed: 7, lossPpm: 10_000, delayNs: 20_000, jitterNs: 200_000 };
  await withCluster(
    t,
    { fabric },
    async (cluster) => {
      /** What our side counts, which may be a fifth of a second old, and what the driver shows. */
      const counts = async (): Promise<Record<string, number>> => {
        await new Promise((resolve) => setTimeout(resolve, 400));
        return { ...cluster.ownCounters(0), ...(await cluster.counters(0)) };
      };
      const grew = async (before: Record<string, number>): Promise<void> => {
        const after = await counts();
        for (const name of ['fabric_lost', 'fabric_delayed', 'efa_retrans_pkts', 'retrans_pkts'])
          assert.ok((after[name] ?? 0) > (before[name] ?? 0), `${name}: ${after[name]}`);
        assert.equal(after['retrans_pkts'], after['efa_retrans_pkts']);
      };
      await t.test('libfabric: messages up to 6 MiB', async () => {
        await both(cluster, 'fi_pingpong -p efa -e rdm -m tagged -c -S all -I 3');
        await grew({});
      });
      await t.test('MPI, 2 and 4 ranks', async () => {
        for (const [perGuest, rounds] of [
          [1, 50],
          [2, 20],
        ] as const) {
          const before = await counts();
          const { ranks, hosts, wrong } = await cluster.mpi('efa', perGuest, rounds);
          assert.deepEqual([ranks, hosts, wrong], [2 * perGuest, 2, 0]);
          await grew(before);
        }
      });
    },
    '7',
  );
});

const sender = 'ib_write_bw -c SRD -D 40 -s 4096 -F -d efa_0 -x 0';

/** A stream of RDMA writes from a to b, under way. */
async function startWrites(cluster: HpcCluster, a: Vm, b: Vm): Promise<void> {
  await inBackground(b, sender, '/tmp/server');
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await inBackground(a, `${sender} ${cluster.address(1)}`, '/tmp/writes');
}

/** An MPI job whose rank 0 on a sends to rank 1 on b, under way. */
async function startMessages(cluster: HpcCluster, a: Vm): Promise<void> {
  const job = `export FI_LOG_LEVEL=warn; ${cluster.mpiCommand('efa', 1, 'stream')}`;
  await inBackground(a, job, '/tmp/messages');
  await waitFor(a, '/tmp/messages', /streaming/, 20_000);
}

const vpcFile = (out: string): string => `
vpc:
  groups: { hpc: { in: [all from self, tcp 0-65535 from anywhere], out: [${out}] } }
instances:
  a: { interface-type: efa, groups: hpc }
  b: { interface-type: efa-only, groups: hpc }
`;

test('in a VPC, with rules that change and peers that end, while guests run', async (t) => {
  const closed = parseVpc(vpcFile('all to anywhere'), 'closed.yaml');
  const open = parseVpc(vpcFile('all to anywhere, all to self'), 'open.yaml');
  await withCluster(t, { vpc: closed }, async (cluster, a, b) => {
    await t.test('ENA and EFA of an interface have one MAC; an EFA alone has its own', async () => {
      const macs = closed.interfaces.map(({ mac }) => mac.slice(-2));
      for (const [vm, last] of [
        [a, macs[0]],
        [b, macs[2]],
      ] as const)
        assert.match(
          await vm.run('cat /sys/class/infiniband/efa_0/ports/1/gids/0'),
          new RegExp(`${last}\n`),
        );
      assert.equal((await b.interfaces())[0]?.mac.slice(-2), macs[1]);
    });
    await t.test(
      'a group that lets all out to anywhere lets no EFA out: the peer is unreachable',
      async () => {
        const server = a.exec('timeout 15 fi_pingpong -p efa -e rdm', { timeoutMs: 20_000 });
        await new Promise((resolve) => setTimeout(resolve, 1200));
        const command = `FI_LOG_LEVEL=warn timeout 15 fi_pingpong -p efa -e rdm ${cluster.address(0)}`;
        const { code, stdout, stderr } = await b.exec(command, { timeoutMs: 20_000 });
        assert.notEqual(code, 0);
        assert.match(stdout + stderr, /[Uu]nreach/);
        assert.ok((cluster.ownCounters(1)['tx_sgEgressNone'] ?? 0) > 0);
        await a.run('killall fi_pingpong || true');
        await server;
      },
    );
    await t.test(
      'with a rule for all traffic to itself EFA works at once, and without it no more',
      async () => {
        await cluster.setVpc(open);
        await both(cluster, 'fi_pingpong -p efa -e rdm -c');
        assert.deepEqual((await cluster.mpi('efa', 1, 20)).wrong, 0);
        await cluster.setVpc(closed);
        const refused = cluster.ownCounters(1)['tx_sgEgressNone'] ?? 0;
        await assert.rejects(cluster.mpi('efa', 1, 20));
        assert.ok((cluster.ownCounters(1)['tx_sgEgressNone'] ?? 0) > refused);
      },
    );
    await cluster.setVpc(open);
    await t.test(
      'a peer whose application is killed: an error at once, with the status that names it',
      async () => {
        await startWrites(cluster, a, b);
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await b.run('killall -9 ib_write_bw');
        const { text, ms } = await waitFor(a, '/tmp/writes', /exit \d+/, 5000);
        // no such queue pair any more; or the address handle went first
        assert.match(
          text,
          /Completion with error at client\s+Failed status \d+: wr_id 0 syndrom 0x(9|e)\b/,
        );
        t.diagnostic(`perftest ended after ${ms.toFixed(0)} ms`);
      },
    );
    await t.test('an MPI rank is killed: who sends to it gets an MPI error', async () => {
      await startMessages(cluster, a);
      // who would tell the other guest's launcher, before EFA does
      await b.run('killall -STOP prted && killall -9 virtfn-mpi');
      const { text, ms } = await waitFor(a, '/tmp/messages', /"afterMs":\d+/, 5000);
      assert.match(text, /"error":"MPI_ERR_/);
      t.diagnostic(`MPI's error came after ${ms.toFixed(0)} ms`);
      await b.run('killall -CONT prted');
      await waitFor(a, '/tmp/messages', /exit [1-9]/, 20_000);
    });
    await t.test('a machine is killed: errors of an unresponsive peer after 4 s', async () => {
      await startWrites(cluster, a, b);
      await startMessages(cluster, a);
      const start = performance.now();
      process.kill(b.pid, 'SIGKILL');
      const writes = await waitFor(a, '/tmp/writes', /exit \d+/, 10_000);
      assert.match(writes.text, /Failed status 20: wr_id 0 syndrom 0xd\b/);
      const messages = await waitFor(a, '/tmp/messages', /"afterMs":\d+/, 5000);
      const ms = performance.now() - start;
      assert.match(messages.text, /Unresponsive/);
      assert.match(messages.text, /"error":"MPI_ERR_/);
      assert.ok(ms > 3500 && ms < 9000, `${ms} ms`);
      t.diagnostic(`both errors came within ${ms.toFixed(0)} ms`);
      assert.ok((cluster.ownCounters(0)['efa_unresponsive_remote_events'] ?? 0) > 0);
    });
  });
});
