/**
 * What a generation of the card offers and demands: a table per generation, each line with where
 * it comes from. The device asks the traits and never the name of a generation.
 *
 * Little of this is published by line and generation. What is, or what somebody saw on a real
 * card, says so; the rest is marked as assumed, and may be wrong.
 */
import {
  ACCEL_MODE,
  AENQ_GROUP,
  CAPABILITY,
  FEATURE,
  LLQ_ENTRY_SIZE,
  LLQ_HEADER,
  LLQ_STRIDE,
  OFFLOAD_RX,
  OFFLOAD_TX,
} from '../../defs/ena-admin.ts';
import { assumed, type Claims, observed, profileOf, published } from '../common/claims.ts';

/** Low-latency queues, as `ena_admin_feature_llq_desc` offers them. Sets are the header's bits. */
export type LlqOffer = {
  readonly entrySizes: number;
  readonly entrySizeRecommended: number;
  readonly descsBeforeHeader: number;
  readonly strides: number;
  readonly maxDepth: number;
  /** Entries of more than 128 bytes; 0: the driver halves `maxDepth`. */
  readonly maxWideDepth: number;
  /** Bits: 0 a meta descriptor in every packet, 1 limited bursts; and how many bytes. */
  readonly accelFlags: number;
  readonly maxTxBurstBytes: number;
};

/** What must have happened before CREATE_CQ; else it answers UNKNOWN_ERROR. */
export type BringUpDemand = 'host-info' | 'spec-version-2' | 'device-attributes' | 'aenq' | 'msix';

/** Steps of bring-up whose order a card may judge. */
export type BringUpStep =
  | 'host-attributes'
  | 'device-attributes'
  | 'llq'
  | 'moderation'
  | 'msix'
  | 'rss'
  | 'queues'
  | 'mtu';
type BringUpOrder = readonly (readonly [first: BringUpStep, second: BringUpStep])[];

export type EnaTraits = {
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
  /** The same for a driver that has said that it is Linux's. */
  readonly maxRxDescsOfLinux: number;
  readonly maxHeaderBytes: number;
  readonly offloadTx: number;
  readonly offloadRx: number;
  /** null: descriptors are in host memory only. */
  readonly llq: LlqOffer | null;
  /** Where a low-latency queue's headers may lie: bits of `LLQ_HEADER`. */
  readonly llqHeaderLocations: number;
  /** Segments of one frame reach a guest of the same switch together, in as many buffers as fit. */
  readonly largeReceive: boolean;
  /** log2 of the smallest and the largest indirection table. */
  readonly rssTableLog: readonly [min: number, max: number];
  /** Kinds of sorting that hash inputs can have: bits of `INPUT_SORT`. */
  readonly rssInputSort: number;
  readonly aenqGroups: number;
  /** Microseconds per unit of interrupt delay. */
  readonly moderationResolutionUs: number;
  /** IP fragments that a function may send in a second; 0: any number. */
  readonly egressFragmentsPerSecond: number;
  /** Places in the flow steering table. */
  readonly flowSteeringRules: number;
  readonly extraProperties: readonly { readonly name: string; readonly on: boolean }[];
  readonly bringUp: readonly BringUpDemand[];
  /** Of two steps that both happen the first one comes first; else CREATE_CQ fails as above. */
  readonly bringUpOrder: BringUpOrder;
};

export type EnaClaims = Claims<EnaTraits>;

export type EnaProfile = EnaTraits & {
  readonly name: string;
  /** Each trait with where it comes from. */
  readonly claims: EnaClaims;
};

const bitsOf = (...ids: readonly number[]): number =>
  ids.reduce((bits, id) => (bits | (1 << id)) >>> 0, 0);

