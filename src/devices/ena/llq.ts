/**
 * Low-latency queues: transmit rings in the device's own memory (BAR 2), whose entries hold
 * descriptors *and* the packet's first bytes. What the driver chose, from what the profile offers.
 *
 * An entry of a packet: some descriptors, then its header; entries that follow hold descriptors
 * only. A queue in host memory is the same thing with entries of one descriptor and no header.
 */
import {
  ACCEL_MODE,
  FEATURE,
  LLQ_ENTRY_SIZE,
  LLQ_HEADER,
  LLQ_STRIDE,
  llqResp,
  STATUS,
  setLlq,
} from '../../defs/ena-admin.ts';
import type { Feature, FeatureCall } from './feature-call.ts';
import type { LlqOffer } from './profile.ts';
import { enaRules } from './rules.ts';

export const descriptorBytes = 16;

/** How a transmit queue's entries are made up. */
export type EntryShape = {
  readonly entryBytes: number;
  /** Descriptors in a packet's first entry. */
  readonly firstDescs: number;
  /** Descriptors in each entry that follows. */
  readonly moreDescs: number;
  /** Room for a header behind the first entry's descriptors. */
  readonly headerBytes: number;
  /** Whether a meta descriptor counts for the packets that follow, too. */
  readonly cachesMeta: boolean;
  /** Entries that one doorbell may add; 0: as many as the ring has. */
  readonly maxBurstEntries: number;
};

export const hostShape: EntryShape = {
  entryBytes: descriptorBytes,
  firstDescs: 1,
  moreDescs: 1,
  headerBytes: 0,
  cachesMeta: true,
  maxBurstEntries: 0,
};

export class Llq {
  readonly #offer: LlqOffer;
  readonly #maxQueues: number;
  /** Null until the driver has chosen. */
  shape: EntryShape | null = null;

  constructor(offer: LlqOffer, maxQueues: number) {
    this.#offer = offer;
    this.#maxQueues = maxQueues;
  }

  reset(): void {
    this.shape = null;
  }

  get maxDepth(): number {
    const wide = this.shape !== null && this.shape.entryBytes > 128;
    return wide ? this.#offer.maxWideDepth : this.#offer.maxDepth;
  }

  feature(): [number, Feature] {
    return [FEATURE.LLQ, { get: (call) => this.#get(call), set: (call) => this.#set(call) }];
  }

  #get(call: FeatureCall): number {
    const made = llqResp.create();
    made.max_llq_num = this.#maxQueues;
    made.max_llq_depth = this.#offer.maxDepth;
    made.header_location_supported = LLQ_HEADER.INLINE;
    made.entry_size_supported = this.#offer.entrySizes;
    made.desc_num_before_header_supported = this.#offer.descsBeforeHeader;
    made.descriptors_stride_supported = this.#offer.strides;
    made.llq_feature_version = 1;
    made.entry_size_recommended = this.#offer.entrySizeRecommended;
    made.max_wide_llq_depth = this.#offer.maxWideDepth;
    made.accel_flags = this.#offer.accelFlags;
    made.max_tx_burst_size = this.#offer.maxTxBurstBytes;
    return call.answer(made);
  }

  /** The driver picks one of each. It sets acceleration flags too: those count that are offered. */
  #set(call: FeatureCall): number {
    const cmd = call.as(setLlq.create());
    const entryBytes = entryBytesOf(cmd.entry_size_enabled);
    const firstDescs = cmd.desc_num_before_header_enabled;
    const stride = cmd.descriptors_stride_enabled;
    const offer = this.#offer;
    const chosen =
      cmd.header_location_enabled === LLQ_HEADER.INLINE &&
      isOneOf(cmd.entry_size_enabled, offer.entrySizes) &&
      isOneOf(firstDescs, offer.descsBeforeHeader) &&
      isOneOf(stride, offer.strides) &&
      firstDescs * descriptorBytes < entryBytes &&
      this.#maxQueues > 0;
    if (!chosen)
      return call.refuse(
        enaRules['llq-choice'],
        () => `entries of ${entryBytes} bytes, ${firstDescs} before the header, stride ${stride}`,
      );
    const accel = cmd.accel_flags & offer.accelFlags;
    const burstBytes = (accel & ACCEL_MODE.LIMIT_TX_BURST) === 0 ? 0 : offer.maxTxBurstBytes;
    this.shape = {
      entryBytes,
      firstDescs,
      moreDescs: stride === LLQ_STRIDE.MULTIPLE ? entryBytes / descriptorBytes : 1,
      headerBytes: entryBytes - firstDescs * descriptorBytes,
      cachesMeta: (accel & ACCEL_MODE.DISABLE_META_CACHING) === 0,
      maxBurstEntries: Math.floor(burstBytes / entryBytes),
    };
    return STATUS.SUCCESS;
  }
}

/** Exactly one bit, and one of `offered`. */
const isOneOf = (bit: number, offered: number): boolean =>
  bit !== 0 && (bit & (bit - 1)) === 0 && (bit & offered) !== 0;

function entryBytesOf(size: number): number {
  if (size === LLQ_ENTRY_SIZE.B128) return 128;
  if (size === LLQ_ENTRY_SIZE.B192) return 192;
  return size === LLQ_ENTRY_SIZE.B256 ? 256 : 0;
}
