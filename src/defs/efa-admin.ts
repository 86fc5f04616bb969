/**
 * EFA admin commands, answers and events, as in `efa_admin_defs.h` and `efa_admin_cmds_defs.h`.
 *
 * A command is 64 bytes: a common head, then what its opcode says. 64-bit values are split into
 * `_lo` and `_hi`.
 */
import { bits, layout, u8, u16, u32 } from '../lib/layout.ts';

export const AQ_ENTRY_BYTES = 64;
export const AENQ_ENTRY_BYTES = 64;

/** efa_admin_aq_opcode */
export const OPCODE = {
  CREATE_QP: 1,
  MODIFY_QP: 2,
  QUERY_QP: 3,
  DESTROY_QP: 4,
  CREATE_AH: 5,
  DESTROY_AH: 6,
  REG_MR: 7,
  DEREG_MR: 8,
  CREATE_CQ: 9,
  DESTROY_CQ: 10,
  GET_FEATURE: 11,
  SET_FEATURE: 12,
  GET_STATS: 13,
  ALLOC_PD: 14,
  DEALLOC_PD: 15,
  ALLOC_UAR: 16,
  DEALLOC_UAR: 17,
  CREATE_EQ: 18,
  DESTROY_EQ: 19,
  ALLOC_MR: 20,
} as const;

/** efa_admin_aq_completion_status */
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

/** efa_admin_aq_feature_id */
export const FEATURE = {
  DEVICE_ATTR: 1,
  AENQ_CONFIG: 2,
  NETWORK_ATTR: 3,
  QUEUE_ATTR_1: 4,
  HW_HINTS: 5,
  HOST_INFO: 6,
  EVENT_QUEUE_ATTR: 7,
  QUEUE_ATTR_2: 9,
} as const;

export const QP_TYPE = { UD: 1, SRD: 2 } as const;

/** efa_admin_qp_state */
export const QP_STATE = { RESET: 0, INIT: 1, RTR: 2, RTS: 3, SQD: 4, SQE: 5, ERR: 6 } as const;

/** efa_admin_feature_device_attr_desc.device_caps */
export const DEVICE_CAP = {
  RDMA_READ: 1 << 0,
  RNR_RETRY: 1 << 1,
  DATA_POLLING_128: 1 << 2,
  RDMA_WRITE: 1 << 3,
  UNSOLICITED_WRITE_RECV: 1 << 4,
} as const;

/** Bits of efa_admin_modify_qp_cmd.modify_mask. */
export const MODIFY_QP = {
  QP_STATE: 1 << 0,
  CUR_QP_STATE: 1 << 1,
  QKEY: 1 << 2,
  SQ_PSN: 1 << 3,
  SQ_DRAINED_ASYNC_NOTIFY: 1 << 4,
  RNR_RETRY: 1 << 5,
} as const;

/** Bits of REG_MR's and fast registration's permissions. */
export const MR_PERMISSION = { LOCAL_WRITE: 1, REMOTE_WRITE: 2, REMOTE_READ: 4 } as const;

export const STATS_TYPE = {
  BASIC: 0,
  MESSAGES: 1,
  RDMA_READ: 2,
  RDMA_WRITE: 3,
  NETWORK: 4,
} as const;
export const STATS_SCOPE = { ALL: 0, QUEUE: 1 } as const;

export const AENQ_GROUP = { FATAL_ERROR: 1, WARNING: 2, NOTIFICATION: 3, KEEP_ALIVE: 4 } as const;

/** The head that all commands share: efa_admin_aq_common_desc. */
const aqHead = {
  command_id: bits(0, 11, 0, "The driver's name for the command"),
  opcode: u8(2, 'efa_admin_aq_opcode'),
  phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
  ctrl_data: bits(0, 25, 25, 'The control buffer address is valid'),
  ctrl_data_indirect: bits(0, 26, 26, 'It points to a list of pages'),
} as const;

/** efa_admin_ctrl_buff_info. */
const controlBuffer = {
  control_length: u32(4, 'Control buffer length in bytes'),
  control_addr_lo: u32(8, 'Control buffer address [31:0]'),
  control_addr_hi: u32(12, 'Control buffer address [63:32]'),
} as const;

