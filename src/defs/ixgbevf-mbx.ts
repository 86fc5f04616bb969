/**
 * The mailbox between a virtual function and its parent: the bits of VFMAILBOX (82599 datasheet,
 * 8.3.5.1.5), and the messages that drivers of both sides have agreed on (`mbx.h` of Linux's
 * ixgbevf, `ixgbe_mbx.h` of ixgbe). A message is up to 16 words; the first one says which it is.
 */

export const MBX_WORDS = 16;

export const MAILBOX = {
  /** The function asks the parent to read a message. */
  REQ: 0x01,
  /** The function has read the parent's message. */
  ACK: 0x02,
  /** The function has the memory; or the parent. */
  VFU: 0x04,
  PFU: 0x08,
  /** The parent has written a message; has read the function's. Reading clears both, and RSTD. */
  PFSTS: 0x10,
  PFACK: 0x20,
  /** The parent is being reset; it was. */
  RSTI: 0x40,
  RSTD: 0x80,
  READ_TO_CLEAR: 0xb0,
} as const;

/** Or'd to the first word of an answer. */
export const MBX_ANSWER = {
  SUCCESS: 0x8000_0000,
  FAILURE: 0x4000_0000,
  /** The parent listens to this function: clear to send. */
  CTS: 0x2000_0000,
} as const;

/** Bits 23:16 of the first word. */
export const MBX_INFO = { shift: 16, mask: 0xff } as const;

export const VF_MSG = {
  RESET: 0x01,
  SET_MAC_ADDR: 0x02,
  SET_MULTICAST: 0x03,
  SET_VLAN: 0x04,
  SET_LPE: 0x05,
  SET_MACVLAN: 0x06,
  API_NEGOTIATE: 0x08,
  /** From API 1.1 on. */
  GET_QUEUES: 0x09,
  /** From API 1.2 on. */
  GET_RETA: 0x0a,
  GET_RSS_KEY: 0x0b,
  UPDATE_XCAST_MODE: 0x0c,
  /** From API 1.4 on. */
  IPSEC_ADD: 0x0d,
  IPSEC_DEL: 0x0e,
  /** From API 1.2 on. */
  GET_LINK_STATE: 0x10,
  /** From API 1.6 on. */
  GET_PF_LINK_STATE: 0x11,
  /** From API 1.7 on. */
  FEATURES_NEGOTIATE: 0x12,
} as const;

/** The parent's own: something has changed. */
export const PF_CONTROL_MSG = 0x0100;

/** `ixgbe_pfvf_api_rev`: the number on the wire; not in the order of the versions. */
export const API_VERSION = {
  '1.0': 0,
  '2.0': 1,
  '1.1': 2,
  '1.2': 3,
  '1.3': 4,
  '1.4': 5,
  '1.5': 6,
  '1.6': 7,
  '1.7': 8,
} as const;
export type ApiVersion = keyof typeof API_VERSION;

/** Words of the answer to GET_QUEUES. */
export const QUEUES_WORD = { TX: 1, RX: 2, TRANS_VLAN: 3, DEF_QUEUE: 4 } as const;

export const XCAST_MODE = { NONE: 0, MULTI: 1, ALLMULTI: 2, PROMISC: 3 } as const;

/** FEATURES_NEGOTIATE: what a parent may offer. */
export const PF_FEATURE = { IPSEC: 1, ESX_MBX: 2 } as const;

/** Hashes in one SET_MULTICAST. */
export const MAX_MULTICAST_HASHES = 30;
/** Words of RETA in an answer: 128 entries of 2 bits. */
export const RETA_ENTRIES = 128;
export const RETA_WORDS = 8;
export const RSS_KEY_WORDS = 10;
