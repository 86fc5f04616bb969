import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedFiles } from './disk-image.ts';
import { writeIso } from './iso9660.ts';

const SECTOR = 2048;

/** Reads a volume back as Linux would: label, and files by name in lower case. */
function readIso(volume: Buffer): { label: string; files: Map<string, Buffer> } {
  const descriptor = 16 * SECTOR;
  assert.equal(volume.toString('latin1', descriptor, descriptor + 6), '\x01CD001');
  assert.equal(volume.readUInt32LE(descriptor + 80) * SECTOR, volume.length);
  const files = new Map<string, Buffer>();
  const start = volume.readUInt32LE(descriptor + 156 + 2) * SECTOR;
  const end = start + volume.readUInt32LE(descriptor + 156 + 10);
  for (let at = start; at < end; ) {
    const size = volume[at] ?? 0;
    if (size === 0) {
      at = (Math.floor(at / SECTOR) + 1) * SECTOR;
      continue;
    }
    assert.equal(Math.floor(at / SECTOR), Math.floor((at + size - 1) / SECTOR));
    const name = volume.toString('latin1', at + 33, at + 33 + (volume[at + 32] ?? 0));
    const content = volume.readUInt32LE(at + 2) * SECTOR;
    if (((volume[at + 25] ?? 0) & 2) === 0)
      files.set(
        name.toLowerCase().replace(/;1$/, ''),
        volume.subarray(content, content + volume.readUInt32LE(at + 10)),
      );
    at += size;
  }
  const label = volume.toString('latin1', descriptor + 40, descriptor + 72).trim();
  return { label, files };
}

test('a volume holds its files, also when the directory needs several sectors', () => {
  const files = Array.from({ length: 120 }, (_, index) => ({
    name: `library-${index}.so.1`,
    content: Buffer.alloc(index * 100, index),
  }));
  const read = readIso(writeIso('VIRTFN', files));
  assert.equal(read.label, 'VIRTFN');
  assert.equal(read.files.size, 120);
  for (const { name, content } of files) assert.deepEqual(read.files.get(name), content);
  assert.deepEqual(writeIso('VIRTFN', files), writeIso('VIRTFN', files));
});

test('the seed is what cloud-init looks for, and configures no network', () => {
  const { label, files } = readIso(writeIso('CIDATA', seedFiles('web1')));
  assert.equal(label, 'CIDATA');
  const text = (name: string): string => files.get(name)?.toString() ?? '';
  assert.equal(JSON.parse(text('meta-data'))['local-hostname'], 'web1');
  assert.match(text('user-data'), /^#cloud-config\n\{"bootcmd":/);
  assert.equal(JSON.parse(text('network-config')).config, 'disabled');
});
