/**
 * One receive submission queue: takes the buffers that the driver posted, copies frames into them
 * and completes them, one completion entry per buffer.
 */
import { L3_PROTO, L4_PROTO, rxCdesc, rxDesc } from '../../defs/ena-io.ts';
import { bigCount } from '../../lib/big-count.ts';
import { ethernet } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import type { RingLoan } from '../../net/loans.ts';
import { sumVerdict, verifySums } from '../../net/offload.ts';
import { fragment } from '../../net/parse.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { GuestRing } from '../../pci/guest-ring.ts';
import { scatter } from '../common/frame-scatter.ts';
import type { CompletionQueue } from './completion-queue.ts';
import { enaRules } from './rules.ts';
import type { QueueHost, SubmissionQueueShape } from './tx-queue.ts';

const descriptorBytes = 16;

const C = rxCdesc.fields;
const BUFFER = 1 << C.buffer.lsb;
const FIRST = 1 << C.first.lsb;
const LAST = 1 << C.last.lsb;
const L3_CSUM_ERR = 1 << C.l3_csum_err.lsb;
const L4_CSUM_ERR = 1 << C.l4_csum_err.lsb;
const L4_CSUM_CHECKED = 1 << C.l4_csum_checked.lsb;
const IPV4_FRAG = 1 << C.ipv4_frag.lsb;

/** What a descriptor's length says: 0 is 64 KiB. */
const roomOf = (length: number): number => (length === 0 ? 65_536 : length);

export class RxQueue {
  readonly shape: SubmissionQueueShape;
  readonly cq: CompletionQueue;
  /** Received since the queue was made. */
  packets: number = bigCount;
  bytes: number = bigCount;
  readonly #host: QueueHost;
  readonly #ring: GuestRing;
  readonly #desc = rxDesc.create();
  readonly #maxDescs: number;
  /** The buffers that the current frame goes to. */
  readonly #address: Float64Array;
  readonly #room: Int32Array;
  readonly #requestId: Int32Array;
  /** In descriptors, modulo 2^32: what was used, and what the driver has posted. */
  #head = 0;
  #tail = 0;

  constructor(
    shape: SubmissionQueueShape,
    cq: CompletionQueue,
    host: QueueHost,
    maxDescsPerPacket: number,
  ) {
    this.packets = 0;
    this.bytes = 0;
    this.shape = shape;
    this.cq = cq;
    this.#host = host;
    this.#maxDescs = maxDescsPerPacket;
    this.#ring = new GuestRing(host.memory, shape.iova, shape.depth, descriptorBytes, 'read');
    this.#address = new Float64Array(maxDescsPerPacket);
    this.#room = new Int32Array(maxDescsPerPacket);
    this.#requestId = new Int32Array(maxDescsPerPacket);
  }

  attach(): boolean {
    return this.#ring.attach();
  }

