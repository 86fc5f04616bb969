/**
 * Descriptors of the 82599: 16 bytes each, receive (82599 datasheet, section 7.1.5 and 7.1.6) and
 * transmit (7.2.3.2). A ring entry is read in one format and written back in another. Fields have
 * the datasheet's names.
 */
import { bits, layout, u16, u32 } from '../lib/layout.ts';

export const descBytes = 16;

// Receive

/** As software posts it, legacy and advanced. */
export const rxReadDesc = layout('rx_desc_read', descBytes, {
  PKT_ADDR_LO: u32(0, 'Packet buffer'),
  PKT_ADDR_HI: u32(4, 'Packet buffer'),
  HDR_ADDR_LO: u32(8, 'Header buffer; bit 0 is where DD will be, and is 0'),
  HDR_ADDR_HI: u32(12, 'Header buffer'),
});

/** As the device writes an advanced one back. Software waits for DD, Linux for a length. */
export const rxWriteBack = layout(
  'rx_desc_wb',
  descBytes,
  {
    RSS_TYPE: bits(0, 3, 0, 'What was hashed; RSS_TYPE'),
    PACKET_TYPE: bits(0, 16, 4, 'Headers that were found; PACKET_TYPE'),
    RSCCNT: bits(0, 20, 17, 'Coalesced packets'),
    HDR_LEN: bits(0, 30, 21, 'Bytes of the header that was found, or in the header buffer'),
    SPH: bits(0, 31, 31, 'The packet was split'),
    RSS_HASH: u32(4, 'The hash'),
    STATUS: bits(2, 19, 0, 'RX_STATUS'),
    ERRORS: bits(2, 31, 20, 'RX_ERROR'),
    PKT_LEN: bits(3, 15, 0, 'Bytes in the packet buffer'),
    VLAN_TAG: bits(3, 31, 16, 'The tag that was stripped'),
  },
  { publishes: 'PKT_LEN' },
);

/** As the device writes a legacy one back. */
export const rxLegacyWriteBack = layout(
  'rx_desc_legacy',
  descBytes,
  {
    BUFFER_LO: u32(0, 'Packet buffer, as posted'),
    BUFFER_HI: u32(4, 'Packet buffer, as posted'),
    LENGTH: bits(2, 15, 0, 'Bytes in the buffer'),
    FRAGMENT_CHECKSUM: bits(2, 31, 16, 'Not computed while RSS is on'),
    STATUS: bits(3, 7, 0, 'RX_STATUS, its first byte'),
    ERRORS: bits(3, 15, 8, 'RX_LEGACY_ERROR'),
    VLAN_TAG: bits(3, 31, 16, 'The tag that was stripped'),
  },
  { publishes: 'STATUS' },
);

export const RX_STATUS = {
  DD: 1 << 0,
  EOP: 1 << 1,
  VP: 1 << 3,
  L4I: 1 << 5,
  IPCS: 1 << 6,
  PIF: 1 << 7,
} as const;

/** In `ERRORS` of an advanced descriptor: HBO is bit 23 of the word, and so on. */
export const RX_ERROR = { HBO: 1 << 3, L4E: 1 << 10, IPE: 1 << 11 } as const;
export const RX_LEGACY_ERROR = { L4E: 1 << 6, IPE: 1 << 7 } as const;

export const RSS_TYPE = {
  none: 0,
  ipv4Tcp: 1,
  ipv4: 2,
  ipv6Tcp: 3,
  ipv6: 5,
  ipv4Udp: 7,
  ipv6Udp: 8,
} as const;

/** In `PACKET_TYPE`: bit 4 of the word is the first. */
export const PACKET_TYPE = {
  IPV4: 1 << 0,
  IPV4E: 1 << 1,
  IPV6: 1 << 2,
  IPV6E: 1 << 3,
  TCP: 1 << 4,
  UDP: 1 << 5,
  SCTP: 1 << 6,
} as const;

// Transmit

/** What legacy and advanced descriptors have in common. */
const command = {
  EOP: bits(2, 24, 24, 'The packet ends here'),
  IFCS: bits(2, 25, 25, 'Append the check sequence'),
  RS: bits(2, 27, 27, 'Say when it is sent'),
  DEXT: bits(2, 29, 29, '1: an advanced descriptor'),
  VLE: bits(2, 30, 30, 'Insert a VLAN tag'),
} as const;

export const txLegacyDesc = layout('tx_desc_legacy', descBytes, {
  ADDRESS_LO: u32(0, 'Buffer'),
  ADDRESS_HI: u32(4, 'Buffer'),
  LENGTH: u16(8, 'Bytes in the buffer'),
  CSO: bits(2, 23, 16, 'Where the checksum goes'),
  IC: bits(2, 26, 26, 'Insert a checksum'),
  ...command,
  DD: bits(3, 0, 0, 'Sent'),
  CSS: bits(3, 15, 8, 'Where the sum begins'),
  VLAN: bits(3, 31, 16, 'The tag'),
});

export const txDataDesc = layout('tx_desc_data', descBytes, {
  ADDRESS_LO: u32(0, 'Buffer'),
  ADDRESS_HI: u32(4, 'Buffer'),
  DTALEN: u16(8, 'Bytes in the buffer'),
  DTYP: bits(2, 23, 20, 'TX_DTYP.DATA'),
  ...command,
  TSE: bits(2, 31, 31, 'Cut into TCP segments'),
  DD: bits(3, 0, 0, 'Sent'),
  IDX: bits(3, 6, 4, 'Which of the two contexts'),
  CC: bits(3, 7, 7, 'The context counts'),
  IXSM: bits(3, 8, 8, 'Insert the IPv4 checksum'),
  TXSM: bits(3, 9, 9, 'Insert the L4 checksum'),
  IPSEC: bits(3, 10, 10, 'Encrypt'),
  PAYLEN: bits(3, 31, 14, 'Bytes of the packet; with TSE, of its TCP payload'),
});

/** What a queue keeps for packets to come: two of them. */
export const txContextDesc = layout('tx_desc_context', descBytes, {
  IPLEN: bits(0, 8, 0, 'Bytes of the IP header'),
  MACLEN: bits(0, 15, 9, 'Bytes before the IP header'),
  VLAN: bits(0, 31, 16, 'The tag'),
  SAIDX: bits(1, 9, 0, 'IPsec: security association'),
  IPV4: bits(2, 10, 10, '1: IPv4, 0: IPv6'),
  L4T: bits(2, 12, 11, 'TX_L4T'),
  DTYP: bits(2, 23, 20, 'TX_DTYP.CONTEXT'),
  DEXT: bits(2, 29, 29, '1'),
  IDX: bits(3, 6, 4, 'Which of the two contexts'),
  L4LEN: bits(3, 15, 8, 'Bytes of the L4 header'),
  MSS: bits(3, 31, 16, 'TCP payload per segment'),
});

export const TX_DTYP = { CONTEXT: 2, DATA: 3 } as const;
export const TX_L4T = { UDP: 0, TCP: 1, SCTP: 2 } as const;
/** Word 3 of a transmit descriptor that was sent: what the device writes back. */
export const TX_WB_WORD = 3;
export const TX_DD = 1;
