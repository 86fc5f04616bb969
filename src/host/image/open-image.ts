/**
 * An image as a tree of files, whatever it is: a disk in several formats, an archive, a directory. Nothing is
 * mounted, nothing is written to it, and all that is made on the way goes with this process.
 */
import { realpathSync, statSync } from 'node:fs';
import type { DiskFacts, ImageSource } from '../../check/image/facts.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../qemu/process.ts';
import { DirectoryTree } from './directory-tree.ts';
import { type FileKind, fileKind } from './disk-format.ts';
import { ImageError } from './errors.ts';
import { readPartitions } from './partitions.ts';
import { decompressedCopy, rawCopy } from './raw-disk.ts';
import { TarTree } from './tar-tree.ts';
import type { ImageTools } from './tools.ts';
import type { FileTree } from './tree.ts';
import { TreeError } from './tree.ts';

export type OpenImage = { source: ImageSource; close: () => void } & (
  | { kind: 'tree'; tree: FileTree }
  | { kind: 'disk'; rawPath: string; disk: DiskFacts }
);

/** @param progress is told what takes time */
export async function openImage(
  tools: ImageTools,
  path: string,
  progress: (fraction: number | undefined, text: string) => void,
): Promise<OpenImage> {
  const place = existing(path);
  if (statSync(place).isDirectory()) {
    const source: ImageSource = { path, format: 'directory', sizeBytes: null, compressed: false };
    return { kind: 'tree', tree: new DirectoryTree(place), source, close: () => {} };
  }
  const directory = temporaryDirectory();
  const close = (): void => removeTemporaryDirectory(directory);
  try {
    return await openFile(tools, { path, place, directory, close, progress });
  } catch (error) {
    close();
    throw error;
  }
}

type Opening = {
  path: string;
  place: string;
  directory: string;
  close: () => void;
  progress: (fraction: number | undefined, text: string) => void;
};

async function openFile(tools: ImageTools, opening: Opening): Promise<OpenImage> {
  const { path, directory, progress } = opening;
  let { place } = opening;
  let kind: FileKind = fileKind(place);
  const compressed = kind.kind === 'compressed';
  if (kind.kind === 'compressed') {
    progress(undefined, `decompressing ${kind.by}`);
    place = await decompressedCopy(tools, place, kind.by, directory);
    kind = fileKind(place);
    if (kind.kind === 'compressed')
      throw new ImageError(`${path} is compressed twice: unpack it first.`);
  }
  if (kind.kind === 'tar') return openArchive(opening, place);
  const { format, sizeBytes } = kind;
  const onDone = (fraction: number): void => progress(fraction, `unpacking ${format}`);
  const rawPath =
    format === 'raw'
      ? place
      : await rawCopy(tools, place, { format, sizeBytes }, directory, onDone);
  const source: ImageSource = { path, format, sizeBytes: statSync(rawPath).size, compressed };
  return { kind: 'disk', rawPath, disk: readPartitions(rawPath), source, close: opening.close };
}

function openArchive({ path, close }: Opening, place: string): OpenImage {
  try {
    const tree = new TarTree(place);
    const closeAll = (): void => {
      tree.close();
      close();
    };
    const source: ImageSource = { path, format: 'tar', sizeBytes: null, compressed: false };
    return { kind: 'tree', tree, source, close: closeAll };
  } catch (error) {
    if (error instanceof TreeError) throw new ImageError(`${path}: ${error.message}.`);
    throw error;
  }
}

function existing(path: string): string {
  try {
    const place = realpathSync(path);
    const stat = statSync(place);
    if (stat.isFile() || stat.isDirectory()) return place;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT')
      throw new ImageError(`${path} cannot be opened (${code}): check its permissions.`);
    throw new ImageError(
      `There is no ${path}: give the path of a disk image, directory or archive.`,
    );
  }
  throw new ImageError(
    `${path} is neither a file nor a directory: copy a device into a file first.`,
  );
}
