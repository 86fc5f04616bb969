/**
 * A tar archive as an image's root, read in place: its headers are indexed once, contents are read when
 * somebody asks. Follows pax(1) (ustar, pax records) and GNU tar's long names and large numbers.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  type FileTree,
  type Node,
  resolvePath,
  type TreeEntry,
  TreeError,
  tooLarge,
} from './tree.ts';

interface Entry {
  kind: Node['kind'];
  /** Where its content begins in the archive, and how long it is. */
  offset: number;
  size: number;
  target: string;
}

const BLOCK = 512;
const MAX_HEADERS = 2_000_000;
/** A record of long names or pax values; more is somebody who wants our memory. */
const MAX_RECORD = 1 << 20;

export class TarTree implements FileTree {
  readonly #descriptor: number;
  readonly #entries = new Map<string, Entry>([['/', directory()]]);
  readonly #children = new Map<string, Set<string>>();

  /** @throws TreeError where it is no archive, or ends in the middle of something */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
    try {
      this.#index();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  async list(path: string): Promise<readonly TreeEntry[] | null> {
    const place = this.#resolve(path);
    if (place === null || this.#entries.get(place)?.kind !== 'directory') return null;
    const prefix = place === '/' ? '/' : `${place}/`;
    return [...(this.#children.get(place) ?? [])].map((name) => {
      const entry = this.#entries.get(prefix + name);
      const kind = entry?.kind === 'file' || entry?.kind === 'directory' ? entry.kind : 'other';
      return { name, kind, size: kind === 'file' ? (entry?.size ?? 0) : 0 };
    });
  }

  async read(path: string, maxBytes: number): Promise<Buffer | null> {
    const place = this.#resolve(path);
    const entry = place === null ? undefined : this.#entries.get(place);
    if (entry?.kind !== 'file') return null;
    if (entry.size > maxBytes) throw tooLarge(path, entry.size, maxBytes);
    return this.#bytes(entry.offset, entry.size);
  }

  async exists(path: string): Promise<boolean> {
    return this.#resolve(path) !== null;
  }

  #resolve(path: string): string | null {
    return resolvePath(path, (at) => {
      const entry = this.#entries.get(at);
      if (entry === undefined) return null;
      if (entry.kind === 'link') return { kind: 'link', target: entry.target };
      return { kind: entry.kind };
    });
  }

  #index(): void {
    const total = fstatSync(this.#descriptor).size;
    let long: Record<string, string> = {};
    let at = 0;
    for (let count = 0; at + BLOCK <= total; count++) {
      if (count === MAX_HEADERS) throw new TreeError('the archive has too many entries');
      const header = this.#bytes(at, BLOCK);
      if (header.every((byte) => byte === 0)) return;
      if (!isHeader(header)) throw new TreeError(`the archive is damaged at byte ${at}`);
      const type = String.fromCharCode(header[156] ?? 0);
      const size =
        type === '1' || type === '2' ? 0 : Number(long['size'] ?? number(header, 124, 12));
      const offset = at + BLOCK;
      if (!(size >= 0) || offset + size > total) throw new TreeError('the archive is cut off');
      at = offset + Math.ceil(size / BLOCK) * BLOCK;
      if (type === 'L' || type === 'K')
        long[type === 'L' ? 'path' : 'linkpath'] = text(this.#record(offset, size), 0, size);
      else if (type === 'x') long = { ...long, ...paxRecords(this.#record(offset, size)) };
      else if (type !== 'g') {
        const path = long['path'] ?? nameOf(header);
        const link = long['linkpath'] ?? text(header, 157, 100);
        this.#add(`/${parts(path).join('/')}`, type, { offset, size, link });
        long = {};
      }
    }
    if (this.#entries.size === 1) throw new TreeError('the archive is empty or cut off');
  }

  #add(
    path: string,
    type: string,
    { offset, size, link }: { offset: number; size: number; link: string },
  ): void {
    const whole = '\x000\x007';
    if (type === '1') {
      const linked = this.#entries.get(`/${parts(link).join('/')}`);
      if (linked !== undefined) this.#put(path, linked);
    } else if (type === '2') this.#put(path, { kind: 'link', offset: 0, size: 0, target: link });
    else if (type === '5') this.#put(path, directory());
    else
      this.#put(path, { kind: whole.includes(type) ? 'file' : 'other', offset, size, target: '' });
  }

  #put(path: string, entry: Entry): void {
    if (path === '/') return;
    this.#entries.set(path, entry);
    for (let child = path; child !== '/'; ) {
      const slash = child.lastIndexOf('/');
      const parent = child.slice(0, slash) || '/';
      const siblings = this.#children.get(parent) ?? new Set();
      this.#children.set(parent, siblings);
      if (siblings.has(child.slice(slash + 1))) return;
      siblings.add(child.slice(slash + 1));
      if (!this.#entries.has(parent)) this.#entries.set(parent, directory());
      child = parent;
    }
  }

  #record(offset: number, size: number): Buffer {
    if (size > MAX_RECORD) throw new TreeError('the archive has a name that is too long');
    return this.#bytes(offset, size);
  }

  #bytes(offset: number, size: number): Buffer {
    const buffer = Buffer.alloc(size);
    const got = readSync(this.#descriptor, buffer, 0, size, offset);
    if (got !== size) throw new TreeError('the archive is cut off');
    return buffer;
  }
}

/** By the checksum of its first header, which old archives without a magic have too. */
export function isTarHeader(block: Buffer): boolean {
  return block.length >= BLOCK && block[0] !== 0 && isHeader(block.subarray(0, BLOCK));
}

function isHeader(header: Buffer): boolean {
  let sum = 8 * 0x20; // of the sum's own field, as spaces
  for (const [at, byte] of header.entries()) if (at < 148 || at >= 156) sum += byte;
  return number(header, 148, 8) === sum;
}

function directory(): Entry {
  return { kind: 'directory', offset: 0, size: 0, target: '' };
}

function nameOf(header: Buffer): string {
  const prefix = header.toString('latin1', 257, 262) === 'ustar' ? text(header, 345, 155) : '';
  const name = text(header, 0, 100);
  // GNU's own old format keeps times where ustar has the prefix
  return prefix === '' || header.toString('latin1', 257, 265) === 'ustar  \0'
    ? name
    : `${prefix}/${name}`;
}

/** Octal, or base 256 where the first bit is set. */
function number(header: Buffer, at: number, length: number): number {
  if ((header[at] ?? 0) & 0x80) {
    let value = (header[at] ?? 0) & 0x3f;
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (header[i] ?? 0);
    return value;
  }
  const digits = text(header, at, length).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}

function text(buffer: Buffer, at: number, length: number): string {
  const end = buffer.indexOf(0, at);
  return buffer.toString('utf8', at, end === -1 ? at + length : Math.min(end, at + length));
}

/** `LENGTH KEY=VALUE\n`, again and again. */
function paxRecords(data: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.toString('latin1', at, Math.max(at, space)));
    if (space === -1 || !(length > space - at)) break;
    const [key = '', ...value] = data.toString('utf8', space + 1, at + length - 1).split('=');
    if (['path', 'linkpath', 'size'].includes(key)) records[key] = value.join('=');
    at += length;
  }
  return records;
}

/** Without `.`; what would leave the root does not. */
function parts(path: string): string[] {
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') kept.pop();
    else if (part !== '' && part !== '.') kept.push(part);
  }
  return kept;
}
