/** ENA I/O descriptors, completions and doorbell values, as in `ena_eth_io_defs.h`. */
import { bits, layout, u8, u16, u32 } from '../lib/layout.ts';

export const L3_PROTO = { unknown: 0, ipv4: 8, ipv6: 11 } as const;
export const L4_PROTO = { unknown: 0, tcp: 12, udp: 13 } as const;

const published = { publishes: 'phase' } as const;

export const txDesc = layout(
  'ena_eth_io_tx_desc',
  16,
  {
    length: bits(0, 15, 0, 'Buffer length in bytes; not the pushed header, not the FCS'),
    req_id_hi: bits(0, 21, 16, 'Request id [15:10]'),
    reserved22: bits(0, 22, 22, 'Must be zero'),
    meta_desc: bits(0, 23, 23, 'Zero; one marks a meta descriptor'),
    phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
    reserved1: bits(0, 25, 25, 'Must be zero'),
    first: bits(0, 26, 26, 'First descriptor of the packet'),
    last: bits(0, 27, 27, 'Last descriptor of the packet'),
    comp_req: bits(0, 28, 28, 'A completion is wanted; valid in the first descriptor'),
    l3_proto_idx: bits(1, 3, 0, 'L3 protocol, for l3_csum_en and tso_en'),
    DF: bits(1, 4, 4, "The IPv4 header's DF, or 1"),
    tso_en: bits(1, 7, 7, 'Segment this TCP packet'),
    l4_proto_idx: bits(1, 12, 8, 'L4 protocol, for l4_csum_en and tso_en'),
    l3_csum_en: bits(1, 13, 13, 'Compute the IPv4 header checksum'),
    l4_csum_en: bits(1, 14, 14, 'Compute the TCP or UDP checksum'),
    ethernet_fcs_dis: bits(1, 15, 15, 'Append no frame check sequence'),
    l4_csum_partial: bits(1, 17, 17, "The checksum field holds the pseudo header's sum"),
    req_id_lo: bits(1, 31, 22, 'Request id [9:0]'),
    buff_addr_lo: u32(8, 'Buffer address [31:0]'),
    addr_hi: bits(3, 15, 0, 'Buffer address [47:32]'),
    header_length: bits(3, 31, 24, 'Bytes of header that were pushed (LLQ)'),
  },
  published,
);

export const txMetaDesc = layout(
  'ena_eth_io_tx_meta_desc',
  16,
  {
    ext_valid: bits(0, 14, 14, 'The offsets and the MSS are valid'),
    mss_hi: bits(0, 19, 16, 'Segment size [13:10]'),
    eth_meta_type: bits(0, 20, 20, '1: extended meta descriptor'),
    meta_store: bits(0, 21, 21, 'Keep for the following packets of this queue'),
    meta_desc: bits(0, 23, 23, 'Must be one'),
    phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
    first: bits(0, 26, 26, 'First descriptor of the packet'),
    last: bits(0, 27, 27, 'Last descriptor of the packet'),
    comp_req: bits(0, 28, 28, 'A completion is wanted'),
    reserved_w1: u32(4, 'Must be zero'),
    l3_hdr_len: bits(2, 7, 0, 'L3 header length in bytes'),
    l3_hdr_off: bits(2, 15, 8, 'L3 header offset in bytes'),
    l4_hdr_len_in_words: bits(2, 21, 16, 'L4 header length in 32-bit words'),
    mss_lo: bits(2, 31, 22, 'Segment size [9:0]'),
  },
  published,
);

export const txCdesc = layout(
  'ena_eth_io_tx_cdesc',
  8,
  {
    req_id: u16(0, 'Request id'),
    status: u8(2, 'Zero: sent'),
    phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
    sub_qid: u16(4, 'Submission queue'),
    sq_head_idx: u16(6, "Submission queue's head after this entry"),
  },
  published,
);

export const rxDesc = layout(
  'ena_eth_io_rx_desc',
  16,
  {
    length: u16(0, 'Buffer length in bytes; 0 means 65536'),
    reserved2: u8(2, 'Must be zero'),
    phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
    reserved1: bits(0, 25, 25, 'Must be zero'),
    first: bits(0, 26, 26, 'First descriptor'),
    last: bits(0, 27, 27, 'Last descriptor'),
    comp_req: bits(0, 28, 28, 'A completion is wanted'),
    reserved5: bits(0, 29, 29, 'Must be one'),
    req_id: u16(4, 'Request id'),
    reserved6: u16(6, 'Must be zero'),
    buff_addr_lo: u32(8, 'Buffer address [31:0]'),
    buff_addr_hi: u16(12, 'Buffer address [47:32]'),
    reserved16_w3: u16(14, 'Must be zero'),
  },
  published,
);

export const rxCdesc = layout(
  'ena_eth_io_rx_cdesc_base',
  16,
  {
    l3_proto_idx: bits(0, 4, 0, 'L3 protocol found'),
    src_vlan_cnt: bits(0, 6, 5, 'VLAN tags found'),
    l4_proto_idx: bits(0, 12, 8, 'L4 protocol found'),
    l3_csum_err: bits(0, 13, 13, 'The IPv4 header checksum is wrong or was not checked'),
    l4_csum_err: bits(0, 14, 14, 'The L4 checksum is wrong; valid with l4_csum_checked'),
    ipv4_frag: bits(0, 15, 15, 'An IPv4 fragment'),
    l4_csum_checked: bits(0, 16, 16, 'The L4 checksum was verified'),
    phase: bits(0, 24, 24, 'Ownership, flips at each wrap of the ring'),
    l3_csum2: bits(0, 25, 25, 'Result of the second checksum engine'),
    first: bits(0, 26, 26, 'First buffer of the packet'),
    last: bits(0, 27, 27, 'Last buffer of the packet; the parse results are valid here'),
    buffer: bits(0, 30, 30, '1: a buffer descriptor was used'),
    length: u16(4, 'Bytes in this buffer'),
    req_id: u16(6, 'Request id of the buffer'),
    hash: u32(8, 'RSS hash'),
    sub_qid: u16(12, 'Submission queue'),
    offset: u8(14, 'Where in the first buffer the frame starts'),
  },
  published,
);

/** What follows in entries of 4 (Tx) and 8 (Rx) words: when the packet passed the wire. */
export const TX_CDESC_TIMESTAMP_WORD = 2;
export const RX_CDESC_TIMESTAMP_WORD = 6;

/** The value that a driver writes into a vector's interrupt register. */
export const intrReg = layout('ena_eth_io_intr_reg', 4, {
  rx_intr_delay: bits(0, 14, 0, 'Receive moderation, in units of the resolution'),
  tx_intr_delay: bits(0, 29, 15, 'Transmit moderation, in units of the resolution'),
  intr_unmask: bits(0, 30, 30, 'Arm the vector'),
  no_moderation_update: bits(0, 31, 31, 'Leave the delays as they are'),
});
