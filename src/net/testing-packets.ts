/**
 * Packets for tests: built plainly, byte by byte, apart from the code under test; with the slow,
 * obviously correct checksum to compare with.
 */
import { type Frame, maxHeadBytes } from './frame.ts';

export type PacketSpec = {
  readonly version?: 4 | 6;
  readonly protocol?: 'tcp' | 'udp';
  readonly vlans?: readonly number[];
  readonly dstMac?: readonly number[];
  readonly srcMac?: readonly number[];
  /** 4 or 16 bytes. */
  readonly src?: readonly number[];
  readonly dst?: readonly number[];
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly payload?: Uint8Array;
  readonly tcpFlags?: number;
  readonly tcpOptions?: readonly number[];
  readonly sequence?: number;
  readonly identification?: number;
  /** Bytes of IPv6 extension headers, already linked; their first type. */
  readonly extensions?: { readonly first: number; readonly bytes: readonly number[] };
};

export const macA = [0x02, 0, 0, 0, 0, 0x0a];
export const macB = [0x02, 0, 0, 0, 0, 0x0b];

const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value & 0xffff)];

/** A correct frame; every checksum is right. */
export function buildPacket(spec: PacketSpec = {}): Uint8Array {
  const version = spec.version ?? 4;
  const src = spec.src ?? (version === 4 ? [10, 0, 0, 10] : address6(10));
  const dst = spec.dst ?? (version === 4 ? [10, 0, 0, 11] : address6(11));
  const isTcp = (spec.protocol ?? 'tcp') === 'tcp';
  const protocol = isTcp ? 6 : 17;
  const l4 = isTcp ? tcpBytes(spec) : udpBytes(spec);
  const pseudo = [...src, ...dst, ...be32(l4.length), 0, 0, 0, protocol];
  const sum = naiveChecksum([...pseudo, ...l4]);
  l4.splice(isTcp ? 16 : 6, 2, ...be16(!isTcp && sum === 0 ? 0xffff : sum));
  const l3 = version === 4 ? ipv4Bytes(spec, protocol, src, dst, l4.length) : [];
  if (version === 6) {
    const extensions = spec.extensions ?? { first: protocol, bytes: [] };
    l3.push(0x60, 0, 0, 0, ...be16(extensions.bytes.length + l4.length), extensions.first, 64);
    l3.push(...src, ...dst, ...extensions.bytes);
  }
  const tags = (spec.vlans ?? []).flatMap((vlan) => [0x81, 0x00, ...be16(vlan)]);
  const type = version === 4 ? [0x08, 0x00] : [0x86, 0xdd];
  const macs = [...(spec.dstMac ?? macB), ...(spec.srcMac ?? macA)];
  return Uint8Array.from([...macs, ...tags, ...type, ...l3, ...l4]);
}

export const address6 = (last: number): number[] => [0xfd, 0, ...Array(13).fill(1), last];

function ipv4Bytes(
  spec: PacketSpec,
  protocol: number,
  src: readonly number[],
  dst: readonly number[],
  l4Length: number,
): number[] {
  const header = [0x45, 0, ...be16(20 + l4Length), ...be16(spec.identification ?? 7), 0x40, 0];
  header.push(64, protocol, 0, 0, ...src, ...dst);
  header.splice(10, 2, ...be16(naiveChecksum(header)));
  return header;
}

function tcpBytes(spec: PacketSpec): number[] {
  const options = spec.tcpOptions ?? [];
  const words = 5 + options.length / 4;
  return [
    ...be16(spec.srcPort ?? 40_000),
    ...be16(spec.dstPort ?? 5201),
    ...be32(spec.sequence ?? 1),
    ...be32(2),
    words << 4,
    spec.tcpFlags ?? 0x10,
    ...be16(0xffff),
    ...be32(0),
    ...options,
    ...(spec.payload ?? []),
  ];
}

function udpBytes(spec: PacketSpec): number[] {
  const payload = spec.payload ?? new Uint8Array(0);
  const ports = [...be16(spec.srcPort ?? 40_000), ...be16(spec.dstPort ?? 5201)];
  return [...ports, ...be16(8 + payload.length), 0, 0, ...payload];
}

/** RFC 1071 as it is written: 16-bit big-endian words, carries added back one by one. */
export function naiveSum(bytes: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i] as number) * 256 + (i + 1 < bytes.length ? (bytes[i + 1] as number) : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

export const naiveChecksum = (bytes: ArrayLike<number>): number => 0xffff - naiveSum(bytes);

/** Loads `bytes` into a frame with `headBytes` of head, the rest in segments of the given sizes. */
export function loadPieces(
  frame: Frame,
  bytes: Uint8Array,
  headBytes: number,
  sizes: readonly number[] = [],
): void {
  frame.clear();
  const head = Math.min(headBytes, bytes.length, maxHeadBytes);
  frame.head.set(bytes.subarray(0, head));
  frame.headLength = head;
  frame.length = head;
  let at = head;
  for (const size of sizes) {
    const length = Math.min(size, bytes.length - at);
    frame.add(bytes, at, length);
    at += length;
  }
  if (at < bytes.length) frame.add(bytes, at, bytes.length - at);
}

/** The frame's bytes, wherever they lie. */
export function frameBytes(frame: Frame): Uint8Array {
  const bytes = new Uint8Array(frame.length);
  frame.copyTo(bytes, 0);
  return bytes;
}
