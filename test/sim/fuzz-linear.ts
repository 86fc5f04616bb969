/**
 * Linear memory for fuzzers, who make one function after the other: each has the same few megabytes,
 * and the tables that the fast paths leave behind go with the memory now and then.
 */

import type { FastPath } from '../../src/fastpath/fast-path.ts';
import { openFastPath as open } from '../../src/host/dataplane/fast-path.ts';
import type { Switch } from '../../src/switch/switch.ts';
import { LinearMemory } from '../../src/sys/linear-memory.ts';

const usesOfOne = 500;

export type LinearBytes = { readonly bytes: Uint8Array; readonly linear: number };

let memory = new LinearMemory();
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
  parts.clear();
}

/** Over the memory that the parts lie in. */
export const openFastPath = (network: Switch): FastPath => open(network, memory);
