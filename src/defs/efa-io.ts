/** EFA work requests and completions, as in `efa_io_defs.h`. */
import { bits, layout, u8, u16, u32 } from '../lib/layout.ts';

export const TX_WQE_BYTES = 64;
export const RX_DESC_BYTES = 16;
export const INLINE_MAX_BYTES = 32;
export const INVALID_AH = 0xffff;

/** efa_io_queue_type */
export const QUEUE_TYPE = { SEND: 1, RECV: 2 } as const;
/** efa_io_send_op_type */
export const OP = { SEND: 0, RDMA_READ: 1, RDMA_WRITE: 2, FAST_REG: 3, FAST_INV: 4 } as const;

/** efa_io_comp_status */
export const COMP_STATUS = {
  OK: 0,
  FLUSHED: 1,
  LOCAL_ERROR_QP_INTERNAL_ERROR: 2,
  LOCAL_ERROR_UNSUPPORTED_OP: 3,
  LOCAL_ERROR_INVALID_AH: 4,
  LOCAL_ERROR_INVALID_LKEY: 5,
  LOCAL_ERROR_BAD_LENGTH: 6,
  REMOTE_ERROR_BAD_ADDRESS: 7,
  REMOTE_ERROR_ABORT: 8,
  REMOTE_ERROR_BAD_DEST_QPN: 9,
  REMOTE_ERROR_RNR: 10,
  REMOTE_ERROR_BAD_LENGTH: 11,
  REMOTE_ERROR_BAD_STATUS: 12,
  LOCAL_ERROR_UNRESP_REMOTE: 13,
  REMOTE_ERROR_UNKNOWN_PEER: 14,
  LOCAL_ERROR_UNREACH_REMOTE: 15,
  REMOTE_ERROR_FEATURE_MISMATCH: 18,
} as const;

const meta = {
  req_id: u16(0, "The driver's name for the request"),
  op_type: bits(0, 19, 16, 'efa_io_send_op_type'),
  has_imm: bits(0, 20, 20, 'immediate_data is valid'),
  inline_msg: bits(0, 21, 21, 'The message follows, instead of buffers'),
  meta_extension: bits(0, 22, 22, 'Must be zero'),
  meta_desc: bits(0, 23, 23, 'Must be one'),
  phase: bits(0, 24, 24, 'Zero in the first turn of the ring, flips at each wrap'),
  reserved25: bits(0, 25, 25, 'Must be zero'),
  first: bits(0, 26, 26, 'Must be one'),
  last: bits(0, 27, 27, 'Must be one'),
  comp_req: bits(0, 28, 28, 'A completion is wanted'),
  reserved29: bits(0, 31, 29, 'Must be zero'),
  dest_qp_num: u16(4, 'Queue pair of the peer'),
  length: u16(6, 'Bytes of inline message, or number of buffers'),
  immediate_data: u32(8, "Goes into the peer's completion"),
  ah: u16(12, 'Address handle of the peer'),
  reserved: u16(14, 'Must be zero'),
  qkey: u32(16, "The peer's queue key"),
} as const;

/** `efa_io_tx_wqe` with a scatter list. */
export const txWqe = layout('efa_io_tx_wqe', TX_WQE_BYTES, {
  ...meta,
  length0: u32(32, 'Bytes of the first buffer'),
  lkey0: bits(9, 23, 0, 'Its memory key'),
  addr0_lo: u32(40, 'Its address [31:0]'),
  addr0_hi: u32(44, 'Its address [63:32]'),
  length1: u32(48, 'Bytes of the second buffer'),
  lkey1: bits(13, 23, 0, 'Its memory key'),
  addr1_lo: u32(56, 'Its address [31:0]'),
  addr1_hi: u32(60, 'Its address [63:32]'),
});

/** `efa_io_tx_wqe` with an `efa_io_rdma_req`: remote memory, then one local buffer. */
export const rdmaWqe = layout('efa_io_rdma_req', TX_WQE_BYTES, {
  ...meta,
  remote_length: u32(32, 'Bytes of remote memory'),
  rkey: u32(36, 'Remote memory key'),
  remote_lo: u32(40, 'Remote address [31:0]'),
  remote_hi: u32(44, 'Remote address [63:32]'),
  local_length: u32(48, 'Bytes of the local buffer'),
  lkey: bits(13, 23, 0, 'Its memory key'),
  local_lo: u32(56, 'Its address [31:0]'),
  local_hi: u32(60, 'Its address [63:32]'),
});

