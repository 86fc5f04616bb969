/**
 * NICs in guests: a lab's two machines with a pair of each NIC in them, which take turns at every
 * measurement. QEMU's own are joined by its fastest back end that needs nobody's privileges.
 */
import { InstanceTypes } from '../../vpc/instance-types.ts';
import type { LabObserver } from '../lab/context.ts';
import type { GuestPair } from '../lab/guest-bench.ts';
import { startLab } from '../lab/lab.ts';
import { type Comparable, defaultTopology } from '../lab/topology.ts';
import { guestContenders } from './guest-contenders.ts';
import { type Native, nsEach } from './native.ts';
import { limitBeside } from './part-limits.ts';
import { tsoBytes } from './part-path.ts';
import { startAll } from './parts.ts';
import type { Slice } from './path-spec.ts';
import { type Absence, type Contender, measureByTurns, type Outcome } from './turns.ts';

const compare: readonly Comparable[] = [
  ...(['ena-whole', '82599vf', 'e1000e', 'igb', 'virtio', 'virtio-dgram'] as const),
];

/** @throws SetupError, GuestError where there are no guests to be had */
export async function measureGuests(
  rounds: number,
  native: Native,
  observer: LabObserver,
  signal: AbortSignal,
): Promise<Outcome> {
  const topology = defaultTopology(InstanceTypes.load());
  let outcome: Outcome = { figures: [], absent: [] };
  const measurer = async (pairs: readonly GuestPair[], cpu: () => number): Promise<void> => {
    const absent: Absence[] = [];
    const limits = await startAll(limitsOf(native), (absence) => absent.push(absence));
    const nics = byTurns(pairs.map((pair) => guestContenders(pair, cpu)));
    const contenders = [...limits, ...nics];
    const onTurn = (text: string, fraction: number): void => observer.detail(text, fraction);
    const turns = { rounds, ms: 0, isWarm: true };
    try {
      const { figures, absent: failed } = await measureByTurns(
        ...(['guests', contenders, turns, onTurn, signal] as const),
      );
      outcome = { figures, absent: [...absent, ...failed] };
    } finally {
      for (const limit of limits) await limit.close();
    }
  };
  const lab = await startLab({
    topology: { ...topology, measure: { ...topology.measure, compare } },
    ...{ accelerator: 'auto', guest: 'linux', signal, observer, measurer },
  });
  await lab.close();
  return outcome;
}

/** Nobody's round trip is shorter than two wake-ups, nobody's bytes arrive without being copied. */
const limitsOf = (native: Native) => [
  limitBeside(
    ...([native, ['guest.limit.socket', 'socket to another core and back', 'us']] as const),
    ...([['socket'], (slice: Slice) => nsEach(slice) / 1e3] as const),
  ),
  limitBeside(
    ...([native, ['guest.limit.copy', 'memcpy of 64 KiB', 'Gbit/s']] as const),
    ...([['copy', `${tsoBytes}`], (slice: Slice) => (tsoBytes * 8) / nsEach(slice)] as const),
  ),
];

/** All NICs at the first thing, then all at the next one. */
const byTurns = (all: readonly (readonly Contender[])[]): Contender[] =>
  (all[0] ?? []).flatMap((_, i) =>
    all.flatMap((one) => {
      const contender = one[i];
      return contender === undefined ? [] : [contender];
    }),
  );
