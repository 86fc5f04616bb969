/**
 * Low-latency queues: transmit rings in the device's own memory (BAR 2), into which a driver pushes
 * descriptors *and* the packet's first bytes. What the driver chose, from what the profile offers.
 *
 * Inline header: an entry of a packet is some descriptors, then its header; entries that follow hold
 * descriptors only. Header ring: entries are single descriptors, and the header lies in a second
 * ring, in the place that has the index of the packet's first descriptor (so wrote Linux 4.9,
 * `ena_com_write_header`). A queue in host memory has entries of one descriptor and no header.
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
import { llqSliceBytes } from './bar.ts';
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
  /** Room for a header, behind the first entry's descriptors or in the header ring. */
  readonly headerBytes: number;
  /** Whether headers lie in a ring of their own, `headerBytes` apart. */
  readonly headerRing: boolean;
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
  headerRing: false,
  cachesMeta: true,
  maxBurstEntries: 0,
};

export class Llq {
  readonly #offer: LlqOffer;
  readonly #headerLocations: number;
  readonly #maxQueues: number;
  /** Null until the driver has chosen. */
  shape: EntryShape | null = null;

  /** `headerLocations`: bits of `LLQ_HEADER`. */
  constructor(offer: LlqOffer, headerLocations: number, maxQueues: number) {
    this.#offer = offer;
    this.#headerLocations = headerLocations;
    this.#maxQueues = maxQueues;
  }

  reset(): void {
    this.shape = null;
  }

  /** Of the chosen shape. A queue has one slice of the memory, for both of its rings. */
  get maxDepth(): number {
    if (this.shape === null) return 0;
    const { entryBytes, headerBytes, headerRing } = this.shape;
    const width = headerRing ? headerBytes : entryBytes;
    const offered = width > 128 ? this.#offer.maxWideDepth : this.#offer.maxDepth;
    return headerRing ? Math.min(offered, llqSliceBytes / (entryBytes + headerBytes)) : offered;
  }

  feature(): [number, Feature] {
    return [FEATURE.LLQ, { get: (call) => this.#get(call), set: (call) => this.#set(call) }];
  }

  #get(call: FeatureCall): number {
    const made = llqResp.create();
    made.max_llq_num = this.#maxQueues;
    made.max_llq_depth = this.#offer.maxDepth;
    made.header_location_supported = this.#headerLocations;
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
    const { entry_size_enabled: size, header_location_enabled: location } = cmd;
    const width = entryBytesOf(size);
    const firstDescs = cmd.desc_num_before_header_enabled;
    const stride = cmd.descriptors_stride_enabled;
    const offer = this.#offer;
    const headerRing = location === LLQ_HEADER.RING;
    const chosen =
      isOneOf(location, this.#headerLocations) &&
      isOneOf(size, offer.entrySizes) &&
      // "Valid only if inline header is specified", says the public header of both.
      (headerRing || this.#fits(width, firstDescs, stride)) &&
      this.#maxQueues > 0;
    if (!chosen)
      return call.refuse(
        enaRules['llq-choice'],
        () =>
          `header location ${location}, entries of ${width} bytes, ` +
          `${firstDescs} before the header, stride ${stride}`,
      );
    const accel = cmd.accel_flags & offer.accelFlags;
    const burstBytes = (accel & ACCEL_MODE.LIMIT_TX_BURST) === 0 ? 0 : offer.maxTxBurstBytes;
    const entries = headerRing ? apart(width) : inline(width, firstDescs, stride);
    this.shape = {
      ...entries,
      cachesMeta: (accel & ACCEL_MODE.DISABLE_META_CACHING) === 0,
      maxBurstEntries: Math.floor(burstBytes / width),
    };
    return STATUS.SUCCESS;
  }

  #fits(entryBytes: number, firstDescs: number, stride: number): boolean {
    return (
      isOneOf(firstDescs, this.#offer.descsBeforeHeader) &&
      isOneOf(stride, this.#offer.strides) &&
      firstDescs * descriptorBytes < entryBytes
    );
  }
}

type Entries = Omit<EntryShape, 'cachesMeta' | 'maxBurstEntries'>;

const inline = (entryBytes: number, firstDescs: number, stride: number): Entries => ({
  entryBytes,
  firstDescs,
  moreDescs: stride === LLQ_STRIDE.MULTIPLE ? entryBytes / descriptorBytes : 1,
  headerBytes: entryBytes - firstDescs * descriptorBytes,
  headerRing: false,
});

/** "Header in a separate ring, implies 16B descriptor list entry." */
const apart = (headerBytes: number): Entries => ({
  entryBytes: descriptorBytes,
  firstDescs: 1,
  moreDescs: 1,
  headerBytes,
  headerRing: true,
});

/** Exactly one bit, and one of `offered`. */
const isOneOf = (bit: number, offered: number): boolean =>
  bit !== 0 && (bit & (bit - 1)) === 0 && (bit & offered) !== 0;

function entryBytesOf(size: number): number {
  if (size === LLQ_ENTRY_SIZE.B128) return 128;
  if (size === LLQ_ENTRY_SIZE.B192) return 192;
  return size === LLQ_ENTRY_SIZE.B256 ? 256 : 0;
}
