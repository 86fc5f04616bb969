/** All queue pairs of a function, the commands about them, and whose turn it is. */
import {
  createQpCmd,
  createQpResp,
  DEVICE_CAP,
  MODIFY_QP,
  modifyQpCmd,
  QP_STATE,
  QP_TYPE,
  qpHandleCmd,
  queryQpResp,
  STATUS,
} from '../../defs/efa-admin.ts';
import { RX_DESC_BYTES, TX_WQE_BYTES } from '../../defs/efa-io.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import { isRingDepth } from '../../pci/guest-ring.ts';
import { maxQps, rqDoorbell, sqDoorbell, sqSliceBytes } from './bar.ts';
import type { CompletionQueues } from './completion-queues.ts';
import type { DataPath } from './data-path.ts';
import type { Numbers } from './numbers.ts';
import type { EfaProfile } from './profile.ts';
import { QueuePair } from './queue-pair.ts';
import type { Refusals } from './refusals.ts';
import { efaRules } from './rules.ts';

const pow32 = 2 ** 32;
/** Requests that one turn carries out; the rest goes on in the next. */
const requestsPerTurn = 1024;
const generations = 256;

/** What a state may become, by the verbs of an unreliable datagram queue pair. */
const next: readonly (readonly number[])[] = [
  [QP_STATE.RESET, QP_STATE.INIT],
  [QP_STATE.INIT, QP_STATE.RTR],
  [QP_STATE.RTS],
  [QP_STATE.RTS, QP_STATE.SQD],
  [QP_STATE.SQD, QP_STATE.RTS],
  [QP_STATE.RTS],
  [],
];

export type QueuePairParts = {
  readonly profile: EfaProfile;
  readonly cqs: CompletionQueues;
  readonly pds: Numbers;
  readonly uars: Numbers;
  readonly path: DataPath;
  readonly refusals: Refusals;
  /** The bytes of the memory BAR. */
  readonly memory: Uint8Array;
  /** A queue pair's doorbells begin from zero. */
  readonly openDoorbells: (index: number) => void;
};

export class QueuePairs {
  readonly #parts: QueuePairParts;
  readonly #words: Int32Array;
  /** By place, and as a list. */
  readonly #qps: (QueuePair | null)[] = new Array<QueuePair | null>(maxQps).fill(null);
  #list: readonly QueuePair[] = [];
  /** How often each place was used: a number does not come back soon. */
  readonly #generation = new Uint8Array(maxQps);
  /** Queue pairs that have something to do. */
  readonly #ready: QueuePair[] = [];
  readonly #create = createQpCmd.create();
  readonly #made = createQpResp.create();
  readonly #modify = modifyQpCmd.create();
  readonly #handle = qpHandleCmd.create();
  readonly #query = queryQpResp.create();

  constructor(parts: QueuePairParts) {
    this.#parts = parts;
    const { buffer, byteOffset, length } = parts.memory;
    this.#words = new Int32Array(buffer, byteOffset, length >>> 2);
  }

  reset(): void {
    for (const qp of this.#qps) qp?.clear();
    this.#qps.fill(null);
    this.#list = [];
    this.#ready.length = 0;
  }

  get(index: number): QueuePair | null {
    return this.#qps[index] ?? null;
  }

  byNumber(number: number): QueuePair | null {
    const qp = this.#qps[number % maxQps] ?? null;
    return qp !== null && qp.shape.number === number ? qp : null;
  }

  /** Every queue pair that there is. */
  get all(): readonly QueuePair[] {
    return this.#list;
  }

  // Work.

  ringSend(index: number, value: number): boolean {
    const qp = this.get(index);
    if (qp === null) return this.#unknown('send', index);
    if (!qp.ringSend(value)) return false;
    this.resume(qp);
    return true;
  }

  ringReceive(index: number, value: number): boolean {
    const qp = this.get(index);
    if (qp === null) return this.#unknown('receive', index);
    qp.ringReceive(value);
    return true;
  }

  /** There may be something to do. */
  resume(qp: QueuePair): void {
    if (qp.hasWork && !this.#ready.includes(qp)) this.#ready.push(qp);
  }

  get isReady(): boolean {
    return this.#ready.length > 0;
  }

  /** A turn of all that have something to do; true: there is more. */
  run(): boolean {
    const ready = this.#ready;
    const count = ready.length;
    if (count === 0) return false;
    const share = Math.max(16, Math.floor(requestsPerTurn / count));
    for (let i = 0; i < count; i++) {
      const qp = ready.shift() as QueuePair;
      if (qp.run(share) === share) this.resume(qp);
    }
    return ready.length > 0;
  }

  #unknown(kind: string, index: number): false {
    this.#parts.path.diagnostics.refuse(
      efaRules['doorbell-unknown'],
      () => `${kind} queue of ${index}`,
    );
    return false;
  }

