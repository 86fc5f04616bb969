/**
 * What a generation of the card offers: one record per profile. The device asks the profile and
 * never the name of a generation.
 */
import {
  AENQ_GROUP,
  CAPABILITY,
  FEATURE,
  LLQ_ENTRY_SIZE,
  LLQ_STRIDE,
  OFFLOAD_RX,
  OFFLOAD_TX,
} from '../../defs/ena-admin.ts';

/** Where a line comes from: the vendor, somebody's measurement, or our assumption. */
export type Provenance = 'published' | 'observed' | 'assumed';

/** Low-latency queues, as `ena_admin_feature_llq_desc` offers them. Sets are the header's bits. */
export type LlqOffer = {
  readonly entrySizes: number;
  readonly entrySizeRecommended: number;
  readonly descsBeforeHeader: number;
  readonly strides: number;
  readonly maxDepth: number;
  /** Entries of 256 bytes; 0: the driver halves `maxDepth`. */
  readonly maxWideDepth: number;
  /** Bits: 0 a meta descriptor in every packet, 1 limited bursts; and how many bytes. */
  readonly accelFlags: number;
  readonly maxTxBurstBytes: number;
};

export type EnaProfile = {
  readonly name: string;
  readonly provenance: Provenance;
  /** VERSION and CONTROLLER_VERSION registers. */
  readonly deviceVersion: number;
  readonly controllerVersion: number;
  /** Bit per `FEATURE`. */
  readonly features: number;
  /** `CAPABILITY` bits. */
  readonly capabilities: number;
  readonly dmaAddressBits: number;
  readonly maxMtu: number;
  readonly maxSqDepth: number;
  readonly maxCqDepth: number;
  /** Queue pairs that a function has when its type does not say. */
  readonly queuePairs: number;
  readonly maxTxDescsPerPacket: number;
  readonly maxRxDescsPerPacket: number;
  readonly maxHeaderBytes: number;
  readonly offloadTx: number;
  readonly offloadRx: number;
  /** null: descriptors are in host memory only. */
  readonly llq: LlqOffer | null;
  /** log2 of the smallest and the largest indirection table. */
  readonly rssTableLog: readonly [min: number, max: number];
  readonly aenqGroups: number;
  /** Microseconds per unit of interrupt delay. */
  readonly moderationResolutionUs: number;
  /** Places in the flow steering table. */
  readonly flowSteeringRules: number;
  readonly extraProperties: readonly { readonly name: string; readonly on: boolean }[];
};

const featureBits = (...ids: readonly number[]): number =>
  ids.reduce((bits, id) => (bits | (1 << id)) >>> 0, 0);

/** Everything that this model implements, and the most generous limits: not any real card. */
export const permissive: EnaProfile = {
  name: 'permissive',
  provenance: 'assumed',
  deviceVersion: 0x000a,
  controllerVersion: 0x0100_0001,
  features: featureBits(
    FEATURE.DEVICE_ATTRIBUTES,
    FEATURE.MAX_QUEUES_NUM,
    FEATURE.HW_HINTS,
    FEATURE.LLQ,
    FEATURE.MAX_QUEUES_EXT,
    FEATURE.RSS_HASH_FUNCTION,
    FEATURE.STATELESS_OFFLOAD_CONFIG,
    FEATURE.RSS_INDIRECTION_TABLE_CONFIG,
    FEATURE.MTU,
    FEATURE.RSS_HASH_INPUT,
    FEATURE.AENQ_CONFIG,
    FEATURE.LINK_CONFIG,
    FEATURE.HOST_ATTR_CONFIG,
    FEATURE.INTERRUPT_MODERATION,
    FEATURE.PHC_CONFIG,
    FEATURE.FLOW_STEERING_CONFIG,
    FEATURE.HW_TIMESTAMP,
    FEATURE.EXTRA_PROPERTIES_STRINGS,
    FEATURE.EXTRA_PROPERTIES_FLAGS,
    FEATURE.FRAG_BYPASS,
  ),
  capabilities:
    CAPABILITY.ENI_STATS |
    CAPABILITY.ENA_SRD_INFO |
    CAPABILITY.CUSTOMER_METRICS |
    CAPABILITY.EXTENDED_RESET_REASONS |
    CAPABILITY.CDESC_MBZ,
  dmaAddressBits: 48,
  maxMtu: 9216,
  maxSqDepth: 8192,
  maxCqDepth: 8192,
  queuePairs: 8,
  maxTxDescsPerPacket: 20,
  maxRxDescsPerPacket: 16,
  maxHeaderBytes: 96,
  offloadTx:
    OFFLOAD_TX.L3_CSUM_IPV4 |
    OFFLOAD_TX.L4_IPV4_CSUM_PART |
    OFFLOAD_TX.L4_IPV4_CSUM_FULL |
    OFFLOAD_TX.L4_IPV6_CSUM_PART |
    OFFLOAD_TX.L4_IPV6_CSUM_FULL |
    OFFLOAD_TX.TSO_IPV4 |
    OFFLOAD_TX.TSO_IPV6 |
    OFFLOAD_TX.TSO_ECN,
  offloadRx:
    OFFLOAD_RX.L3_CSUM_IPV4 | OFFLOAD_RX.L4_IPV4_CSUM | OFFLOAD_RX.L4_IPV6_CSUM | OFFLOAD_RX.HASH,
  llq: {
    entrySizes: LLQ_ENTRY_SIZE.B128 | LLQ_ENTRY_SIZE.B256,
    entrySizeRecommended: LLQ_ENTRY_SIZE.B128,
    descsBeforeHeader: 1 | 2 | 4 | 8,
    strides: LLQ_STRIDE.SINGLE | LLQ_STRIDE.MULTIPLE,
    maxDepth: 1024,
    maxWideDepth: 512,
    accelFlags: 0,
    maxTxBurstBytes: 0,
  },
  rssTableLog: [7, 7],
  aenqGroups:
    (1 << AENQ_GROUP.LINK_CHANGE) |
    (1 << AENQ_GROUP.FATAL_ERROR) |
    (1 << AENQ_GROUP.WARNING) |
    (1 << AENQ_GROUP.NOTIFICATION) |
    (1 << AENQ_GROUP.KEEP_ALIVE) |
    (1 << AENQ_GROUP.REFRESH_CAPABILITIES) |
    (1 << AENQ_GROUP.CONF_NOTIFICATIONS) |
    (1 << AENQ_GROUP.DEVICE_REQUEST_RESET),
  moderationResolutionUs: 1,
  flowSteeringRules: 128,
  extraProperties: [],
};

export const enaProfiles: readonly EnaProfile[] = [permissive];
