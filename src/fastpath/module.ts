/** The fast path's WebAssembly module, which the build puts beside this file. */
import { readFileSync } from 'node:fs';

const path = new URL('./fastpath.wasm', import.meta.url);

/** Compiles it. It imports `env.memory` and has no start function. */
export const compileFastpath = (): WebAssembly.Module => new WebAssembly.Module(readFileSync(path));

/** What its functions are; addresses are offsets in the memory, unsigned. */
export type FastpathExports = {
  version(): number;
  dataEnd(): number;
  load32(address: number): number;
  store32(address: number, value: number): void;
  copy(to: number, from: number, sizeBytes: number): void;
  /** Sends frames of a sender's block, `most` at most; returns how many. */
  run(control: number, sender: number, most: number, now: number): number;
  /** Takes frames of a trunk's block, `most` at most; returns how many. */
  receive(control: number, trunk: number, most: number, now: number): number;
  /** Publishes the completions of a ring's block. */
  publish(ring: number): void;
};

/** The module over a memory. Its static data lies from 64 KiB on. */
export function instantiateFastpath(memory: WebAssembly.Memory): FastpathExports {
  const { exports } = new WebAssembly.Instance(compileFastpath(), { env: { memory } });
  return exports as FastpathExports;
}
