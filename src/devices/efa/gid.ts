/**
 * EFA addresses: a 16-byte GID, which is the IPv6 link-local address of the MAC (RFC 4291, appendix A),
 * and back. As words the bytes lie in memory in network order.
 */

/** As four words, as they are in commands and completions. */
export type GidWords = readonly [number, number, number, number];

export function gidOf(mac: number): GidWords {
  const bytes = new Uint8Array(16);
  const b = (i: number): number => Math.floor(mac / 2 ** (8 * (5 - i))) & 0xff;
  bytes.set([0xfe, 0x80], 0);
  bytes.set([b(0) ^ 2, b(1), b(2), 0xff, 0xfe, b(3), b(4), b(5)], 8);
  const view = new DataView(bytes.buffer);
  return [0, 4, 8, 12].map((at) => view.getUint32(at, true)) as unknown as GidWords;
}

/** The MAC of a GID that was made from one; 0: it was not. */
export function macOf(gid: GidWords): number {
  const view = new DataView(new ArrayBuffer(16));
  for (const [i, word] of gid.entries()) view.setUint32(i * 4, word, true);
  if (view.getUint32(0) !== 0xfe80_0000 || view.getUint32(4) !== 0) return 0;
  if (view.getUint16(11) !== 0xfffe) return 0;
  const high = ((view.getUint8(8) ^ 2) << 16) | view.getUint16(9);
  const low = (view.getUint8(13) << 16) | view.getUint16(14);
  return high * 2 ** 24 + low;
}
