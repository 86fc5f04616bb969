/** Compressors of an initramfs, by the distribution's tools. */
import type { ImageMaker } from './image-maker.ts';

type Packer = (maker: ImageMaker, archive: Buffer) => Buffer;

// as the kernel's own build has them: usr/Makefile
export const xz: Packer = (maker, data) => maker.run('usr/bin/xz', ['-0c', '--check=crc32'], data);
export const lzma: Packer = (maker, data) =>
  maker.run('usr/bin/xz', ['-0c', '--format=lzma'], data);
export const zstd: Packer = (maker, data) => maker.run('usr/bin/zstd', ['-1cq'], data);
export const lz4: Packer = (maker, data) => maker.run('usr/bin/lz4', ['-lcq'], data);
export const bzip: Packer = (maker, data) => maker.run('usr/bin/bzip2', ['-1c'], data);
