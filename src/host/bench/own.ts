/** Contenders of our own: the data path in a process of its own, and a plain copy beside it. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { startFlags } from '../dataplane/engine.ts';
import type { Figure, FigureSpec } from './figures.ts';
import { mpps } from './native.ts';
import type { Job, LatencySlice, PathSpec, Slice, SwitchSpec, ThreadedSlice } from './path-spec.ts';
import { SlicedProcess } from './sliced-process.ts';
import type { Contender } from './turns.ts';

/** The case that most others differ from by one thing. */
export const usual: PathSpec = { nic: 'ena', fabric: 'vpc', bytes: 64, pairs: 1, flows: 256 };

/** Whether the data plane and the guests can have a core each. */
export const hasTwoCores = (): boolean => availableParallelism() >= 2;

/**
 * The data path with guests on a thread of their own: frames per second in which the data plane's
 * core has something to do; frames per second of real time; what the guests' thread takes for one.
 * Where there is one core only, all of it in one thread, which its title says.
 */
export async function pathContender(
  id: string,
  title: string,
  spec: Partial<PathSpec>,
): Promise<Contender> {
  if (!hasTwoCores()) return oneThreadContender(id, `${title}, one thread`, spec);
  const whole = { ...usual, ...spec };
  const { bytes } = whole;
  const process = await startJob(title, { kind: 'path', spec: whole });
  return {
    figures: [
      { id, title, unit: 'Mpps', bytes },
      { id: `${id}.${realTime}`, title: `${title}, in real time`, unit: 'Mpps', bytes },
      { id: `${id}.guests`, title: `${title}, the guests' thread`, unit: 'ns' },
    ],
    measure: async (ms) => {
      const slice = await process.slice<ThreadedSlice>(ms);
      const { frames, realNs, guestsNs } = slice;
      return [mpps(slice), mpps({ frames, ns: realNs }), guestsNs / frames];
    },
    close: () => process.close(),
  };
}

const realTime = 'real';
/** So much of the time the data plane's core has something to do, if it is what is measured. */
const keptBusy = 0.9;

/** Where it had not: the guests' thread was slower than what it was to measure, or others had a core. */
export const limitedByGuests = (figures: ReadonlyMap<string, Figure>): string[] =>
  [...figures.values()].flatMap(({ id, group, title, median }) => {
    const real = figures.get(`${id}.${realTime}`);
    return real === undefined || real.median >= keptBusy * median ? [] : [`${title} (${group})`];
  });

/** The same with drivers, functions and switch in one thread. */
export async function oneThreadContender(
  id: string,
  title: string,
  spec: Partial<PathSpec>,
): Promise<Contender> {
  const whole = { ...usual, ...spec };
  return jobContender(
    { id, title, unit: 'Mpps', bytes: whole.bytes },
    { kind: 'one-thread', spec: whole },
  );
}

export async function switchContender(
  id: string,
  title: string,
  spec: Partial<SwitchSpec>,
): Promise<Contender> {
  const whole: SwitchSpec = { fabric: 'vpc', bytes: 64, flows: usual.flows, ...spec };
  return jobContender(
    { id, title, unit: 'Mpps', bytes: whole.bytes },
    { kind: 'switch', spec: whole },
  );
}

export async function copyContender(bytes: number): Promise<Contender> {
  const title = `copy in TypeScript, ${bytes} B`;
  return jobContender(
    { id: `copy.${bytes}`, title, unit: 'Mpps', bytes },
    { kind: 'copy', spec: { bytes } },
  );
}

async function jobContender(figure: FigureSpec, job: Job): Promise<Contender> {
  const process = await startJob(figure.title, job);
  return {
    figures: [figure],
    measure: async (ms) => [mpps(await process.slice<Slice>(ms))],
    close: () => process.close(),
  };
}

/** Latency at half load: percentiles, those of numbers beside them, and what else went on. */
export async function latencyContender(): Promise<Contender> {
  if (!hasTwoCores()) throw new Error('guests and data plane need a core each, and there is one');
  const process = await startJob('latency at half load', { kind: 'latency', spec: usual });
  const figure = (id: string, title: string, unit: FigureSpec['unit']): FigureSpec => ({
    ...{ id: `path.latency.${id}`, title: `half load, ${title}`, unit },
  });
  const percentiles = (id: string, title: string): FigureSpec[] => [
    figure(`${id}p50`, `${title}p50`, 'us'),
    figure(`${id}p99`, `${title}p99`, 'us'),
    figure(`${id}p999`, `${title}p99.9`, 'us'),
    figure(`${id}max`, `${title}longest`, 'us'),
  ];
  return {
    figures: [
      ...percentiles('', ''),
      ...percentiles('bare.', 'the machine alone, '),
      ...percentiles('served.', 'numbers as slow as frames, '),
      figure('load', 'load', 'Mpps'),
      figure('collections', 'collections', 'count'),
      figure('pause', 'longest collection', 'us'),
      figure('waited', 'others had a core, in a second', 'us'),
    ],
    measure: async (ms) => {
      // Numbers take turns with the frames, for as long as those.
      const slice = await process.slice<LatencySlice>(ms, 3 * ms);
      const times = [slice.frames, slice.lines, slice.served].flatMap(({ p50, p99, p999, max }) =>
        [p50, p99, p999, max].map((ns) => ns / 1e3),
      );
      const { rate, collections, longestPauseMs, waitedShare } = slice;
      return [...times, rate * 1e3, collections, longestPauseMs * 1e3, waitedShare * 1e6];
    },
    close: () => process.close(),
  };
}

function startJob(name: string, job: Job): Promise<SlicedProcess> {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const program = fileURLToPath(new URL(`./job-process.${ending}`, import.meta.url));
  return SlicedProcess.start(name, process.execPath, [...startFlags, program, JSON.stringify(job)]);
}
