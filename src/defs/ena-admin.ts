/**
 * ENA admin queue, completion queue and event queue entries, as in `ena_admin_defs.h`.
 *
 * A command is 64 bytes: a common head, then what its opcode says. Each variant is declared as a
 * layout of the whole entry, so that one copy of the guest's 64 bytes serves them all. 64-bit
 * values are split into `_lo` and `_hi`; DMA addresses have 16 bits in `_hi`.
 */
import { bits, layout, u8, u16, u32 } from '../lib/layout.ts';

export const AQ_ENTRY_BYTES = 64;
export const ACQ_ENTRY_BYTES = 64;
export const AENQ_ENTRY_BYTES = 64;

export const OPCODE = {
  CREATE_SQ: 1,
  DESTROY_SQ: 2,
  CREATE_CQ: 3,
  DESTROY_CQ: 4,
  GET_FEATURE: 8,
  SET_FEATURE: 9,
  GET_STATS: 11,
} as const;

/** ena_admin_aq_completion_status */
export const STATUS = {
  SUCCESS: 0,
  RESOURCE_ALLOCATION_FAILURE: 1,
  BAD_OPCODE: 2,
  UNSUPPORTED_OPCODE: 3,
  MALFORMED_REQUEST: 4,
  ILLEGAL_PARAMETER: 5,
  UNKNOWN_ERROR: 6,
  RESOURCE_BUSY: 7,
} as const;

/** ena_admin_aq_feature_id */
export const FEATURE = {
  DEVICE_ATTRIBUTES: 1,
  MAX_QUEUES_NUM: 2,
  HW_HINTS: 3,
  LLQ: 4,
  EXTRA_PROPERTIES_STRINGS: 5,
  EXTRA_PROPERTIES_FLAGS: 6,
  MAX_QUEUES_EXT: 7,
  FRAG_BYPASS: 8,
  RSS_HASH_FUNCTION: 10,
  STATELESS_OFFLOAD_CONFIG: 11,
  RSS_INDIRECTION_TABLE_CONFIG: 12,
  MTU: 14,
  RSS_HASH_INPUT: 18,
  INTERRUPT_MODERATION: 20,
  AENQ_CONFIG: 26,
  LINK_CONFIG: 27,
  HOST_ATTR_CONFIG: 28,
  PHC_CONFIG: 29,
  FLOW_STEERING_CONFIG: 30,
  HW_TIMESTAMP: 31,
} as const;

export const CAPABILITY = {
  ENI_STATS: 1 << 0,
  ENA_SRD_INFO: 1 << 1,
  CUSTOMER_METRICS: 1 << 2,
  EXTENDED_RESET_REASONS: 1 << 3,
  CDESC_MBZ: 1 << 4,
} as const;

export const PLACEMENT = { HOST: 1, DEV: 3 } as const;
export const COMPLETION_POLICY = {
  DESC: 0,
  DESC_ON_DEMAND: 1,
  HEAD_ON_DEMAND: 2,
  HEAD: 3,
} as const;
export const SQ_DIRECTION = { TX: 1, RX: 2 } as const;

/** ena_admin_link_types: megabits per second -> bit. */
export const LINK_SPEEDS: readonly (readonly [mbps: number, bit: number])[] = [
  [1_000, 0x1],
  [2_500, 0x2],
  [5_000, 0x4],
  [10_000, 0x8],
  [25_000, 0x10],
  [40_000, 0x20],
  [50_000, 0x40],
  [100_000, 0x80],
  [200_000, 0x100],
  [400_000, 0x200],
];

export const STATS_TYPE = {
  BASIC: 0,
  EXTENDED: 1,
  ENI: 2,
  ENA_SRD: 3,
  CUSTOMER_METRICS: 4,
} as const;
export const STATS_SCOPE = { SPECIFIC_QUEUE: 0, ETH_TRAFFIC: 1 } as const;

export const HASH_FUNCTION = { TOEPLITZ: 1, CRC32: 2 } as const;
export const RSS_KEY_WORDS = 10;

/** ena_admin_feature_offload_desc.tx */
export const OFFLOAD_TX = {
  L3_CSUM_IPV4: 1 << 0,
  L4_IPV4_CSUM_PART: 1 << 1,
  L4_IPV4_CSUM_FULL: 1 << 2,
  L4_IPV6_CSUM_PART: 1 << 3,
  L4_IPV6_CSUM_FULL: 1 << 4,
  TSO_IPV4: 1 << 5,
  TSO_IPV6: 1 << 6,
  TSO_ECN: 1 << 7,
} as const;

