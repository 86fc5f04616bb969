/**
 * The wire format of vfio-user, version 0.1: every message, once. Follows QEMU's
 * docs/interop/vfio-user.rst; payloads that are the kernel's own follow <linux/vfio.h>. Names are
 * those of libvfio-user's vfio-user.h and of <linux/vfio.h>.
 *
 * All fields are little-endian (the protocol says: the host's order). A 64-bit field `x` is two
 * words, `x_lo` and `x_hi`: `u64()` joins them.
 */
import { bits, layout, u16, u32 } from '../lib/layout.ts';

export const VFIO_USER_VERSION = 1;
export const VFIO_USER_DMA_MAP = 2;
export const VFIO_USER_DMA_UNMAP = 3;
export const VFIO_USER_DEVICE_GET_INFO = 4;
export const VFIO_USER_DEVICE_GET_REGION_INFO = 5;
export const VFIO_USER_DEVICE_GET_REGION_IO_FDS = 6;
export const VFIO_USER_DEVICE_GET_IRQ_INFO = 7;
export const VFIO_USER_DEVICE_SET_IRQS = 8;
export const VFIO_USER_REGION_READ = 9;
export const VFIO_USER_REGION_WRITE = 10;
export const VFIO_USER_DMA_READ = 11;
export const VFIO_USER_DMA_WRITE = 12;
export const VFIO_USER_DEVICE_RESET = 13;
export const VFIO_USER_REGION_WRITE_MULTI = 15;
export const VFIO_USER_DEVICE_FEATURE = 16;
export const VFIO_USER_MIG_DATA_READ = 17;
export const VFIO_USER_MIG_DATA_WRITE = 18;

const commandNames: Readonly<Record<number, string>> = {
  [VFIO_USER_VERSION]: 'VERSION',
  [VFIO_USER_DMA_MAP]: 'DMA_MAP',
  [VFIO_USER_DMA_UNMAP]: 'DMA_UNMAP',
  [VFIO_USER_DEVICE_GET_INFO]: 'DEVICE_GET_INFO',
  [VFIO_USER_DEVICE_GET_REGION_INFO]: 'DEVICE_GET_REGION_INFO',
  [VFIO_USER_DEVICE_GET_REGION_IO_FDS]: 'DEVICE_GET_REGION_IO_FDS',
  [VFIO_USER_DEVICE_GET_IRQ_INFO]: 'DEVICE_GET_IRQ_INFO',
  [VFIO_USER_DEVICE_SET_IRQS]: 'DEVICE_SET_IRQS',
  [VFIO_USER_REGION_READ]: 'REGION_READ',
  [VFIO_USER_REGION_WRITE]: 'REGION_WRITE',
  [VFIO_USER_DMA_READ]: 'DMA_READ',
  [VFIO_USER_DMA_WRITE]: 'DMA_WRITE',
  [VFIO_USER_DEVICE_RESET]: 'DEVICE_RESET',
  [VFIO_USER_REGION_WRITE_MULTI]: 'REGION_WRITE_MULTI',
  [VFIO_USER_DEVICE_FEATURE]: 'DEVICE_FEATURE',
  [VFIO_USER_MIG_DATA_READ]: 'MIG_DATA_READ',
  [VFIO_USER_MIG_DATA_WRITE]: 'MIG_DATA_WRITE',
};

/** For people. */
export const commandName = (cmd: number): string => commandNames[cmd] ?? `command ${cmd}`;

export const versionMajor = 0;
export const versionMinor = 1;

/** The header's type field. */
export const VFIO_USER_F_TYPE_COMMAND = 0;
export const VFIO_USER_F_TYPE_REPLY = 1;

export const headerBytes = 16;
export const vfio_user_header = layout('vfio_user_header', headerBytes, {
  msg_id: u16(0, 'chosen by the sender, echoed in the reply'),
  cmd: u16(2, 'VFIO_USER_*'),
  msg_size: u32(4, 'of the whole message, this header included'),
  type: bits(2, 3, 0, 'command or reply'),
  no_reply: bits(2, 4, 4, 'the sender of a command wants no reply'),
  error: bits(2, 5, 5, 'the command has failed; there is no payload'),
  error_no: u32(12, 'why: a UNIX errno'),
});

