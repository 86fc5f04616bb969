/**
 * The regions of a function as a client reaches them by messages: six BARs, no ROM, the config
 * space. Handlers return an errno, 0 when done.
 */
import type { AccessSize, Bar, BarMemory, PciFunction } from '../pci/function.ts';
import { EINVAL } from '../sys/errno.ts';
import type { Exchange } from './exchange.ts';
import * as p from './protocol.ts';

const accessBytes = p.vfio_user_region_access.sizeBytes;
const configRegion = p.VFIO_PCI_CONFIG_REGION_INDEX;

export class Regions {
  readonly #fn: PciFunction;
  readonly #bars: (Bar | undefined)[] = [];
  /** By region; 0 where there is none. */
  readonly #sizeBytes = new Float64Array(p.VFIO_PCI_NUM_REGIONS);
  readonly #access = p.vfio_user_region_access.create();
  readonly #deviceInfo = p.vfio_user_device_info.create();
  readonly #info = p.vfio_region_info.create();
  readonly #sparse = p.vfio_region_info_cap_sparse_mmap.create();
  readonly #area = p.vfio_region_sparse_mmap_area.create();
  readonly #ioFds = p.vfio_user_region_io_fds.create();
  readonly #multi = p.vfio_user_write_multi.create();
  readonly #one = p.vfio_user_write_multi_one.create();

  constructor(fn: PciFunction) {
    this.#fn = fn;
    for (const bar of fn.bars) {
      this.#bars[bar.index] = bar;
      this.#sizeBytes[bar.index] = bar.sizeBytes;
    }
    this.#sizeBytes[configRegion] = fn.config.sizeBytes;
  }

  /** DEVICE_GET_INFO */
  getDeviceInfo(x: Exchange): number {
    const info = this.#deviceInfo;
    const { sizeBytes } = p.vfio_user_device_info;
    if (!x.load(p.vfio_user_device_info, info) || info.argsz < sizeBytes) return EINVAL;
    info.argsz = sizeBytes;
    info.flags = p.VFIO_DEVICE_FLAGS_RESET | p.VFIO_DEVICE_FLAGS_PCI;
    info.num_regions = p.VFIO_PCI_NUM_REGIONS;
    info.num_irqs = p.VFIO_PCI_NUM_IRQS;
    x.append(p.vfio_user_device_info, info);
    return 0;
  }

  /**
   * DEVICE_GET_REGION_INFO. When the client's buffer does not hold the areas that may be mapped,
   * it is told the size that does, and asks again.
   */
  getRegionInfo(x: Exchange): number {
    const info = this.#info;
    const fixedBytes = p.vfio_region_info.sizeBytes;
    if (!x.load(p.vfio_region_info, info) || info.argsz < fixedBytes) return EINVAL;
    const { argsz, index } = info;
    const size = this.#sizeBytes[index];
    if (size === undefined) return EINVAL;
    const memory = this.#mappable(index);
    info.clear();
    info.index = index;
    info.size_lo = p.lo32(size);
    info.size_hi = p.hi32(size);
    info.argsz = fixedBytes + (memory === null ? 0 : sparseBytes(memory));
    if (size > 0) info.flags = p.VFIO_REGION_INFO_FLAG_READ | p.VFIO_REGION_INFO_FLAG_WRITE;
    if (memory === null) {
      x.append(p.vfio_region_info, info);
      return 0;
    }
    info.flags |= p.VFIO_REGION_INFO_FLAG_MMAP;
    if (argsz < info.argsz) {
      x.append(p.vfio_region_info, info);
      return 0;
    }
    info.flags |= p.VFIO_REGION_INFO_FLAG_CAPS;
    info.cap_offset = fixedBytes;
    x.append(p.vfio_region_info, info);
    this.#appendAreas(x, memory);
    x.replyFds.push(memory.fd);
    return 0;
  }

