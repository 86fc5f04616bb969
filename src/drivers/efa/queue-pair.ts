/**
 * A queue pair of the reference provider, and its completion queue: what an application does without
 * its kernel. Requests are stored to the card's memory or the receive ring, then a doorbell; completions
 * are polled. Follows libefa of rdma-core.
 */
import {
  INVALID_AH,
  ioCdescEx,
  OP,
  QUEUE_TYPE,
  rdmaWqe,
  rxDesc,
  txWqe,
} from '../../defs/efa-io.ts';
import type { PciFunction } from '../../pci/function.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';

const memoryBar = 2;
const wqeWords = 16;
const rxWords = 4;

/** A completion, as an application sees it. */
export type Completed = {
  readonly isSend: boolean;
  readonly requestId: number;
  readonly status: number;
  readonly op: number;
  readonly qp: number;
  readonly length: number;
  /** Of the sender; -1: unknown. */
  readonly ah: number;
  readonly sourceQp: number;
  readonly imm: number | null;
  readonly isUnsolicited: boolean;
  /** First word of the source address, of an unknown sender. */
  readonly source: number;
};

export class CompletionRing {
  readonly index: number;
  readonly doorbell: number;
  readonly #arena: DmaArena;
  readonly #at: number;
  readonly #depth: number;
  readonly #entryWords: number;
  readonly #consumed: number[];
  readonly #entry = ioCdescEx.create();
  readonly #words = new Int32Array(8);
  /** Taken so far, from all sub completion queues. */
  total = 0;

  constructor(
    arena: DmaArena,
    shape: {
      readonly index: number;
      readonly doorbell: number;
      readonly address: number;
      readonly depth: number;
      readonly entryWords: number;
      readonly subCqs: number;
    },
  ) {
    this.index = shape.index;
    this.doorbell = shape.doorbell;
    this.#arena = arena;
    this.#at = arena.offset(shape.address) >>> 2;
    this.#depth = shape.depth;
    this.#entryWords = shape.entryWords;
    this.#consumed = new Array<number>(shape.subCqs).fill(0);
  }

