/**
 * The data path: requests of send queues become SRD messages, and messages of peers are carried out in
 * memory regions and receive queues. Every key, address and length is checked here, for both sides.
 */
import { DEVICE_CAP, MR_PERMISSION } from '../../defs/efa-admin.ts';
import {
  COMP_STATUS,
  FRWR_PBL,
  fastInvWqe,
  fastRegWqe,
  INLINE_MAX_BYTES,
  INVALID_AH,
  ioCdescEx,
  OP,
  rdmaWqe,
  txWqe,
} from '../../defs/efa-io.ts';
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';
import { copyBytes } from '../../net/copy.ts';
import type { Frame } from '../../net/frame.ts';
import type { FunctionHost } from '../../pci/function.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import type { SrdEndpoint, SrdUser } from '../../srd/endpoint.ts';
import type { SrdMessage } from '../../srd/message.ts';
import { SRD } from '../../srd/status.ts';
import { operation, packetFlag, payloadOffset, type SrdPacket } from '../../srd/wire.ts';
import type { AddressHandles } from './address-handles.ts';
import { gidOf } from './gid.ts';
import { Bounce } from './memory-region.ts';
import type { MemoryRegions } from './memory-regions.ts';
import type { EfaProfile } from './profile.ts';
import type { QueuePair } from './queue-pair.ts';
import type { QueuePairs } from './queue-pairs.ts';
import { efaRules } from './rules.ts';
import type { EfaCounts } from './stats.ts';
import type { WorkRequest } from './work-request.ts';

const pow32 = 2 ** 32;
const bytesPerBatchUnit = 64;
const wqeBytes = 64;
/**
 * What a datagram leaves free at the start of its receiver's buffers, as all verbs do for the global
 * route header that InfiniBand has: libfabric's `dgram` endpoints ask for as many bytes of prefix.
 */
const udPrefixBytes = 40;
/** Where in a work request its inline message begins, in words. */
const inlineWord = 8;

const { OK, LOCAL_ERROR_QP_INTERNAL_ERROR, LOCAL_ERROR_UNSUPPORTED_OP } = COMP_STATUS;
const { LOCAL_ERROR_INVALID_AH, LOCAL_ERROR_INVALID_LKEY, LOCAL_ERROR_BAD_LENGTH } = COMP_STATUS;

export class DataPath implements SrdUser {
  readonly memory: GuestMemory;
  readonly diagnostics: Diagnostics;
  /** The entry that is being written. */
  readonly completion = ioCdescEx.create();
  /** Requests that one doorbell may add; 0: as many as it likes. */
  readonly maxBatch: number;
  readonly maxRecvSges: number;
  readonly #profile: EfaProfile;
  readonly #regions: MemoryRegions;
  readonly #handles: AddressHandles;
  readonly #counts: EfaCounts;
  readonly #bounce: Bounce;
  readonly #send = txWqe.create();
  readonly #rdma = rdmaWqe.create();
  readonly #fastReg = fastRegWqe.create();
  readonly #fastInv = fastInvWqe.create();
  readonly #words = new Int32Array(2);
  #qps: QueuePairs | null = null;
  #srd: SrdEndpoint | null = null;

  constructor(
    host: FunctionHost,
    profile: EfaProfile,
    regions: MemoryRegions,
    handles: AddressHandles,
    counts: EfaCounts,
  ) {
    this.memory = host.memory;
    this.diagnostics = host.diagnostics;
    this.maxBatch = Math.floor((profile.maxTxBatch * bytesPerBatchUnit) / wqeBytes);
    this.maxRecvSges = profile.maxRecvSges;
    this.#profile = profile;
    this.#regions = regions;
    this.#handles = handles;
    this.#counts = counts;
    this.#bounce = new Bounce(2 * profile.mtu);
  }

  connect(qps: QueuePairs, srd: SrdEndpoint): void {
    this.#qps = qps;
    this.#srd = srd;
  }

  cancel(request: WorkRequest): void {
    this.#srd?.cancel(request, request.mac);
    request.isBusy = false;
  }

  // Requests of our own guest.