  // Commands.

  create(command: Int32Array, answer: Int32Array): number {
    const { cqs, pds, uars, refusals, path } = this.#parts;
    const cmd = this.#create;
    cmd.load(command, 0);
    const refused = this.#check();
    if (refused !== null) return refusals.illegal(refused[0], () => refused[1]);
    const sendCq = cqs.get(cmd.send_cq_idx);
    const recvCq = cqs.get(cmd.recv_cq_idx);
    if (sendCq === null || recvCq === null)
      return refusals.illegal(
        efaRules['cq-unknown'],
        () => `${cmd.send_cq_idx}, ${cmd.recv_cq_idx}`,
      );
    const index = this.#free();
    if (index < 0) return refusals.full(efaRules['qp-limit'], () => `${maxQps} exist`);
    const generation = this.#generation[index] as number;
    const number = index + generation * maxQps;
    const first = (index * sqSliceBytes) >>> 2;
    const qp = new QueuePair(
      {
        ...{ index, number, type: cmd.qp_type, pd: cmd.pd, uar: cmd.uar, serviceLevel: cmd.sl },
        ...{ unsolicited: cmd.unsolicited_write_recv === 1, sqDepth: cmd.send_queue_depth },
        rqDepth: Math.floor(cmd.recv_queue_ring_size / RX_DESC_BYTES),
        rqIova: cmd.rq_base_hi * pow32 + cmd.rq_base_lo,
        ...{ sendCq, sendSub: sendCq.assign(), recvCq, recvSub: recvCq.assign() },
      },
      this.#words.subarray(first, first + (sqSliceBytes >>> 2)),
      path,
    );
    if (!qp.attach())
      return refusals.illegal(efaRules['qp-memory'], () => `0x${qp.shape.rqIova.toString(16)}`);
    this.#qps[index] = qp;
    this.#list = [...this.#list, qp];
    this.#generation[index] = (generation + 1) % generations;
    this.#words.fill(0, first, first + (sqSliceBytes >>> 2));
    this.#parts.openDoorbells(index);
    sendCq.users++;
    recvCq.users++;
    pds.use(cmd.pd);
    uars.use(cmd.uar);
    const made = this.#made;
    made.clear();
    made.qp_handle = number;
    made.qp_num = number;
    made.send_sub_cq_idx = qp.shape.sendSub;
    made.recv_sub_cq_idx = qp.shape.recvSub;
    made.sq_db_offset = sqDoorbell(index);
    made.rq_db_offset = rqDoorbell(index);
    made.llq_descriptors_offset = index * sqSliceBytes;
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  #check(): [Rule, string] | null {
    const { profile, pds, uars } = this.#parts;
    const cmd = this.#create;
    const { qp_type: type, send_queue_depth: sq, recv_queue_depth: rq } = cmd;
    if (type !== QP_TYPE.UD && type !== QP_TYPE.SRD) return [efaRules['qp-type'], `type ${type}`];
    if (cmd.reserved !== 0) return [efaRules['reserved-bits'], 'CREATE_QP'];
    if ((cmd.sq_virt | cmd.rq_virt) === 1) return [efaRules['virtual-ring'], 'CREATE_QP'];
    const canUnsolicited = (profile.deviceCaps & DEVICE_CAP.UNSOLICITED_WRITE_RECV) !== 0;
    if (cmd.unsolicited_write_recv === 1 && (!canUnsolicited || type !== QP_TYPE.SRD))
      return [efaRules['qp-flags'], `type ${type}`];
    if (!pds.has(cmd.pd)) return [efaRules['pd-unknown'], `${cmd.pd}`];
    if (!uars.has(cmd.uar)) return [efaRules['uar-unknown'], `${cmd.uar}`];
    const sqFits =
      isRingDepth(sq, profile.maxSqDepth) && cmd.send_queue_ring_size === sq * TX_WQE_BYTES;
    const descs = cmd.recv_queue_ring_size / RX_DESC_BYTES;
    const rqFits =
      descs === 0 ? rq === 0 : isRingDepth(descs, profile.maxRqDepth) && rq > 0 && rq <= descs;
    if (!sqFits || !rqFits)
      return [efaRules['qp-shape'], `${sq} sends, ${rq} receives in ${descs} descriptors`];
    return null;
  }

