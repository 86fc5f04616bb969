/**
 * What a file is, by its first and last bytes, and whether it names other files. A disk image may point at
 * anything on the machine that opens it (a backing file, an extent): such a one is refused, never followed.
 * Follows QEMU's docs/interop/qcow2.rst, VMware's Virtual Disk Format 5.0 and Microsoft's VHD specification.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ImageError } from './errors.ts';
import { isTarHeader } from './tar-tree.ts';

export type Compression = 'gzip' | 'xz' | 'zstd' | 'bzip2' | 'lz4' | 'lzma';
export type DiskFormat = 'raw' | 'qcow2' | 'vmdk' | 'vpc';
export type FileKind =
  | { kind: 'tar' }
  | { kind: 'compressed'; by: Compression }
  | { kind: 'disk'; format: DiskFormat; sizeBytes: number };

/** @throws ImageError for what is known, and cannot or must not be read */
export function fileKind(path: string): FileKind {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const head = piece(descriptor, 0, 1024);
    const foot = piece(descriptor, Math.max(0, size - 512), 512);
    return kindOf(path, size, head, foot);
  } finally {
    closeSync(descriptor);
  }
}

/** By its magic; undefined: not compressed by anything that a kernel could undo. */
export function compressionOf(head: Buffer): Compression | undefined {
  if (head.length < 6) return undefined;
  const magic = head.toString('hex', 0, 6);
  if (magic.startsWith('1f8b')) return 'gzip';
  if (magic === 'fd377a585a00') return 'xz';
  if (magic.startsWith('28b52ffd')) return 'zstd';
  if (magic.startsWith('425a68')) return 'bzip2';
  if (magic.startsWith('02214c18') || magic.startsWith('04224d18')) return 'lz4';
  return magic.startsWith('5d0000') ? 'lzma' : undefined;
}

function kindOf(path: string, size: number, head: Buffer, foot: Buffer): FileKind {
  const refuse = (why: string): ImageError => new ImageError(`${path} ${why}`);
  if (size === 0) throw refuse('is empty: give the image itself.');
  const magic = head.toString('latin1', 0, 8);
  if (magic.startsWith('QFI\xfb')) return qcow2(head, refuse);
  if (magic.startsWith('KDMV')) return vmdk(head, refuse);
  if (magic.startsWith('# Disk D') || magic.startsWith('COWD'))
    throw refuse(
      'only describes a disk in other files: convert it first: qemu-img convert -O qcow2.',
    );
  if (magic === 'vhdxfile')
    throw refuse('is a VHDX, which is not read: convert it first: qemu-img convert -O qcow2.');
  if (foot.toString('latin1', 0, 8) === 'conectix') return vpc(foot, refuse);
  if (isTarHeader(head)) return { kind: 'tar' };
  const by = compressionOf(head);
  if (by !== undefined) return { kind: 'compressed', by };
  return { kind: 'disk', format: 'raw', sizeBytes: size };
}

type Refuse = (why: string) => ImageError;

function qcow2(head: Buffer, refuse: Refuse): FileKind {
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw refuse(`is qcow2 of version ${version}, not 2 or 3.`);
  if (head.readBigUInt64BE(8) !== 0n)
    throw refuse(
      'is only the changes to a backing file: make it whole first: qemu-img convert -O qcow2.',
    );
  if (head.readUInt32BE(32) !== 0)
    throw refuse('is encrypted: decrypt it first: qemu-img convert.');
  if (version === 3 && (head.readUInt32BE(76) & 4) !== 0)
    throw refuse('keeps its data in another file: make it whole first: qemu-img convert -O qcow2.');
  return { kind: 'disk', format: 'qcow2', sizeBytes: Number(head.readBigUInt64BE(24)) };
}

function vmdk(head: Buffer, refuse: Refuse): FileKind {
  // a header without a capacity only carries a description, which may name any file
  const sectors = Number(head.readBigUInt64LE(12));
  if (sectors === 0)
    throw refuse('only describes a disk in other files: convert it to one file first.');
  return { kind: 'disk', format: 'vmdk', sizeBytes: sectors * 512 };
}

function vpc(foot: Buffer, refuse: Refuse): FileKind {
  const type = foot.readUInt32BE(60);
  if (type !== 2 && type !== 3) throw refuse('is a differencing VHD: make it whole first.');
  return { kind: 'disk', format: 'vpc', sizeBytes: Number(foot.readBigUInt64BE(48)) };
}

function piece(descriptor: number, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  readSync(descriptor, buffer, 0, length, at);
  return buffer;
}