  /** The driver's tail, 16 bits, free-running: buffers up to it may be filled. */
  doorbell(tail: number): void {
    const posted = (tail - this.#head) & 0xffff;
    if (posted > this.shape.depth) {
      this.#host.fail(enaRules['doorbell-range'], () => `Rx queue ${this.shape.index}: ${tail}`);
      return;
    }
    this.#tail = (this.#head + posted) | 0;
    this.#host.port.drain(this.shape.index);
  }

  /** Lends the queue to a fast path; false: its rings do not lie where that could reach them. */
  lend(loan: RingLoan): boolean {
    if (!this.#ring.attach() || !this.cq.ring.attach() || this.#ring.linearAt < 0) return false;
    loan.descriptorsAt = this.#ring.linearAt;
    loan.depth = this.shape.depth;
    loan.head = this.#head;
    loan.tail = this.#tail;
    loan.index = this.shape.index;
    return this.cq.lendRx(loan);
  }

  takeBack(loan: RingLoan): void {
    this.#head = loan.head;
    this.packets += loan.frames;
    this.bytes += loan.bytes;
    this.cq.takeBack(loan, true);
  }

  /** Bytes of the buffers that one frame could be given now. */
  room(): number {
    if (!this.#ring.attach()) return 0;
    const count = Math.min((this.#tail - this.#head) | 0, this.#maxDescs);
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const at = (this.#head + i) | 0;
      this.#ring.pull(at);
      this.#desc.load(this.#ring.words, this.#ring.at(at));
      bytes += roomOf(this.#desc.length);
    }
    return bytes;
  }

  /** Copies the frame into as many posted buffers as it takes; all or nothing. */
  receive(frame: Frame, hash: number): Reason {
    if (this.#head === this.#tail) return R.rxNoBuffer;
    if (!this.#ring.attach() || !this.cq.ring.attach()) return this.#failUnmapped();
    const buffers = this.#takeBuffers(frame.length);
    if (buffers <= 0) return buffers === 0 ? R.rxNoBuffer : R.rxTooLong;
    if (!this.#scatter(frame, buffers)) return R.rxBadAddress;
    this.#complete(frame, buffers, hash);
    this.#head = (this.#head + buffers) | 0;
    this.packets++;
    this.bytes += frame.length;
    return R.delivered;
  }

  /** How many buffers hold `length` bytes: 0 too few are posted, -1 more than a frame may use. */
  #takeBuffers(length: number): number {
    const desc = this.#desc;
    let capacity = 0;
    let count = 0;
    while (capacity < length) {
      if (count === this.#maxDescs) return -1;
      const at = (this.#head + count) | 0;
      if (at === this.#tail) return 0;
      this.#ring.pull(at);
      desc.load(this.#ring.words, this.#ring.at(at));
      if (desc.phase !== this.#ring.phase(at)) return this.#failStale(at);
      const room = roomOf(desc.length);
      this.#address[count] = desc.buff_addr_hi * 2 ** 32 + desc.buff_addr_lo;
      this.#room[count] = room;
      this.#requestId[count] = desc.req_id;
      capacity += room;
      count++;
    }
    return count;
  }

  #scatter(frame: Frame, buffers: number): boolean {
    const { memory } = this.#host;
    let from = 0;
    for (let i = 0; i < buffers; i++) {
      const room = this.#room[i] as number;
      const length = Math.min(room, frame.length - from);
      this.#room[i] = length;
      if (!scatter(memory, this.#address[i] as number, frame, from, length))
        return this.#failAddress();
      from += length;
    }
    return true;
  }

  // Apart from what each frame goes through: there a closure costs an object, called or not.

  #failUnmapped(): Reason {
    this.#host.fail(enaRules['sq-memory'], () => `Rx queue ${this.shape.index} was unmapped`);
    return R.rxBadAddress;
  }

  #failStale(at: number): 0 {
    this.#host.fail(enaRules['rx-stale-phase'], () => `queue ${this.shape.index}, ${at}`);
    return 0;
  }

  #failAddress(): false {
    this.#host.fail(enaRules['rx-bad-address'], () => `queue ${this.shape.index}`);
    return false;
  }

  #complete(frame: Frame, buffers: number, hash: number): void {
    const { settings } = this.#host;
    const { cq } = this;
    const { index } = this.shape;
    const time = settings.stampRx ? this.#host.time : null;
    time?.read();
    const last = buffers - 1;
    let status: number = BUFFER | FIRST;
    for (let i = 0; i < last; i++) {
      cq.pushRx(status, this.#room[i] as number, this.#requestId[i] as number, 0, index, time);
      status = BUFFER;
    }
    status |= LAST | verdicts(frame);
    const length = this.#room[last] as number;
    cq.pushRx(status, length, this.#requestId[last] as number, hash, index, time);
  }
}

/** What the parser and the checksum check found; valid in the last entry. */
function verdicts(frame: Frame): number {
  verifySums(frame);
  const { ipVersion, l4Protocol, fragment: part, l3Offset } = frame.headers;
  if (ipVersion === 0) return 0;
  let status = ((l3Offset - ethernet.bytes) / ethernet.tagBytes) << C.src_vlan_cnt.lsb;
  if (ipVersion === 4) {
    status |= L3_PROTO.ipv4 << C.l3_proto_idx.lsb;
    if (frame.ipv4Sum !== sumVerdict.right) status |= L3_CSUM_ERR;
  } else status |= L3_PROTO.ipv6 << C.l3_proto_idx.lsb;
  if (part !== fragment.none) return ipVersion === 4 ? status | IPV4_FRAG : status;
  if (l4Protocol === ipProtocol.tcp) status |= L4_PROTO.tcp << C.l4_proto_idx.lsb;
  else if (l4Protocol === ipProtocol.udp) status |= L4_PROTO.udp << C.l4_proto_idx.lsb;
  else return status;
  if (frame.l4Sum === sumVerdict.unknown) return status;
  status |= L4_CSUM_CHECKED;
  return frame.l4Sum === sumVerdict.right ? status : status | L4_CSUM_ERR;
}