const headers = 'public driver headers (ena_admin_defs.h)';
const readme = 'README of the public Linux driver';
const allTxOffloads =
  OFFLOAD_TX.L3_CSUM_IPV4 |
  OFFLOAD_TX.L4_IPV4_CSUM_PART |
  OFFLOAD_TX.L4_IPV4_CSUM_FULL |
  OFFLOAD_TX.L4_IPV6_CSUM_PART |
  OFFLOAD_TX.L4_IPV6_CSUM_FULL |
  OFFLOAD_TX.TSO_IPV4 |
  OFFLOAD_TX.TSO_IPV6 |
  OFFLOAD_TX.TSO_ECN;

const oldFeatures = bitsOf(
  FEATURE.DEVICE_ATTRIBUTES,
  FEATURE.MAX_QUEUES_NUM,
  FEATURE.HW_HINTS,
  FEATURE.LLQ,
  FEATURE.MAX_QUEUES_EXT,
  FEATURE.STATELESS_OFFLOAD_CONFIG,
  FEATURE.RSS_INDIRECTION_TABLE_CONFIG,
  FEATURE.MTU,
  FEATURE.INTERRUPT_MODERATION,
  FEATURE.AENQ_CONFIG,
  FEATURE.LINK_CONFIG,
  FEATURE.HOST_ATTR_CONFIG,
);
const rssFeatures = bitsOf(FEATURE.RSS_HASH_FUNCTION, FEATURE.RSS_HASH_INPUT);

const llq: LlqOffer = {
  entrySizes: LLQ_ENTRY_SIZE.B128 | LLQ_ENTRY_SIZE.B256,
  entrySizeRecommended: LLQ_ENTRY_SIZE.B128,
  descsBeforeHeader: 1 | 2 | 4 | 8,
  strides: LLQ_STRIDE.SINGLE | LLQ_STRIDE.MULTIPLE,
  maxDepth: 1024,
  maxWideDepth: 512,
  accelFlags: 0,
  maxTxBurstBytes: 0,
};

const haiku = "Haiku's driver notes (docs/watchdog.md, on c7g)";
/** What every driver keeps that is known to work on EC2 and that has both steps. */
const driversOrder: BringUpOrder = [
  ['device-attributes', 'llq'],
  ['device-attributes', 'moderation'],
  ['device-attributes', 'rss'],
  ['device-attributes', 'mtu'],
  ['llq', 'moderation'],
  ['llq', 'msix'],
  ['llq', 'rss'],
  ['llq', 'queues'],
];

const nitroV2: EnaClaims = {
  deviceVersion: published(0x000a, 'User Guide, troubleshooting ENA: 0.10'),
  controllerVersion: published(0x0100_0001, 'User Guide: 0.0.1 implementation version 1'),
  features: observed(oldFeatures, 'User Guide log: features 10 and 18 are not supported'),
  capabilities: assumed(0, 'capabilities came later than this generation'),
  dmaAddressBits: published(48, headers),
  maxMtu: observed(9216, 'other models of the card; drivers accept it'),
  maxSqDepth: published(1024, `default ring of the driver (${readme})`),
  maxCqDepth: assumed(1024, 'as the submission queue'),
  queuePairs: assumed(8, 'depends on the instance type'),
  maxTxDescsPerPacket: assumed(20, 'more than any driver uses'),
  maxRxDescsPerPacket: assumed(16, 'Linux says 19, but crashes above 18; DPDK resets above 17'),
  maxRxDescsOfLinux: assumed(16, 'as any other'),
  maxHeaderBytes: published(96, `128-byte entries less two descriptors (${readme})`),
  offloadTx: observed(OFFLOAD_TX.L4_IPV4_CSUM_PART, 'ethtool -k in amzn-drivers#29 and #360'),
  offloadRx: observed(OFFLOAD_RX.HASH, 'ethtool -k: rx-checksumming off [fixed]'),
  largeReceive: published(false, `no large receive offload (${readme})`),
  llq: published(llq, `large LLQ from Nitro v2 on, not by default (${readme})`),
  llqHeaderLocations: assumed(
    LLQ_HEADER.INLINE,
    "the one that today's drivers choose; without it they use no LLQ",
  ),
  rssTableLog: observed(
    [7, 7],
    'drivers use 128 entries; which cards offer others is not published',
  ),
  rssInputSort: observed(0, "Amazon's ena-toeplitz sorts nothing, though drivers always enable it"),
  aenqGroups: published(
    bitsOf(
      AENQ_GROUP.LINK_CHANGE,
      AENQ_GROUP.FATAL_ERROR,
      AENQ_GROUP.WARNING,
      AENQ_GROUP.NOTIFICATION,
      AENQ_GROUP.KEEP_ALIVE,
    ),
    headers,
  ),
  moderationResolutionUs: assumed(1, 'in microseconds, as published; which one cards have is not'),
  egressFragmentsPerSecond: published(1024, 'User Guide, monitoring network performance: per ENI'),
  flowSteeringRules: published(0, `flow steering from Nitro v5 on (${readme})`),
  extraProperties: assumed([], 'the properties are not published'),
  bringUp: observed(['host-info', 'aenq'], 'iPXE commit 3b81a4e and ipxe#852'),
  bringUpOrder: assumed([], 'nobody has reported it of this generation'),
};

