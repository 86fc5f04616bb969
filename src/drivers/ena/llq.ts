/**
 * Low-latency queues, driver's side: what to choose from the device's offer, as Linux does by
 * default (`set_default_llq_configurations`, `ena_com_config_llq_info`).
 */
import {
  FEATURE,
  LLQ_ENTRY_SIZE,
  LLQ_HEADER,
  LLQ_STRIDE,
  type llqResp,
  setLlq,
} from '../../defs/ena-admin.ts';
import { txDesc } from '../../defs/ena-io.ts';
import type { Record32 } from '../../lib/layout.ts';
import type { AdminCommands } from './commands.ts';
import { EnaDeviceError } from './mmio.ts';
import { hostEntry, type TxEntryShape } from './tx-ring.ts';

export type LlqChoice = {
  readonly shape: TxEntryShape;
  readonly maxDepth: number;
  /** Every packet needs its own meta descriptor. */
  readonly alwaysMeta: boolean;
  /** Entries between two doorbells at most; 0: any number. */
  readonly maxBurstEntries: number;
};

/** Bits of `accel_flags`. */
const disableMetaCaching = 1;
const limitTxBurst = 2;
const entryBytes = new Map<number, number>([
  [LLQ_ENTRY_SIZE.B128, 128],
  [LLQ_ENTRY_SIZE.B192, 192],
  [LLQ_ENTRY_SIZE.B256, 256],
]);

/**
 * Picks two descriptors before an inline header, and the recommended or smallest entry; or headers
 * in a ring of their own, which no driver of today asks for.
 */
export function chooseLlq(
  commands: AdminCommands,
  offer: Record32<typeof llqResp.fields>,
  headers: 'inline' | 'ring' = 'inline',
): LlqChoice {
  const headerRing = headers === 'ring';
  const location = headerRing ? LLQ_HEADER.RING : LLQ_HEADER.INLINE;
  const sizes = [offer.entry_size_recommended, ...entryBytes.keys()];
  const size = sizes.find((bit) => (bit & offer.entry_size_supported) !== 0) ?? 0;
  const first = [2, 1, 4, 8].find((n) => (n & offer.desc_num_before_header_supported) !== 0) ?? 0;
  const multiple = (offer.descriptors_stride_supported & LLQ_STRIDE.MULTIPLE) !== 0;
  const bytes = entryBytes.get(size) ?? 0;
  if ((offer.header_location_supported & location) === 0 || bytes === 0 || first === 0)
    throw new EnaDeviceError('the LLQ offer has nothing that this driver could choose');
  const command = setLlq.create();
  command.header_location_enabled = location;
  command.entry_size_enabled = size;
  if (!headerRing) {
    command.desc_num_before_header_enabled = first;
    command.descriptors_stride_enabled = multiple ? LLQ_STRIDE.MULTIPLE : LLQ_STRIDE.SINGLE;
  }
  command.accel_flags = disableMetaCaching | limitTxBurst;
  commands.setFeature(FEATURE.LLQ, command);
  const isWide = bytes > 128 && offer.max_wide_llq_depth > 0;
  return {
    shape: headerRing
      ? { ...hostEntry, headerBytes: bytes, headerRing }
      : {
          entryBytes: bytes,
          firstDescs: first,
          moreDescs: multiple ? bytes / txDesc.sizeBytes : 1,
          headerBytes: bytes - first * txDesc.sizeBytes,
          headerRing,
        },
    maxDepth: isWide ? offer.max_wide_llq_depth : offer.max_llq_depth,
    alwaysMeta: (offer.accel_flags & disableMetaCaching) !== 0,
    maxBurstEntries:
      (offer.accel_flags & limitTxBurst) === 0 ? 0 : Math.floor(offer.max_tx_burst_size / bytes),
  };
}