export const OFFLOAD_RX = {
  L3_CSUM_IPV4: 1 << 0,
  L4_IPV4_CSUM: 1 << 1,
  L4_IPV6_CSUM: 1 << 2,
  HASH: 1 << 3,
} as const;

export const AENQ_GROUP = {
  LINK_CHANGE: 0,
  FATAL_ERROR: 1,
  WARNING: 2,
  NOTIFICATION: 3,
  KEEP_ALIVE: 4,
  REFRESH_CAPABILITIES: 5,
  CONF_NOTIFICATIONS: 6,
  DEVICE_REQUEST_RESET: 7,
} as const;

/** A hinted time-out that is none (ENA_HW_HINTS_NO_TIMEOUT of the drivers). */
export const HW_HINTS_NO_TIMEOUT = 0xffff;

/** The syndrome of NOTIFICATION events that carry new hints. */
export const AENQ_SYNDROME_UPDATE_HINTS = 2;

/** The head that all commands share. */
const aqHead = {
  command_id: bits(0, 11, 0, "The driver's name for the command"),
  opcode: u8(2, 'ena_admin_aq_opcode'),
  phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
  ctrl_data: bits(0, 25, 25, 'The control buffer address is valid'),
  ctrl_data_indirect: bits(0, 26, 26, 'It points to a list of pages'),
} as const;

const controlBuffer = {
  control_length: u32(4, 'Control buffer length in bytes'),
  control_addr_lo: u32(8, 'Control buffer address [31:0]'),
  control_addr_hi: u16(12, 'Control buffer address [47:32]'),
} as const;

export const aqCommand = layout('ena_admin_aq_entry', 64, { ...aqHead, ...controlBuffer });

export const createSqCmd = layout('ena_admin_aq_create_sq_cmd', 64, {
  ...aqHead,
  sq_direction: bits(1, 7, 5, '1 transmit, 2 receive'),
  placement_policy: bits(1, 19, 16, '1 host memory, 3 device memory'),
  completion_policy: bits(1, 22, 20, 'When completion entries are written'),
  is_physically_contiguous: bits(1, 24, 24, 'The ring is one piece'),
  cq_idx: u16(8, 'The completion queue that serves it'),
  sq_depth: u16(10, 'Entries; a power of two'),
  sq_ba_lo: u32(12, 'Ring address [31:0]'),
  sq_ba_hi: u16(16, 'Ring address [47:32]'),
  sq_head_writeback_lo: u32(20, 'Where the head is written back [31:0]'),
  sq_head_writeback_hi: u16(24, 'Where the head is written back [47:32]'),
});

export const createCqCmd = layout('ena_admin_aq_create_cq_cmd', 64, {
  ...aqHead,
  interrupt_mode_enabled: bits(1, 5, 5, '1 interrupts, 0 polled'),
  cq_entry_size_words: bits(1, 12, 8, '2, 4 or 8'),
  cq_depth: u16(6, 'Entries; a power of two'),
  msix_vector: u32(8, 'The vector it raises'),
  cq_ba_lo: u32(12, 'Ring address [31:0]'),
  cq_ba_hi: u16(16, 'Ring address [47:32]'),
});

export const destroySqCmd = layout('ena_admin_aq_destroy_sq_cmd', 64, {
  ...aqHead,
  sq_idx: u16(4, 'The queue'),
  sq_direction: bits(1, 23, 21, '1 transmit, 2 receive'),
});

export const destroyCqCmd = layout('ena_admin_aq_destroy_cq_cmd', 64, {
  ...aqHead,
  cq_idx: u16(4, 'The queue'),
});

export const getStatsCmd = layout('ena_admin_aq_get_stats_cmd', 64, {
  ...aqHead,
  ...controlBuffer,
  type: u8(16, 'ena_admin_get_stats_type'),
  scope: u8(17, 'ena_admin_get_stats_scope'),
  queue_idx: u16(20, 'The queue, for the scope of one'),
  device_id: u16(22, '0xffff: mine. Drivers send 0, too'),
  requested_metrics_lo: u32(24, 'Customer metrics wanted [31:0]'),
  requested_metrics_hi: u32(28, 'Customer metrics wanted [63:32]'),
});