/** Followed by a JSON text with its terminating NUL. */
export const vfio_user_version = layout('vfio_user_version', 4, {
  major: u16(0, 'must be equal on both sides'),
  minor: u16(2, 'the lower one counts'),
});

export const VFIO_USER_F_DMA_REGION_READ = 1;
export const VFIO_USER_F_DMA_REGION_WRITE = 2;
export const VFIO_USER_F_DMA_REGION_MMAP = 4;
export const VFIO_USER_F_DMA_REGION_FILE_IO = 8;
export const vfio_user_dma_map = layout('vfio_user_dma_map', 32, {
  argsz: u32(0, 'size of this payload'),
  flags: u32(4, 'VFIO_USER_F_DMA_REGION_*'),
  offset_lo: u32(8, 'where in the file'),
  offset_hi: u32(12, ''),
  addr_lo: u32(16, 'first DMA address'),
  addr_hi: u32(20, ''),
  size_lo: u32(24, 'bytes'),
  size_hi: u32(28, ''),
});

export const VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP = 1;
export const VFIO_DMA_UNMAP_FLAG_ALL = 2;
export const vfio_user_dma_unmap = layout('vfio_user_dma_unmap', 24, {
  argsz: u32(0, 'largest reply payload'),
  flags: u32(4, 'VFIO_DMA_UNMAP_FLAG_*'),
  addr_lo: u32(8, 'first DMA address'),
  addr_hi: u32(12, ''),
  size_lo: u32(16, 'bytes'),
  size_hi: u32(20, ''),
});

export const VFIO_DEVICE_FLAGS_RESET = 1;
export const VFIO_DEVICE_FLAGS_PCI = 2;
export const vfio_user_device_info = layout('vfio_user_device_info', 16, {
  argsz: u32(0, 'largest reply payload; in the reply, its size'),
  flags: u32(4, 'VFIO_DEVICE_FLAGS_*'),
  num_regions: u32(8, 'how many regions'),
  num_irqs: u32(12, 'how many kinds of interrupts'),
});

/** Regions of a PCI device. 0 to 5 are the BARs; 6 is the ROM, 8 VGA memory. */
export const VFIO_PCI_CONFIG_REGION_INDEX = 7;
export const VFIO_PCI_NUM_REGIONS = 9;

export const VFIO_REGION_INFO_FLAG_READ = 1;
export const VFIO_REGION_INFO_FLAG_WRITE = 2;
export const VFIO_REGION_INFO_FLAG_MMAP = 4;
export const VFIO_REGION_INFO_FLAG_CAPS = 8;
export const vfio_region_info = layout('vfio_region_info', 32, {
  argsz: u32(0, 'largest reply payload; in the reply, the size of a whole one'),
  flags: u32(4, 'VFIO_REGION_INFO_FLAG_*'),
  index: u32(8, 'which region'),
  cap_offset: u32(12, 'of the first capability'),
  size_lo: u32(16, 'bytes'),
  size_hi: u32(20, ''),
  offset_lo: u32(24, 'of the region in the descriptor that comes with the reply'),
  offset_hi: u32(28, ''),
});

export const VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1;
export const vfio_region_info_cap_sparse_mmap = layout('vfio_region_info_cap_sparse_mmap', 16, {
  id: u16(0, 'VFIO_REGION_INFO_CAP_SPARSE_MMAP'),
  version: u16(2, '1'),
  next: u32(4, 'offset of the next capability'),
  nr_areas: u32(8, 'how many areas follow'),
});
export const vfio_region_sparse_mmap_area = layout('vfio_region_sparse_mmap_area', 16, {
  offset_lo: u32(0, 'from the start of the region'),
  offset_hi: u32(4, ''),
  size_lo: u32(8, 'bytes'),
  size_hi: u32(12, ''),
});

export const vfio_user_region_io_fds = layout('vfio_user_region_io_fds', 16, {
  argsz: u32(0, 'largest reply payload; in the reply, the size of a whole one'),
  flags: u32(4, 'must be 0'),
  index: u32(8, 'which region'),
  count: u32(12, 'how many sub-regions follow'),
});

