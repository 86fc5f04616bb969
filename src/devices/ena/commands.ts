/** The admin commands: what each opcode does. Rings and phases are `admin-queue.ts`. */
import {
  aqCommand,
  basicStatsResp,
  getStatsCmd,
  OPCODE,
  STATS_SCOPE,
  STATS_TYPE,
  STATUS,
} from '../../defs/ena-admin.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Trace } from '../../lib/trace.ts';
import type { Features } from './features.ts';
import type { Queues } from './queues.ts';
import { enaRules } from './rules.ts';
import { type EnaStats, split } from './stats.ts';

const opcodeNames = new Map<number, string>(
  Object.entries(OPCODE).map(([name, code]) => [code, name]),
);
const statusNames = Object.keys(STATUS);

export class Commands {
  readonly #queues: Queues;
  readonly #features: Features;
  readonly #stats: EnaStats;
  readonly #diagnostics: Diagnostics;
  readonly #trace: Trace | null;
  readonly #head = aqCommand.create();
  readonly #getStats = getStatsCmd.create();
  readonly #basicStats = basicStatsResp.create();

  constructor(
    queues: Queues,
    features: Features,
    stats: EnaStats,
    diagnostics: Diagnostics,
    trace: Trace | null,
  ) {
    this.#queues = queues;
    this.#features = features;
    this.#stats = stats;
    this.#diagnostics = diagnostics;
    this.#trace = trace;
  }

  /** Runs one command of 16 words; fills the answer's own words and returns its `STATUS`. */
  run(command: Int32Array, answer: Int32Array): number {
    this.#head.load(command, 0);
    const { opcode } = this.#head;
    const status = this.#dispatch(opcode, command, answer);
    this.#trace?.(() => {
      const name = opcodeNames.get(opcode) ?? `opcode ${opcode}`;
      const about = name.endsWith('_FEATURE') ? ` ${this.#features.nameOf(command)}` : '';
      return `admin ${name}${about} -> ${statusNames[status] ?? status}`;
    });
    return status;
  }

  #dispatch(opcode: number, command: Int32Array, answer: Int32Array): number {
    switch (opcode) {
      case OPCODE.CREATE_SQ:
        return this.#queues.createSq(command, answer);
      case OPCODE.DESTROY_SQ:
        return this.#queues.destroySq(command);
      case OPCODE.CREATE_CQ:
        return this.#queues.createCq(command, answer);
      case OPCODE.DESTROY_CQ:
        return this.#queues.destroyCq(command);
      case OPCODE.GET_FEATURE:
        return this.#features.get(command, answer);
      case OPCODE.SET_FEATURE:
        return this.#features.set(command);
      case OPCODE.GET_STATS:
        return this.#statistics(command, answer);
      default:
        this.#diagnostics.refuse(enaRules['unknown-opcode'], () => `opcode ${opcode}`);
        return STATUS.BAD_OPCODE;
    }
  }

  /** Basic statistics, of the function. Drivers name it 0xffff ("mine") or 0. */
  #statistics(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#getStats;
    cmd.load(command, 0);
    const { type, scope } = cmd;
    if (type !== STATS_TYPE.BASIC) {
      this.#diagnostics.refuse(enaRules['stats-type'], () => `type ${type}`);
      return STATUS.UNSUPPORTED_OPCODE;
    }
    if (
      scope !== STATS_SCOPE.ETH_TRAFFIC &&
      !(scope === STATS_SCOPE.SPECIFIC_QUEUE && this.#queues.hasQueue(cmd.queue_idx))
    ) {
      this.#diagnostics.refuse(enaRules['stats-scope'], () => `scope ${scope}`);
      return STATUS.ILLEGAL_PARAMETER;
    }
    const stats = this.#stats;
    const made = this.#basicStats;
    made.clear();
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
}
