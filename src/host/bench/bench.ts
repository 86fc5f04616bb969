/** A whole bench: its parts in their order, and what comes of them. */

import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabObserver } from '../lab/context.ts';
import { type HostFacts, hostFacts, machineCpu } from '../lab/machine.ts';
import { cacheDirectory } from '../packages/cache.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../qemu/process.ts';
import type { Figure } from './figures.ts';
import { compileNative, type Native } from './native.ts';
import { hasTwoCores, limitedByGuests } from './own.ts';
import { measureGuests } from './part-guests.ts';
import { latencyGroup } from './part-latency.ts';
import { limitGroups } from './part-limits.ts';
import { pathGroups } from './part-path.ts';
import { peerGroups } from './part-peers.ts';
import { workersGroup } from './part-workers.ts';
import type { Group, Site } from './parts.ts';
import { type NamedRatio, ratiosOf } from './ratios.ts';
import { judge, type TargetResult } from './targets.ts';
import { type Absence, type Contender, measureByTurns, type Outcome } from './turns.ts';

export const PARTS = ['limits', 'path', 'workers', 'peers', 'latency', 'guests'] as const;
export type Part = (typeof PARTS)[number];

const groupsOf: Readonly<Record<Exclude<Part, 'guests'>, readonly Group[]>> = {
  limits: limitGroups,
  path: pathGroups,
  workers: [workersGroup],
  peers: peerGroups,
  latency: [latencyGroup],
};

export type BenchRequest = {
  readonly parts: readonly Part[];
  readonly rounds: number;
  /** Of a slice, in milliseconds. */
  readonly sliceMs: number;
  /** Of the run at half load. */
  readonly latencySeconds: number;
  readonly offline: boolean;
};

export type BenchReport = {
  /** ISO 8601, in UTC. */
  readonly when: string;
  readonly machine: HostFacts;
  readonly request: BenchRequest;
  readonly figures: readonly Figure[];
  readonly ratios: readonly NamedRatio[];
  readonly targets: readonly TargetResult[];
  /** Peers that were not there, and what could not be measured. */
  readonly absent: readonly Absence[];
  readonly notes: readonly string[];
};

/** @throws the signal's reason when that is aborted */
export async function runBench(
  request: BenchRequest,
  observer: LabObserver,
  signal: AbortSignal,
): Promise<BenchReport> {
  const directory = temporaryDirectory();
  const figures: Figure[] = [];
  const absent: Absence[] = [];
  const started = new Date();
  try {
    observer.step('Compiling the peers in C');
    const native = await compileNative(directory, signal);
    if ('why' in native) absent.push({ what: 'the peers in C', why: native.why });
    const progress = (step: string, fraction: number | undefined, text: string): void =>
      observer.detail(`${step}: ${text}`, fraction);
    const packages = { cache: cacheDirectory(), progress, offline: request.offline, signal };
    const site: Site = { native, directory, packages, signal };
    const notes = await lookAround(observer);
    const take = (outcome: Outcome): void => {
      figures.push(...outcome.figures);
      absent.push(...outcome.absent);
    };
    for (const part of request.parts)
      if (part === 'guests') take(await guests(request.rounds, native, observer, signal));
      else
        for (const group of groupsOf[part])
          take(await measureGroup(group, request, site, observer));
    const byId = new Map(figures.map((figure) => [figure.id, figure]));
    notes.push(...notesOn(byId));
    return {
      ...{ when: started.toISOString(), machine: hostFacts(), request },
      ...{ figures, ratios: ratiosOf(byId), targets: judge(byId), notes },
      absent: absent.map(({ what, why }) => ({ what, why: why.replaceAll(homedir(), '~') })),
    };
  } finally {
    removeTemporaryDirectory(directory);
  }
}

async function measureGroup(
  group: Group,
  request: BenchRequest,
  site: Site,
  observer: LabObserver,
): Promise<Outcome> {
  const absent: Absence[] = [];
  observer.step(`Measuring ${group.name}`);
  observer.detail('starting');
  const contenders: Contender[] = await group.start(site, (absence) => absent.push(absence));
  try {
    const turns = group.turns?.(request) ?? { rounds: request.rounds, ms: request.sliceMs };
    const onTurn = (text: string, fraction: number): void => observer.detail(text, fraction);
    const outcome = await measureByTurns(group.name, contenders, turns, onTurn, site.signal);
    observer.detail(`${outcome.figures.length} figures`);
    return { figures: outcome.figures, absent: [...absent, ...outcome.absent] };
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
}

/** Where there are none to be had, that is told. */
async function guests(
  rounds: number,
  native: Native,
  observer: LabObserver,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    return await measureGuests(rounds, native, observer, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { figures: [], absent: [{ what: 'NICs in guests', why: (error as Error).message }] };
  }
}

/** What has to be known of the figures with guests on a thread of their own. */
function notesOn(figures: ReadonlyMap<string, Figure>): string[] {
  if (!hasTwoCores())
    return ['This machine has one core: guests, functions and switch were measured in one thread.'];
  const limited = limitedByGuests(figures);
  if (limited.length === 0) return [];
  return [
    `For a tenth of the time or more the data plane's thread had nothing to do, or no core, in: ${limited.join('; ')}.`,
  ];
}

/** Whether others use the machine now. */
async function lookAround(observer: LabObserver): Promise<string[]> {
  const before = machineCpu();
  await sleep(500);
  const after = machineCpu();
  const share = (after.busy - before.busy) / Math.max(0.01, after.total - before.total);
  if (share < 0.1) return [];
  const note = `Other programs used ${Math.round(share * 100)} % of this machine before the measurement.`;
  observer.note(note);
  return [note];
}
