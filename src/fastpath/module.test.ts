import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { layoutVersion } from './layout.ts';
import { compileFastpath, instantiateFastpath } from './module.ts';

test('the module imports a memory and nothing else', () => {
  const imports = WebAssembly.Module.imports(compileFastpath());
  assert.deepEqual(
    imports.map(({ module, name }) => `${module}.${name}`),
    ['env.memory'],
  );
});

test('the module runs nothing when it is instantiated', () => {
  const bytes = readFileSync(new URL('./fastpath.wasm', import.meta.url));
  const sections: number[] = [];
  for (let at = 8; at < bytes.length; ) {
    sections.push(bytes[at] ?? 0);
    let size = 0;
    let shift = 0;
    do {
      at++;
      size += ((bytes[at] ?? 0) & 127) << shift;
      shift += 7;
    } while (((bytes[at] ?? 0) & 128) !== 0);
    at += 1 + size;
  }
  assert.ok(sections.includes(10), 'it has code');
  assert.ok(!sections.includes(8), 'it has a start section');
});

test('the module and TypeScript see one memory, and one layout', () => {
  const memory = new WebAssembly.Memory({ initial: 4 });
  const words = new Int32Array(memory.buffer);
  const wasm = instantiateFastpath(memory);
  assert.equal(wasm.version(), layoutVersion);
  words[40_000] = -5;
  assert.equal(wasm.load32(160_000), -5);
  wasm.store32(160_004, 77);
  assert.equal(words[40_001], 77);
  wasm.copy(200_000, 160_000, 8);
  assert.deepEqual([...words.subarray(50_000, 50_002)], [-5, 77]);
  assert.ok(new Uint8Array(memory.buffer, 0, 65_536).every((byte) => byte === 0));
});