const nitroV3: EnaClaims = {
  ...nitroV2,
  capabilities: assumed(CAPABILITY.ENI_STATS, 'which generation began is not published'),
  maxSqDepth: published(16_384, `Rx rings of up to 16K, by type (${readme})`),
  maxCqDepth: assumed(16_384, 'as the submission queue'),
};

const nitroV4: EnaClaims = {
  ...nitroV3,
  features: observed(
    (oldFeatures | rssFeatures | bitsOf(FEATURE.PHC_CONFIG)) >>> 0,
    'amzn-drivers#239: key and function can be set on newer cards; PHC: assumed',
  ),
  capabilities: assumed(
    CAPABILITY.ENI_STATS |
      CAPABILITY.ENA_SRD_INFO |
      CAPABILITY.CUSTOMER_METRICS |
      CAPABILITY.EXTENDED_RESET_REASONS,
    'which generation began is not published',
  ),
  llq: observed(
    { ...llq, entrySizeRecommended: LLQ_ENTRY_SIZE.B256, maxWideDepth: 512 },
    'README: large by default; amzn-drivers#381: 1024 wide entries are rejected',
  ),
  maxHeaderBytes: published(224, `256-byte entries less two descriptors (${readme})`),
  bringUp: observed(
    ['host-info', 'spec-version-2', 'device-attributes', 'aenq'],
    'iPXE commit 3b81a4e, ipxe#1297, ipxe#852; amzn-drivers#381',
  ),
  bringUpOrder: observed(
    driversOrder,
    `${haiku}: judged as a whole. Enforced: what Linux, FreeBSD, DPDK, iPXE, VPP and illumos all keep`,
  ),
};

const nitroV5: EnaClaims = {
  ...nitroV4,
  bringUp: assumed(nitroV4.bringUp.value, 'as v4'),
  bringUpOrder: assumed(driversOrder, 'as v4'),
  features: published(
    (oldFeatures | rssFeatures | bitsOf(FEATURE.PHC_CONFIG, FEATURE.FLOW_STEERING_CONFIG)) >>> 0,
    `flow steering from Nitro v5 on (${readme}); the rest as v4`,
  ),
  capabilities: assumed(
    nitroV4.capabilities.value | CAPABILITY.CDESC_MBZ,
    'which generation began is not published',
  ),
  llq: published(
    { ...llq, entrySizeRecommended: LLQ_ENTRY_SIZE.B256, maxWideDepth: 1024 },
    `1024 wide entries from Nitro v5 on (${readme})`,
  ),
  flowSteeringRules: assumed(128, 'the size depends on the type'),
};

