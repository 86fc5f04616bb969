import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { moduleInfo, neededLibraries } from './elf.ts';
import { bzImagePayload, hasPvhEntry } from './kernel-image.ts';

/** An object file with one section of this name. */
function objectWith(name: string, content: string): Buffer {
  const names = Buffer.from(`\0${name}\0`);
  const body = Buffer.from(content, 'latin1');
  const file = Buffer.alloc(64 + names.length + body.length + 3 * 64);
  const table = 64 + names.length + body.length;
  file.writeUInt32BE(0x7f454c46, 0);
  file[4] = 2;
  file.writeBigUInt64LE(BigInt(table), 0x28);
  file.writeUInt16LE(64, 0x3a);
  file.writeUInt16LE(3, 0x3c);
  file.writeUInt16LE(1, 0x3e);
  names.copy(file, 64);
  body.copy(file, 64 + names.length);
  const section = (index: number, nameAt: number, offset: number, size: number): void => {
    file.writeUInt32LE(nameAt, table + index * 64);
    file.writeBigUInt64LE(BigInt(offset), table + index * 64 + 0x18);
    file.writeBigUInt64LE(BigInt(size), table + index * 64 + 0x20);
  };
  section(1, 0, 64, names.length);
  section(2, 1, 64 + names.length, body.length);
  return file;
}

test('a module tells what it depends on and what it drives', () => {
  const text = 'license=GPL\0depends=ptp,dca\0alias=pci:v1D0F\0alias=pci:v8086\0name=x\0';
  assert.deepEqual(moduleInfo(objectWith('.modinfo', text)), {
    depends: ['ptp', 'dca'],
    aliases: ['pci:v1D0F', 'pci:v8086'],
  });
  assert.deepEqual(moduleInfo(objectWith('.modinfo', 'depends=\0')).depends, []);
});

test('a program tells which libraries it needs, another file needs none', () => {
  const own = neededLibraries(readFileSync(process.execPath));
  assert.ok(own.includes('libc.so.6') || own.length === 0, own.join()); // Node may be static
  assert.deepEqual(neededLibraries(Buffer.from('#!/bin/sh\n')), []);
});

test('the compressed kernel in a bzImage is found by its header', () => {
  const image = Buffer.alloc(4096);
  image[0x1f1] = 1;
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(0x20f, 0x206);
  image.writeUInt32LE(0x100, 0x248);
  image.writeUInt32LE(104, 0x24c);
  image.writeUInt32BE(0x28b52ffd, 0x400 + 0x100);
  const found = bzImagePayload(image);
  assert.equal(found?.format, 'zst');
  assert.equal(found?.payload.length, 100);
  assert.equal(bzImagePayload(Buffer.alloc(4096)), undefined);
  assert.equal(hasPvhEntry(image), false);
});