const featureHead = {
  ...aqHead,
  ...controlBuffer,
  select: bits(4, 1, 0, '1 current value, 3 default value'),
  feature_id: u8(17, 'ena_admin_aq_feature_id'),
  feature_version: u8(18, 'Newest version that the driver knows'),
} as const;

export const featureCmd = layout('ena_admin_get_set_feat_cmd', 64, featureHead);

/** SET_FEATURE variants; the feature's own words start at byte 20. */
export const setMtu = layout('set_feature_mtu', 64, { ...featureHead, mtu: u32(20, 'Without L2') });

export const setHostAttr = layout('set_feature_host_attr', 64, {
  ...featureHead,
  os_info_lo: u32(20, 'Host info page [31:0]'),
  os_info_hi: u16(24, 'Host info page [47:32]'),
  debug_lo: u32(28, 'Debug area [31:0]'),
  debug_hi: u16(32, 'Debug area [47:32]'),
  debug_area_size: u32(36, 'Debug area size in bytes'),
});

export const setAenq = layout('set_feature_aenq', 64, {
  ...featureHead,
  supported_groups: u32(20, 'Ignored'),
  enabled_groups: u32(24, 'Groups to report'),
});

export const setHashFunction = layout('set_feature_rss_hash_function', 64, {
  ...featureHead,
  supported_func: u32(20, 'Ignored'),
  selected_func: u32(24, 'One bit of ena_admin_hash_functions'),
  init_val: u32(28, 'Initial value of the hash'),
});

export const setHashInput = layout('set_feature_rss_hash_input', 64, {
  ...featureHead,
  supported_input_sort: u16(20, 'Ignored'),
  enabled_input_sort: u16(22, 'Bit 1 L3 sort, bit 2 L4 sort'),
});

export const setIndTable = layout('set_feature_rss_ind_table', 64, {
  ...featureHead,
  min_size: u16(20, 'Ignored'),
  max_size: u16(22, 'Ignored'),
  size: u16(24, 'log2 of the table size'),
  flags: u8(26, 'Bit 0 one entry'),
  inline_index: u32(28, 'The one entry to change, 0xffffffff: none'),
  inline_cq_idx: u16(32, 'Its new completion queue'),
});

export const LLQ_HEADER = { INLINE: 1, RING: 2 } as const;
/** ena_admin_llq_ring_entry_size */
export const LLQ_ENTRY_SIZE = { B128: 1, B192: 2, B256: 4 } as const;
/** ena_admin_accel_mode_feat, as bits */
export const ACCEL_MODE = { DISABLE_META_CACHING: 1, LIMIT_TX_BURST: 2 } as const;
/** ena_admin_llq_stride_ctrl */
export const LLQ_STRIDE = { SINGLE: 1, MULTIPLE: 2 } as const;

/** Fields of `ena_admin_feature_llq_desc` from byte `at` on: the same in commands and answers. */
const llqFields = (at: number) =>
  ({
    max_llq_num: u32(at, 'Queues'),
    max_llq_depth: u32(at + 4, 'Entries per queue'),
    header_location_supported: u16(at + 8, 'Bits: 1 inline, 2 header ring'),
    header_location_enabled: u16(at + 10, 'Chosen'),
    entry_size_supported: u16(at + 12, 'Bits: 1 128 B, 2 192 B, 4 256 B'),
    entry_size_enabled: u16(at + 14, 'Chosen'),
    desc_num_before_header_supported: u16(at + 16, 'Bits: 1, 2, 4, 8'),
    desc_num_before_header_enabled: u16(at + 18, 'Chosen'),
    descriptors_stride_supported: u16(at + 20, 'Bits: 1 single, 2 multiple per entry'),
    descriptors_stride_enabled: u16(at + 22, 'Chosen'),
    llq_feature_version: u8(at + 24, 'Version of this answer'),
    entry_size_recommended: u8(at + 25, 'By the device'),
    max_wide_llq_depth: u16(at + 26, 'Entries per queue of wide entries, 0: not available'),
    accel_flags: u16(at + 28, 'Bits: 0 no meta caching, 1 limited burst'),
    max_tx_burst_size: u16(at + 30, 'Bytes between doorbells'),
  }) as const;

export const setLlq = layout('set_feature_llq', 64, { ...featureHead, ...llqFields(20) });

