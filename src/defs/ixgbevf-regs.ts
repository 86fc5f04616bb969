/**
 * Register map of the 82599's virtual function (BAR 0), in the order and with the names of the
 * 82599 datasheet, revision 2.76, section 8.3.5 "VF registers". Names of bits are the datasheet's;
 * Linux spells some registers otherwise (VTEICR for VFEICR).
 */
import { reg, regArray, registerMap } from '../lib/registers.ts';

/** Queues that the map has room for; a function has as many as its parent gives it. */
export const VF_QUEUES = 8;
/** Bytes between the registers of one queue and those of the next. */
export const VF_QUEUE_STRIDE = 0x40;
const rings = (offset: number, doc: string, more: { reset?: number; writable?: number } = {}) =>
  regArray(offset, VF_QUEUES, VF_QUEUE_STRIDE, 'rw', doc, more);

/** A ring's base is a multiple of 128 bytes, its length too, up to 1 MiB. */
const baseBits = 0xffff_ff80;
const lengthBits = 0x000f_ff80;
const indexBits = 0x0000_ffff;

export const ixgbevfRegisters = registerMap('82599 VF', 0x4000, {
  // 8.3.5.1 General control
  VFCTRL: reg(0x0000, 'wo', 'Control: bit 26 resets the function'),
  VFSTATUS: reg(0x0008, 'ro', 'Status: 7 link, 17:10 number of VFs, 18 IOV, 19 bus master'),
  VFLINKS: reg(0x0010, 'ro', 'Link: 30 up, 29:28 speed, as the parent has them'),
  VFFRTIMER: reg(0x0048, 'ro', 'Free-running timer: 9:0 us, 19:10 ms, 31:20 s'),
  VFMBMEM: regArray(0x0200, 16, 4, 'rw', 'Mailbox memory'),
  VFMAILBOX: reg(0x02fc, 'rw', 'Mailbox: who has it, what happened'),
  VFRXMEMWRAP: reg(0x3190, 'ro', "The parent's packet buffers: how often each wrapped, if empty"),

  // 8.3.5.2 Interrupts
  VFEICR: reg(0x0100, 'rw1c', 'Interrupt cause: a bit per vector', { writable: 7 }),
  VFEICS: reg(0x0104, 'wo', 'Interrupt cause set', { writable: 7 }),
  VFEIMS: reg(0x0108, 'rw', 'Interrupt mask set and read', { writable: 7 }),
  VFEIMC: reg(0x010c, 'wo', 'Interrupt mask clear', { writable: 7 }),
  VFEIAC: reg(0x0110, 'rw', 'Causes that a sent message clears', { writable: 7 }),
  VFEIAM: reg(0x0114, 'rw', 'Vectors that a sent message masks', { writable: 7 }),
  VFIVAR: regArray(0x0120, 4, 4, 'rw', 'Vectors of two queues: rx, tx, rx, tx; 7 of each: valid', {
    writable: 0x8181_8181,
  }),
  VFIVAR_MISC: reg(0x0140, 'rw', 'Vector of the mailbox: 1:0, 7 valid', { writable: 0x83 }),
  VFPBACL: reg(0x0148, 'rw1c', 'Pending messages', { writable: 7 }),
  VFRSCINT: regArray(0x0180, 2, 4, 'rw', 'Receive-side coalescing and interrupts'),
  VFEITR: regArray(0x0820, 2, 4, 'rw', 'Throttle: 11:3 interval in 2 us, 27:21 counter, 31 keep', {
    writable: 0x7fff_ffff,
  }),

  // 8.3.5.3 Receive DMA
  VFPSRTYPE: reg(0x0300, 'rw', 'After which headers to split; 31:29 bits of the RSS index'),
  VFRDBAL: rings(0x1000, 'Receive ring, address low', { writable: baseBits }),
  VFRDBAH: rings(0x1004, 'Receive ring, address high'),
  VFRDLEN: rings(0x1008, 'Receive ring, bytes', { writable: lengthBits }),
  VFDCA_RXCTRL: rings(0x100c, 'Receive, direct cache access', { reset: 0xa200 }),
  VFRDH: rings(0x1010, 'Receive ring, head', { writable: indexBits }),
  VFSRRCTL: rings(0x1014, 'Receive buffers: sizes, descriptor type', { reset: 0x402 }),
  VFRDT: rings(0x1018, 'Receive ring, tail', { writable: indexBits }),
  VFRXDCTL: rings(0x1028, 'Receive queue: 25 on, 30 strip VLAN tags'),
  VFRSCCTL: rings(0x102c, 'Receive-side coalescing'),

  // 8.3.5.4 Transmit
  VFTDBAL: rings(0x2000, 'Transmit ring, address low', { writable: baseBits }),
  VFTDBAH: rings(0x2004, 'Transmit ring, address high'),
  VFTDLEN: rings(0x2008, 'Transmit ring, bytes', { writable: lengthBits }),
  VFDCA_TXCTRL: rings(0x200c, 'Transmit, direct cache access', { reset: 0x2a00 }),
  VFTDH: rings(0x2010, 'Transmit ring, head', { writable: indexBits }),
  VFTDT: rings(0x2018, 'Transmit ring, tail', { writable: indexBits }),
  VFTXDCTL: rings(0x2028, 'Transmit queue: thresholds, 25 on, 26 write back now'),
  VFTDWBAL: rings(0x2038, 'Where the head is written, low; bit 0: do so', {
    writable: 0xffff_fffd,
  }),
  VFTDWBAH: rings(0x203c, 'Where the head is written, high'),

  // 8.3.5.6 Statistics: never cleared, they wrap
  VFGPRC: reg(0x101c, 'ro', 'Good packets received'),
  VFGORC_LSB: reg(0x1020, 'ro', 'Good octets received, 31:0 of 36'),
  VFGORC_MSB: reg(0x1024, 'ro', 'Good octets received, 35:32'),
  VFMPRC: reg(0x1034, 'ro', 'Multicast packets received'),
  VFGPTC: reg(0x201c, 'ro', 'Good packets sent'),
  VFGOTC_LSB: reg(0x2020, 'ro', 'Good octets sent, 31:0 of 36'),
  VFGOTC_MSB: reg(0x2024, 'ro', 'Good octets sent, 35:32'),
});

