/**
 * A reference provider for EFA that runs in this process: what the kernel driver does to bring a
 * function up (`efa_main.c`), and what libefa asks it for (`efa_verbs.c`), each step a method of its own.
 */
import {
  acqEntry,
  allocMrCmd,
  createAhCmd,
  createAhResp,
  createCqCmd,
  createCqResp,
  createEqCmd,
  createEqResp,
  createQpCmd,
  createQpResp,
  deregMrCmd,
  destroyAhCmd,
  destroyCqCmd,
  deviceAttrResp,
  FEATURE,
  featureCmd,
  getStatsCmd,
  MODIFY_QP,
  modifyQpCmd,
  networkAttrResp,
  numberCmd,
  numberResp,
  OPCODE,
  QP_STATE,
  QP_TYPE,
  qpHandleCmd,
  queryQpResp,
  queueAttr1Resp,
  regMrCmd,
  regMrResp,
  STATS_FIELDS,
  STATS_FIRST_WORD,
  STATS_TYPE,
  setAenqCmd,
} from '../../defs/efa-admin.ts';
import type { Fields, Layout, Record32 } from '../../lib/layout.ts';
import { PCI_COMMAND, PCI_COMMAND_MASTER, PCI_COMMAND_MEMORY } from '../../pci/config-space.ts';
import type { PciFunction } from '../../pci/function.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';
import { EfaAdmin, EfaAdminError } from './admin.ts';
import { CompletionRing, ProviderQp, type Sge } from './queue-pair.ts';

const pageBytes = 4096;
const maxInlinePages = 4;
const entriesPerPage = 512;
const pointersPerChunk = 510;

/** A registered region. */
export type Region = {
  readonly lkey: number;
  readonly rkey: number;
  readonly address: number;
  readonly length: number;
};

export type QpOptions = {
  readonly type?: number;
  readonly sqDepth?: number;
  readonly rqDepth?: number;
  readonly qkey?: number;
  readonly rnrRetry?: number;
  readonly unsolicited?: boolean;
  readonly pd?: number;
  /** In INIT and RTR, or in RTS as if an application had it. */
  readonly upTo?: number;
};

export type CqOptions = {
  readonly depth?: number;
  readonly entryWords?: 4 | 8;
  readonly sourceAddress?: boolean;
  readonly eqn?: number;
};

export class EfaProvider {
  readonly function: PciFunction;
  readonly arena: DmaArena;
  readonly admin: EfaAdmin;
  device: Record32<typeof deviceAttrResp.fields> = deviceAttrResp.create();
  queues: Record32<typeof queueAttr1Resp.fields> = queueAttr1Resp.create();
  network: Record32<typeof networkAttrResp.fields> = networkAttrResp.create();
  /** A protection domain and a user access region, as every application has. */
  pd = 0;
  uar = 0;

  constructor(fn: PciFunction, arena: DmaArena) {
    this.function = fn;
    this.arena = arena;
    this.admin = new EfaAdmin(fn, arena);
    fn.config.write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  }

  /** From any state to a function that is ready for queue pairs. */
  start(): void {
    const { admin } = this;
    admin.reset();
    admin.configure();
    this.device = this.feature(FEATURE.DEVICE_ATTR, deviceAttrResp);
    this.queues = this.feature(FEATURE.QUEUE_ATTR_1, queueAttr1Resp);
    this.network = this.feature(FEATURE.NETWORK_ATTR, networkAttrResp);
    const groups = setAenqCmd.create();
    groups.feature_id = FEATURE.AENQ_CONFIG;
    groups.enabled_groups = 0x1e;
    admin.run('SET_FEATURE', OPCODE.SET_FEATURE, groups, acqEntry);
    this.uar = this.allocate(OPCODE.ALLOC_UAR);
    this.pd = this.allocate(OPCODE.ALLOC_PD);
  }

  feature<F extends Fields>(id: number, answer: Layout<F>): Record32<F> {
    const command = featureCmd.create();
    command.feature_id = id;
    return this.admin.run('GET_FEATURE', OPCODE.GET_FEATURE, command, answer);
  }

  /** ALLOC_PD or ALLOC_UAR. */
  allocate(opcode: number): number {
    return this.admin.run('ALLOC', opcode, numberCmd.create(), numberResp).number;
  }

  free(opcode: number, number: number): void {
    const command = numberCmd.create();
    command.number = number;
    this.admin.run('DEALLOC', opcode, command, acqEntry);
  }

  /** The GID as four words. */
  get gid(): [number, number, number, number] {
    const { addr_0, addr_1, addr_2, addr_3 } = this.network;
    return [addr_0, addr_1, addr_2, addr_3];
  }

  createAh(gid: readonly number[], pd = this.pd): number {
    const command = createAhCmd.create();
    [command.dest_addr_0, command.dest_addr_1, command.dest_addr_2, command.dest_addr_3] = gid as [
      number,
      number,
      number,
      number,
    ];
    command.pd = pd;
    return this.admin.run('CREATE_AH', OPCODE.CREATE_AH, command, createAhResp).ah;
  }

