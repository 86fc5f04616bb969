/**
 * perftest between two guests of a cluster: over the EFA by SRD, and over Soft-RoCE (`rdma_rxe`) on the
 * ENA by reliable connections, which is what a guest has without an EFA.
 */
import { type HpcCluster, HpcError } from './hpc-cluster.ts';

export const RDMA_TRANSPORTS = ['srd', 'rxe'] as const;
export type RdmaTransport = (typeof RDMA_TRANSPORTS)[number];

export type RdmaResult = {
  /** Half a round trip of 64 bytes, typical. */
  readonly latencyUs: number;
  /** RDMA writes of 64 KiB. */
  readonly bandwidthMBs: number;
};

const options: Readonly<Record<RdmaTransport, string>> = {
  srd: '-c SRD -d efa_0 -x 0',
  rxe: '-c RC -d rxe0 -x 1',
};
const commandLimitMs = 60_000;
const mebi = 1 << 20;

/** Makes a Soft-RoCE device on each guest's ENA. @throws GuestError */
export async function addSoftRoce({ vms }: HpcCluster): Promise<void> {
  for (const vm of vms) {
    const name = await vm.waitForDriver('ena');
    await vm.run(
      `modprobe crc32_generic && modprobe rdma_rxe && rdma link add rxe0 type rxe netdev ${name}`,
    );
  }
}

/** @throws HpcError with what perftest said */
export async function perftest(
  cluster: HpcCluster,
  transport: RdmaTransport,
  rounds: number,
): Promise<RdmaResult> {
  const how = `-F -n ${Math.max(100, rounds)} ${options[transport]}`;
  const latency = await between(cluster, `ib_send_lat -s 64 ${how}`);
  const bandwidth = await between(cluster, `ib_write_bw -s 65536 ${how}`);
  return { latencyUs: column(latency, 4), bandwidthMBs: (column(bandwidth, 3) * mebi) / 1e6 };
}

/** Runs a command on the second guest, and with its address on the first; what that one says. */
async function between(cluster: HpcCluster, command: string): Promise<string> {
  const [client, server] = cluster.vms;
  if (client === undefined || server === undefined) throw new HpcError('there are no two guests');
  const limit = { timeoutMs: commandLimitMs };
  const serving = server.exec(command, limit);
  // perftest has no other way to say that it listens than to answer
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const asked = await client.exec(`${command} ${cluster.address(1)}`, limit);
  const served = await serving;
  for (const { code, stdout, stderr } of [asked, served])
    if (code !== 0) throw new HpcError(`${command}: ${stdout}${stderr}`);
  return asked.stdout;
}

/** A number of perftest's table, which follows the line that begins with `#bytes`. */
export function column(output: string, index: number): number {
  const [, row = ''] = /#bytes[^\n]*\n([^\n]*)/.exec(output) ?? [];
  const value = Number(row.trim().split(/\s+/)[index]);
  if (Number.isFinite(value)) return value;
  throw new HpcError(`perftest said nothing that can be read: ${output}`);
}
