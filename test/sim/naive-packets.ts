/**
 * Packets and checksums for tests, written the slow and obvious way and without anything from
 * `src/net`, so that both would have to be wrong in the same way for a test to pass.
 */

export type PacketSpec = {
  readonly from: number;
  readonly to: number;
  readonly ip: 4 | 6;
  readonly l4: 'tcp' | 'udp';
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly sequence?: number;
  readonly flags?: number;
  readonly identification?: number;
  readonly tcpOptions?: readonly number[];
  readonly payload: Uint8Array;
};

export const etherBytes = 14;

function mac(value: number): number[] {
  return [40, 32, 24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256);
}
const word = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const long = (value: number): number[] => [...word(value >>> 16), ...word(value & 0xffff)];

const address = (ip: 4 | 6, host: number): number[] =>
  ip === 4 ? [10, 0, 0, host] : [0xfd, ...new Array(14).fill(0), host];

/** RFC 1071, as it stands there. */
export function naiveSum(bytes: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2)
    sum += ((bytes[i] as number) << 8) | ((bytes[i + 1] as number | undefined) ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum;
}

/** A whole Ethernet frame with right checksums. Hosts are the low bytes of the MAC addresses. */
export function packet(spec: PacketSpec): Uint8Array {
  const { ip, l4, payload } = spec;
  const ports = [...word(spec.sourcePort ?? 1000), ...word(spec.destinationPort ?? 2000)];
  const options = spec.tcpOptions ?? [];
  const protocol = l4 === 'tcp' ? 6 : 17;
  const l4Length = (l4 === 'tcp' ? 20 + options.length : 8) + payload.length;
  const header =
    l4 === 'udp'
      ? [...ports, ...word(l4Length), 0, 0]
      : [
          ...ports,
          ...long(spec.sequence ?? 1),
          ...long(77),
          ((20 + options.length) >> 2) << 4,
          spec.flags ?? 0x10,
          ...word(4096),
          ...[0, 0, 0, 0],
          ...options,
        ];
  const source = address(ip, spec.from & 255);
  const destination = address(ip, spec.to & 255);
  const pseudo = [...source, ...destination, ...long(l4Length), 0, 0, 0, protocol];
  const sum = ~naiveSum([...pseudo, ...header, ...payload]) & 0xffff;
  header.splice(l4 === 'tcp' ? 16 : 6, 2, ...word(sum));
  const l3 = ip === 4 ? ipv4Header(spec, l4Length, protocol) : ipv6Header(l4Length, protocol);
  l3.push(...source, ...destination);
  if (ip === 4) l3.splice(10, 2, ...word(~naiveSum(l3) & 0xffff));
  const type = ip === 4 ? 0x0800 : 0x86dd;
  return Uint8Array.from([
    ...mac(spec.to),
    ...mac(spec.from),
    ...word(type),
    ...l3,
    ...header,
    ...payload,
  ]);
}

const ipv4Header = (spec: PacketSpec, l4Length: number, protocol: number): number[] => [
  0x45,
  0,
  ...word(20 + l4Length),
  ...word(spec.identification ?? 7),
  ...[0x40, 0, 64, protocol, 0, 0],
];

const ipv6Header = (l4Length: number, protocol: number): number[] => [
  ...[0x60, 0, 0, 0],
  ...word(l4Length),
  protocol,
  64,
];

/** Where the parts of such a frame are. */
export function partsOf(frame: Uint8Array) {
  const ip = (frame[etherBytes] as number) >>> 4;
  const l3Length = ip === 4 ? 20 : 40;
  const protocol = frame[etherBytes + (ip === 4 ? 9 : 6)] as number;
  const l4 = etherBytes + l3Length;
  const l4Header = protocol === 6 ? ((frame[l4 + 12] as number) >>> 4) * 4 : 8;
  return { ip, l3Length, protocol, l4, l4Header, payload: l4 + l4Header };
}

/** Whether both checksums of such a frame are right. */
export function checksumsAreRight(frame: Uint8Array): boolean {
  const { ip, l3Length, protocol, l4 } = partsOf(frame);
  const l3 = frame.subarray(etherBytes, l4);
  if (ip === 4 && naiveSum(l3) !== 0xffff) return false;
  const addresses = l3.subarray(ip === 4 ? 12 : 8, l3Length);
  const rest = frame.subarray(l4);
  const pseudo = [...addresses, ...long(rest.length), 0, 0, 0, protocol];
  return naiveSum([...pseudo, ...rest]) === 0xffff;
}

/** A plain frame of `length` bytes that says where it goes and differs in every byte. */
export function plainFrame(from: number, to: number, length: number, seed: number): Uint8Array {
  const frame = new Uint8Array(length);
  for (let i = 0; i < length; i++) frame[i] = (seed * 31 + i * 7 + (i >>> 8) * 13) & 255;
  frame.set([...mac(to), ...mac(from), 0x88, 0xb5]);
  return frame;
}