const nitroV6: EnaClaims = {
  ...nitroV5,
  features: assumed(
    (nitroV5.features.value | bitsOf(FEATURE.FRAG_BYPASS, FEATURE.HW_TIMESTAMP)) >>> 0,
    'which generation began is not published',
  ),
};

/** Everything that this model implements, the most generous limits, no demands: no real card. */
const everything: EnaClaims = {
  ...nitroV6,
  features: assumed(
    (nitroV6.features.value |
      bitsOf(FEATURE.EXTRA_PROPERTIES_STRINGS, FEATURE.EXTRA_PROPERTIES_FLAGS)) >>>
      0,
    'all that is implemented',
  ),
  maxSqDepth: assumed(8192, 'our choice'),
  maxCqDepth: assumed(8192, 'our choice'),
  maxHeaderBytes: assumed(96, 'our choice'),
  offloadTx: assumed(allTxOffloads, 'all that is implemented'),
  offloadRx: assumed(
    OFFLOAD_RX.L3_CSUM_IPV4 | OFFLOAD_RX.L4_IPV4_CSUM | OFFLOAD_RX.L4_IPV6_CSUM | OFFLOAD_RX.HASH,
    'all that is implemented',
  ),
  llq: assumed(
    {
      ...llq,
      entrySizes: LLQ_ENTRY_SIZE.B128 | LLQ_ENTRY_SIZE.B192 | LLQ_ENTRY_SIZE.B256,
      accelFlags: ACCEL_MODE.DISABLE_META_CACHING | ACCEL_MODE.LIMIT_TX_BURST,
      maxTxBurstBytes: 8192,
    },
    'all that is implemented',
  ),
  egressFragmentsPerSecond: assumed(0, 'no demands'),
  llqHeaderLocations: assumed(LLQ_HEADER.INLINE | LLQ_HEADER.RING, 'all that is implemented'),
  rssTableLog: assumed([0, 10], 'our choice; drivers of before 2024 are told of 128 entries only'),
  aenqGroups: assumed(
    (nitroV6.aenqGroups.value |
      bitsOf(
        AENQ_GROUP.REFRESH_CAPABILITIES,
        AENQ_GROUP.CONF_NOTIFICATIONS,
        AENQ_GROUP.DEVICE_REQUEST_RESET,
      )) >>>
      0,
    'all that is implemented',
  ),
  bringUp: assumed([], 'nothing'),
  bringUpOrder: assumed([], 'any order'),
};

/** A card that is stricter than any that is known, for drivers that want to be sure. */
const strict: EnaClaims = {
  ...nitroV4,
  bringUp: observed([...nitroV4.bringUp.value, 'msix'], `as v4; MSI-X by ${haiku}`),
  bringUpOrder: observed(
    [...driversOrder, ['host-attributes', 'device-attributes'], ['queues', 'mtu']],
    `${haiku}: the whole order. Not all drivers that work on EC2 keep it: illumos sets host ` +
      'attributes later and the MTU earlier, Linux the MTU of an interface that is still down',
  ),
};

const profile = (name: string, claims: EnaClaims): EnaProfile => profileOf(name, claims);

export const permissive = profile('permissive', everything);

const largeReceive: EnaClaims = {
  ...everything,
  largeReceive: assumed(true, 'our choice: no card does it; Linux suspects "GRO" once, and works'),
  maxRxDescsOfLinux: assumed(
    18,
    'a head and MAX_SKB_FRAGS: 64 KiB in buffers of 4 KiB less the skb_shared_info of each',
  ),
};

export const enaProfiles: readonly EnaProfile[] = [
  permissive,
  profile('nitro-v2', nitroV2),
  profile('nitro-v3', nitroV3),
  profile('nitro-v4', nitroV4),
  profile('nitro-v5', nitroV5),
  profile('nitro-v6', nitroV6),
  profile('large-receive', largeReceive),
  profile('strict', strict),
];
