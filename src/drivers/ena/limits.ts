/** What an ENA device says of its queues and its traffic, in the driver's terms. */
import {
  basicStatsResp,
  FEATURE,
  maxQueuesExtResp,
  maxQueuesResp,
  STATS_TYPE,
} from '../../defs/ena-admin.ts';
import type { AdminCommands } from './commands.ts';

export type DeviceLimits = {
  readonly queuePairs: number;
  readonly txDepth: number;
  readonly rxDepth: number;
  readonly maxTxDescs: number;
  readonly maxRxDescs: number;
  readonly maxHeaderBytes: number;
};

/** From MAX_QUEUES_EXT, or from MAX_QUEUES_NUM when the device has only that. */
export function readLimits(commands: AdminCommands, isExtended: boolean): DeviceLimits {
  if (isExtended) {
    const q = commands.getFeature(FEATURE.MAX_QUEUES_EXT, maxQueuesExtResp, 1);
    const most = [q.max_tx_sq_num, q.max_tx_cq_num, q.max_rx_sq_num, q.max_rx_cq_num];
    return {
      queuePairs: Math.min(...most),
      txDepth: Math.min(q.max_tx_sq_depth, q.max_tx_cq_depth),
      rxDepth: Math.min(q.max_rx_sq_depth, q.max_rx_cq_depth),
      maxTxDescs: q.max_per_packet_tx_descs,
      maxRxDescs: q.max_per_packet_rx_descs,
      maxHeaderBytes: q.max_tx_header_size,
    };
  }
  const q = commands.getFeature(FEATURE.MAX_QUEUES_NUM, maxQueuesResp);
  const depth = Math.min(q.max_sq_depth, q.max_cq_depth);
  return {
    queuePairs: Math.min(q.max_sq_num, q.max_cq_num),
    txDepth: depth,
    rxDepth: depth,
    maxTxDescs: q.max_packet_tx_descs,
    maxRxDescs: q.max_packet_rx_descs,
    maxHeaderBytes: q.max_header_size,
  };
}

/** Bytes and packets since the device was reset. */
export type BasicStats = {
  readonly txBytes: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxDrops: number;
  readonly txDrops: number;
  readonly rxOverruns: number;
};

export function readBasicStats(commands: AdminCommands): BasicStats {
  const s = commands.getStats(STATS_TYPE.BASIC, basicStatsResp);
  const join = (low: number, high: number): number => low + high * 2 ** 32;
  return {
    txBytes: join(s.tx_bytes_low, s.tx_bytes_high),
    txPackets: join(s.tx_pkts_low, s.tx_pkts_high),
    rxBytes: join(s.rx_bytes_low, s.rx_bytes_high),
    rxPackets: join(s.rx_pkts_low, s.rx_pkts_high),
    rxDrops: join(s.rx_drops_low, s.rx_drops_high),
    txDrops: join(s.tx_drops_low, s.tx_drops_high),
    rxOverruns: join(s.rx_overruns_low, s.rx_overruns_high),
  };
}