export const setPhc = layout('set_feature_phc', 64, {
  ...featureHead,
  version: u8(20, 'Ignored'),
  doorbell_offset: u32(24, 'Ignored'),
  expire_timeout_usec: u32(28, 'Ignored'),
  block_timeout_usec: u32(32, 'Ignored'),
  output_lo: u32(36, 'Where readings are written [31:0]'),
  output_hi: u16(40, 'Where readings are written [47:32]'),
  output_length: u32(44, 'Bytes there'),
});

export const FLOW_STEERING_ACTION = { ADD_RULE: 1, REMOVE_RULE: 2, REMOVE_ALL_RULES: 3 } as const;
/** ena_admin_flow_steering_type */
export const FLOW_TYPE = {
  IPV4: 1,
  IPV6: 2,
  IPV4_TCP: 3,
  IPV6_TCP: 4,
  IPV4_UDP: 5,
  IPV6_UDP: 6,
} as const;
export const FLOW_STEERING_CHOOSE_LOCATION = 0xffff;
/** Bytes of `ena_admin_flow_steering_rule_params`, which the control buffer holds. */
export const FLOW_RULE_BYTES = 128;
/** Offsets in it; addresses have 16 bytes, an IPv4 address the first four of them. */
export const flowRule = {
  dst_ip: 0,
  dst_ip_mask: 16,
  src_ip: 32,
  src_ip_mask: 48,
  dst_port: 64,
  dst_port_mask: 66,
  src_port: 68,
  src_port_mask: 70,
  tos: 72,
  tos_mask: 73,
} as const;

export const setFlowSteering = layout('set_feature_flow_steering', 64, {
  ...featureHead,
  action: u8(20, 'ena_admin_flow_steering_action'),
  flow_type: u8(21, 'ena_admin_flow_steering_type'),
  rx_q_idx: u16(22, 'Receive queue, counted from 0'),
  rule_location: u16(24, 'Place in the table, 0xffff: the device chooses'),
  flags: u32(28, 'Reserved'),
});

export const setFragBypass = layout('set_feature_frag_bypass', 64, {
  ...featureHead,
  enable: u8(20, '1 lifts the limit on egress fragments'),
});

export const setHwTimestamp = layout('set_feature_hw_timestamp', 64, {
  ...featureHead,
  version: u8(20, 'Ignored'),
  tx: u8(21, '1 all packets sent'),
  rx: u8(22, '1 all packets received'),
});

/** The head that all completions share. */
const acqHead = {
  command_id: bits(0, 11, 0, 'As in the command'),
  status: u8(2, 'ena_admin_aq_completion_status'),
  phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
  extended_status: u16(4, 'Detail of ILLEGAL_PARAMETER'),
  sq_head_indx: u16(6, 'How far the admin queue was consumed'),
} as const;

/** Completions: the word with the phase is written last. */
const response = <const F extends Parameters<typeof layout>[2]>(name: string, fields: F) =>
  layout(name, ACQ_ENTRY_BYTES, { ...acqHead, ...fields }, { publishes: 'phase' });

export const acqEntry = response('ena_admin_acq_entry', {});

export const createSqResp = response('ena_admin_acq_create_sq_resp', {
  sq_idx: u16(8, 'The new queue'),
  sq_doorbell_offset: u32(12, 'In BAR 0'),
  llq_descriptors_offset: u32(16, 'In BAR 2'),
  llq_headers_offset: u32(20, 'In BAR 2'),
});

export const createCqResp = response('ena_admin_acq_create_cq_resp', {
  cq_idx: u16(8, 'The new queue'),
  cq_actual_depth: u16(10, 'Entries'),
  numa_node_register_offset: u32(12, 'In BAR 0; 0: none'),
  cq_head_db_register_offset: u32(16, 'In BAR 0; 0: none'),
  cq_interrupt_unmask_register_offset: u32(20, 'In BAR 0'),
});

export const deviceAttrResp = response('ena_admin_device_attr_feature_desc', {
  impl_id: u32(8, 'Implementation'),
  device_version: u32(12, 'Device version'),
  supported_features: u32(16, 'Bit per feature id'),
  capabilities: u32(20, 'Bit per ena_admin_aq_caps_id'),
  phys_addr_width: u32(24, 'Bits'),
  virt_addr_width: u32(28, 'Bits'),
  mac_0: u8(32, 'MAC address, first byte on the wire'),
  mac_1: u8(33, 'MAC address'),
  mac_2: u8(34, 'MAC address'),
  mac_3: u8(35, 'MAC address'),
  mac_4: u8(36, 'MAC address'),
  mac_5: u8(37, 'MAC address, last byte on the wire'),
  flow_steering_max_entries: u16(38, 'Rules'),
  max_mtu: u32(40, 'Without L2'),
});

