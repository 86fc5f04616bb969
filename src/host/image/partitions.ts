/**
 * What firmware sees of a disk: the master boot record with its code, partition tables of both kinds. Follows
 * UEFI 2.10 chapter 5 (MBR, protective MBR, GPT) and what PC BIOSes do: they run the code of the first sector.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { DiskFacts, PartitionFacts } from '../../check/image/facts.ts';

const SECTOR = 512;
const MAX_LOGICAL = 60;
const MAX_GPT_ENTRIES = 1024;

/** Types of GPT partitions by their GUIDs, as written. */
const GPT_TYPES: Readonly<Record<string, string>> = {
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b': 'EFI system',
  '21686148-6449-6e6f-744e-656564454649': 'BIOS boot',
  '0fc63daf-8483-4772-8e79-3d69d8477de4': 'Linux',
  'e6d6d379-f507-44c2-a23c-238f2a3df928': 'Linux LVM',
  '4f68bce3-e8cd-4db1-96e7-fbcaf984b709': 'Linux root (x86-64)',
  'b921b045-1df0-41c3-af44-4c6f280d3fae': 'Linux root (ARM64)',
  'bc13c2ff-59e6-4262-a352-b275fd6f7172': 'Linux boot',
  '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f': 'Linux swap',
  'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7': 'Windows data',
  'e3c9e316-0b5c-4db8-817d-f92df00215ae': 'Windows reserved',
  '516e7cb4-6ecf-11d6-8ff8-00022d09712b': 'FreeBSD',
  '516e7cb6-6ecf-11d6-8ff8-00022d09712b': 'FreeBSD UFS',
  '516e7cba-6ecf-11d6-8ff8-00022d09712b': 'FreeBSD ZFS',
  '83bd6b9d-7f41-11dc-be0b-001560b84f0f': 'FreeBSD boot',
};
const MBR_TYPES: Readonly<Record<number, string>> = {
  5: 'extended',
  7: 'NTFS',
  11: 'FAT32',
  12: 'FAT32',
  15: 'extended',
  130: 'Linux swap',
  131: 'Linux',
  142: 'Linux LVM',
  165: 'FreeBSD',
  238: 'GPT protective',
  239: 'EFI system',
};