export const aqCommand = layout('efa_admin_aq_entry', 64, { ...aqHead, ...controlBuffer });
export const acqEntry = layout('efa_admin_acq_entry', 64, {
  command_id: bits(0, 11, 0, 'As in the command'),
  status: u8(2, 'efa_admin_aq_completion_status'),
  phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
  extended_status: u16(4, 'More about the status'),
  sq_head_indx: u16(6, 'Commands consumed so far'),
});

export const createQpCmd = layout('efa_admin_create_qp_cmd', 64, {
  ...aqHead,
  pd: u16(4, 'Protection domain'),
  qp_type: u8(6, '1 UD, 2 SRD'),
  sq_virt: bits(1, 24, 24, 'The SQ ring has a virtual address'),
  rq_virt: bits(1, 25, 25, 'The RQ ring has a virtual address'),
  unsolicited_write_recv: bits(1, 26, 26, 'Writes with immediate take no receive request'),
  reserved: bits(1, 31, 27, 'Must be zero'),
  sq_base_lo: u32(8, 'SQ ring address, unused with LLQ [31:0]'),
  sq_base_hi: u32(12, 'SQ ring address [63:32]'),
  rq_base_lo: u32(16, 'RQ ring address [31:0]'),
  rq_base_hi: u32(20, 'RQ ring address [63:32]'),
  send_cq_idx: u32(24, 'Completion queue of the SQ'),
  recv_cq_idx: u32(28, 'Completion queue of the RQ'),
  sq_l_key: u32(32, 'Memory key of a virtual SQ ring'),
  rq_l_key: u32(36, 'Memory key of a virtual RQ ring'),
  send_queue_ring_size: u32(40, 'Bytes'),
  send_queue_depth: u32(44, 'Work requests'),
  recv_queue_ring_size: u32(48, 'Bytes'),
  recv_queue_depth: u32(52, 'Work requests'),
  uar: u16(56, 'User access region'),
  sl: u8(58, 'Service level'),
});

export const createQpResp = layout('efa_admin_create_qp_resp', 64, {
  qp_handle: u32(8, 'Names the queue pair in commands'),
  qp_num: u16(12, 'Names it to peers'),
  send_sub_cq_idx: u16(16, 'Sub completion queue of the SQ'),
  recv_sub_cq_idx: u16(18, 'Sub completion queue of the RQ'),
  sq_db_offset: u32(20, 'In the doorbell BAR'),
  rq_db_offset: u32(24, 'In the doorbell BAR'),
  llq_descriptors_offset: u32(28, 'In the memory BAR'),
});

export const modifyQpCmd = layout('efa_admin_modify_qp_cmd', 64, {
  ...aqHead,
  modify_mask: u32(4, 'Which of the following count'),
  qp_handle: u32(8, 'The queue pair'),
  qp_state: u32(12, 'The new state'),
  cur_qp_state: u32(16, 'The state to start from'),
  qkey: u32(20, 'Queue key'),
  sq_psn: u32(24, 'First packet sequence number'),
  sq_drained_async_notify: u8(28, 'Tell when the SQ is drained'),
  rnr_retry: u8(29, 'Retries when the receiver is not ready; 7: for ever'),
});

/** QUERY_QP and DESTROY_QP. */
export const qpHandleCmd = layout('efa_admin_query_qp_cmd', 64, {
  ...aqHead,
  qp_handle: u32(4, 'The queue pair'),
});

export const queryQpResp = layout('efa_admin_query_qp_resp', 64, {
  qp_state: u32(8, 'efa_admin_qp_state'),
  qkey: u32(12, 'Queue key'),
  sq_psn: u32(16, 'First packet sequence number'),
  sq_draining: u8(20, 'The SQ is being drained'),
  rnr_retry: u8(21, 'Retries when the receiver is not ready'),
});

