/**
 * All memory regions of a function, and the commands about them. A key is 8 bits that fast registration
 * may change, the region's number, and bits that cannot be guessed: local keys have 24 bits in all,
 * remote ones 32.
 */
import {
  allocMrCmd,
  aqCommand,
  DEVICE_CAP,
  deregMrCmd,
  MR_PERMISSION,
  regMrCmd,
  regMrResp,
  STATUS,
} from '../../defs/efa-admin.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import type { FunctionHost } from '../../pci/function.ts';
import type { KeyStream } from './keys.ts';
import { MemoryRegion } from './memory-region.ts';
import type { Numbers } from './numbers.ts';
import { type PageList, PageLists } from './page-lists.ts';
import type { EfaProfile } from './profile.ts';
import { efaRules } from './rules.ts';

export const maxRegions = 4096;
/** Pages of all regions together: 32 MiB of addresses. */
const maxTotalPages = 1 << 22;
const pow32 = 2 ** 32;
const maxAddress = 2 ** 48;
const variableBits = 8;

export class MemoryRegions {
  readonly #regions: (MemoryRegion | null)[] = new Array<MemoryRegion | null>(maxRegions).fill(
    null,
  );
  readonly #host: FunctionHost;
  readonly #profile: EfaProfile;
  readonly #pds: Numbers;
  readonly #keys: KeyStream;
  readonly #lists: PageLists;
  readonly #head = aqCommand.create();
  readonly #reg = regMrCmd.create();
  readonly #alloc = allocMrCmd.create();
  readonly #dereg = deregMrCmd.create();
  readonly #answer = regMrResp.create();
  #pages = 0;
  #next = 0;

  constructor(host: FunctionHost, profile: EfaProfile, pds: Numbers, keys: KeyStream) {
    this.#host = host;
    this.#profile = profile;
    this.#pds = pds;
    this.#keys = keys;
    this.#lists = new PageLists(host.memory);
  }

  reset(): void {
    this.#regions.fill(null);
    this.#pages = 0;
  }

  /** The region with this local key, in this protection domain; null: none. */
  local(lkey: number, pd: number): MemoryRegion | null {
    const region = this.#regions[(lkey >>> variableBits) & (maxRegions - 1)] ?? null;
    return region !== null && region.lkey === lkey && region.pd === pd ? region : null;
  }

  remote(rkey: number, pd: number): MemoryRegion | null {
    const region = this.#regions[(rkey >>> variableBits) & (maxRegions - 1)] ?? null;
    return region !== null && region.rkey === rkey && region.pd === pd ? region : null;
  }

  register(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#reg;
    cmd.load(command, 0);
    this.#head.load(command, 0);
    const length = cmd.mr_length_hi * pow32 + cmd.mr_length_lo;
    const iova = cmd.iova_hi * pow32 + cmd.iova_lo;
    const physical = cmd.mem_addr_phy_mode_en === 1;
    const refused = this.#check(cmd.pd, length, iova, physical);
    if (refused !== null) return this.#refuse(refused[0], refused[1]);
    const index = this.#free();
    const pageBytes = 2 ** cmd.phys_page_size_shift;
    const count = physical ? 0 : Math.ceil(((iova % pageBytes) + length) / pageBytes);
    if (count > this.#profile.maxMrPages)
      return this.#refuse(efaRules['mr-length'], `${count} pages`);
    if (index < 0 || this.#pages + count > maxTotalPages) return this.#full();
    const region = this.#make(cmd.pd, index, 0);
    if (physical) region.mapPhysical(iova, length);
    else {
      const pages = this.#lists.read(this.#list(count, command), pageBytes);
      if (typeof pages === 'string') return this.#refuse(efaRules[pages], `${count} pages`);
      region.map(iova, length, pageBytes, pages);
    }
    region.permissions = cmd.permissions;
    this.#keep(index, region, answer);
    return STATUS.SUCCESS;
  }

  /** ALLOC_MR: a region that has no bytes before it is registered in a send queue. */
  allocate(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#alloc;
    cmd.load(command, 0);
    if (!this.#pds.has(cmd.pd)) return this.#refuse(efaRules['pd-unknown'], `domain ${cmd.pd}`);
    if (cmd.max_pages === 0 || cmd.max_pages > this.#profile.maxMrPages)
      return this.#refuse(efaRules['mr-length'], `${cmd.max_pages} pages`);
    const index = this.#free();
    if (index < 0 || this.#pages + cmd.max_pages > maxTotalPages) return this.#full();
    this.#keep(index, this.#make(cmd.pd, index, cmd.max_pages), answer);
    return STATUS.SUCCESS;
  }

  deregister(command: Int32Array): number {
    const cmd = this.#dereg;
    cmd.load(command, 0);
    const index = (cmd.l_key >>> variableBits) & (maxRegions - 1);
    const region = this.#regions[index] ?? null;
    if (region === null || (region.lkey ^ cmd.l_key) >>> variableBits !== 0)
      return this.#refuse(efaRules['mr-unknown'], `key ${cmd.l_key.toString(16)}`);
    this.#regions[index] = null;
    this.#pages -= region.pageCount;
    this.#pds.release(region.pd);
    return STATUS.SUCCESS;
  }

  /** Fast registration: the region whose key, but for the variable part, is this; null: none. */
  allocated(lkey: number, pd: number): MemoryRegion | null {
    const region = this.#regions[(lkey >>> variableBits) & (maxRegions - 1)] ?? null;
    if (region === null || region.pd !== pd || region.maxPages === 0) return null;
    return (region.lkey ^ lkey) >>> variableBits === 0 ? region : null;
  }

  /** Gives an allocated region bytes; false: the request breaks a rule. */
  fastRegister(region: MemoryRegion, spec: FastRegistration): boolean {
    const { lkey, permissions, iova, length, pageShift, list } = spec;
    if (!this.#isPageShift(pageShift) || !this.#arePermissions(permissions)) return false;
    const pageBytes = 2 ** pageShift;
    const count = Math.ceil(((iova % pageBytes) + length) / pageBytes);
    if (length === 0 || iova + length > maxAddress || count > region.maxPages) return false;
    const from: PageList =
      list === null ? { kind: 'inline', count, words: spec.inline, at: 0 } : list(count);
    const pages = this.#lists.read(from, pageBytes);
    if (typeof pages === 'string') return false;
    region.map(iova, length, pageBytes, pages);
    region.permissions = permissions;
    const variable = lkey & ((1 << variableBits) - 1);
    region.lkey = lkey;
    region.rkey = ((region.rkey & ~((1 << variableBits) - 1)) | variable) >>> 0;
    return true;
  }

  #list(count: number, command: Int32Array): PageList {
    const cmd = this.#reg;
    const head = this.#head;
    const { page0_lo: length, page0_hi: low, page1_lo: high } = cmd;
    const address = high * pow32 + low;
    if (head.ctrl_data === 0) return { kind: 'inline', count, words: command, at: 2 };
    if (head.ctrl_data_indirect === 0) return { kind: 'direct', count, address, length };
    return { kind: 'indirect', count, address, length };
  }

  #check(pd: number, length: number, iova: number, physical: boolean): [Rule, string] | null {
    const cmd = this.#reg;
    if (!this.#pds.has(pd)) return [efaRules['pd-unknown'], `domain ${pd}`];
    if (cmd.reserved5 !== 0) return [efaRules['reserved-bits'], 'REG_MR flags'];
    if (physical && !this.#profile.fastRegistration)
      return [efaRules['reserved-bits'], 'physical addresses'];
    if (length === 0 || (!physical && iova + length > maxAddress))
      return [efaRules['mr-length'], `${length} bytes at 0x${iova.toString(16)}`];
    if (!physical && !this.#isPageShift(cmd.phys_page_size_shift))
      return [efaRules['mr-page-size'], `2^${cmd.phys_page_size_shift}`];
    if (!this.#arePermissions(cmd.permissions))
      return [efaRules['mr-permissions'], `0x${cmd.permissions.toString(16)}`];
    return null;
  }

  #isPageShift(shift: number): boolean {
    const [min, max] = this.#profile.pageShift;
    return shift >= min && shift <= max;
  }

  #arePermissions(permissions: number): boolean {
    const { deviceCaps } = this.#profile;
    let allowed: number = MR_PERMISSION.LOCAL_WRITE;
    if ((deviceCaps & DEVICE_CAP.RDMA_WRITE) !== 0) allowed |= MR_PERMISSION.REMOTE_WRITE;
    if ((deviceCaps & DEVICE_CAP.RDMA_READ) !== 0) allowed |= MR_PERMISSION.REMOTE_READ;
    return (permissions & ~allowed) === 0;
  }

  /** A free number, not the one that was freed last. */
  #free(): number {
    for (let i = 0; i < maxRegions; i++) {
      const index = (this.#next + i) % maxRegions;
      if (this.#regions[index] !== null) continue;
      this.#next = index + 1;
      return index;
    }
    return -1;
  }

  #make(pd: number, index: number, maxPages: number): MemoryRegion {
    const place = index << variableBits;
    const local = this.#keys.next() & 0xf0_00ff;
    const remote = this.#keys.next() & 0xfff0_00ff;
    return new MemoryRegion(pd, local | place, (remote | place) >>> 0, maxPages);
  }

  #keep(index: number, region: MemoryRegion, answer: Int32Array): void {
    this.#regions[index] = region;
    this.#pages += region.pageCount;
    this.#pds.use(region.pd);
    const made = this.#answer;
    made.clear();
    made.l_key = region.lkey;
    made.r_key = region.rkey;
    made.store(answer, 0);
  }

  #full(): number {
    this.#host.diagnostics.refuse(efaRules['mr-limit'], () => `${this.#pages} pages`);
    return STATUS.RESOURCE_ALLOCATION_FAILURE;
  }

  #refuse(rule: Rule, detail: string): number {
    this.#host.diagnostics.refuse(rule, () => detail);
    return STATUS.ILLEGAL_PARAMETER;
  }
}

/** What a FAST_REG request says. */
export type FastRegistration = {
  readonly lkey: number;
  readonly permissions: number;
  readonly iova: number;
  readonly length: number;
  readonly pageShift: number;
  /** The one page of an inline list, as two words; or where the list is. */
  readonly inline: Int32Array;
  readonly list: ((count: number) => PageList) | null;
};