/** Never fails: what makes no sense is no partition table. `path`: a raw disk. */
export function readPartitions(path: string): DiskFacts {
  const descriptor = openSync(path, 'r');
  try {
    const disk: Reader = (at, length) => {
      const buffer = Buffer.alloc(length);
      readSync(descriptor, buffer, 0, length, at);
      return buffer;
    };
    return partitionsOf(disk, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}

type Reader = (at: number, length: number) => Buffer;

/** @param disk zeros where there is nothing */
export function partitionsOf(disk: Reader, sizeBytes: number): DiskFacts {
  const mbr = disk(0, SECTOR);
  const signed = mbr[510] === 0x55 && mbr[511] === 0xaa;
  const primary = signed ? mbrEntries(mbr) : [];
  const gpt = gptEntries(disk, sizeBytes);
  // a file system's own boot sector is signed as well: it is a table only where its entries make sense
  const isTable = primary.some((p) => p.type !== 0) && primary.every((p) => isSane(p, sizeBytes));
  const others = primary.filter((p) => p.type !== 0 && p.type !== 0xee);
  const hasCode = signed && mbr.subarray(0, 440).some((byte) => byte !== 0);
  const common = { sizeBytes, bootCode: hasCode };
  if (gpt !== null)
    return { ...common, table: others.length > 0 && isTable ? 'hybrid' : 'gpt', partitions: gpt };
  if (!isTable) return { ...common, table: 'none', partitions: [] };
  const signature = mbr.readUInt32LE(440).toString(16).padStart(8, '0');
  const logical = primary
    .filter((p) => p.type === 5 || p.type === 15)
    .flatMap((p) => chain(disk, p));
  const partitions = [
    ...primary.flatMap((p, i) => (p.type === 0 ? [] : [{ ...p, name: `msdos${i + 1}` }])),
    ...logical.map((p, i) => ({ ...p, name: `msdos${i + 5}` })),
  ];
  return {
    ...common,
    table: 'mbr',
    partitions: partitions.map(({ name, type, start, sectors, active }) => ({
      name,
      type: MBR_TYPES[type] ?? `0x${type.toString(16)}`,
      uuid: `${signature}-${name.slice(5).padStart(2, '0')}`,
      startBytes: start * SECTOR,
      sizeBytes: sectors * SECTOR,
      active,
    })),
  };
}

interface MbrEntry {
  type: number;
  start: number;
  sectors: number;
  active: boolean;
  status: number;
}

function mbrEntries(sector: Buffer): MbrEntry[] {
  return [446, 462, 478, 494].map((at) => {
    const status = sector[at] ?? 0;
    return {
      type: sector[at + 4] ?? 0,
      start: sector.readUInt32LE(at + 8),
      sectors: sector.readUInt32LE(at + 12),
      active: status === 0x80,
      status,
    };
  });
}

function isSane({ type, start, sectors, status }: MbrEntry, sizeBytes: number): boolean {
  if (status !== 0 && status !== 0x80) return false;
  return type === 0 || (start > 0 && sectors > 0 && start * SECTOR < sizeBytes);
}

/** Logical partitions: a chain of tables, each relative to the extended partition. */
function chain(disk: Reader, extended: MbrEntry): MbrEntry[] {
  const found: MbrEntry[] = [];
  const seen = new Set<number>();
  for (let at = extended.start; found.length < MAX_LOGICAL && !seen.has(at); ) {
    seen.add(at);
    const table = disk(at * SECTOR, SECTOR);
    const [own, next] = table.readUInt16LE(510) === 0xaa55 ? mbrEntries(table) : [];
    if (own === undefined || own.type === 0) break;
    found.push({ ...own, start: at + own.start });
    if (next === undefined || next.type === 0) break;
    at = extended.start + next.start;
  }
  return found;
}

/** Of the first header, else of the backup at the disk's end; null: no GPT. */
function gptEntries(disk: Reader, sizeBytes: number): PartitionFacts[] | null {
  const last = Math.floor(sizeBytes / SECTOR) - 1;
  for (const sector of [1, last]) {
    const header = disk(sector * SECTOR, SECTOR);
    if (header.toString('latin1', 0, 8) !== 'EFI PART') continue;
    const at = Number(header.readBigUInt64LE(72));
    const count = Math.min(header.readUInt32LE(80), MAX_GPT_ENTRIES);
    const size = header.readUInt32LE(84);
    if (size < 128 || size > 4096 || at > last) continue;
    const table = disk(at * SECTOR, count * size);
    return Array.from({ length: count }, (_, i) => gptEntry(table.subarray(i * size), i)).filter(
      (entry) => entry !== null,
    );
  }
  return null;
}

function gptEntry(entry: Buffer, index: number): PartitionFacts | null {
  const type = guid(entry);
  if (/^[0-]*$/.test(type)) return null;
  const [first, last] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
  return {
    name: `gpt${index + 1}`,
    type: GPT_TYPES[type] ?? type,
    uuid: guid(entry.subarray(16)),
    startBytes: first * SECTOR,
    sizeBytes: Math.max(0, last - first + 1) * SECTOR,
    active: false,
  };
}

/** The first three fields are little-endian. */
function guid(at: Buffer): string {
  const hex = (from: number, to: number): string => at.toString('hex', from, to);
  const swapped = (from: number, to: number): string =>
    Buffer.from(at.subarray(from, to)).reverse().toString('hex');
  return `${swapped(0, 4)}-${swapped(4, 6)}-${swapped(6, 8)}-${hex(8, 10)}-${hex(10, 16)}`;
}
