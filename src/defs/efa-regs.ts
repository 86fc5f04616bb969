/** EFA register map (BAR 0), named as in `efa_regs_defs.h` of the public drivers. */
import { reg, registerMap } from '../lib/registers.ts';

export const efaRegisters = registerMap('EFA', 0x100, {
  VERSION: reg(0x00, 'ro', 'Device version: 15:8 major, 7:0 minor'),
  CONTROLLER_VERSION: reg(0x04, 'ro', '31:24 implementation, then major, minor, subminor'),
  CAPS: reg(0x08, 'ro', '0 contiguous queue, 5:1 reset time-out, 15:8 DMA width, 19:16 admin'),
  AQ_BASE_LO: reg(0x10, 'rw', 'Admin queue address [31:0]'),
  AQ_BASE_HI: reg(0x14, 'rw', 'Admin queue address [63:32]'),
  AQ_CAPS: reg(0x18, 'rw', '15:0 depth, 31:16 entry size in bytes'),
  ACQ_BASE_LO: reg(0x20, 'rw', 'Admin completion queue address [31:0]'),
  ACQ_BASE_HI: reg(0x24, 'rw', 'Admin completion queue address [63:32]'),
  ACQ_CAPS: reg(0x28, 'rw', '15:0 depth, 23:16 entry size in bytes, 31:24 MSI-X vector'),
  AQ_PROD_DB: reg(0x2c, 'wo', 'Admin queue doorbell: commands posted, free-running'),
  AENQ_CAPS: reg(0x34, 'rw', '15:0 depth, 23:16 entry size in bytes, 31:24 MSI-X vector'),
  AENQ_BASE_LO: reg(0x38, 'rw', 'Event queue address [31:0]'),
  AENQ_BASE_HI: reg(0x3c, 'rw', 'Event queue address [63:32]'),
  AENQ_CONS_DB: reg(0x40, 'rw', 'Events that the driver has read, free-running'),
  INTR_MASK: reg(0x4c, 'rw', 'Bit 0 masks the management vector'),
  DEV_CTL: reg(0x54, 'rw', '0 reset, 1 AQ restart, 31:28 reset reason'),
  DEV_STS: reg(0x58, 'ro', '0 ready, 3 reset in progress, 4 reset finished, 5 fatal error'),
  MMIO_REG_READ: reg(0x5c, 'wo', 'Readless read: 15:0 request id, 31:16 register offset'),
  MMIO_RESP_LO: reg(0x60, 'rw', 'Where readless reads are answered [31:0]'),
  MMIO_RESP_HI: reg(0x64, 'rw', 'Where readless reads are answered [63:32]'),
  EQ_DB: reg(0x68, 'wo', '15:0 event queue number, 31 arm'),
});

export const DEV_CTL = { reset: 1, aqRestart: 2 } as const;
export const DEV_STS = {
  ready: 1,
  resetInProgress: 8,
  resetFinished: 0x10,
  fatalError: 0x20,
} as const;

export const EQ_DB_EQN = 0xffff;
export const EQ_DB_ARM = 0x8000_0000;
/** A completion queue's doorbell: 15:0 consumer index, 30:29 command serial number, 31 arm. */
export const CQ_DB_CONSUMER_INDEX = 0xffff;
export const CQ_DB_ARM = 0x8000_0000;

/** efa_regs_reset_reason_types, by number. */
export const resetReasons = [
  'NORMAL',
  'KEEP_ALIVE_TO',
  'ADMIN_TO',
  'INIT_ERR',
  'DRIVER_INVALID_STATE',
  'OS_TRIGGER',
  'SHUTDOWN',
  'USER_TRIGGER',
  'GENERIC',
] as const;
