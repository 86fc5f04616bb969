/**
 * Tiny ELF files for guests, so that tests need neither a compiler nor a package: an eBPF object as
 * `ip link set ... xdp obj` loads it, and an x86-64 program. Follows elf(5).
 */

const EM_X86_64 = 62;
const EM_BPF = 247;
const ET_REL = 1;
const ET_EXEC = 2;
const headerBytes = 64;
const sectionBytes = 64;
const SHT = { progbits: 1, symtab: 2, strtab: 3 } as const;
const SHF_ALLOC_EXEC = 6;
const PT_LOAD = 1;
const PF_R_X = 5;

type Section = {
  readonly name: string;
  readonly type: number;
  readonly flags?: number;
  readonly link?: number;
  /** Symbol tables: how many of the symbols are local. */
  readonly info?: number;
  readonly entryBytes?: number;
  readonly content: Buffer;
};

/** An eBPF object with one program in one section, which gives the program its name. */
export function bpfObject(section: string, code: Buffer): Buffer {
  const names = strings(['', section]);
  const symbol = Buffer.alloc(2 * 24); // the first symbol is the empty one
  symbol.writeUInt32LE(names.at[1] ?? 0, 24);
  symbol.writeUInt8(0x12, 28); // a global function
  symbol.writeUInt16LE(1, 30);
  symbol.writeBigUInt64LE(BigInt(code.length), 40);
  return relocatable(EM_BPF, [
    { name: section, type: SHT.progbits, flags: SHF_ALLOC_EXEC, content: code },
    { name: 'license', type: SHT.progbits, flags: 3, content: Buffer.from('GPL\0') },
    { name: '.strtab', type: SHT.strtab, content: names.content },
    { name: '.symtab', type: SHT.symtab, link: 3, info: 1, entryBytes: 24, content: symbol },
  ]);
}

/** A static program that begins with its first instruction. */
export function x86Program(code: Buffer): Buffer {
  const base = 0x40_0000;
  const codeAt = headerBytes + 56;
  const load = Buffer.alloc(56);
  load.writeUInt32LE(PT_LOAD, 0);
  load.writeUInt32LE(PF_R_X, 4);
  load.writeUInt32LE(base, 16);
  load.writeUInt32LE(base, 24);
  load.writeUInt32LE(codeAt + code.length, 32);
  load.writeUInt32LE(codeAt + code.length, 40);
  load.writeUInt32LE(0x1000, 48);
  const header = elfHeader(ET_EXEC, EM_X86_64);
  header.writeUInt32LE(base + codeAt, 24);
  header.writeUInt32LE(headerBytes, 32);
  header.writeUInt16LE(load.length, 54);
  header.writeUInt16LE(1, 56);
  return Buffer.concat([header, load, code]);
}

function relocatable(machine: number, sections: readonly Section[]): Buffer {
  const names = strings(['', ...sections.map(({ name }) => name), '.shstrtab']);
  const all = [...sections, { name: '.shstrtab', type: SHT.strtab, content: names.content }];
  const table: Buffer[] = [Buffer.alloc(sectionBytes)];
  const contents: Buffer[] = [];
  let at = headerBytes;
  for (const [i, section] of all.entries()) {
    const padded = Buffer.alloc((section.content.length + 7) & ~7);
    section.content.copy(padded);
    table.push(sectionHeader(section, names.at[i + 1] ?? 0, at));
    contents.push(padded);
    at += padded.length;
  }
  const header = elfHeader(ET_REL, machine);
  header.writeUInt32LE(at, 40);
  header.writeUInt16LE(sectionBytes, 58);
  header.writeUInt16LE(table.length, 60);
  header.writeUInt16LE(table.length - 1, 62);
  return Buffer.concat([header, ...contents, ...table]);
}

function sectionHeader(section: Section, name: number, at: number): Buffer {
  const header = Buffer.alloc(sectionBytes);
  header.writeUInt32LE(name, 0);
  header.writeUInt32LE(section.type, 4);
  header.writeUInt32LE(section.flags ?? 0, 8);
  header.writeUInt32LE(at, 24);
  header.writeUInt32LE(section.content.length, 32);
  header.writeUInt32LE(section.link ?? 0, 40);
  header.writeUInt32LE(section.info ?? 0, 44);
  header.writeUInt32LE(8, 48);
  header.writeUInt32LE(section.entryBytes ?? 0, 56);
  return header;
}

/** 64 bits, little-endian, version 1. */
function elfHeader(type: number, machine: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(type, 16);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt16LE(headerBytes, 52);
  return header;
}

/** A string table and where each string is in it. */
function strings(values: readonly string[]): { content: Buffer; at: number[] } {
  const at: number[] = [];
  let length = 0;
  for (const value of values) {
    at.push(length);
    length += value.length + 1;
  }
  return { content: Buffer.from(`${values.join('\0')}\0`), at };
}
