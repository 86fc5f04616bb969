/**
 * The little of the ELF format (64 bit, little endian; System V ABI, gabi4+) that assembling a
 * guest needs: which libraries a program wants, and what a kernel module says of itself.
 */

interface Section {
  name: string;
  type: number;
  offset: number;
  size: number;
  link: number;
}

const SHT_DYNAMIC = 6;
const DT_NEEDED = 1;

/** Names of the shared libraries that the file needs; empty for a static one or another format. */
export function neededLibraries(file: Buffer): string[] {
  const sections = sectionsOf(file);
  const dynamic = sections.find(({ type }) => type === SHT_DYNAMIC);
  const strings = dynamic && sections[dynamic.link];
  if (dynamic === undefined || strings === undefined) return [];
  const names: string[] = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    if (file.readUInt32LE(at) === DT_NEEDED)
      names.push(stringAt(file, strings.offset + file.readUInt32LE(at + 8)));
  }
  return names;
}

export interface ModuleInfo {
  /** Names of modules, with underscores. */
  depends: string[];
  /** Patterns of device names that it drives: 'pci:v00001D0Fd0000EC20...'. */
  aliases: string[];
}

/** The `.modinfo` section of a kernel module. */
export function moduleInfo(file: Buffer): ModuleInfo {
  const depends = moduleValues(file, 'depends').flatMap((list) => list.split(','));
  return { depends: depends.filter((name) => name !== ''), aliases: moduleValues(file, 'alias') };
}

/** All values of a key of the `.modinfo` section: 'version', 'vermagic'. */
export function moduleValues(file: Buffer, key: string): string[] {
  const section = sectionsOf(file).find(({ name }) => name === '.modinfo');
  if (section === undefined) return [];
  const text = file.toString('latin1', section.offset, section.offset + section.size);
  return text
    .split('\0')
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1));
}

function sectionsOf(file: Buffer): Section[] {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2) return [];
  const table = Number(file.readBigUInt64LE(0x28));
  const entrySize = file.readUInt16LE(0x3a);
  const headers = Array.from({ length: file.readUInt16LE(0x3c) }, (_, index) => {
    const at = table + index * entrySize;
    return {
      name: file.readUInt32LE(at),
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 0x18)),
      size: Number(file.readBigUInt64LE(at + 0x20)),
      link: file.readUInt32LE(at + 0x28),
    };
  });
  const names = headers[file.readUInt16LE(0x3e)];
  return headers.map((header) => ({
    ...header,
    name: names === undefined ? '' : stringAt(file, names.offset + header.name),
  }));
}

function stringAt(file: Buffer, offset: number): string {
  return file.toString('latin1', offset, file.indexOf(0, offset));
}