export const maxQueuesResp = response('ena_admin_queue_feature_desc', {
  max_sq_num: u32(8, 'Submission queues per direction'),
  max_sq_depth: u32(12, 'Entries'),
  max_cq_num: u32(16, 'Completion queues'),
  max_cq_depth: u32(20, 'Entries'),
  max_legacy_llq_num: u32(24, 'Queues'),
  max_legacy_llq_depth: u32(28, 'Entries'),
  max_header_size: u32(32, 'Bytes'),
  max_packet_tx_descs: u16(36, 'Descriptors per packet, with meta'),
  max_packet_rx_descs: u16(38, 'Descriptors per packet'),
});

export const maxQueuesExtResp = response('ena_admin_queue_ext_feature_desc', {
  version: u8(8, '1'),
  max_tx_sq_num: u32(12, 'Queues'),
  max_tx_cq_num: u32(16, 'Queues'),
  max_rx_sq_num: u32(20, 'Queues'),
  max_rx_cq_num: u32(24, 'Queues'),
  max_tx_sq_depth: u32(28, 'Entries'),
  max_tx_cq_depth: u32(32, 'Entries'),
  max_rx_sq_depth: u32(36, 'Entries'),
  max_rx_cq_depth: u32(40, 'Entries'),
  max_tx_header_size: u32(44, 'Bytes'),
  max_per_packet_tx_descs: u16(48, 'Descriptors per packet, with meta'),
  max_per_packet_rx_descs: u16(50, 'Descriptors per packet'),
});

export const hwHintsResp = response('ena_admin_ena_hw_hints', {
  mmio_read_timeout: u16(8, 'ms; 0 in each: the driver decides'),
  driver_watchdog_timeout: u16(10, 'ms'),
  missing_tx_completion_timeout: u16(12, 'ms'),
  missed_tx_completion_count_threshold_to_reset: u16(14, 'packets'),
  admin_completion_tx_timeout: u16(16, 'ms'),
  netdev_wd_timeout: u16(18, 'ms'),
  max_tx_sgl_size: u16(20, 'buffers'),
  max_rx_sgl_size: u16(22, 'buffers'),
});

export const llqResp = response('ena_admin_feature_llq_desc', llqFields(8));

export const aenqResp = response('ena_admin_feature_aenq_desc', {
  supported_groups: u32(8, 'Bit per group'),
  enabled_groups: u32(12, 'Bit per group'),
});

export const linkResp = response('ena_admin_get_feature_link_desc', {
  speed: u32(8, 'Mbit/s'),
  supported: u32(12, 'ena_admin_link_types'),
  flags: u32(16, 'Bit 0 autonegotiation, bit 1 full duplex'),
});

export const offloadResp = response('ena_admin_feature_offload_desc', {
  tx: u32(8, 'OFFLOAD_TX bits'),
  rx_supported: u32(12, 'OFFLOAD_RX bits'),
  rx_enabled: u32(16, 'OFFLOAD_RX bits'),
});

export const hashFunctionResp = response('ena_admin_feature_rss_flow_hash_function', {
  supported_func: u32(8, 'ena_admin_hash_functions'),
  selected_func: u32(12, 'One of them'),
  init_val: u32(16, 'Initial value of the hash'),
});

export const hashInputResp = response('ena_admin_feature_rss_flow_hash_input', {
  supported_input_sort: u16(8, 'Bit 1 L3 sort, bit 2 L4 sort'),
  enabled_input_sort: u16(10, 'Bit 1 L3 sort, bit 2 L4 sort'),
});

export const indTableResp = response('ena_admin_feature_rss_ind_table', {
  min_size: u16(8, 'log2 of the smallest table'),
  max_size: u16(10, 'log2 of the largest table'),
  size: u16(12, 'log2 of the table'),
  flags: u8(14, 'Bit 0: one entry may be set alone'),
  inline_index: u32(16, '0xffffffff: none'),
  inline_cq_idx: u16(20, 'Completion queue of the inline entry'),
});