export const createAhCmd = layout('efa_admin_create_ah_cmd', 64, {
  ...aqHead,
  dest_addr_0: u32(4, "The peer's GID, bytes 0..3 in network order"),
  dest_addr_1: u32(8, 'Bytes 4..7'),
  dest_addr_2: u32(12, 'Bytes 8..11'),
  dest_addr_3: u32(16, 'Bytes 12..15'),
  pd: u16(20, 'Protection domain'),
});
export const createAhResp = layout('efa_admin_create_ah_resp', 64, {
  ah: u16(8, 'Address handle'),
});
export const destroyAhCmd = layout('efa_admin_destroy_ah_cmd', 64, {
  ...aqHead,
  ah: u16(4, 'Address handle'),
  pd: u16(6, 'Protection domain'),
});

export const regMrCmd = layout('efa_admin_reg_mr_cmd', 64, {
  ...aqHead,
  pd: u16(4, 'Protection domain'),
  page0_lo: u32(8, 'First inline page, or length of the control buffer'),
  page0_hi: u32(12, 'First inline page, or control buffer address [31:0]'),
  page1_lo: u32(16, 'Second inline page, or control buffer address [63:32]'),
  page1_hi: u32(20, 'Second inline page [63:32]'),
  page2_lo: u32(24, 'Third inline page [31:0]'),
  page2_hi: u32(28, 'Third inline page [63:32]'),
  page3_lo: u32(32, 'Fourth inline page [31:0]'),
  page3_hi: u32(36, 'Fourth inline page [63:32]'),
  mr_length_lo: u32(40, 'Bytes of the region [31:0]'),
  mr_length_hi: u32(44, 'Bytes of the region [63:32]'),
  phys_page_size_shift: bits(12, 4, 0, 'log2 of the page size'),
  reserved5: bits(12, 6, 5, 'Must be zero'),
  mem_addr_phy_mode_en: bits(12, 7, 7, 'Physical addresses: no translation'),
  permissions: u8(49, '0 local write, 1 remote write, 2 remote read'),
  page_num: u32(52, 'Pages of the list; Linux leaves it zero'),
  iova_lo: u32(56, 'First address of the region [31:0]'),
  iova_hi: u32(60, 'First address of the region [63:32]'),
});
export const regMrResp = layout('efa_admin_reg_mr_resp', 64, {
  l_key: u32(8, 'Key for local references; 24 bits'),
  r_key: u32(12, 'Key for remote references'),
  validity: u8(16, 'Which of the interconnect ids are valid'),
});
export const deregMrCmd = layout('efa_admin_dereg_mr_cmd', 64, {
  ...aqHead,
  l_key: u32(4, "The region's key"),
});
export const allocMrCmd = layout('efa_admin_alloc_mr_cmd', 64, {
  ...aqHead,
  pd: u16(4, 'Protection domain'),
  max_pages: u32(8, 'Pages that the region may have'),
});

export const createCqCmd = layout('efa_admin_create_cq_cmd', 64, {
  ...aqHead,
  reserved5: bits(1, 4, 0, 'Must be zero'),
  interrupt_mode_enabled: bits(1, 5, 5, '1 events, 0 polled'),
  virt: bits(1, 6, 6, 'The ring has a virtual address'),
  reserved6: bits(1, 7, 7, 'Must be zero'),
  cq_entry_size_words: bits(1, 12, 8, '4 or 8'),
  set_src_addr: bits(1, 13, 13, 'Source address of unknown senders, in entries of 8 words'),
  reserved7: bits(1, 15, 14, 'Must be zero'),
  sub_cq_depth: u16(6, 'Entries of each sub completion queue; a power of two'),
  eqn: u16(8, 'Its event queue'),
  cq_ba_lo: u32(12, 'Ring address [31:0]'),
  cq_ba_hi: u32(16, 'Ring address [63:32]'),
  l_key: u32(20, 'Memory key of a virtual ring'),
  num_sub_cqs: u16(24, 'As the queue attributes say'),
  uar: u16(26, 'User access region'),
});
export const createCqResp = layout('efa_admin_create_cq_resp', 64, {
  cq_idx: u16(8, 'The queue'),
  sub_cq_actual_depth: u16(10, 'Entries of each sub completion queue'),
  db_offset: u32(12, 'In the doorbell BAR'),
  db_valid: bits(4, 0, 0, 'It has a doorbell: with interrupts'),
});
export const destroyCqCmd = layout('efa_admin_destroy_cq_cmd', 64, {
  ...aqHead,
  cq_idx: u16(4, 'The queue'),
});

