/** GET_STATS: every type of statistics that a driver can ask for. */
import {
  basicStatsResp,
  CAPABILITY,
  customerMetricsResp,
  eniStatsResp,
  getStatsCmd,
  STATS_SCOPE,
  STATS_TYPE,
  STATUS,
  srdInfoResp,
} from '../../defs/ena-admin.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import type { Allowances } from './allowances.ts';
import type { EnaProfile } from './profile.ts';
import type { Queues } from './queues.ts';
import { enaRules } from './rules.ts';
import type { RxQueue } from './rx-queue.ts';
import { type EnaStats, split } from './stats.ts';
import { TxQueue } from './tx-queue.ts';

export type StatisticsParts = {
  readonly profile: EnaProfile;
  readonly queues: Queues;
  readonly stats: EnaStats;
  readonly allowances: Allowances;
  readonly memory: GuestMemory;
  readonly diagnostics: Diagnostics;
};

export class Statistics {
  readonly #parts: StatisticsParts;
  readonly #command = getStatsCmd.create();

  constructor(parts: StatisticsParts) {
    this.#parts = parts;
  }

  /** Drivers name the function 0xffff ("mine") or 0; both are taken. */
  get(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#command;
    cmd.load(command, 0);
    const { capabilities } = this.#parts.profile;
    switch (cmd.type) {
      case STATS_TYPE.BASIC:
        return this.#basic(answer);
      case STATS_TYPE.EXTENDED:
        return this.#extended();
      case STATS_TYPE.ENI:
        if ((capabilities & CAPABILITY.ENI_STATS) !== 0) return this.#eni(answer);
        break;
      case STATS_TYPE.ENA_SRD:
        if ((capabilities & CAPABILITY.ENA_SRD_INFO) !== 0) return this.#srd(answer);
        break;
      case STATS_TYPE.CUSTOMER_METRICS:
        if ((capabilities & CAPABILITY.CUSTOMER_METRICS) !== 0) return this.#customer(answer);
        break;
    }
    this.#parts.diagnostics.refuse(enaRules['stats-type'], () => `type ${cmd.type}`);
    return STATUS.UNSUPPORTED_OPCODE;
  }