  /** Begins a request of 16 words; a status other than OK: it is over already. */
  start(qp: QueuePair, request: WorkRequest, words: Int32Array, phase: number): number {
    const wqe = this.#send;
    wqe.load(words, 0);
    request.requestId = wqe.req_id;
    request.op = wqe.op_type;
    request.wantsCompletion = wqe.comp_req === 1;
    request.hasImm = wqe.has_imm === 1;
    if (wqe.phase !== phase)
      return this.#refuse(efaRules['wqe-stale-phase'], qp, LOCAL_ERROR_QP_INTERNAL_ERROR);
    const reserved = wqe.meta_extension | wqe.reserved25 | wqe.reserved29 | wqe.reserved;
    if (wqe.meta_desc === 0 || wqe.first === 0 || wqe.last === 0 || reserved !== 0)
      return this.#refuse(efaRules['wqe-malformed'], qp, LOCAL_ERROR_QP_INTERNAL_ERROR);
    if (!this.#isSupported(qp, wqe.op_type))
      return this.#refuse(efaRules['wqe-operation'], qp, LOCAL_ERROR_UNSUPPORTED_OP);
    if (wqe.op_type >= OP.FAST_REG) return this.#fast(qp, request, words);
    const handle = this.#handles.get(wqe.ah, qp.shape.pd);
    if (handle === null) return this.#refuse(efaRules['wqe-ah'], qp, LOCAL_ERROR_INVALID_AH);
    request.ah = wqe.ah;
    request.mac = handle.mac;
    request.destinationQp = wqe.dest_qp_num;
    request.sourceQp = qp.shape.number;
    request.qkey = wqe.qkey;
    request.imm = wqe.immediate_data;
    request.rnrRetries = qp.rnrRetry;
    const isSend = wqe.op_type === OP.SEND;
    const status = isSend
      ? this.#prepareSend(qp, request, words)
      : this.#prepareRdma(qp, request, words);
    if (status !== OK) return status;
    this.#count(qp, request);
    if (qp.isSrd) {
      this.#srd?.send(request, handle.mac);
      return OK;
    }
    const sent = this.#srd?.sendDatagram(request, handle.mac) ?? SRD.unreachable;
    if (sent === SRD.ok) qp.complete(request, OK);
    return sent;
  }

  #isSupported(qp: QueuePair, op: number): boolean {
    const { deviceCaps, fastRegistration } = this.#profile;
    if (op === OP.SEND) return true;
    if (op === OP.FAST_REG || op === OP.FAST_INV) return fastRegistration;
    if (!qp.isSrd) return false;
    if (op === OP.RDMA_READ) return (deviceCaps & DEVICE_CAP.RDMA_READ) !== 0;
    return op === OP.RDMA_WRITE && (deviceCaps & DEVICE_CAP.RDMA_WRITE) !== 0;
  }

  #prepareSend(qp: QueuePair, request: WorkRequest, words: Int32Array): number {
    const wqe = this.#send;
    request.isInline = wqe.inline_msg === 1;
    request.length = 0;
    request.buffers = 0;
    if (request.isInline) {
      if (wqe.length > INLINE_MAX_BYTES)
        return this.#refuse(efaRules['wqe-length'], qp, LOCAL_ERROR_BAD_LENGTH);
      request.length = wqe.length;
      for (let i = 0; i < wqe.length; i++)
        request.inline[i] = (words[inlineWord + (i >>> 2)] as number) >>> ((i & 3) * 8);
      return OK;
    }
    if (wqe.length > this.#profile.maxSendSges)
      return this.#refuse(efaRules['wqe-length'], qp, LOCAL_ERROR_BAD_LENGTH);
    if (wqe.length > 0)
      this.#buffer(request, wqe.lkey0, wqe.addr0_hi * pow32 + wqe.addr0_lo, wqe.length0);
    if (wqe.length > 1)
      this.#buffer(request, wqe.lkey1, wqe.addr1_hi * pow32 + wqe.addr1_lo, wqe.length1);
    if (request.length > this.#profile.mtu)
      return this.#refuse(efaRules['wqe-length'], qp, LOCAL_ERROR_BAD_LENGTH);
    return this.#checkBuffers(qp, request, 0);
  }

  #prepareRdma(qp: QueuePair, request: WorkRequest, words: Int32Array): number {
    const wqe = this.#rdma;
    wqe.load(words, 0);
    request.isInline = false;
    request.length = 0;
    request.buffers = 0;
    request.rkey = wqe.rkey;
    request.address = wqe.remote_hi * pow32 + wqe.remote_lo;
    if (wqe.inline_msg === 1)
      return this.#refuse(efaRules['wqe-operation'], qp, LOCAL_ERROR_UNSUPPORTED_OP);
    const isRead = wqe.op_type === OP.RDMA_READ;
    if (wqe.length > 1 || wqe.remote_length > this.#profile.maxRdmaBytes)
      return this.#refuse(efaRules['wqe-length'], qp, LOCAL_ERROR_BAD_LENGTH);
    if (wqe.length === 1)
      this.#buffer(request, wqe.lkey, wqe.local_hi * pow32 + wqe.local_lo, wqe.local_length);
    if (request.length !== wqe.remote_length)
      return this.#refuse(efaRules['wqe-length'], qp, LOCAL_ERROR_BAD_LENGTH);
    if (isRead) request.hasImm = false;
    return this.#checkBuffers(qp, request, isRead ? MR_PERMISSION.LOCAL_WRITE : 0);
  }

  #buffer(request: WorkRequest, lkey: number, address: number, length: number): void {
    const i = request.buffers++;
    request.lkeys[i] = lkey;
    request.addresses[i] = address;
    request.lengths[i] = length;
    request.length += length;
  }

