/**
 * One TCP segment (RFC 9293, section 3.1), as it is read from a frame and as it is put into one.
 *
 * Reading looks at the frame's private head only and trusts nothing: what is not a whole header
 * with a right checksum is no segment. Of the options only the maximum segment size is used.
 */
import { read16, read32, write16, write32 } from '../../net/bytes.ts';
import { fold, pseudoHeaderSum, sumBytes } from '../../net/checksum.ts';
import { ethernet, etherType, writeEthernet } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol, ipv4, writeIpv4 } from '../../net/ipv4.ts';
import { ipv6, writeIpv6 } from '../../net/ipv6.ts';
import { sumVerdict, verifySums, writeIpv4Checksum, writeL4Checksum } from '../../net/offload.ts';
import { fragment } from '../../net/parse.ts';
import { tcp, tcpFlag } from '../../net/tcp.ts';
import { advance } from './sequence.ts';

const mssOption = { kind: 2, bytes: 4 } as const;

export class Segment {
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  window = 0;
  /** The peer's maximum segment size, or 0: it names none. */
  mss = 0;
  /** Where the payload starts in the frame, and its length. */
  payloadAt = 0;
  payloadBytes = 0;

  /** Bytes of sequence space: SYN and FIN count as one each. */
  get length(): number {
    const { flags } = this;
    return this.payloadBytes + ((flags & tcpFlag.syn) !== 0 ? 1 : 0) + (flags & tcpFlag.fin);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** Reads a parsed frame; false when it holds no whole segment with a right checksum. */
  read(frame: Frame): boolean {
    const { head, headers: h } = frame;
    if (h.l4Protocol !== ipProtocol.tcp || h.fragment !== fragment.none) return false;
    if (h.malformed || h.l4Offset < 0 || h.payloadOffset < 0) return false;
    verifySums(frame);
    if (frame.l4Sum !== sumVerdict.right || frame.ipv4Sum === sumVerdict.wrong) return false;
    const at = h.l4Offset;
    this.sequence = read32(head, at + tcp.sequence);
    this.acknowledgement = read32(head, at + tcp.acknowledgement);
    this.flags = h.tcpFlags;
    this.window = read16(head, at + tcp.window);
    this.payloadAt = h.payloadOffset;
    this.payloadBytes = h.ipEnd - h.payloadOffset;
    this.mss = readMss(head, at + tcp.minBytes, h.payloadOffset);
    return true;
  }
}

/** The MSS option between `from` and `end`, or 0. Options that contradict themselves end there. */
function readMss(head: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; ) {
    const kind = head[at] as number;
    if (kind === 0) return 0;
    if (kind === 1) {
      at++;
      continue;
    }
    const bytes = at + 1 < end ? (head[at + 1] as number) : 0;
    if (bytes < 2 || at + bytes > end) return 0;
    if (kind === mssOption.kind && bytes === mssOption.bytes) return read16(head, at + 2);
    at += bytes;
  }
  return 0;
}

/** Both ends of a conversation, as its segments name them; `local` is the network's own end. */
export class Path {
  version = 4;
  localMac = 0;
  peerMac = 0;
  /** IPv4: the first word. IPv6: all four. */
  readonly local: [number, number, number, number] = [0, 0, 0, 0];
  readonly peer: [number, number, number, number] = [0, 0, 0, 0];
  localPort = 0;
  peerPort = 0;
  /** Time to live, or hop limit, of what is sent. */
  hopLimit = 64;

  /** The way back to whoever sent a parsed frame. */
  readFrom(frame: Frame): void {
    const h = frame.headers;
    this.version = h.ipVersion;
    this.localMac = h.dstMacHi * 2 ** 32 + (h.dstMacLo >>> 0);
    this.peerMac = h.srcMacHi * 2 ** 32 + (h.srcMacLo >>> 0);
    this.localPort = h.dstPort;
    this.peerPort = h.srcPort;
    const { local, peer } = this;
    if (h.ipVersion === 4) {
      local[0] = h.dst;
      peer[0] = h.src;
      return;
    }
    local[0] = h.dst0;
    local[1] = h.dst1;
    local[2] = h.dst2;
    local[3] = h.dst;
    peer[0] = h.src0;
    peer[1] = h.src1;
    peer[2] = h.src2;
    peer[3] = h.src;
  }