export const moderationResp = response('ena_admin_feature_intr_moder_desc', {
  intr_delay_resolution: u16(8, 'Microseconds per unit of delay'),
});

export const phcResp = response('ena_admin_feature_phc_desc', {
  version: u8(8, '0: readless, with an error bound'),
  doorbell_offset: u32(12, 'In BAR 0'),
  expire_timeout_usec: u32(16, 'How long a reading may take; 0: the driver decides'),
  block_timeout_usec: u32(20, 'How long to stay away after one that took longer'),
});

/** What the device writes to the shared page for a reading of its clock. */
export const phcReading = layout(
  'ena_admin_phc_resp',
  64,
  {
    req_id: u16(0, 'As written to the doorbell'),
    timestamp_lo: u32(8, 'Nanoseconds [31:0]'),
    timestamp_hi: u32(12, 'Nanoseconds [63:32]'),
    error_bound: u32(24, 'Nanoseconds'),
    error_flags: u32(28, 'Bit 0 no timestamp, bit 1 no error bound'),
  },
  { publishes: 'req_id' },
);

export const flowSteeringResp = response('ena_admin_set_feature_flow_steering_resp', {
  rule_location: u16(8, 'Where the rule is'),
});

export const hwTimestampResp = response('ena_admin_feature_hw_ts_desc', {
  version: u8(8, '1'),
  tx: u8(9, '1: packets sent can be stamped'),
  rx: u8(10, '1: packets received can be stamped'),
});

export const extraStringsResp = response('ena_admin_get_extra_properties_strings_desc', {
  count: u32(8, 'Strings'),
});
/** Bytes of one name in the control buffer. */
export const EXTRA_PROPERTIES_STRING_BYTES = 32;

export const extraFlagsResp = response('ena_admin_get_extra_properties_flags_desc', {
  flags: u32(8, 'Bit per string: the property is on'),
});

/** 64-bit counters of `ena_admin_eni_stats`. */
export const eniStatsResp = response('ena_admin_eni_stats', {
  bw_in_allowance_exceeded_lo: u32(8, 'Packets shaped for inbound bandwidth [31:0]'),
  bw_in_allowance_exceeded_hi: u32(12, '[63:32]'),
  bw_out_allowance_exceeded_lo: u32(16, 'Packets shaped for outbound bandwidth [31:0]'),
  bw_out_allowance_exceeded_hi: u32(20, '[63:32]'),
  pps_allowance_exceeded_lo: u32(24, 'Packets shaped for the packet rate [31:0]'),
  pps_allowance_exceeded_hi: u32(28, '[63:32]'),
  conntrack_allowance_exceeded_lo: u32(32, 'Packets shaped for tracked connections [31:0]'),
  conntrack_allowance_exceeded_hi: u32(36, '[63:32]'),
  linklocal_allowance_exceeded_lo: u32(40, 'Packets shaped for link-local services [31:0]'),
  linklocal_allowance_exceeded_hi: u32(44, '[63:32]'),
});

export const srdInfoResp = response('ena_admin_ena_srd_info', {
  flags_lo: u32(8, 'Bits: 0 enabled, 1 UDP, 2 no UDP ordering'),
  flags_hi: u32(12, '[63:32]'),
  ena_srd_tx_pkts_lo: u32(16, 'Packets sent over SRD [31:0]'),
  ena_srd_tx_pkts_hi: u32(20, '[63:32]'),
  ena_srd_eligible_tx_pkts_lo: u32(24, 'Packets that could have been [31:0]'),
  ena_srd_eligible_tx_pkts_hi: u32(28, '[63:32]'),
  ena_srd_rx_pkts_lo: u32(32, 'Packets received over SRD [31:0]'),
  ena_srd_rx_pkts_hi: u32(36, '[63:32]'),
  ena_srd_resource_utilization_lo: u32(40, 'Percent [31:0]'),
  ena_srd_resource_utilization_hi: u32(44, '[63:32]'),
});

export const customerMetricsResp = response('ena_admin_customer_metrics', {
  reported_metrics_lo: u32(8, 'Bit per metric that the control buffer holds [31:0]'),
  reported_metrics_hi: u32(12, '[63:32]'),
});
/** Customer metrics by bit, in the order in which they are reported: 64-bit values. */
export const CUSTOMER_METRICS = [
  'bw_in_allowance_exceeded',
  'bw_out_allowance_exceeded',
  'pps_allowance_exceeded',
  'conntrack_allowance_exceeded',
  'linklocal_allowance_exceeded',
  'conntrack_allowance_available',
] as const;

