/** An LVM2 physical volume with one logical volume, as lvm2's format_text writes it: label, header, text. */
const SECTOR = 512;
const EXTENT = 4 * 2 ** 20;
const DATA = 2 ** 20;
const METADATA = 4096;
const PV_ID = 'AAAAAA-BBBB-CCCC-DDDD-EEEE-FFFF-GGGGGG';

export function lvmDisk(content: Uint8Array): Buffer {
  const extents = Math.ceil(content.length / EXTENT);
  const disk = Buffer.alloc(DATA + extents * EXTENT);
  const text = Buffer.from(`${description(extents, disk.length / SECTOR)}\0`);
  label(disk);
  metadata(disk, text);
  disk.set(content, DATA);
  return disk;
}

function label(disk: Buffer): void {
  const at = SECTOR;
  disk.write('LABELONE', at);
  disk.writeBigUInt64LE(1n, at + 8);
  disk.writeUInt32LE(32, at + 20);
  disk.write('LVM2 001', at + 24);
  disk.write(PV_ID.replaceAll('-', ''), at + 32);
  disk.writeBigUInt64LE(BigInt(disk.length), at + 64);
  // areas: of data, the end, of metadata, the end
  disk.writeBigUInt64LE(BigInt(DATA), at + 72);
  disk.writeBigUInt64LE(BigInt(METADATA), at + 104);
  disk.writeBigUInt64LE(BigInt(DATA - METADATA), at + 112);
  disk.writeUInt32LE(crc(disk.subarray(at + 20, at + SECTOR)), at + 16);
}

function metadata(disk: Buffer, text: Buffer): void {
  const at = METADATA;
  disk.write(' LVM2 x[5A%r0N*>', at + 4, 'latin1');
  disk.writeUInt32LE(1, at + 20);
  disk.writeBigUInt64LE(BigInt(METADATA), at + 24);
  disk.writeBigUInt64LE(BigInt(DATA - METADATA), at + 32);
  disk.writeBigUInt64LE(512n, at + 40);
  disk.writeBigUInt64LE(BigInt(text.length), at + 48);
  disk.writeUInt32LE(crc(text), at + 56);
  disk.set(text, at + 512);
  disk.writeUInt32LE(crc(disk.subarray(at + 4, at + 512)), at);
}

function description(extents: number, sectors: number): string {
  return `vg {
id = "HHHHHH-IIII-JJJJ-KKKK-LLLL-MMMM-NNNNNN"
seqno = 2
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = ${EXTENT / SECTOR}
max_lv = 0
max_pv = 0
metadata_copies = 0
physical_volumes {
pv0 {
id = "${PV_ID}"
device = "/dev/sda2"
status = ["ALLOCATABLE"]
flags = []
dev_size = ${sectors}
pe_start = ${DATA / SECTOR}
pe_count = ${extents}
}
}
logical_volumes {
root {
id = "OOOOOO-PPPP-QQQQ-RRRR-SSSS-TTTT-UUUUUU"
status = ["READ", "WRITE", "VISIBLE"]
flags = []
segment_count = 1
segment1 {
start_extent = 0
extent_count = ${extents}
type = "striped"
stripe_count = 1
stripes = [
"pv0", 0
]
}
}
}
}
`;
}

/** CRC-32 with LVM's own start value and nothing at the end. */
function crc(data: Uint8Array): number {
  let value = 0xf597a6cf;
  for (const byte of data) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return value >>> 0;
}
