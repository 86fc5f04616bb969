/**
 * One receive submission queue: takes the buffers that the driver posted, copies frames into them
 * and completes them, one completion entry per buffer.
 */
import { L3_PROTO, L4_PROTO, rxDesc } from '../../defs/ena-io.ts';
import { ethernet } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { sumVerdict, verifySums } from '../../net/offload.ts';
import { fragment } from '../../net/parse.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { GuestRing } from '../../pci/guest-ring.ts';
import { scatter } from '../common/frame-scatter.ts';
import type { CompletionQueue } from './completion-queue.ts';
import { enaRules } from './rules.ts';
import type { QueueHost, SubmissionQueueShape } from './tx-queue.ts';

const descriptorBytes = 16;

/** What a descriptor's length says: 0 is 64 KiB. */
const roomOf = (length: number): number => (length === 0 ? 65_536 : length);

export class RxQueue {
  readonly shape: SubmissionQueueShape;
  readonly cq: CompletionQueue;
  /** Received since the queue was made. */
  packets = 0;
  bytes = 0;
  readonly #host: QueueHost;
  readonly #ring: GuestRing;
  readonly #desc = rxDesc.create();
  readonly #maxDescs: number;
  /** The buffers that the current frame goes to. */
  readonly #address: Float64Array;
  readonly #room: Int32Array;
  readonly #requestId: Int32Array;
  #head = 0;
  #tail = 0;

  constructor(
    shape: SubmissionQueueShape,
    cq: CompletionQueue,
    host: QueueHost,
    maxDescsPerPacket: number,
  ) {
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
    this.#tail = this.#head + posted;
    this.#host.port.drain(this.shape.index);
  }

  /** Bytes of the buffers that one frame could be given now. */
  room(): number {
    if (!this.#ring.attach()) return 0;
    const last = Math.min(this.#tail, this.#head + this.#maxDescs);
    let bytes = 0;
    for (let at = this.#head; at < last; at++) {
      this.#ring.pull(at);
      this.#desc.load(this.#ring.words, this.#ring.at(at));
      bytes += roomOf(this.#desc.length);
    }
    return bytes;
  }

  /** Copies the frame into as many posted buffers as it takes; all or nothing. */
  receive(frame: Frame, hash: number): Reason {
    if (this.#head === this.#tail) return R.rxNoBuffer;
    if (!this.#ring.attach() || !this.cq.ring.attach()) {
      this.#host.fail(enaRules['sq-memory'], () => `Rx queue ${this.shape.index} was unmapped`);
      return R.rxBadAddress;
    }
    const buffers = this.#takeBuffers(frame.length);
    if (buffers <= 0) return buffers === 0 ? R.rxNoBuffer : R.rxTooLong;
    if (!this.#scatter(frame, buffers)) return R.rxBadAddress;
    this.#complete(frame, buffers, hash);
    this.#head += buffers;
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
      const at = this.#head + count;
      if (at === this.#tail) return 0;
      this.#ring.pull(at);
      desc.load(this.#ring.words, this.#ring.at(at));
      if (desc.phase !== this.#ring.phase(at)) {
        this.#host.fail(enaRules['rx-stale-phase'], () => `queue ${this.shape.index}, ${at}`);
        return 0;
      }
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
      if (!scatter(memory, this.#address[i] as number, frame, from, length)) {
        this.#host.fail(enaRules['rx-bad-address'], () => `queue ${this.shape.index}`);
        return false;
      }
      from += length;
    }
    return true;
  }

  #complete(frame: Frame, buffers: number, hash: number): void {
    const entry = this.cq.rx;
    const { settings } = this.#host;
    const time = settings.stampRx ? this.#host.time : null;
    time?.read();
    for (let i = 0; i < buffers; i++) {
      entry.clear();
      entry.first = i === 0 ? 1 : 0;
      entry.buffer = 1;
      entry.length = this.#room[i] as number;
      entry.req_id = this.#requestId[i] as number;
      entry.sub_qid = this.shape.index;
      if (i === buffers - 1) {
        entry.last = 1;
        entry.hash = hash;
        this.#verdicts(frame);
      }
      this.cq.pushRx(time);
    }
  }

  /** What the parser and the checksum check found; valid in the last entry. */
  #verdicts(frame: Frame): void {
    const entry = this.cq.rx;
    verifySums(frame);
    const { ipVersion, l4Protocol, fragment: part, l3Offset } = frame.headers;
    if (ipVersion !== 0) entry.src_vlan_cnt = (l3Offset - ethernet.bytes) / ethernet.tagBytes;
    if (ipVersion === 4) {
      entry.l3_proto_idx = L3_PROTO.ipv4;
      entry.l3_csum_err = frame.ipv4Sum === sumVerdict.right ? 0 : 1;
    } else if (ipVersion === 6) entry.l3_proto_idx = L3_PROTO.ipv6;
    if (part !== fragment.none) {
      entry.ipv4_frag = ipVersion === 4 ? 1 : 0;
      return;
    }
    if (l4Protocol === ipProtocol.tcp) entry.l4_proto_idx = L4_PROTO.tcp;
    else if (l4Protocol === ipProtocol.udp) entry.l4_proto_idx = L4_PROTO.udp;
    else return;
    if (frame.l4Sum === sumVerdict.unknown) return;
    entry.l4_csum_checked = 1;
    entry.l4_csum_err = frame.l4Sum === sumVerdict.right ? 0 : 1;
  }
}
