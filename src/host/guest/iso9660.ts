/**
 * Writes a small ISO 9660 volume: one flat directory of files, as a cloud-init seed and a disk of
 * tools need it. Follows ECMA-119; names are longer than its level 1 allows and are read back in
 * lower case, which is how Linux shows a volume without extensions. Same input, same bytes.
 */

export interface IsoFile {
  /** Lower case, at most 30 characters. */
  name: string;
  content: Uint8Array;
}

const SECTOR = 2048;
const FIRST_DIRECTORY_SECTOR = 20;
/** Everything was made in 1980. */
const RECORD_DATE = Buffer.from([80, 1, 1, 0, 0, 0, 0]);
const VOLUME_DATE = Buffer.from('1980010100000000\0', 'latin1');

/** @param label volume label, upper case, at most 32 characters */
export function writeIso(label: string, files: readonly IsoFile[]): Buffer {
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = sorted.map(({ name }) => Buffer.from(`${name.toUpperCase()};1`, 'latin1'));
  const directorySectors = packRecords([1, 1, ...names.map((name) => name.length)]).sectors;

  let next = FIRST_DIRECTORY_SECTOR + directorySectors;
  const places = sorted.map(({ content }) => {
    const sector = next;
    next += Math.ceil(content.length / SECTOR);
    return sector;
  });
  const root = (name: number): Buffer =>
    record(Buffer.from([name]), FIRST_DIRECTORY_SECTOR, directorySectors * SECTOR, true);
  const records = [
    root(0),
    root(1),
    ...sorted.map(({ content }, i) =>
      record(names[i] ?? Buffer.alloc(0), places[i] ?? 0, content.length, false),
    ),
  ];

  const volume = Buffer.alloc(next * SECTOR);
  primaryDescriptor(label, next, root(0)).copy(volume, 16 * SECTOR);
  volume.write('\xffCD001\x01', 17 * SECTOR, 'latin1');
  pathTable(false).copy(volume, 18 * SECTOR);
  pathTable(true).copy(volume, 19 * SECTOR);
  const { offsets } = packRecords([1, 1, ...names.map((name) => name.length)]);
  for (const [i, data] of records.entries())
    data.copy(volume, FIRST_DIRECTORY_SECTOR * SECTOR + (offsets[i] ?? 0));
  for (const [i, { content }] of sorted.entries()) volume.set(content, (places[i] ?? 0) * SECTOR);
  return volume;
}

/** Where records with names of these lengths go: none crosses the end of a sector. */
function packRecords(nameLengths: readonly number[]): { offsets: number[]; sectors: number } {
  let at = 0;
  const offsets = nameLengths.map((length) => {
    const size = recordSize(length);
    if ((at % SECTOR) + size > SECTOR) at = Math.ceil(at / SECTOR) * SECTOR;
    const offset = at;
    at += size;
    return offset;
  });
  return { offsets, sectors: Math.ceil(at / SECTOR) };
}

function recordSize(nameLength: number): number {
  return (33 + nameLength + 1) & ~1;
}

/** ECMA-119 9.1. */
function record(name: Buffer, sector: number, size: number, isDirectory: boolean): Buffer {
  const data = Buffer.alloc(recordSize(name.length));
  data[0] = data.length;
  both32(data, 2, sector);
  both32(data, 10, size);
  RECORD_DATE.copy(data, 18);
  data[25] = isDirectory ? 2 : 0;
  both16(data, 28, 1);
  data[32] = name.length;
  name.copy(data, 33);
  return data;
}

/** ECMA-119 8.4. */
function primaryDescriptor(label: string, sectors: number, root: Buffer): Buffer {
  const data = Buffer.alloc(SECTOR);
  data.write('\x01CD001\x01', 0, 'latin1');
  data.fill(' ', 8, 72);
  data.write(label, 40, 'latin1');
  both32(data, 80, sectors);
  both16(data, 120, 1);
  both16(data, 124, 1);
  both16(data, 128, SECTOR);
  both32(data, 132, pathTable(false).length);
  data.writeUInt32LE(18, 140);
  data.writeUInt32BE(19, 148);
  root.copy(data, 156);
  data.fill(' ', 190, 813);
  for (const at of [813, 830, 847, 864]) VOLUME_DATE.copy(data, at);
  data[881] = 1;
  return data;
}

/** ECMA-119 9.4: the root directory alone. */
function pathTable(bigEndian: boolean): Buffer {
  const data = Buffer.alloc(10);
  data[0] = 1;
  if (bigEndian) {
    data.writeUInt32BE(FIRST_DIRECTORY_SECTOR, 2);
    data.writeUInt16BE(1, 6);
  } else {
    data.writeUInt32LE(FIRST_DIRECTORY_SECTOR, 2);
    data.writeUInt16LE(1, 6);
  }
  return data;
}

function both16(data: Buffer, at: number, value: number): void {
  data.writeUInt16LE(value, at);
  data.writeUInt16BE(value, at + 2);
}

function both32(data: Buffer, at: number, value: number): void {
  data.writeUInt32LE(value, at);
  data.writeUInt32BE(value, at + 4);
}
