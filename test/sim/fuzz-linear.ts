/**
 * Linear memory for fuzzers, who make one function after the other: each has the same few megabytes,
 * and the tables that the fast paths leave behind go with the memory now and then.
 */

import { FastPath } from '../../src/fastpath/fast-path.ts';
import { instantiateFastpath } from '../../src/fastpath/module.ts';
import { Lending } from '../../src/switch/lending.ts';
import type { Switch } from '../../src/switch/switch.ts';
import { LinearMemory } from '../../src/sys/linear-memory.ts';

const usesOfOne = 500;

export type LinearBytes = { readonly bytes: Uint8Array; readonly linear: number };

let memory = new LinearMemory();
let module = instantiateFastpath(memory.memory);
let uses = 0;
const parts = new Map<string, LinearBytes>();

/** The part of that name, which whoever had it before has no more. */
export function linearBytes(name: string, sizeBytes: number): LinearBytes {
  const known = parts.get(name);
  if (known !== undefined) return known;
  const pages = memory.pages(sizeBytes);
  const [piece] = pages?.pieces ?? [];
  if (pages === null || piece === undefined) throw new Error('no room in linear memory');
  const made = { bytes: piece.bytes, linear: pages.linear };
  parts.set(name, made);
  return made;
}

/** To be called before any part is asked for. */
export function beginLinear(): void {
  if (++uses % usesOfOne !== 0) return;
  memory = new LinearMemory();
  module = instantiateFastpath(memory.memory);
  parts.clear();
}

export function openFastPath(network: Switch): FastPath {
  const path = new FastPath(memory, module, new Lending(network));
  network.bursts = path;
  return path;
}