export const createEqCmd = layout('efa_admin_create_eq_cmd', 64, {
  ...aqHead,
  depth: u16(4, 'Entries; a power of two'),
  msix_vec: u8(6, 'The vector it raises'),
  entry_size_words: bits(1, 28, 24, '4'),
  reserved: bits(1, 31, 29, 'Must be zero'),
  ba_lo: u32(8, 'Ring address [31:0]'),
  ba_hi: u32(12, 'Ring address [63:32]'),
  event_bitmask: u32(16, '0 completion events'),
});
export const createEqResp = layout('efa_admin_create_eq_resp', 64, { eqn: u16(8, 'The queue') });
export const destroyEqCmd = layout('efa_admin_destroy_eq_cmd', 64, {
  ...aqHead,
  eqn: u16(4, 'The queue'),
});

/** DEALLOC_PD and DEALLOC_UAR, and the answers to ALLOC_PD and ALLOC_UAR. */
export const numberCmd = layout('efa_admin_dealloc_pd_cmd', 64, {
  ...aqHead,
  number: u16(4, 'Protection domain or user access region'),
});
export const numberResp = layout('efa_admin_alloc_pd_resp', 64, {
  number: u16(8, 'Protection domain or user access region'),
});

export const featureCmd = layout('efa_admin_get_feature_cmd', 64, {
  ...aqHead,
  ...controlBuffer,
  feature_id: u8(17, 'efa_admin_aq_feature_id'),
});
export const setAenqCmd = layout('efa_admin_set_feature_cmd', 64, {
  ...aqHead,
  ...controlBuffer,
  feature_id: u8(17, 'efa_admin_aq_feature_id'),
  supported_groups: u32(20, 'Ignored'),
  enabled_groups: u32(24, 'Groups to report'),
});

export const deviceAttrResp = layout('efa_admin_feature_device_attr_desc', 64, {
  supported_features_lo: u32(8, 'Bit per feature [31:0]'),
  supported_features_hi: u32(12, 'Bit per feature [63:32]'),
  page_size_cap_lo: u32(16, 'Bit per page size [31:0]'),
  page_size_cap_hi: u32(20, 'Bit per page size [63:32]'),
  fw_version: u32(24, 'Firmware version'),
  admin_api_version: u32(28, 'At least 1'),
  device_version: u32(32, 'Device version'),
  db_bar: u16(36, 'BAR of the SQ and RQ doorbells'),
  phys_addr_width: u8(38, 'Bits of a physical address'),
  virt_addr_width: u8(39, 'Bits of a virtual address'),
  device_caps: u32(40, 'Bits of DEVICE_CAP'),
  max_rdma_size: u32(44, 'Bytes of an RDMA transfer at most'),
  guid_lo: u32(48, 'Unique id [31:0]'),
  guid_hi: u32(52, 'Unique id [63:32]'),
  max_link_speed_gbps: u16(56, 'Link speed'),
});

