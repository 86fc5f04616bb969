/** GET_STATS: what the function, or one queue pair, has done. */
import {
  getStatsCmd,
  STATS_FIELDS,
  STATS_FIRST_WORD,
  STATS_SCOPE,
  STATS_TYPE,
  STATUS,
} from '../../defs/efa-admin.ts';
import type { SrdCounts } from '../../srd/peer.ts';
import type { QueuePairs } from './queue-pairs.ts';
import type { Refusals } from './refusals.ts';
import { efaRules } from './rules.ts';
import type { EfaCounts } from './stats.ts';

const types = Object.keys(STATS_TYPE) as (keyof typeof STATS_TYPE)[];

export class Statistics {
  readonly #counts: EfaCounts;
  readonly #srd: SrdCounts;
  readonly #qps: QueuePairs;
  readonly #refusals: Refusals;
  readonly #command = getStatsCmd.create();

  constructor(counts: EfaCounts, srd: SrdCounts, qps: QueuePairs, refusals: Refusals) {
    this.#counts = counts;
    this.#srd = srd;
    this.#qps = qps;
    this.#refusals = refusals;
  }

  get(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#command;
    cmd.load(command, 0);
    const type = types[cmd.type];
    if (type === undefined)
      return this.#refusals.illegal(efaRules['stats-type'], () => `type ${cmd.type}`);
    const ofQueue = cmd.scope === STATS_SCOPE.QUEUE;
    const qp = ofQueue ? this.#qps.byNumber(cmd.scope_modifier) : null;
    const isNetwork = type === 'NETWORK';
    if (cmd.scope > STATS_SCOPE.QUEUE || (ofQueue && (qp === null || isNetwork)))
      return this.#refusals.illegal(
        efaRules['stats-scope'],
        () => `scope ${cmd.scope}, queue pair ${cmd.scope_modifier}`,
      );
    const values = isNetwork
      ? networkCounts(this.#srd)
      : this.#row(type, qp?.counts ?? this.#counts);
    let at = STATS_FIRST_WORD;
    for (const value of values) {
      answer[at++] = value % 2 ** 32;
      answer[at++] = Math.floor(value / 2 ** 32);
    }
    return STATUS.SUCCESS;
  }

  #row(type: Exclude<keyof typeof STATS_TYPE, 'NETWORK'>, counts: EfaCounts): number[] {
    return STATS_FIELDS[type].map((field) => counts[field]);
  }
}

/** In the order of `STATS_FIELDS.NETWORK`. */
export const networkCounts = (of: SrdCounts): number[] => [
  ...[of.retransmittedBytes, of.retransmittedPackets, of.timeouts, of.unresponsive, of.impaired],
];
