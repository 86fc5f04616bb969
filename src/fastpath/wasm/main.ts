/** What the fast path's module exports. AssemblyScript: `tools/build-wasm.mjs` compiles it. */
import { layoutVersion } from '../layout';

export { run } from './burst';
export { receive } from './crossing';
export { publish } from './rings';

/** Of the layout that this module was compiled for. */
export function version(): i32 {
  return layoutVersion;
}

/** Where the module's own static data ends: the rest of the memory is the host's. */
export function dataEnd(): usize {
  return __heap_base;
}

/** The word at an address, as the module sees it: for tests. */
export function load32(address: usize): i32 {
  return load<i32>(address);
}

/** Stores a word as the last one of a completion is stored; an address that is a multiple of 4. */
export function store32(address: usize, value: i32): void {
  atomic.store<i32>(address, value);
}

/** As `TypedArray.copyWithin` of the whole memory. */
export function copy(to: usize, from: usize, sizeBytes: usize): void {
  memory.copy(to, from, sizeBytes);
}