  /** The next completion, or null. */
  poll(): Completed | null {
    for (let sub = 0; sub < this.#consumed.length; sub++) {
      const consumed = this.#consumed[sub] as number;
      const place = sub * this.#depth + (consumed & (this.#depth - 1));
      const at = this.#at + place * this.#entryWords;
      const words = this.#words.fill(0);
      for (let i = 0; i < this.#entryWords; i++) words[i] = this.#arena.words[at + i] as number;
      const entry = this.#entry;
      entry.load(words, 0);
      if (entry.phase !== ((consumed & this.#depth) === 0 ? 1 : 0)) continue;
      this.#consumed[sub] = consumed + 1;
      this.total++;
      return this.#completed();
    }
    return null;
  }

  #completed(): Completed {
    const e = this.#entry;
    const isSend = e.q_type === QUEUE_TYPE.SEND;
    const isWrite = e.op_type === OP.RDMA_WRITE;
    const high = isWrite ? (e.src_addr_0 & 0xffff) * 2 ** 16 : 0;
    return {
      isSend,
      requestId: e.req_id,
      status: e.status,
      op: e.op_type,
      qp: e.qp_num,
      length: isSend ? 0 : e.length + high,
      ah: isSend || e.ah === INVALID_AH ? -1 : e.ah,
      sourceQp: isSend ? 0 : e.src_qp_num,
      imm: e.has_imm === 1 && !isSend ? e.imm : null,
      isUnsolicited: e.unsolicited === 1,
      source: e.src_addr_0,
    };
  }

  /** All that have come. */
  drain(): Completed[] {
    const all: Completed[] = [];
    for (let next = this.poll(); next !== null; next = this.poll()) all.push(next);
    return all;
  }
}

function mappedWords(fn: PciFunction, bar: number): Int32Array | null {
  const bytes = fn.bars.find(({ index }) => index === bar)?.memory?.bytes;
  return bytes === undefined
    ? null
    : new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

/** A buffer in a registered region. */
export type Sge = { readonly lkey: number; readonly address: number; readonly length: number };
export type Remote = { readonly rkey: number; readonly address: number; readonly length: number };
export type Destination = { readonly ah: number; readonly qp: number; readonly qkey: number };

export class ProviderQp {
  readonly number: number;
  readonly handle: number;
  readonly cq: CompletionRing;
  readonly #function: PciFunction;
  readonly #arena: DmaArena;
  readonly #shape: QpPlace;
  /** Memory of these BARs, where it is mapped. */
  readonly #queues: Int32Array | null;
  readonly #doorbells: Int32Array | null;
  readonly #send = txWqe.create();
  readonly #rdma = rdmaWqe.create();
  readonly #desc = rxDesc.create();
  readonly #words = new Int32Array(wqeWords);
  #sent = 0;
  #received = 0;

  constructor(fn: PciFunction, arena: DmaArena, shape: QpPlace, cq: CompletionRing) {
    this.#function = fn;
    this.#arena = arena;
    this.#shape = shape;
    this.#queues = mappedWords(fn, memoryBar);
    this.#doorbells = mappedWords(fn, shape.doorbellBar);
    this.number = shape.number;
    this.handle = shape.handle;
    this.cq = cq;
  }

  /** Posts a message; `rings`: the doorbell, too. */
  send(
    to: Destination,
    requestId: number,
    data: readonly Sge[] | Uint8Array,
    imm?: number,
    rings = true,
  ): void {
    const wqe = this.#send;
    wqe.clear();
    this.#head(wqe, to, requestId, OP.SEND, imm);
    const isInline = data instanceof Uint8Array;
    wqe.inline_msg = isInline ? 1 : 0;
    wqe.length = data.length;
    if (!isInline) {
      const [a, b] = data;
      if (a !== undefined) {
        wqe.length0 = a.length;
        wqe.lkey0 = a.lkey;
        wqe.addr0_lo = addressLo(a.address);
        wqe.addr0_hi = addressHi(a.address);
      }
      if (b !== undefined) {
        wqe.length1 = b.length;
        wqe.lkey1 = b.lkey;
        wqe.addr1_lo = addressLo(b.address);
        wqe.addr1_hi = addressHi(b.address);
      }
    }
    wqe.store(this.#words, 0);
    if (isInline) new Uint8Array(this.#words.buffer).set(data.subarray(0, 32), 32);
    this.post(this.#words, rings);
  }

  /** Posts a read or, with or without immediate, a write. */
  rdma(
    op: typeof OP.RDMA_READ | typeof OP.RDMA_WRITE,
    to: Destination,
    requestId: number,
    local: Sge | null,
    remote: Remote,
    imm?: number,
  ): void {
    const wqe = this.#rdma;
    wqe.clear();
    this.#head(wqe, to, requestId, op, imm);
    wqe.length = local === null ? 0 : 1;
    wqe.remote_length = remote.length;
    wqe.rkey = remote.rkey;
    wqe.remote_lo = addressLo(remote.address);
    wqe.remote_hi = addressHi(remote.address);
    if (local !== null) {
      wqe.local_length = local.length;
      wqe.lkey = local.lkey;
      wqe.local_lo = addressLo(local.address);
      wqe.local_hi = addressHi(local.address);
    }
    wqe.store(this.#words, 0);
    this.post(this.#words, true);
  }

  #head(wqe: Head, to: Destination, requestId: number, op: number, imm?: number): void {
    wqe.req_id = requestId;
    wqe.op_type = op;
    wqe.meta_desc = 1;
    wqe.first = 1;
    wqe.last = 1;
    wqe.comp_req = 1;
    wqe.phase = this.phase;
    wqe.dest_qp_num = to.qp;
    wqe.ah = to.ah;
    wqe.qkey = to.qkey;
    if (imm === undefined) return;
    wqe.has_imm = 1;
    wqe.immediate_data = imm;
  }

  /** Of the next request. */
  get phase(): number {
    return (this.#sent & this.#shape.sqDepth) === 0 ? 0 : 1;
  }

  /** Stores a request of 16 words as it is. */
  post(words: Int32Array, rings = true): void {
    const at = this.#shape.sqOffset + (this.#sent & (this.#shape.sqDepth - 1)) * 64;
    const queues = this.#queues;
    if (queues !== null) {
      const first = at >>> 2;
      for (let i = 0; i < wqeWords; i++) queues[first + i] = words[i] as number;
    } else
      for (let i = 0; i < wqeWords; i++)
        this.#function.write(memoryBar, at + i * 4, 4, (words[i] as number) >>> 0);
    this.#sent++;
    if (rings) this.ringSend();
  }

  ringSend(): void {
    this.#ring(this.#shape.sqDoorbell, this.#sent & 0xffff);
  }

  #ring(offset: number, value: number): void {
    if (this.#doorbells !== null) this.#doorbells[offset >>> 2] = value;
    else this.#function.write(this.#shape.doorbellBar, offset, 4, value);
  }

  /** Posts one receive request of some buffers. */
  receive(requestId: number, buffers: readonly Sge[], rings = true): void {
    const first = this.#arena.offset(this.#shape.rqAddress) >>> 2;
    for (const [i, { lkey, address, length }] of buffers.entries()) {
      const desc = this.#desc;
      desc.clear();
      desc.req_id = requestId;
      desc.length = length;
      desc.lkey = lkey;
      desc.buf_addr_lo = addressLo(address);
      desc.buf_addr_hi = addressHi(address);
      desc.first = i === 0 ? 1 : 0;
      desc.last = i === buffers.length - 1 ? 1 : 0;
      const place = this.#received & (this.#shape.rqDepth - 1);
      desc.store(this.#arena.words, first + place * rxWords);
      this.#received++;
    }
    if (rings) this.ringReceive();
  }

  ringReceive(): void {
    this.#ring(this.#shape.rqDoorbell, this.#received & 0xffff);
  }
}

type Head = Pick<
  ReturnType<typeof txWqe.create>,
  | 'req_id'
  | 'op_type'
  | 'meta_desc'
  | 'first'
  | 'last'
  | 'comp_req'
  | 'phase'
  | 'dest_qp_num'
  | 'ah'
  | 'qkey'
  | 'has_imm'
  | 'immediate_data'
>;

export type QpPlace = {
  readonly number: number;
  readonly handle: number;
  readonly sqDepth: number;
  readonly sqOffset: number;
  readonly rqDepth: number;
  readonly rqAddress: number;
  readonly sqDoorbell: number;
  readonly rqDoorbell: number;
  readonly doorbellBar: number;
};
