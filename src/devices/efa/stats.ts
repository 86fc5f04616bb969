/** What a function or a queue pair has done, by the names of EFA's statistics. */
import { STATS_FIELDS } from '../../defs/efa-admin.ts';

type Field = (typeof STATS_FIELDS)[keyof typeof STATS_FIELDS][number];

export type EfaCounts = Record<Exclude<Field, (typeof STATS_FIELDS.NETWORK)[number]>, number>;

export const newCounts = (): EfaCounts => ({
  tx_bytes: 0,
  tx_pkts: 0,
  rx_bytes: 0,
  rx_pkts: 0,
  rx_drops: 0,
  qkey_viol: 0,
  send_bytes: 0,
  send_wrs: 0,
  recv_bytes: 0,
  recv_wrs: 0,
  read_wrs: 0,
  read_bytes: 0,
  read_wr_err: 0,
  read_resp_bytes: 0,
  write_wrs: 0,
  write_bytes: 0,
  write_wr_err: 0,
  write_recv_bytes: 0,
});

/** All of these, what SRD counts, and what a bad fabric did to packets that the function sent. */
export const ownCounterNames: readonly string[] = [
  ...[...Object.keys(newCounts()), ...STATS_FIELDS.NETWORK].map((name) => `efa_${name}`),
  ...['fabric_lost', 'fabric_delayed'],
];