export type VfRegister = keyof typeof ixgbevfRegisters.registers;

export const VFCTRL = { RST: 1 << 26 } as const;
export const VFSTATUS = { LINKUP: 1 << 7, NUM_VFS: 10, IOV: 1 << 18, MASTER: 1 << 19 } as const;
export const VFLINKS = { UP: 0x4000_0000, SPEED: 28 } as const;
/** VFLINKS, bits 29:28. */
export const LINK_SPEED = { mbps100: 1, gbps1: 2, gbps10: 3 } as const;

/** VFIVAR: per queue, rx then tx, a byte of this. */
export const IVAR = { VALID: 0x80, VECTOR: 0x01, MISC_VECTOR: 0x03 } as const;
/** VFEITR, with the interval in units of 2 us. */
export const EITR = { INTERVAL: 3, INTERVAL_MASK: 0x1ff, COUNTER: 21, CNT_WDIS: 2 ** 31 } as const;

export const RXDCTL = { ENABLE: 1 << 25, VME: 1 << 30 } as const;
export const TXDCTL = { ENABLE: 1 << 25, SWFLSH: 1 << 26, WTHRESH: 16 } as const;

/** VFSRRCTL: 4:0 packet buffer in KiB, 13:8 header buffer in 64 bytes, 27:25 DESCTYPE. */
export const SRRCTL = { BSIZEHDR: 8, DESCTYPE: 25, DROP_EN: 1 << 28 } as const;
export const DESCTYPE = { LEGACY: 0, ONE_BUFFER: 1, SPLIT: 2, SPLIT_ALWAYS: 5 } as const;

/** VFPSRTYPE: split a packet after this header. */
export const PSRTYPE = {
  TCP: 1 << 4,
  UDP: 1 << 5,
  IPV4: 1 << 8,
  IPV6: 1 << 9,
  L2: 1 << 12,
  /** Bits of the RSS index: 31:29. */
  RQPL: 29,
} as const;
