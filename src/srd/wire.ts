/**
 * SRD on the wire, as virtfn has it. Amazon does not publish its format; this one is our own.
 *
 * An Ethernet frame with an EtherType for experiments (IEEE 802, 88b5) and a fixed head in network
 * byte order. A requester's packet (`request`) carries one piece of a message and a sequence number;
 * it is answered by an entry of an `ack`, or for a read by a `response` with the data. `datagram` is
 * not answered. `epoch`s tell the lives of an endpoint apart: a packet that was meant for an earlier
 * one is answered by `reset`.
 */
import { ethernet, etherType, writeEthernet } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';

export const srdVersion = 1;

export const packetType = { request: 1, ack: 2, response: 3, reset: 4, datagram: 5 } as const;
export const operation = { send: 0, read: 1, write: 2 } as const;
export const packetFlag = { hasImm: 1 } as const;

const start = ethernet.bytes;
/** The head of a request, a response or a datagram; its payload follows. */
export const srdHeaderBytes = 52;
export const payloadOffset = start + srdHeaderBytes;
const ackEntries = start + 16;
const ackEntryBytes = 8;
/** So many that an ack fits into a frame's head, which is private memory. */
export const maxAcks = 28;

/** The head of one packet. */
export class SrdPacket {
  type = 0;
  path = 0;
  op = 0;
  /** Of the sender's life, and of the receiver's as far as the sender knows; 0: it does not. */
  sourceEpoch = 0;
  destinationEpoch = 0;
  /** Sequence number; in an ack the number of entries. */
  psn = 0;
  /** Which transmission on its path this is. */
  tag = 0;
  flags = 0;
  /** Of a response. */
  status = 0;
  destinationQp = 0;
  sourceQp = 0;
  qkey = 0;
  imm = 0;
  /** Bytes of payload, or bytes to be read. */
  length = 0;
  rkey = 0;
  address = 0;
  /** Bytes of the whole message. */
  total = 0;

  /** The packet that a frame holds; false: it is none. */
  read(frame: Frame): boolean {
    const { headView: v, headLength } = frame;
    if (headLength < ackEntries || v.getUint16(ethernet.type) !== etherType.srd) return false;
    if (v.getUint8(start) !== srdVersion) return false;
    this.type = v.getUint8(start + 1);
    this.path = v.getUint8(start + 2);
    this.op = v.getUint8(start + 3);
    this.sourceEpoch = v.getUint32(start + 4);
    this.destinationEpoch = v.getUint32(start + 8);
    if (this.type === packetType.ack) {
      this.psn = v.getUint16(start + 12);
      return this.psn <= maxAcks && headLength >= ackEntries + this.psn * ackEntryBytes;
    }
    if (headLength < payloadOffset) return this.type === packetType.reset;
    this.psn = v.getUint32(start + 12);
    this.tag = v.getUint16(start + 16);
    this.flags = v.getUint8(start + 18);
    this.status = v.getUint8(start + 19);
    this.destinationQp = v.getUint16(start + 20);
    this.sourceQp = v.getUint16(start + 22);
    this.qkey = v.getUint32(start + 24);
    this.imm = v.getUint32(start + 28);
    this.length = v.getUint16(start + 32);
    this.rkey = v.getUint32(start + 36);
    this.address = v.getUint32(start + 40) * 2 ** 32 + v.getUint32(start + 44);
    this.total = v.getUint32(start + 48);
    const payload = frame.length - payloadOffset;
    const carries = this.type === packetType.response || this.op !== operation.read;
    return payload === (carries ? this.length : 0);
  }

  /** Makes `frame` this packet without its payload. */
  write(frame: Frame, destination: number, source: number): void {
    const { headView: v } = frame;
    frame.clear();
    writeEthernet(frame.head, destination, source, etherType.srd);
    v.setUint8(start, srdVersion);
    v.setUint8(start + 1, this.type);
    v.setUint8(start + 2, this.path);
    v.setUint8(start + 3, this.op);
    v.setUint32(start + 4, this.sourceEpoch);
    v.setUint32(start + 8, this.destinationEpoch);
    v.setUint32(start + 12, this.psn);
    v.setUint16(start + 16, this.tag);
    v.setUint8(start + 18, this.flags);
    v.setUint8(start + 19, this.status);
    v.setUint16(start + 20, this.destinationQp);
    v.setUint16(start + 22, this.sourceQp);
    v.setUint32(start + 24, this.qkey);
    v.setUint32(start + 28, this.imm);
    v.setUint16(start + 32, this.length);
    v.setUint16(start + 34, 0);
    v.setUint32(start + 36, this.rkey);
    v.setUint32(start + 40, Math.floor(this.address / 2 ** 32));
    v.setUint32(start + 44, this.address % 2 ** 32);
    v.setUint32(start + 48, this.total);
    frame.headLength = payloadOffset;
    frame.length = payloadOffset;
  }
}

/** Answers to requests, and the frames that they make. */
export class AckList {
  readonly psn: Uint32Array;
  readonly status: Uint8Array;
  readonly path: Uint8Array;
  readonly tag: Uint16Array;
  count = 0;

  constructor(capacity: number) {
    this.psn = new Uint32Array(capacity);
    this.status = new Uint8Array(capacity);
    this.path = new Uint8Array(capacity);
    this.tag = new Uint16Array(capacity);
  }

  /** False: there is no room. */
  add(psn: number, status: number, path: number, tag: number): boolean {
    const i = this.count;
    if (i === this.psn.length) return false;
    this.psn[i] = psn;
    this.status[i] = status;
    this.path[i] = path;
    this.tag[i] = tag;
    this.count++;
    return true;
  }

  /** Reads the entries of a packet whose head `SrdPacket.read` has accepted. */
  read(frame: Frame, count: number): void {
    const { headView: v } = frame;
    this.count = 0;
    for (let i = 0, at = ackEntries; i < count; i++, at += ackEntryBytes)
      this.add(v.getUint32(at), v.getUint8(at + 4), v.getUint8(at + 5), v.getUint16(at + 6));
  }

  /** Adds `count` entries from the `from`th on to the frame that an ack's head was written to. */
  write(frame: Frame, from: number, count: number): void {
    const { headView: v } = frame;
    v.setUint16(start + 12, count);
    v.setUint16(start + 14, 0);
    let at = ackEntries;
    for (let i = from; i < from + count; i++, at += ackEntryBytes) {
      v.setUint32(at, this.psn[i] as number);
      v.setUint8(at + 4, this.status[i] as number);
      v.setUint8(at + 5, this.path[i] as number);
      v.setUint16(at + 6, this.tag[i] as number);
    }
    frame.headLength = at;
    frame.length = at;
  }
}
