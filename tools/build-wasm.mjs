// Compiles src/fastpath/wasm (AssemblyScript) to dist/src/fastpath/fastpath.wasm, if anything that goes
// into it has changed since it was compiled last: that takes seconds. `npm run build` ends with it.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const folder = 'src/fastpath/wasm';
const output = 'dist/src/fastpath/fastpath.wasm';
/** Says of what the output was made. */
const stamp = `${output}.sha256`;
const options = [
  ...['-O3', '--noAssert', '--runtime', 'stub'],
  // Nothing but a memory is imported. The first 64 KiB stay free, so that no address of anything is 0.
  ...['--importMemory', '--memoryBase', '65536', '--use', 'abort='],
  // Threads for atomic stores only: the memory is not shared.
  ...['--enable', 'simd', '--enable', 'threads'],
];

const inputs = [
  'tools/build-wasm.mjs',
  'src/fastpath/layout.ts',
  'node_modules/assemblyscript/package.json',
  ...readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))
    .sort(),
];
const hash = createHash('sha256');
for (const file of inputs) hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
const now = hash.digest('hex');
if (!existsSync(output) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== now) {
  mkdirSync(dirname(output), { recursive: true });
  rmSync(stamp, { force: true });
  const { default: asc } = await import('assemblyscript/asc');
  const { error, stderr } = await asc.main([join(folder, 'main.ts'), '-o', output, ...options]);
  process.stderr.write(stderr.toString());
  if (error === null) writeFileSync(stamp, now);
  else process.exitCode = 1;
}