  destroyAh(ah: number, pd = this.pd): void {
    const command = destroyAhCmd.create();
    command.ah = ah;
    command.pd = pd;
    this.admin.run('DESTROY_AH', OPCODE.DESTROY_AH, command, acqEntry);
  }

  /**
   * Registers arena memory under a virtual address of its own. As Linux: few pages inline, more in a
   * list, and in chained chunks when `indirect`.
   */
  register(
    address: number,
    length: number,
    permissions = 7,
    { iova = address + 2 ** 40, indirect = false, pd = this.pd } = {},
  ): Region {
    const command = this.regMr(address, length, permissions, iova, pd);
    const first = address - (iova % pageBytes);
    const count = Math.ceil(((iova % pageBytes) + length) / pageBytes);
    const pages = Array.from({ length: count }, (_, i) => first + i * pageBytes);
    if (count <= maxInlinePages && !indirect) {
      const inline = new Int32Array(16);
      command.store(inline, 0);
      for (const [i, page] of pages.entries()) {
        inline[2 + 2 * i] = addressLo(page);
        inline[3 + 2 * i] = addressHi(page);
      }
      command.load(inline, 0);
    } else {
      const mark = this.arena.mark();
      const list = indirect ? this.#chunks(pages) : this.#list(pages, count);
      command.ctrl_data = 1;
      command.ctrl_data_indirect = indirect ? 1 : 0;
      command.page0_lo = list.length;
      command.page0_hi = addressLo(list.address);
      command.page1_lo = addressHi(list.address);
      const made = this.admin.run('REG_MR', OPCODE.REG_MR, command, regMrResp);
      this.arena.release(mark);
      return { lkey: made.l_key, rkey: made.r_key, address: iova, length };
    }
    const made = this.admin.run('REG_MR', OPCODE.REG_MR, command, regMrResp);
    return { lkey: made.l_key, rkey: made.r_key, address: iova, length };
  }

  /** REG_MR without its pages. */
  regMr(
    _address: number,
    length: number,
    permissions: number,
    iova: number,
    pd: number,
  ): Record32<typeof regMrCmd.fields> {
    const command = regMrCmd.create();
    command.pd = pd;
    command.mr_length_lo = addressLo(length);
    command.mr_length_hi = addressHi(length);
    command.phys_page_size_shift = 12;
    command.permissions = permissions;
    command.iova_lo = addressLo(iova);
    command.iova_hi = addressHi(iova);
    return command;
  }