/** efa_io_frwr_pbl_mode */
export const FRWR_PBL = { INLINE: 0, DIRECT: 1 } as const;

/** `efa_io_tx_wqe` with an `efa_io_fast_mr_reg_req`. */
export const fastRegWqe = layout('efa_io_fast_mr_reg_req', TX_WQE_BYTES, {
  ...meta,
  lkey: u32(32, 'The key that the region has from now on'),
  permissions: u8(36, '0 local write, 1 remote write, 2 remote read'),
  phys_page_size_shift: bits(9, 12, 8, 'log2 of the page size'),
  pbl_mode: bits(9, 14, 13, 'efa_io_frwr_pbl_mode'),
  reserved15: bits(9, 31, 15, 'Must be zero'),
  iova_lo: u32(40, 'First address of the region [31:0]'),
  iova_hi: u32(44, 'First address of the region [63:32]'),
  mr_length_lo: u32(48, 'Bytes [31:0]'),
  mr_length_hi: u32(52, 'Bytes [63:32]'),
  pbl_lo: u32(56, 'The one page, or the list of pages [31:0]'),
  pbl_hi: u32(60, 'The one page, or the list of pages [63:32]'),
});

/** `efa_io_tx_wqe` with an `efa_io_fast_mr_inv_req`. */
export const fastInvWqe = layout('efa_io_fast_mr_inv_req', TX_WQE_BYTES, {
  ...meta,
  lkey: u32(32, 'The region to invalidate'),
});

export const rxDesc = layout('efa_io_rx_desc', RX_DESC_BYTES, {
  buf_addr_lo: u32(0, 'Buffer address [31:0]'),
  buf_addr_hi: u32(4, 'Buffer address [63:32]'),
  req_id: u16(8, "The driver's name for the request"),
  length: u16(10, 'Buffer length in bytes'),
  lkey: bits(3, 23, 0, 'Its memory key'),
  reserved24: bits(3, 29, 24, 'Must be zero'),
  first: bits(3, 30, 30, 'First descriptor of a request'),
  last: bits(3, 31, 31, 'Last descriptor of a request'),
});

const cdesc = {
  req_id: u16(0, 'As in the request'),
  status: u8(2, 'efa_io_comp_status'),
  phase: bits(0, 24, 24, 'One in the first turn of the ring, flips at each wrap'),
  q_type: bits(0, 26, 25, 'efa_io_queue_type'),
  has_imm: bits(0, 27, 27, 'imm is valid'),
  op_type: bits(0, 30, 28, 'efa_io_send_op_type'),
  unsolicited: bits(0, 31, 31, 'No receive request belongs to it'),
  qp_num: u16(4, 'The local queue pair'),
  length: u16(6, 'Bytes received [15:0]'),
  ah: u16(8, 'Address handle of the sender, 0xffff: none'),
  src_qp_num: u16(10, "The sender's queue pair"),
  imm: u32(12, 'Immediate data'),
} as const;

/** `efa_io_rx_cdesc`; a transmit completion is its first two words. */
export const ioCdesc = layout('efa_io_rx_cdesc', 16, cdesc, { publishes: 'phase' });

/** `efa_io_rx_cdesc_ex`. The source address lies over `length_hi`: one of them is meant. */
export const ioCdescEx = layout(
  'efa_io_rx_cdesc_ex',
  32,
  {
    ...cdesc,
    src_addr_0: u32(16, 'GID of an unknown sender, bytes 0..3, or length [31:16] in 15:0'),
    src_addr_1: u32(20, 'Bytes 4..7'),
    src_addr_2: u32(24, 'Bytes 8..11'),
    src_addr_3: u32(28, 'Bytes 12..15'),
  },
  { publishes: 'phase' },
);

/** `efa_admin_eqe` of a completion event. */
export const eqe = layout(
  'efa_admin_eqe',
  16,
  {
    phase: bits(0, 0, 0, 'One in the first turn of the ring, flips at each wrap'),
    event_type: bits(0, 8, 1, '0 completion'),
    cqn: u16(8, 'The completion queue'),
  },
  { publishes: 'phase' },
);