export const basicStatsResp = response('ena_admin_basic_stats', {
  tx_bytes_low: u32(8, 'Bytes sent [31:0]'),
  tx_bytes_high: u32(12, 'Bytes sent [63:32]'),
  tx_pkts_low: u32(16, 'Packets sent [31:0]'),
  tx_pkts_high: u32(20, 'Packets sent [63:32]'),
  rx_bytes_low: u32(24, 'Bytes received [31:0]'),
  rx_bytes_high: u32(28, 'Bytes received [63:32]'),
  rx_pkts_low: u32(32, 'Packets received [31:0]'),
  rx_pkts_high: u32(36, 'Packets received [63:32]'),
  rx_drops_low: u32(40, 'Received packets dropped [31:0]'),
  rx_drops_high: u32(44, 'Received packets dropped [63:32]'),
  tx_drops_low: u32(48, 'Packets to send dropped [31:0]'),
  tx_drops_high: u32(52, 'Packets to send dropped [63:32]'),
  rx_overruns_low: u32(56, 'Packets for which no buffer was posted [31:0]'),
  rx_overruns_high: u32(60, 'Packets for which no buffer was posted [63:32]'),
});

/** The parts of the host info page that a device looks at (`ena_admin_host_info`). */
export const hostInfo = layout('ena_admin_host_info', 196, {
  os_type: u32(0, '1 Linux, 2 Windows, 3 DPDK, 4 FreeBSD, 5 iPXE, 6 ESXi'),
  os_dist: u32(132, 'Distribution'),
  kernel_ver: u32(168, 'Kernel version'),
  driver_version: u32(172, '7:0 major, 15:8 minor, 23:16 subminor, 31:24 module type'),
  ena_spec_version: u16(184, '15:8 major, 7:0 minor'),
  bdf: u16(186, 'PCI bus, device, function'),
  num_cpus: u16(188, 'Processors'),
  driver_supported_features: u32(192, 'Feature bits of the driver'),
});

/** Event queue entries. */
const event = <const F extends Parameters<typeof layout>[2]>(name: string, fields: F) =>
  layout(
    name,
    AENQ_ENTRY_BYTES,
    {
      group: u16(0, 'ena_admin_aenq_group'),
      syndrome: u16(2, 'Detail'),
      phase: bits(1, 0, 0, 'Ownership, flips at each wrap of the ring'),
      timestamp_low: u32(8, 'Device time [31:0]'),
      timestamp_high: u32(12, 'Device time [63:32]'),
      ...fields,
    },
    { publishes: 'phase' },
  );

/** Events that say no more than their group. */
export const aenqEvent = event('ena_admin_aenq_common_desc', {});

export const aenqLinkChange = event('ena_admin_aenq_link_change_desc', {
  link_status: bits(4, 0, 0, '1 up'),
});

export const aenqConfNotifications = event('ena_admin_aenq_conf_notifications_desc', {
  notifications_bitmap_lo: u32(16, 'What changed [31:0]'),
  notifications_bitmap_hi: u32(20, 'What changed [63:32]'),
});

export const aenqHints = event('ena_admin_aenq_hw_hints', {
  mmio_read_timeout: u16(16, 'ms; 0 in each: the driver decides'),
  driver_watchdog_timeout: u16(18, 'ms'),
  missing_tx_completion_timeout: u16(20, 'ms'),
  missed_tx_completion_count_threshold_to_reset: u16(22, 'packets'),
  admin_completion_tx_timeout: u16(24, 'ms'),
  netdev_wd_timeout: u16(26, 'ms'),
  max_tx_sgl_size: u16(28, 'buffers'),
  max_rx_sgl_size: u16(30, 'buffers'),
});

export const aenqKeepAlive = event('ena_admin_aenq_keep_alive_desc', {
  rx_drops_low: u32(16, 'Received packets dropped [31:0]'),
  rx_drops_high: u32(20, 'Received packets dropped [63:32]'),
  tx_drops_low: u32(24, 'Packets to send dropped [31:0]'),
  tx_drops_high: u32(28, 'Packets to send dropped [63:32]'),
  rx_overruns_low: u32(32, 'Packets for which no buffer was posted [31:0]'),
  rx_overruns_high: u32(36, 'Packets for which no buffer was posted [63:32]'),
});