export const queueAttr1Resp = layout('efa_admin_feature_queue_attr_desc_1', 64, {
  max_qp: u32(8, 'Queue pairs'),
  max_sq_depth: u32(12, 'Work requests of a send queue'),
  inline_buf_size: u32(16, 'Bytes of an inline message'),
  max_rq_depth: u32(20, 'Descriptors of a receive queue'),
  max_cq: u32(24, 'Completion queues'),
  max_cq_depth: u32(28, 'Entries of a completion queue'),
  sub_cqs_per_cq: u16(32, 'Sub completion queues of each'),
  min_sq_depth: u16(34, 'Work requests of a send queue at least'),
  max_wr_send_sges: u16(36, 'Buffers of a send'),
  max_wr_recv_sges: u16(38, 'Buffers of a receive'),
  max_mr: u32(40, 'Memory regions'),
  max_mr_pages: u32(44, 'Pages of a region'),
  max_pd: u32(48, 'Protection domains'),
  max_ah: u32(52, 'Address handles'),
  max_llq_size: u32(56, 'Bytes of a send queue'),
  max_wr_rdma_sges: u16(60, 'Buffers of an RDMA request'),
  max_tx_batch: u16(62, 'In 64 bytes between two doorbells; 0: unlimited'),
});
export const queueAttr2Resp = layout('efa_admin_feature_queue_attr_desc_2', 64, {
  inline_buf_size_ex: u16(8, 'Bytes of an inline message'),
});
export const eventQueueAttrResp = layout('efa_admin_event_queue_attr_desc', 64, {
  max_eq: u32(8, 'Event queues'),
  max_eq_depth: u32(12, 'Entries of each'),
  event_bitmask: u32(16, '0 completion events'),
});
export const aenqResp = layout('efa_admin_feature_aenq_desc', 64, {
  supported_groups: u32(8, 'Groups that the device reports'),
  enabled_groups: u32(12, 'Groups that are enabled'),
});
export const networkAttrResp = layout('efa_admin_feature_network_attr_desc', 64, {
  addr_0: u32(8, 'GID, bytes 0..3 in network order'),
  addr_1: u32(12, 'Bytes 4..7'),
  addr_2: u32(16, 'Bytes 8..11'),
  addr_3: u32(20, 'Bytes 12..15'),
  mtu: u32(24, 'Bytes of a message at most'),
});
export const hwHintsResp = layout('efa_admin_hw_hints', 64, {
  mmio_read_timeout: u16(8, 'Milliseconds; 0 here and below: the driver decides'),
  driver_watchdog_timeout: u16(10, 'Milliseconds'),
  admin_completion_timeout: u16(12, 'Milliseconds'),
  poll_interval: u16(14, 'Milliseconds'),
});

/** The page that SET_FEATURE HOST_INFO points to. */
export const hostInfo = layout('efa_admin_host_info', 184, {
  os_type: u32(128, '0 Linux'),
  kernel_ver: u32(164, 'Numeric'),
  driver_ver: u32(168, '31:24 major, 23:16 minor, 15:8 sub, 7:0 kind of module'),
  bdf: u16(172, '15:8 bus, 7:3 device, 2:0 function'),
  spec_ver: u16(174, '15:8 major, 7:0 minor'),
  flags: u32(176, '0 in-tree driver, 1 GPUDirect'),
});

export const getStatsCmd = layout('efa_admin_aq_get_stats_cmd', 64, {
  ...aqHead,
  ...controlBuffer,
  type: u8(16, 'efa_admin_get_stats_type'),
  scope: u8(17, 'efa_admin_get_stats_scope'),
  scope_modifier: u16(18, 'The queue pair, for the scope of one'),
});

/** Statistics of every type are a row of 64-bit counters; these are their names in order. */
export const STATS_FIELDS = {
  BASIC: ['tx_bytes', 'tx_pkts', 'rx_bytes', 'rx_pkts', 'rx_drops', 'qkey_viol'],
  MESSAGES: ['send_bytes', 'send_wrs', 'recv_bytes', 'recv_wrs'],
  RDMA_READ: ['read_wrs', 'read_bytes', 'read_wr_err', 'read_resp_bytes'],
  RDMA_WRITE: ['write_wrs', 'write_bytes', 'write_wr_err', 'write_recv_bytes'],
  NETWORK: [
    'retrans_bytes',
    'retrans_pkts',
    'retrans_timeout_events',
    'unresponsive_remote_events',
    'impaired_remote_conn_events',
  ],
} as const satisfies Record<keyof typeof STATS_TYPE, readonly string[]>;

/** Where the counters of an answer begin, in words. */
export const STATS_FIRST_WORD = 2;

/** efa_admin_aenq_common_desc: all that an event of EFA has. */
export const aenqEvent = layout(
  'efa_admin_aenq_entry',
  64,
  {
    group: u16(0, 'efa_admin_aenq_group'),
    syndrome: u16(2, 'What kind of event of the group'),
    phase: bits(1, 0, 0, 'Ownership, flips at each wrap of the ring'),
    timestamp_low: u32(8, 'Nanoseconds [31:0]'),
    timestamp_high: u32(12, 'Nanoseconds [63:32]'),
  },
  { publishes: 'phase' },
);