  /** Whether a parsed frame comes along this path. */
  isOf(frame: Frame): boolean {
    const h = frame.headers;
    if (h.srcPort !== this.peerPort || h.dstPort !== this.localPort) return false;
    if (h.ipVersion !== this.version) return false;
    const { local, peer } = this;
    if (h.ipVersion === 4) return h.src === peer[0] && h.dst === local[0];
    if (h.src !== peer[3] || h.src0 !== peer[0] || h.src1 !== peer[1] || h.src2 !== peer[2])
      return false;
    return h.dst === local[3] && h.dst0 === local[0] && h.dst1 === local[1] && h.dst2 === local[2];
  }
}

/** What a segment says besides its addresses and its payload. */
export type SegmentWords = {
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  /** Put into the segment's options; 0: no option. */
  readonly mss: number;
};

const l3 = ethernet.bytes;
const nothing = new Uint8Array(0);

/** Writes a whole frame into `out`, which has room for it; returns its length. */
export function writeSegment(
  out: Uint8Array,
  path: Path,
  words: SegmentWords,
  payload: Uint8Array,
  from: number,
  payloadBytes: number,
): number {
  const l4 = l3 + (path.version === 4 ? ipv4.minBytes : ipv6.bytes);
  const headerBytes = tcp.minBytes + (words.mss === 0 ? 0 : mssOption.bytes);
  const l4Bytes = headerBytes + payloadBytes;
  const type = path.version === 4 ? etherType.ipv4 : etherType.ipv6;
  writeEthernet(out, path.peerMac, path.localMac, type);
  if (path.version === 4) writeHeader4(out, path, ipv4.minBytes + l4Bytes);
  else writeIpv6(out, l3, l4Bytes, ipProtocol.tcp, path.hopLimit, path.local, path.peer);
  write16(out, l4 + tcp.sourcePort, path.localPort);
  write16(out, l4 + tcp.destinationPort, path.peerPort);
  write32(out, l4 + tcp.sequence, words.sequence);
  write32(out, l4 + tcp.acknowledgement, words.acknowledgement);
  out[l4 + tcp.dataOffset] = (headerBytes / 4) << 4;
  out[l4 + tcp.flags] = words.flags;
  write16(out, l4 + tcp.window, words.window);
  write32(out, l4 + tcp.checksum, 0);
  if (words.mss !== 0) {
    out[l4 + tcp.minBytes] = mssOption.kind;
    out[l4 + tcp.minBytes + 1] = mssOption.bytes;
    write16(out, l4 + tcp.minBytes + 2, words.mss);
  }
  if (payloadBytes > 0) out.set(payload.subarray(from, from + payloadBytes), l4 + headerBytes);
  const [at, bytes] =
    path.version === 4 ? [l3 + ipv4.source, 4] : ([l3 + ipv6.source, 16] as const);
  const pseudo = pseudoHeaderSum(out, at, bytes, ipProtocol.tcp, l4Bytes);
  const sum = fold(pseudo + sumBytes(out, l4, l4Bytes));
  writeL4Checksum(out, l4 + tcp.checksum, ipProtocol.tcp, sum);
  return l4 + l4Bytes;
}

function writeHeader4(out: Uint8Array, path: Path, totalLength: number): void {
  const { local, peer } = path;
  writeIpv4(out, l3, totalLength, ipProtocol.tcp, local[0], peer[0]);
  if (path.hopLimit === 64) return;
  out[l3 + ipv4.timeToLive] = path.hopLimit;
  writeIpv4Checksum(out, l3);
}

/**
 * Writes the reset that whoever sent a segment believes, because it acknowledges exactly what it
 * sent (RFC 9293, section 3.10.7.1); returns its length.
 */
export function writeReset(out: Uint8Array, path: Path, answered: Segment): number {
  const acks = answered.has(tcpFlag.ack);
  const words = {
    sequence: acks ? answered.acknowledgement : 0,
    acknowledgement: acks ? 0 : advance(answered.sequence, answered.length),
    flags: acks ? tcpFlag.rst : tcpFlag.rst | tcpFlag.ack,
    ...{ window: 0, mss: 0 },
  };
  return writeSegment(out, path, words, nothing, 0, 0);
}
