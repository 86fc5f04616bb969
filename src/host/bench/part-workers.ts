/**
 * Two workers beside one: the same pairs of functions with the same frames, in real time, as both cores
 * are what is measured. The goal is judged by the mix that instances have which are spread without
 * knowing who talks to whom: with two workers every other pair has its ends in both. What the machine
 * has to give is told by two processes of one worker each, which have nothing to do with each other.
 */
import { fileURLToPath } from 'node:url';
import { mpps } from './native.ts';
import { type Group, startAll } from './parts.ts';
import type { Slice } from './path-spec.ts';
import { SlicedProcess } from './sliced-process.ts';
import type { Contender } from './turns.ts';
import type { WorkersSpec } from './workers-bed.ts';

/** So many processes at once, which know nothing of each other: what they reach together. */
const contender = (id: string, title: string, spec: WorkersSpec, copies = 1) => ({
  what: title,
  start: async (): Promise<Contender> => {
    const program = fileURLToPath(new URL('./workers-process.js', import.meta.url));
    const args = [program, JSON.stringify(spec)];
    const all: SlicedProcess[] = [];
    for (let i = 0; i < copies; i++)
      all.push(await SlicedProcess.start(title, process.execPath, args));
    return {
      figures: [{ id, title, unit: 'Mpps', bytes: spec.bytes }],
      measure: async (ms) => {
        const slices = await Promise.all(all.map((one) => one.slice<Slice>(ms)));
        return [slices.reduce((sum, slice) => sum + mpps(slice), 0)];
      },
      close: async () => void (await Promise.all(all.map((one) => one.close()))),
    };
  },
});

const suffix = (bytes: number): string => (bytes === 64 ? '' : `.${bytes}`);

export const workersGroup: Group = {
  name: 'workers',
  start: (_, absent) =>
    startAll(
      [64, 1500].flatMap((bytes) => [
        contender(`workers.1${suffix(bytes)}`, `one worker, ${bytes} B`, {
          ...{ workers: 1, mix: 'within', bytes },
        }),
        contender(`workers.2${suffix(bytes)}`, `two workers, half across, ${bytes} B`, {
          ...{ workers: 2, mix: 'half', bytes },
        }),
        contender(`workers.2.within${suffix(bytes)}`, `two workers, each its own, ${bytes} B`, {
          ...{ workers: 2, mix: 'within', bytes },
        }),
        contender(`workers.2.across${suffix(bytes)}`, `two workers, all across, ${bytes} B`, {
          ...{ workers: 2, mix: 'across', bytes },
        }),
        contender(
          ...([
            `limit.workers.2${suffix(bytes)}`,
            `two processes, one worker each, ${bytes} B`,
          ] as const),
          ...([{ workers: 1, mix: 'within', bytes }, 2] as const),
        ),
      ]),
      absent,
    ),
};
