/** What the machine can do at best: what a core can tell another one, and how soon. */
import type { FigureSpec } from './figures.ts';
import { type Native, nativeContender, nsEach, programOf } from './native.ts';
import { type Group, startAll } from './parts.ts';
import type { Slice } from './path-spec.ts';
import { spinContender } from './spin.ts';
import type { Contender } from './turns.ts';

const trips: readonly { readonly what: string; readonly title: string }[] = [
  { what: 'line', title: 'cache line to another core and back' },
  { what: 'eventfd', title: 'eventfd to another core and back' },
  { what: 'socket', title: 'socket to another core and back' },
  { what: 'spin-socket', title: 'socket, both ends spinning' },
];

/** A limit beside others of their own group, in their unit. */
export const limitBeside = (
  native: Native,
  [id, title, unit]: readonly [string, string, FigureSpec['unit']],
  args: readonly string[],
  value: (slice: Slice) => number,
): { what: string; start: () => Promise<Contender> } => ({
  what: title,
  start: async () => {
    const one = await nativeContender(
      [programOf(native, 'limits'), args],
      { id, title, unit },
      value,
    );
    return { ...one, measure: () => one.measure(beside.ms) };
  },
});

/** Limits vary little: they need no long slices. */
const beside = { ms: 200 };

export const limitGroups: readonly Group[] = [
  {
    name: 'limits',
    start: async ({ native }, absent) => {
      const starts = trips.map(({ what, title }) => {
        const figure: FigureSpec = { id: `limit.${what}`, title, unit: 'ns' };
        return {
          what: title,
          start: async () => nativeContender([programOf(native, 'limits'), [what]], figure, nsEach),
        };
      });
      const own = { what: 'the same by Node', start: () => spinContender() };
      return startAll([...starts, own], absent);
    },
  },
];