/** Kinds of interrupts of a PCI device. */
export const VFIO_PCI_INTX_IRQ_INDEX = 0;
export const VFIO_PCI_MSI_IRQ_INDEX = 1;
export const VFIO_PCI_MSIX_IRQ_INDEX = 2;
export const VFIO_PCI_ERR_IRQ_INDEX = 3;
export const VFIO_PCI_REQ_IRQ_INDEX = 4;
export const VFIO_PCI_NUM_IRQS = 5;

export const VFIO_IRQ_INFO_EVENTFD = 1;
export const vfio_irq_info = layout('vfio_irq_info', 16, {
  argsz: u32(0, 'largest reply payload; in the reply, its size'),
  flags: u32(4, 'VFIO_IRQ_INFO_*'),
  index: u32(8, 'which kind'),
  count: u32(12, 'how many interrupts of that kind'),
});

export const VFIO_IRQ_SET_DATA_NONE = 1;
export const VFIO_IRQ_SET_DATA_BOOL = 2;
export const VFIO_IRQ_SET_DATA_EVENTFD = 4;
export const VFIO_IRQ_SET_ACTION_MASK = 8;
export const VFIO_IRQ_SET_ACTION_UNMASK = 16;
export const VFIO_IRQ_SET_ACTION_TRIGGER = 32;
/** Followed by `count` bytes, when the data are booleans. */
export const vfio_irq_set = layout('vfio_irq_set', 20, {
  argsz: u32(0, 'size of this payload'),
  data: bits(1, 2, 0, 'one of VFIO_IRQ_SET_DATA_*'),
  action: bits(1, 5, 3, 'one of VFIO_IRQ_SET_ACTION_*, shifted right by 3'),
  rest: bits(1, 31, 6, 'not used'),
  index: u32(8, 'which kind'),
  start: u32(12, 'the first interrupt'),
  count: u32(16, 'how many'),
});

/** Followed by the data, in a write and in the reply to a read. */
export const vfio_user_region_access = layout('vfio_user_region_access', 16, {
  offset_lo: u32(0, 'into the region'),
  offset_hi: u32(4, ''),
  region: u32(8, 'which region'),
  count: u32(12, 'bytes'),
});

/** Followed by the data, in a write and in the reply to a read. */
export const vfio_user_dma_region_access = layout('vfio_user_dma_region_access', 16, {
  addr_lo: u32(0, 'DMA address'),
  addr_hi: u32(4, ''),
  count_lo: u32(8, 'bytes'),
  count_hi: u32(12, ''),
});

/** Followed by that many `vfio_user_write_multi_one`. */
export const vfio_user_write_multi = layout('vfio_user_write_multi', 8, {
  wr_cnt_lo: u32(0, 'how many writes'),
  wr_cnt_hi: u32(4, ''),
});
export const vfio_user_write_multi_one = layout('vfio_user_write_multi_one', 24, {
  offset_lo: u32(0, 'into the region'),
  offset_hi: u32(4, ''),
  region: u32(8, 'which region'),
  count: u32(12, 'bytes, at most 8'),
  data_lo: u32(16, 'what to write'),
  data_hi: u32(20, ''),
});

export const vfio_user_device_feature = layout('vfio_user_device_feature', 8, {
  argsz: u32(0, 'largest reply payload'),
  flags: u32(4, 'which feature, and what to do with it'),
});

/** The most data that one access may carry; told to the client. */
export const maxDataBytes = 64 * 1024;
/** The most descriptors that one message may carry; QEMU refuses a server that says more. */
export const maxMessageFds = 16;
/** The longest message that is taken: data and the largest header that comes before it. */
export const maxMessageBytes = maxDataBytes + headerBytes + vfio_user_region_access.sizeBytes;

/** Joins a 64-bit field; from 2^53 on the result is rounded, which every limit check survives. */
export const u64 = (lo: number, hi: number): number => lo + hi * 2 ** 32;
export const lo32 = (value: number): number => value % 2 ** 32;
export const hi32 = (value: number): number => Math.floor(value / 2 ** 32);
