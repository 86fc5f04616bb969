/** Gives a switch a fast path over a linear memory, in which its tables and its guests lie. */
import { FastPath } from '../../fastpath/fast-path.ts';
import { instantiateFastpath } from '../../fastpath/module.ts';
import { Lending } from '../../switch/lending.ts';
import type { Switch } from '../../switch/switch.ts';
import type { LinearMemory } from '../../sys/linear-memory.ts';

export function openFastPath(network: Switch, linear: LinearMemory): FastPath {
  const path = new FastPath(linear, instantiateFastpath(linear.memory), new Lending(network));
  network.bursts = path;
  return path;
}
