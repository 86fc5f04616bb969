/**
 * ENA register map (BAR 0), named as in `ena_regs_defs.h` of the public drivers.
 *
 * Behind the fixed registers lie the queue doorbells and interrupt registers, whose offsets the
 * device hands out in its answers to CREATE_SQ and CREATE_CQ.
 */
import { reg, registerMap } from '../lib/registers.ts';

export const enaRegisters = registerMap('ENA', 0x200, {
  VERSION: reg(0x00, 'ro', 'Device version: 15:8 major, 7:0 minor'),
  CONTROLLER_VERSION: reg(0x04, 'ro', '31:24 implementation, then major, minor, subminor'),
  CAPS: reg(0x08, 'ro', '0 contiguous queue, 5:1 reset time-out, 15:8 DMA width, 19:16 admin'),
  CAPS_EXT: reg(0x0c, 'ro', 'Reserved'),
  AQ_BASE_LO: reg(0x10, 'rw', 'Admin queue address [31:0]'),
  AQ_BASE_HI: reg(0x14, 'rw', 'Admin queue address [47:32]'),
  AQ_CAPS: reg(0x18, 'rw', '15:0 depth, 31:16 entry size in bytes'),
  ACQ_BASE_LO: reg(0x20, 'rw', 'Admin completion queue address [31:0]'),
  ACQ_BASE_HI: reg(0x24, 'rw', 'Admin completion queue address [47:32]'),
  ACQ_CAPS: reg(0x28, 'rw', '15:0 depth, 31:16 entry size in bytes'),
  AQ_DB: reg(0x2c, 'wo', 'Admin queue doorbell: the tail'),
  ACQ_TAIL: reg(0x30, 'ro', 'Admin completion queue tail'),
  AENQ_CAPS: reg(0x34, 'rw', '15:0 depth, 31:16 entry size in bytes'),
  AENQ_BASE_LO: reg(0x38, 'rw', 'Event queue address [31:0]'),
  AENQ_BASE_HI: reg(0x3c, 'rw', 'Event queue address [47:32]'),
  AENQ_HEAD_DB: reg(0x40, 'rw', 'Event queue head, as far as the driver has read'),
  AENQ_TAIL: reg(0x44, 'ro', 'Event queue tail'),
  INTR_MASK: reg(0x4c, 'rw', 'Bit 0 masks the management vector'),
  DEV_CTL: reg(0x54, 'rw', '0 reset, 1 AQ restart, 2 quiescent, 3 I/O resume, 31:24 reset reason'),
  DEV_STS: reg(0x58, 'ro', '0 ready, 3 reset in progress, 4 reset finished, 5 fatal error'),
  MMIO_REG_READ: reg(0x5c, 'wo', 'Readless read: 15:0 request id, 31:16 register offset'),
  MMIO_RESP_LO: reg(0x60, 'rw', 'Where readless reads are answered [31:0]'),
  MMIO_RESP_HI: reg(0x64, 'rw', 'Where readless reads are answered [47:32]'),
  RSS_IND_ENTRY_UPDATE: reg(0x68, 'wo', '15:0 table index, 31:16 completion queue'),
  PHC_DB: reg(0x100, 'wo', 'Hardware clock request: 15:0 request id'),
});

export const DEV_CTL = { reset: 1, aqRestart: 2, quiescent: 4, ioResume: 8 } as const;
export const DEV_STS = {
  ready: 1,
  resetInProgress: 8,
  resetFinished: 0x10,
  fatalError: 0x20,
} as const;

/** ENA_REGS_RESET_*, by number. */
export const resetReasons = [
  'NORMAL',
  'KEEP_ALIVE_TO',
  'ADMIN_TO',
  'MISS_TX_CMPL',
  'INV_RX_REQ_ID',
  'INV_TX_REQ_ID',
  'TOO_MANY_RX_DESCS',
  'INIT_ERR',
  'DRIVER_INVALID_STATE',
  'OS_TRIGGER',
  'OS_NETDEV_WD',
  'SHUTDOWN',
  'USER_TRIGGER',
  'GENERIC',
  'MISS_INTERRUPT',
  'SUSPECTED_POLL_STARVATION',
  'RX_DESCRIPTOR_MALFORMED',
  'TX_DESCRIPTOR_MALFORMED',
  'MISSING_ADMIN_INTERRUPT',
  'DEVICE_REQUEST',
  'MISS_FIRST_INTERRUPT',
] as const;

/** The reset reason in a DEV_CTL value: bits 31:28 are its low part, 27:24 its extension. */
export const resetReasonOf = (devCtl: number): number =>
  (devCtl >>> 28) | (((devCtl >>> 24) & 0xf) << 4);
