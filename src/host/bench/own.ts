/** Contenders of our own: the data path in a process of its own, and a plain copy beside it. */
import { fileURLToPath } from 'node:url';
import type { FigureSpec } from './figures.ts';
import { mpps } from './native.ts';
import type { Job, LatencySlice, PathSpec, Slice, SwitchSpec } from './path-spec.ts';
import { SlicedProcess } from './sliced-process.ts';
import type { Contender } from './turns.ts';

/** The case that most others differ from by one thing. */
export const usual: PathSpec = { nic: 'ena', fabric: 'vpc', bytes: 64, pairs: 1, flows: 256 };

export async function pathContender(
  id: string,
  title: string,
  spec: Partial<PathSpec>,
): Promise<Contender> {
  const whole = { ...usual, ...spec };
  return jobContender(
    { id, title, unit: 'Mpps', bytes: whole.bytes },
    { kind: 'path', spec: whole },
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

/** Latency at half load: percentiles, and what the collector did. */
export async function latencyContender(): Promise<Contender> {
  const process = await startJob('latency at half load', { kind: 'latency', spec: usual });
  const figure = (id: string, title: string, unit: FigureSpec['unit']): FigureSpec => ({
    ...{ id: `latency.${id}`, title: `half load, ${title}`, unit },
  });
  return {
    figures: [
      figure('p50', 'p50', 'us'),
      figure('p99', 'p99', 'us'),
      figure('p999', 'p99.9', 'us'),
      figure('max', 'longest', 'us'),
      figure('load', 'load', 'Mpps'),
      figure('collections', 'collections', 'count'),
      figure('pause', 'longest collection', 'us'),
    ],
    measure: async (ms) => {
      const slice = await process.slice<LatencySlice>(ms);
      const { p50, p99, p999, max, rate, collections, longestPauseMs } = slice;
      return [p50 / 1e3, p99 / 1e3, p999 / 1e3, max / 1e3, rate, collections, longestPauseMs * 1e3];
    },
    close: () => process.close(),
  };
}

function startJob(name: string, job: Job): Promise<SlicedProcess> {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const program = fileURLToPath(new URL(`./job-process.${ending}`, import.meta.url));
  return SlicedProcess.start(name, process.execPath, [program, JSON.stringify(job)]);
}
