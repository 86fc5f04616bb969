/**
 * Low-latency queues: transmit rings in the device's own memory (BAR 2), whose entries hold
 * descriptors *and* the packet's first bytes. What the driver chose, from what the profile offers.
 *
 * An entry of a packet: some descriptors, then its header; entries that follow hold descriptors
 * only. A queue in host memory is the same thing with entries of one descriptor and no header.
 */
import {
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
};

export const hostShape: EntryShape = {
  entryBytes: descriptorBytes,
  firstDescs: 1,
  moreDescs: 1,
  headerBytes: 0,
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

  /** The driver picks one of each. It also sets acceleration flags, offered or not. */
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
    this.shape = {
      entryBytes,
      firstDescs,
      moreDescs: stride === LLQ_STRIDE.MULTIPLE ? entryBytes / descriptorBytes : 1,
      headerBytes: entryBytes - firstDescs * descriptorBytes,
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
