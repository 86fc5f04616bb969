/**
 * A raw disk of any image file: the file itself where it is one, else a sparse copy in a temporary directory
 * that goes with this process. What the copy may take is bounded by the space that is free.
 */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  openSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Compression, DiskFormat } from './disk-format.ts';
import { ImageError } from './errors.ts';
import type { ImageTools } from './tools.ts';

const TIMEOUT_MS = 15 * 60_000;
/** What is left free on the file system of temporary files. */
const RESERVE_BYTES = 512 * 2 ** 20;
const MAX_DISK_BYTES = 64 * 2 ** 40; // as EBS: EC2 User Guide, "EBS volume constraints"

export type OnDone = (fraction: number) => void;

/** @throws ImageError */
export async function rawCopy(
  tools: ImageTools,
  path: string,
  { format, sizeBytes }: { format: DiskFormat; sizeBytes: number },
  directory: string,
  onDone: OnDone,
): Promise<string> {
  if (sizeBytes > MAX_DISK_BYTES)
    throw new ImageError(
      `${path} claims to be a disk of ${sizeBytes} bytes: no EBS volume is so large.`,
    );
  const target = join(directory, 'disk.raw');
  const room = freeBytes(directory);
  const allowed = Math.max(0, room - RESERVE_BYTES);
  const taken = (): number => (statSync(target, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  const source = statSync(path).size;
  const args = ['convert', '-f', format, '-O', 'raw', '-S', '4k', '--', path, target];
  const { how, code, complaint } = await tools.run('qemu-img', args, {
    timeoutMs: TIMEOUT_MS,
    maxBytes: 1 << 20,
    maxFileBytes: sizeBytes + 2 ** 20,
    onTick: () => {
      onDone(Math.min(0.99, taken() / Math.max(1, source * 2)));
      return taken() <= allowed;
    },
  });
  if (how === 'stopped') throw noRoom(path, directory, room);
  if (how === 'tooSlow')
    throw new ImageError(`${path} could not be unpacked in ${TIMEOUT_MS / 60_000} minutes.`);
  if (code !== 0)
    throw new ImageError(
      `${path} is damaged or no ${format}: ${complaint.replace(/^qemu-img: /, '')}`,
    );
  return target;
}

/** The decompressed file. @throws ImageError */
export async function decompressedCopy(
  tools: ImageTools,
  path: string,
  by: Compression,
  directory: string,
): Promise<string> {
  const target = join(directory, 'unpacked');
  const room = freeBytes(directory);
  let bytes = 0;
  const bounded = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      done(bytes > room - RESERVE_BYTES ? noRoom(path, directory, room) : null, chunk);
    },
  });
  if (by === 'gzip') {
    await pipeline(
      createReadStream(path),
      createGunzip(),
      bounded,
      createWriteStream(target),
    ).catch((error) => {
      throw error instanceof ImageError ? error : damaged(path, by, (error as Error).message);
    });
    return target;
  }
  const out = openSync(target, 'w');
  const { how, code, complaint } = await tools
    .run(...decompression(by, path), {
      timeoutMs: TIMEOUT_MS,
      maxBytes: Math.max(0, room - RESERVE_BYTES),
      onData: (data) => writeSync(out, data) > 0,
    })
    .finally(() => closeSync(out));
  if (how === 'tooMuch') throw noRoom(path, directory, room);
  if (code !== 0) throw damaged(path, by, complaint);
  return target;
}

/** A tool with its arguments that writes what `path` (absent: its input) holds to its output. */
export function decompression(
  by: Exclude<Compression, 'gzip'>,
  path?: string,
): [tool: 'xz' | 'zstd' | 'lz4' | 'bzip2', args: string[]] {
  const file = path === undefined ? [] : ['--', path];
  switch (by) {
    case 'xz':
    case 'lzma':
      return ['xz', ['-dc', `--format=${by}`, ...file]];
    case 'zstd':
      return ['zstd', ['-dcq', '--long=31', ...file]];
    case 'lz4':
      return ['lz4', ['-dcq', ...file]];
    case 'bzip2':
      return ['bzip2', ['-dcq', ...file]];
  }
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

function damaged(path: string, by: Compression, why: string): ImageError {
  return new ImageError(`${path} is damaged or no ${by} file: ${why}`);
}

function noRoom(path: string, directory: string, room: number): ImageError {
  const gib = (room / 2 ** 30).toFixed(1);
  return new ImageError(
    `${path} does not fit, unpacked, into the ${gib} GiB that are free in ${directory}: ` +
      'set TMPDIR to a directory with more room.',
  );
}