  #checkBuffers(qp: QueuePair, request: WorkRequest, permissions: number): number {
    for (let i = 0; i < request.buffers; i++) {
      const length = request.lengths[i] as number;
      if (length === 0) continue;
      const region = this.#regions.local(request.lkeys[i] as number, qp.shape.pd);
      if (region?.allows(request.addresses[i] as number, length, permissions) !== true)
        return this.#refuse(efaRules['wqe-lkey'], qp, LOCAL_ERROR_INVALID_LKEY);
    }
    return OK;
  }

  /** Fast registration and invalidation: over at once. */
  #fast(qp: QueuePair, request: WorkRequest, words: Int32Array): number {
    const done =
      request.op === OP.FAST_INV ? this.#invalidate(qp, words) : this.#register(qp, words);
    if (!done) return this.#refuse(efaRules['fast-reg'], qp, LOCAL_ERROR_INVALID_LKEY);
    qp.complete(request, OK);
    return OK;
  }

  #invalidate(qp: QueuePair, words: Int32Array): boolean {
    this.#fastInv.load(words, 0);
    const region = this.#regions.allocated(this.#fastInv.lkey, qp.shape.pd);
    if (region === null || region.lkey !== this.#fastInv.lkey) return false;
    region.unmap();
    return true;
  }

  #register(qp: QueuePair, words: Int32Array): boolean {
    const wqe = this.#fastReg;
    wqe.load(words, 0);
    const region = this.#regions.allocated(wqe.lkey, qp.shape.pd);
    if (region === null || wqe.reserved15 !== 0) return false;
    const isInline = wqe.pbl_mode === FRWR_PBL.INLINE;
    if (!isInline && wqe.pbl_mode !== FRWR_PBL.DIRECT) return false;
    this.#words[0] = wqe.pbl_lo;
    this.#words[1] = wqe.pbl_hi;
    const address = wqe.pbl_hi * pow32 + wqe.pbl_lo;
    const list = (count: number) => {
      return { kind: 'direct', count, address, length: count * 8 } as const;
    };
    return this.#regions.fastRegister(region, {
      ...{ lkey: wqe.lkey, permissions: wqe.permissions, pageShift: wqe.phys_page_size_shift },
      iova: wqe.iova_hi * pow32 + wqe.iova_lo,
      length: wqe.mr_length_hi * pow32 + wqe.mr_length_lo,
      inline: this.#words,
      list: isInline ? null : list,
    });
  }

  #count(qp: QueuePair, { op, length }: WorkRequest): void {
    if (op === OP.SEND) {
      this.#add(qp, 'send_wrs', 1);
      this.#add(qp, 'send_bytes', length);
    } else this.#add(qp, op === OP.RDMA_READ ? 'read_wrs' : 'write_wrs', 1);
  }

  #add(qp: QueuePair, what: keyof EfaCounts, amount: number): void {
    this.#counts[what] += amount;
    qp.counts[what] += amount;
  }

  // What SRD asks of its user.

  gather(message: SrdMessage, offset: number, length: number, frame: Frame): number {
    const request = message as WorkRequest;
    this.#bounce.clear();
    this.#counts.tx_pkts++;
    this.#counts.tx_bytes += length;
    if (request.isInline) {
      copyBytes(request.inline, 0, frame.head, frame.headLength, length);
      frame.headLength += length;
      frame.length += length;
      return SRD.ok;
    }
    return this.#move(request, offset, length, frame, false);
  }

  scatter(message: SrdMessage, offset: number, length: number, frame: Frame): number {
    this.#bounce.clear();
    this.#counts.rx_pkts++;
    this.#counts.rx_bytes += length;
    return this.#move(message as WorkRequest, offset, length, frame, true);
  }

  /**
   * Moves the bytes `offset ..` of a request between its buffers and a frame. Each buffer is checked
   * again: much may have changed since the request was posted.
   */
  #move(
    request: WorkRequest,
    offset: number,
    length: number,
    frame: Frame,
    fromFrame: boolean,
  ): number {
    const bounce = this.#bounce;
    const permissions = fromFrame ? MR_PERMISSION.LOCAL_WRITE : 0;
    let skip = offset;
    let done = 0;
    for (let i = 0; i < request.buffers && done < length; i++) {
      const have = request.lengths[i] as number;
      if (skip >= have) {
        skip -= have;
        continue;
      }
      const part = Math.min(have - skip, length - done);
      const address = (request.addresses[i] as number) + skip;
      const region = this.#regions.local(request.lkeys[i] as number, request.qp.shape.pd);
      if (region?.allows(address, part, permissions) !== true) return SRD.invalidKey;
      const moved = fromFrame
        ? region.take(frame, payloadOffset + done, this.memory, address, part, bounce)
        : region.addTo(frame, this.memory, address, part, bounce);
      if (!moved) return SRD.invalidKey;
      done += part;
      skip = 0;
    }
    return SRD.ok;
  }

  completed(message: SrdMessage): void {
    const request = message as WorkRequest;
    const { op, length, status, qp } = request;
    const ok = status === SRD.ok;
    if (op === OP.RDMA_READ) this.#add(qp, ok ? 'read_bytes' : 'read_wr_err', ok ? length : 1);
    if (op === OP.RDMA_WRITE) this.#add(qp, ok ? 'write_bytes' : 'write_wr_err', ok ? length : 1);
    qp.complete(request, status);
    this.#qps?.resume(qp);
  }

  // Messages of peers.

  deliver(packet: SrdPacket, from: number, frame: Frame): number {
    this.#counts.rx_pkts++;
    this.#counts.rx_bytes += packet.length;
    const status = this.#deliver(packet, from, frame);
    if (status !== SRD.ok) this.#counts.rx_drops++;
    return status;
  }

  #deliver(packet: SrdPacket, from: number, frame: Frame): number {
    const qp = this.#target(packet, true);
    if (qp === null) return SRD.remoteBadQp;
    if (packet.op === operation.send) return this.#receive(qp, packet, from, frame);
    if (packet.op === operation.write) return this.#write(qp, packet, from, frame);
    return SRD.remoteBadStatus;
  }

  /** The queue pair that a packet is for, if it may come in there. */
  #target(packet: SrdPacket, isSrd: boolean): QueuePair | null {
    const qp = this.#qps?.byNumber(packet.destinationQp) ?? null;
    if (qp === null || !qp.receives || qp.isSrd !== isSrd) return null;
    if (qp.qkey === packet.qkey) return qp;
    this.#add(qp, 'qkey_viol', 1);
    return null;
  }

  datagram(packet: SrdPacket, from: number, frame: Frame): void {
    this.#counts.rx_pkts++;
    this.#counts.rx_bytes += packet.length;
    const qp = this.#target(packet, false);
    if (
      qp === null ||
      packet.op !== operation.send ||
      this.#receive(qp, packet, from, frame) !== SRD.ok
    )
      this.#counts.rx_drops++;
  }

  #receive(qp: QueuePair, packet: SrdPacket, from: number, frame: Frame): number {
    if (!qp.hasReceive) return SRD.remoteNotReady;
    if (!qp.takeReceive()) return this.#failReceive(qp, COMP_STATUS.LOCAL_ERROR_QP_INTERNAL_ERROR);
    const into = qp.received;
    const prefix = qp.isSrd ? 0 : udPrefixBytes;
    if (prefix + packet.length > into.capacity) {
      this.#failReceive(qp, LOCAL_ERROR_BAD_LENGTH);
      return SRD.remoteBadLength;
    }
    let skip = prefix;
    let left = packet.length;
    let source = payloadOffset;
    this.#bounce.clear();
    for (let i = 0; i < into.buffers && left > 0; i++) {
      const have = into.lengths[i] as number;
      const unused = Math.min(skip, have);
      skip -= unused;
      const part = Math.min(left, have - unused);
      if (part === 0) continue;
      const address = (into.addresses[i] as number) + unused;
      const region = this.#regions.local(into.lkeys[i] as number, qp.shape.pd);
      const allowed = region?.allows(address, part, MR_PERMISSION.LOCAL_WRITE) === true;
      if (!allowed || !region.take(frame, source, this.memory, address, part, this.#bounce)) {
        this.#refuse(efaRules['rqe-lkey'], qp, 0);
        return this.#failReceive(qp, LOCAL_ERROR_INVALID_LKEY);
      }
      left -= part;
      source += part;
    }
    this.#completeReceive(qp, packet, from, prefix + packet.length);
    this.#add(qp, 'recv_bytes', packet.length);
    return SRD.ok;
  }

  #failReceive(qp: QueuePair, status: number): number {
    const entry = this.completion;
    entry.clear();
    entry.req_id = qp.received.requestId;
    entry.status = status;
    qp.completeReceive(entry);
    return SRD.remoteBadStatus;
  }

  #completeReceive(qp: QueuePair, packet: SrdPacket, from: number, length: number): void {
    const entry = this.completion;
    const isWrite = packet.op === operation.write;
    entry.clear();
    if (isWrite && qp.shape.unsolicited) entry.unsolicited = 1;
    else entry.req_id = qp.received.requestId;
    entry.op_type = packet.op;
    entry.length = length & 0xffff;
    entry.src_qp_num = packet.sourceQp;
    entry.ah = this.#handles.find(from, qp.shape.pd);
    entry.has_imm = (packet.flags & packetFlag.hasImm) === 0 ? 0 : 1;
    entry.imm = packet.imm;
    if (isWrite) entry.src_addr_0 = length >>> 16;
    else if (entry.ah === INVALID_AH && qp.shape.recvCq.sourceAddress)
      [entry.src_addr_0, entry.src_addr_1, entry.src_addr_2, entry.src_addr_3] = gidOf(from);
    qp.completeReceive(entry);
    this.#add(qp, 'recv_wrs', 1);
  }

  #write(qp: QueuePair, packet: SrdPacket, from: number, frame: Frame): number {
    if ((this.#profile.deviceCaps & DEVICE_CAP.RDMA_WRITE) === 0) return SRD.remoteFeature;
    if (!this.#handles.knows(from)) return SRD.remoteUnknownPeer;
    const hasImm = (packet.flags & packetFlag.hasImm) !== 0;
    const takesRequest = hasImm && !qp.shape.unsolicited;
    if (takesRequest && !qp.hasReceive) return SRD.remoteNotReady;
    const { length, address } = packet;
    if (length > 0) {
      const region = this.#regions.remote(packet.rkey, qp.shape.pd);
      this.#bounce.clear();
      const allowed = region?.allows(address, length, MR_PERMISSION.REMOTE_WRITE) === true;
      if (
        !allowed ||
        !region.take(frame, payloadOffset, this.memory, address, length, this.#bounce)
      ) {
        this.#refuse(efaRules.rkey, qp, 0);
        return SRD.remoteBadAddress;
      }
    }
    this.#add(qp, 'write_recv_bytes', length);
    if (!hasImm) return SRD.ok;
    if (takesRequest && !qp.takeReceive())
      return this.#failReceive(qp, COMP_STATUS.LOCAL_ERROR_QP_INTERNAL_ERROR);
    this.#completeReceive(qp, packet, from, packet.total);
    this.#add(qp, 'recv_bytes', packet.total);
    return SRD.ok;
  }

  serve(packet: SrdPacket, from: number, frame: Frame): number {
    const { length, address, rkey } = packet;
    if ((this.#profile.deviceCaps & DEVICE_CAP.RDMA_READ) === 0) return SRD.remoteFeature;
    const qp = this.#target(packet, true);
    if (qp === null) return SRD.remoteBadQp;
    if (!this.#handles.knows(from)) return SRD.remoteUnknownPeer;
    if (length > 0) {
      const region = this.#regions.remote(rkey, qp.shape.pd);
      this.#bounce.clear();
      const allowed = region?.allows(address, length, MR_PERMISSION.REMOTE_READ) === true;
      if (!allowed || !region.addTo(frame, this.memory, address, length, this.#bounce)) {
        this.#refuse(efaRules.rkey, qp, 0);
        return SRD.remoteBadAddress;
      }
    }
    this.#counts.tx_pkts++;
    this.#counts.tx_bytes += length;
    this.#add(qp, 'read_resp_bytes', length);
    return SRD.ok;
  }

  #refuse(rule: Rule, qp: QueuePair, status: number): number {
    this.diagnostics.refuse(rule, () => `queue pair ${qp.shape.number}`);
    return status;
  }
}