  #basic(answer: Int32Array): number {
    const { queues, stats } = this.#parts;
    const { scope, queue_idx: index } = this.#command;
    // Drivers leave the scope and the queue zero when they want the whole function.
    const isOne = scope === STATS_SCOPE.SPECIFIC_QUEUE && index !== 0;
    const queue = isOne ? queues.at(index) : null;
    if (scope > STATS_SCOPE.ETH_TRAFFIC || (isOne && queue === null)) {
      this.#parts.diagnostics.refuse(enaRules['stats-scope'], () => `scope ${scope}, ${index}`);
      return STATUS.ILLEGAL_PARAMETER;
    }
    const made = basicStatsResp.create();
    if (queue !== null) return this.#ofQueue(queue, made, answer);
    [made.tx_bytes_low, made.tx_bytes_high] = split(stats.txBytes);
    [made.tx_pkts_low, made.tx_pkts_high] = split(stats.txPackets);
    [made.rx_bytes_low, made.rx_bytes_high] = split(stats.rxBytes);
    [made.rx_pkts_low, made.rx_pkts_high] = split(stats.rxPackets);
    [made.rx_drops_low, made.rx_drops_high] = split(stats.rxDrops);
    [made.tx_drops_low, made.tx_drops_high] = split(stats.txDrops);
    [made.rx_overruns_low, made.rx_overruns_high] = split(stats.rxOverruns);
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  /** Drops and overruns are the function's: they happen before a queue is found. */
  #ofQueue(
    queue: TxQueue | RxQueue,
    made: ReturnType<typeof basicStatsResp.create>,
    answer: Int32Array,
  ): number {
    const [bytes, packets] = [split(queue.bytes), split(queue.packets)];
    if (queue instanceof TxQueue) {
      [made.tx_bytes_low, made.tx_bytes_high] = bytes;
      [made.tx_pkts_low, made.tx_pkts_high] = packets;
    } else {
      [made.rx_bytes_low, made.rx_bytes_high] = bytes;
      [made.rx_pkts_low, made.rx_pkts_high] = packets;
    }
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  /** Text, one `name value` a line, in the control buffer: the function's, then each queue's. */
  #extended(): number {
    const { stats, queues } = this.#parts;
    const { txBytes, txPackets, txDrops, rxBytes, rxPackets, rxDrops, rxOverruns } = stats;
    const all = { txBytes, txPackets, txDrops, rxBytes, rxPackets, rxDrops, rxOverruns };
    const lines = Object.entries(all).map(([name, value]) => `${name} ${value}\n`);
    for (const queue of queues.all()) {
      const name = `${queue instanceof TxQueue ? 'tx' : 'rx'}Queue${queue.shape.index}`;
      lines.push(`${name}Bytes ${queue.bytes}\n${name}Packets ${queue.packets}\n`);
    }
    return this.#control(new TextEncoder().encode(`${lines.join('')}\0`));
  }

  #eni(answer: Int32Array): number {
    const a = this.#parts.allowances;
    const made = eniStatsResp.create();
    [made.bw_in_allowance_exceeded_lo, made.bw_in_allowance_exceeded_hi] = split(a.bwInExceeded);
    [made.bw_out_allowance_exceeded_lo, made.bw_out_allowance_exceeded_hi] = split(a.bwOutExceeded);
    [made.pps_allowance_exceeded_lo, made.pps_allowance_exceeded_hi] = split(a.ppsExceeded);
    [made.conntrack_allowance_exceeded_lo, made.conntrack_allowance_exceeded_hi] = split(
      a.conntrackExceeded,
    );
    [made.linklocal_allowance_exceeded_lo, made.linklocal_allowance_exceeded_hi] = split(
      a.linklocalExceeded,
    );
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  #srd(answer: Int32Array): number {
    const a = this.#parts.allowances;
    const made = srdInfoResp.create();
    made.flags_lo = a.srdFlags;
    [made.ena_srd_tx_pkts_lo, made.ena_srd_tx_pkts_hi] = split(a.srdTxPackets);
    [made.ena_srd_eligible_tx_pkts_lo, made.ena_srd_eligible_tx_pkts_hi] = split(a.srdTxPackets);
    [made.ena_srd_rx_pkts_lo, made.ena_srd_rx_pkts_hi] = split(a.srdRxPackets);
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  /** The metrics that were asked for and that there are, one after the other. */
  #customer(answer: Int32Array): number {
    const metrics = this.#parts.allowances.customerMetrics();
    const asked = this.#command.requested_metrics_lo & ((1 << metrics.length) - 1);
    const values = metrics.filter((_, i) => (asked & (1 << i)) !== 0);
    const words = Uint32Array.from(values.flatMap((value) => split(value)));
    // A driver first asks, without a buffer, which metrics there are.
    const bytes = new Uint8Array(words.buffer);
    if (this.#command.control_length > 0 && this.#control(bytes) !== STATUS.SUCCESS)
      return STATUS.ILLEGAL_PARAMETER;
    const made = customerMetricsResp.create();
    made.reported_metrics_lo = asked;
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  /** The buffer's address counts even where Linux does not flag it as valid. */
  #control(bytes: Uint8Array): number {
    const cmd = this.#command;
    const iova = cmd.control_addr_hi * 2 ** 32 + cmd.control_addr_lo;
    const { memory, diagnostics } = this.#parts;
    if (cmd.control_length >= bytes.length && memory.write(iova, bytes, 0, bytes.length))
      return STATUS.SUCCESS;
    diagnostics.refuse(
      enaRules['control-buffer'],
      () => `${bytes.length} bytes wanted, ${cmd.control_length} at 0x${iova.toString(16)}`,
    );
    return STATUS.ILLEGAL_PARAMETER;
  }
}
