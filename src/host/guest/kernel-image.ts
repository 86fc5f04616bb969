/**
 * Takes the kernel proper (an ELF file with a PVH entry) out of a compressed bzImage, so that the
 * guest need not decompress it: that is most of a boot under TCG. Follows the kernel's
 * Documentation/arch/x86/boot.rst, "the real-mode kernel header" (payload_offset, payload_length).
 */

/** A compressed payload, or undefined when the file is no bzImage of protocol 2.08 or later. */
export function bzImagePayload(file: Buffer): { format: string; payload: Buffer } | undefined {
  if (file.length < 0x250 || file.toString('latin1', 0x202, 0x206) !== 'HdrS') return undefined;
  if (file.readUInt16LE(0x206) < 0x208) return undefined;
  const setupSectors = file.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + file.readUInt32LE(0x248);
  // the last four bytes are the size of the decompressed kernel, and no part of the stream
  const payload = file.subarray(start, start + file.readUInt32LE(0x24c) - 4);
  const format = FORMATS.find(({ magic }) => payload.toString('hex', 0, 8).startsWith(magic));
  return format === undefined ? undefined : { format: format.ending, payload };
}

const FORMATS = [
  { ending: 'xz', magic: 'fd377a585a00' },
  { ending: 'zst', magic: '28b52ffd' },
  { ending: 'gz', magic: '1f8b' },
];

const PT_NOTE = 4;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;

/** True for an ELF kernel that says where to enter it in 32-bit protected mode. */
export function hasPvhEntry(kernel: Buffer): boolean {
  if (kernel.length < 64 || kernel.readUInt32BE(0) !== 0x7f454c46 || kernel[4] !== 2) return false;
  const table = Number(kernel.readBigUInt64LE(0x20));
  const entrySize = kernel.readUInt16LE(0x36);
  for (let index = 0; index < kernel.readUInt16LE(0x38); index++) {
    const at = table + index * entrySize;
    if (kernel.readUInt32LE(at) !== PT_NOTE) continue;
    const start = Number(kernel.readBigUInt64LE(at + 8));
    const end = start + Number(kernel.readBigUInt64LE(at + 0x20));
    for (let note = start; note + 12 <= end; ) {
      const [nameSize, size] = [kernel.readUInt32LE(note), kernel.readUInt32LE(note + 4)];
      const name = kernel.toString('latin1', note + 12, note + 12 + nameSize);
      if (kernel.readUInt32LE(note + 8) === XEN_ELFNOTE_PHYS32_ENTRY && name === 'Xen\0')
        return true;
      note += 12 + ((nameSize + 3) & ~3) + ((size + 3) & ~3);
    }
  }
  return false;
}