  /** The place that was not used for longest. */
  #free(): number {
    let best = -1;
    for (let i = 0; i < maxQps; i++)
      if (
        this.#qps[i] === null &&
        (best < 0 || (this.#generation[i] as number) < (this.#generation[best] as number))
      )
        best = i;
    return best;
  }

  modify(command: Int32Array): number {
    const { refusals, profile } = this.#parts;
    const cmd = this.#modify;
    cmd.load(command, 0);
    const mask = cmd.modify_mask;
    const qp = this.byNumber(cmd.qp_handle);
    if (qp === null) return refusals.illegal(efaRules['qp-unknown'], () => `${cmd.qp_handle}`);
    const state = (mask & MODIFY_QP.QP_STATE) !== 0 ? cmd.qp_state : qp.state;
    const isLegal =
      state === QP_STATE.ERR || state === QP_STATE.RESET || state === qp.state
        ? state <= QP_STATE.ERR
        : (next[qp.state]?.includes(state) ?? false);
    const isCurrent = (mask & MODIFY_QP.CUR_QP_STATE) === 0 || cmd.cur_qp_state === qp.state;
    if (!isLegal || !isCurrent)
      return refusals.illegal(efaRules['qp-transition'], () => `from ${qp.state} to ${state}`);
    if ((mask & MODIFY_QP.RNR_RETRY) !== 0) {
      const able = (profile.deviceCaps & DEVICE_CAP.RNR_RETRY) !== 0 && qp.isSrd;
      if (!able || cmd.rnr_retry > 7)
        return refusals.illegal(efaRules['qp-rnr-retry'], () => `${cmd.rnr_retry}`);
      qp.rnrRetry = cmd.rnr_retry;
    }
    if ((mask & MODIFY_QP.QKEY) !== 0) qp.qkey = cmd.qkey;
    if ((mask & MODIFY_QP.SQ_PSN) !== 0) qp.psn = cmd.sq_psn;
    if (state === qp.state) return STATUS.SUCCESS;
    if (state === QP_STATE.ERR) qp.fail();
    else if (state === QP_STATE.RESET) qp.clear();
    else qp.state = state;
    this.resume(qp);
    return STATUS.SUCCESS;
  }

  query(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#handle;
    cmd.load(command, 0);
    const qp = this.byNumber(cmd.qp_handle);
    if (qp === null)
      return this.#parts.refusals.illegal(efaRules['qp-unknown'], () => `${cmd.qp_handle}`);
    const made = this.#query;
    made.clear();
    made.qp_state = qp.state;
    made.qkey = qp.qkey;
    made.sq_psn = qp.psn;
    made.sq_draining = qp.state === QP_STATE.SQD && qp.outstanding > 0 ? 1 : 0;
    made.rnr_retry = qp.rnrRetry;
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  destroy(command: Int32Array): number {
    const cmd = this.#handle;
    cmd.load(command, 0);
    const qp = this.byNumber(cmd.qp_handle);
    if (qp === null)
      return this.#parts.refusals.illegal(efaRules['qp-unknown'], () => `${cmd.qp_handle}`);
    qp.clear();
    const { index, sendCq, recvCq, pd, uar } = qp.shape;
    this.#qps[index] = null;
    this.#list = this.#list.filter((other) => other !== qp);
    const ready = this.#ready.indexOf(qp);
    if (ready >= 0) this.#ready.splice(ready, 1);
    sendCq.users--;
    recvCq.users--;
    this.#parts.pds.release(pd);
    this.#parts.uars.release(uar);
    return STATUS.SUCCESS;
  }
}