  #appendAreas(x: Exchange, memory: BarMemory): void {
    this.#sparse.id = p.VFIO_REGION_INFO_CAP_SPARSE_MMAP;
    this.#sparse.version = 1;
    this.#sparse.nr_areas = memory.areas.length;
    x.append(p.vfio_region_info_cap_sparse_mmap, this.#sparse);
    for (const { offset, sizeBytes } of memory.areas) {
      this.#area.offset_lo = p.lo32(offset);
      this.#area.offset_hi = p.hi32(offset);
      this.#area.size_lo = p.lo32(sizeBytes);
      this.#area.size_hi = p.hi32(sizeBytes);
      x.append(p.vfio_region_sparse_mmap_area, this.#area);
    }
  }

  /** DEVICE_GET_REGION_IO_FDS: no region has any. */
  getIoFds(x: Exchange): number {
    const request = this.#ioFds;
    const { sizeBytes } = p.vfio_user_region_io_fds;
    if (!x.load(p.vfio_user_region_io_fds, request)) return EINVAL;
    if (request.flags !== 0 || request.count !== 0 || request.argsz < sizeBytes) return EINVAL;
    if ((this.#sizeBytes[request.index] ?? 0) === 0) return EINVAL;
    request.argsz = sizeBytes;
    x.append(p.vfio_user_region_io_fds, request);
    return 0;
  }

  /** REGION_READ */
  read(x: Exchange): number {
    const access = this.#access;
    if (!x.load(p.vfio_user_region_access, access)) return EINVAL;
    const { region, count } = access;
    const offset = p.u64(access.offset_lo, access.offset_hi);
    if (!this.#inside(region, offset, count)) return EINVAL;
    x.append(p.vfio_user_region_access, access);
    let at = x.replyEnd;
    x.replySizeBytes += count;
    for (let done = 0; done < count; ) {
      const size = pieceSize(offset + done, count - done);
      const value = this.#load(region, offset + done, size);
      for (let i = 0; i < size; i++) x.reply[at++] = value >>> (8 * i);
      done += size;
    }
    return 0;
  }

  /** REGION_WRITE: the doorbell path. */
  write(x: Exchange): number {
    const access = this.#access;
    if (!x.load(p.vfio_user_region_access, access)) return EINVAL;
    const { region, count } = access;
    const offset = p.u64(access.offset_lo, access.offset_hi);
    if (count !== x.sizeBytes - accessBytes) return EINVAL;
    if (!this.#inside(region, offset, count)) return EINVAL;
    if (!x.noReply) x.append(p.vfio_user_region_access, access);
    const word = (x.at + accessBytes) >>> 2;
    if (count <= 8) {
      this.#store8(region, offset, count, x.words[word] as number, x.words[word + 1] as number);
      return 0;
    }
    const data = new Int32Array((count + 7) >>> 2);
    new Uint8Array(data.buffer).set(x.bytes.subarray(4 * word, 4 * word + count));
    for (let done = 0; done < count; done += 8) {
      const [low, high] = [data[done >>> 2] as number, data[(done >>> 2) + 1] ?? 0];
      this.#store8(region, offset + done, Math.min(8, count - done), low, high);
    }
    return 0;
  }

  /** REGION_WRITE_MULTI: all writes up to the first that is refused; the reply says how many. */
  writeMulti(x: Exchange): number {
    const multi = this.#multi;
    if (!x.load(p.vfio_user_write_multi, multi)) return EINVAL;
    const count = p.u64(multi.wr_cnt_lo, multi.wr_cnt_hi);
    const oneBytes = p.vfio_user_write_multi_one.sizeBytes;
    if (count !== (x.sizeBytes - p.vfio_user_write_multi.sizeBytes) / oneBytes) return EINVAL;
    const first = (x.at + p.vfio_user_write_multi.sizeBytes) >>> 2;
    const writes = x.words.slice(first, first + (count * oneBytes) / 4);
    let done = 0;
    for (; done < count; done++) {
      const one = this.#one;
      one.load(writes, (done * oneBytes) >>> 2);
      const offset = p.u64(one.offset_lo, one.offset_hi);
      if (one.count > 8 || !this.#inside(one.region, offset, one.count)) break;
      this.#store8(one.region, offset, one.count, one.data_lo | 0, one.data_hi | 0);
    }
    if (done === 0 && count > 0) return EINVAL;
    multi.wr_cnt_lo = done;
    multi.wr_cnt_hi = 0;
    x.append(p.vfio_user_write_multi, multi);
    return 0;
  }

  #inside(region: number, offset: number, count: number): boolean {
    const size = this.#sizeBytes[region];
    return size !== undefined && count <= p.maxDataBytes && offset + count <= size;
  }

  #mappable(index: number): BarMemory | null {
    const memory = this.#bars[index]?.memory;
    return memory === undefined || memory.fd < 0 || memory.areas.length === 0 ? null : memory;
  }

  /** Writes up to 8 bytes, cut into naturally aligned pieces. */
  #store8(region: number, offset: number, count: number, low: number, high: number): void {
    if (count === 4 && (offset & 3) === 0) {
      this.#store(region, offset, 4, low >>> 0);
      return;
    }
    for (let done = 0; done < count; ) {
      const size = pieceSize(offset + done, count - done);
      this.#store(region, offset + done, size, bytesAt(low, high, done, size));
      done += size;
    }
  }

  #store(region: number, offset: number, size: AccessSize, value: number): void {
    if (region === configRegion) {
      this.#fn.config.write(offset, size, value);
      return;
    }
    const memory = this.#bars[region]?.memory;
    if (memory === undefined || !isMapped(memory, offset))
      this.#fn.write(region, offset, size, value);
    else for (let i = 0; i < size; i++) memory.bytes[offset + i] = value >>> (8 * i);
  }

  #load(region: number, offset: number, size: AccessSize): number {
    if (region === configRegion) return this.#fn.config.read(offset, size);
    const memory = this.#bars[region]?.memory;
    if (memory === undefined || !isMapped(memory, offset))
      return this.#fn.read(region, offset, size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = (value << 8) | (memory.bytes[offset + i] as number);
    return value >>> 0;
  }
}

/** Bytes `done .. done + size` of the 8 that two words hold. */
function bytesAt(low: number, high: number, done: number, size: AccessSize): number {
  const shift = 8 * (done & 3);
  const near = (done < 4 ? low : high) >>> shift;
  const value = shift === 0 || done >= 4 ? near : near | (high << (32 - shift));
  return size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1);
}

function pieceSize(offset: number, left: number): AccessSize {
  if ((offset & 3) === 0 && left >= 4) return 4;
  return (offset & 1) === 0 && left >= 2 ? 2 : 1;
}

/** Whether an aligned piece lies in a part that the guest may map: such stores are no traps. */
function isMapped(memory: BarMemory, offset: number): boolean {
  const { areas } = memory;
  for (let i = 0; i < areas.length; i++) {
    const area = areas[i] as BarMemory['areas'][number];
    if (offset >= area.offset && offset < area.offset + area.sizeBytes) return true;
  }
  return false;
}

const sparseBytes = (memory: BarMemory): number =>
  p.vfio_region_info_cap_sparse_mmap.sizeBytes +
  memory.areas.length * p.vfio_region_sparse_mmap_area.sizeBytes;
