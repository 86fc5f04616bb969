/**
 * Models come by message or from a file: everything in them is new, also what says the same as
 * before. Here it becomes the same again, so that `compilePolicy` sees what has really changed.
 */
import type { VpcModel } from './model.ts';

type Thing = { readonly id: string };

/** `next`, in which whatever equals its part of `before` is that very part. */
export function shareModel(before: VpcModel, next: VpcModel): VpcModel {
  const lists = Object.keys(next) as (keyof VpcModel)[];
  const shared = lists.map((list) => [list, shareList(before[list], next[list])] as const);
  return shared.every(([list, things]) => things === next[list])
    ? next
    : ({ ...next, ...Object.fromEntries(shared) } as VpcModel);
}

function shareList(before: readonly Thing[], next: readonly Thing[]): readonly Thing[] {
  if (before === next) return before;
  let moved: Map<string, Thing> | null = null;
  const find = (id: string): Thing | undefined => {
    moved ??= new Map(before.map((thing) => [thing.id, thing]));
    return moved.get(id);
  };
  const shared = next.map((thing, i) => {
    const known = before[i]?.id === thing.id ? before[i] : find(thing.id);
    return known !== undefined && isSame(known, thing) ? known : thing;
  });
  const isAll = shared.length === before.length && shared.every((thing, i) => thing === before[i]);
  return isAll ? before : shared;
}

/** Whether two pieces of plain data say the same. A field that is undefined is absent. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const one = a as Readonly<Record<string, unknown>>;
  const other = b as Readonly<Record<string, unknown>>;
  for (const key in one) if (!isSame(one[key], other[key])) return false;
  for (const key in other) if (!(key in one) && other[key] !== undefined) return false;
  return true;
}