  #list(pages: readonly number[], count: number): { address: number; length: number } {
    const address = this.arena.alloc(count * 8);
    const at = this.arena.offset(address) >>> 2;
    for (const [i, page] of pages.entries()) {
      this.arena.words[at + 2 * i] = addressLo(page);
      this.arena.words[at + 2 * i + 1] = addressHi(page);
    }
    return { address, length: count * 8 };
  }

  #chunks(pages: readonly number[]): { address: number; length: number } {
    const lists: number[] = [];
    for (let i = 0; i < pages.length; i += entriesPerPage)
      lists.push(this.#list(pages.slice(i, i + entriesPerPage), entriesPerPage).address);
    let next = { address: 0, length: 0 };
    const chunks = Math.ceil(lists.length / pointersPerChunk);
    for (let chunk = chunks - 1; chunk >= 0; chunk--) {
      const own = lists.slice(chunk * pointersPerChunk, (chunk + 1) * pointersPerChunk);
      const { address } = this.#list(own, entriesPerPage);
      const end = (this.arena.offset(address) >>> 2) + 2 * pointersPerChunk;
      const isLast = chunk === chunks - 1;
      if (!isLast) {
        this.arena.words[end] = next.length;
        this.arena.words[end + 1] = addressLo(next.address);
        this.arena.words[end + 2] = addressHi(next.address);
      }
      next = { address, length: isLast ? own.length * 8 + 12 : 4092 };
    }
    return next;
  }

  deregister(lkey: number): void {
    const command = deregMrCmd.create();
    command.l_key = lkey;
    this.admin.run('DEREG_MR', OPCODE.DEREG_MR, command, acqEntry);
  }

  allocateRegion(maxPages: number): { lkey: number; rkey: number } {
    const command = allocMrCmd.create();
    command.pd = this.pd;
    command.max_pages = maxPages;
    const made = this.admin.run('ALLOC_MR', OPCODE.ALLOC_MR, command, regMrResp);
    return { lkey: made.l_key, rkey: made.r_key };
  }

  /** Memory of its own, registered. */
  buffer(length: number, permissions = 7): Region & { readonly dma: number } {
    const dma = this.arena.alloc(length);
    return { ...this.register(dma, length, permissions), dma };
  }

  createEq(vector: number, depth = 256): number {
    const command = createEqCmd.create();
    const address = this.arena.alloc(depth * 16);
    command.depth = depth;
    command.msix_vec = vector;
    command.entry_size_words = 4;
    command.event_bitmask = 1;
    command.ba_lo = addressLo(address);
    command.ba_hi = addressHi(address);
    return this.admin.run('CREATE_EQ', OPCODE.CREATE_EQ, command, createEqResp).eqn;
  }

  createCq(options: CqOptions = {}): CompletionRing {
    const { depth = 256, entryWords = 8, sourceAddress = entryWords === 8, eqn = -1 } = options;
    const subCqs = this.queues.sub_cqs_per_cq;
    const address = this.arena.alloc(depth * subCqs * entryWords * 4);
    const command = createCqCmd.create();
    command.cq_entry_size_words = entryWords;
    command.set_src_addr = sourceAddress ? 1 : 0;
    command.interrupt_mode_enabled = eqn >= 0 ? 1 : 0;
    command.eqn = Math.max(0, eqn);
    command.sub_cq_depth = depth;
    command.num_sub_cqs = subCqs;
    command.uar = this.uar;
    command.cq_ba_lo = addressLo(address);
    command.cq_ba_hi = addressHi(address);
    const made = this.admin.run('CREATE_CQ', OPCODE.CREATE_CQ, command, createCqResp);
    const { cq_idx: index, db_offset: doorbell } = made;
    return new CompletionRing(this.arena, { index, doorbell, address, depth, entryWords, subCqs });
  }

  destroyCq(index: number): void {
    const command = destroyCqCmd.create();
    command.cq_idx = index;
    this.admin.run('DESTROY_CQ', OPCODE.DESTROY_CQ, command, acqEntry);
  }

  createQp(cq: CompletionRing, options: QpOptions = {}): ProviderQp {
    const { type = QP_TYPE.SRD, sqDepth = 64, rqDepth = 64, upTo = QP_STATE.RTS } = options;
    const rqAddress = this.arena.alloc(rqDepth * 16);
    const command = createQpCmd.create();
    command.pd = options.pd ?? this.pd;
    command.uar = this.uar;
    command.qp_type = type;
    command.unsolicited_write_recv = options.unsolicited === true ? 1 : 0;
    command.send_cq_idx = cq.index;
    command.recv_cq_idx = cq.index;
    command.send_queue_depth = sqDepth;
    command.send_queue_ring_size = sqDepth * 64;
    command.recv_queue_depth = rqDepth;
    command.recv_queue_ring_size = rqDepth * 16;
    command.rq_base_lo = addressLo(rqAddress);
    command.rq_base_hi = addressHi(rqAddress);
    const made = this.admin.run('CREATE_QP', OPCODE.CREATE_QP, command, createQpResp);
    const place = {
      ...{ number: made.qp_num, handle: made.qp_handle, sqDepth, rqDepth, rqAddress },
      ...{ sqOffset: made.llq_descriptors_offset, sqDoorbell: made.sq_db_offset },
      ...{ rqDoorbell: made.rq_db_offset, doorbellBar: this.device.db_bar },
    };
    const qp = new ProviderQp(this.function, this.arena, place, cq);
    for (let state = QP_STATE.INIT as number; state <= upTo; state++)
      this.modify(qp.handle, state, options);
    return qp;
  }

  modify(handle: number, state: number, { qkey = 0x11, rnrRetry }: QpOptions = {}): void {
    const command = modifyQpCmd.create();
    command.qp_handle = handle;
    command.qp_state = state;
    command.qkey = qkey;
    command.modify_mask =
      MODIFY_QP.QP_STATE |
      (state === QP_STATE.INIT ? MODIFY_QP.QKEY : 0) |
      (state === QP_STATE.RTS && rnrRetry !== undefined ? MODIFY_QP.RNR_RETRY : 0);
    command.rnr_retry = rnrRetry ?? 0;
    this.admin.run('MODIFY_QP', OPCODE.MODIFY_QP, command, acqEntry);
  }

  query(handle: number): Record32<typeof queryQpResp.fields> {
    const command = qpHandleCmd.create();
    command.qp_handle = handle;
    return this.admin.run('QUERY_QP', OPCODE.QUERY_QP, command, queryQpResp);
  }

  destroyQp(handle: number): void {
    const command = qpHandleCmd.create();
    command.qp_handle = handle;
    this.admin.run('DESTROY_QP', OPCODE.DESTROY_QP, command, acqEntry);
  }

  /** Statistics of a type, by the names of the header. `qp`: of one queue pair. */
  stats(type: keyof typeof STATS_TYPE, qp?: number): Record<string, number> {
    const command = getStatsCmd.create();
    command.type = STATS_TYPE[type];
    command.scope = qp === undefined ? 0 : 1;
    command.scope_modifier = qp ?? 0;
    const status = this.admin.submit(OPCODE.GET_STATS, command);
    if (status !== 0) throw new EfaAdminError('GET_STATS', status);
    const at = this.admin.lastAnswer + STATS_FIRST_WORD;
    const { words } = this.arena;
    return Object.fromEntries(
      STATS_FIELDS[type].map((field, i) => {
        const low = (words[at + 2 * i] as number) >>> 0;
        return [field, low + ((words[at + 2 * i + 1] as number) >>> 0) * 2 ** 32];
      }),
    );
  }
}

/** A part of a region as a buffer. */
export const part = (region: Region, offset = 0, length = region.length - offset): Sge => {
  return { lkey: region.lkey, address: region.address + offset, length };
};
