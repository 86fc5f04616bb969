/**
 * What joins the workers of a data plane: a ring of memory from each to each other, and an event
 * descriptor of each, by which others wake it. The control plane makes them, and workers map them.
 */
import { type RingPlace, ringHeadBytes } from '../../switch/trunk/frame-ring.ts';
import { Trunk } from '../../switch/trunk/trunk.ts';
import { createEventFd, drainEventFd, signalEventFd } from '../../sys/eventfd.ts';
import { closeFd } from '../../sys/fd.ts';
import { createSharedMemory, type Mapper, mapFile } from '../../sys/memory.ts';
import type { Poller } from '../../sys/poller.ts';

/** Of one ring: 32 frames of 64 KiB and more, or a burst of 20,000 small ones. */
const ringBytes = 4 << 20;
/** Frames that a worker takes from one trunk before it looks after others. */
const framesPerTurn = 128;

/** One worker's line to another one; descriptors are the process's own. */
export type TrunkLine = {
  readonly out: number;
  readonly into: number;
  /** Wakes the other one. */
  readonly wakeFd: number;
};

/** One worker's lines. */
export type TrunkLines = {
  /** By the number of the other worker; null: its own. */
  readonly to: readonly (TrunkLine | null)[];
  /** Wakes this one. */
  readonly wakeFd: number;
};

/** Lines between so many workers; `close` is called when all of these have ended. */
export function createTrunkLines(count: number): { lines: TrunkLines[]; close: () => void } {
  const numbers = Array.from({ length: count }, (_, i) => i);
  const fds: number[] = [];
  const kept = (fd: number): number => {
    fds.push(fd);
    return fd;
  };
  const close = (): void => {
    for (const fd of fds.splice(0)) closeFd(fd);
  };
  try {
    const wakeFds = numbers.map(() => kept(createEventFd()));
    const rings = numbers.map((i) =>
      numbers.map((j) => (i === j ? -1 : kept(makeRing(`virtfn-ring-${i}-${j}`)))),
    );
    const line = (i: number, j: number): TrunkLine => ({
      ...{ out: rings[i]?.[j] ?? -1, into: rings[j]?.[i] ?? -1 },
      wakeFd: wakeFds[j] ?? -1,
    });
    const lines = numbers.map((i) => ({
      to: numbers.map((j) => (i === j ? null : line(i, j))),
      wakeFd: wakeFds[i] ?? -1,
    }));
    return { lines, close };
  } catch (error) {
    close();
    throw error;
  }
}

const makeRing = (name: string): number => createSharedMemory(name, ringHeadBytes + ringBytes).fd;

function mapRing(fd: number, map: Mapper): RingPlace {
  const sizeBytes = ringHeadBytes + ringBytes;
  const [piece] = map({ fd, offset: 0, sizeBytes, writable: true }).pieces;
  if (piece === undefined) throw new Error('unreachable: it was mapped whole');
  return piece;
}

/** A worker's own ends. */
export class WorkerTrunks {
  /** By the number of the other worker; null: its own. */
  readonly to: readonly (Trunk | null)[];
  readonly #all: readonly Trunk[];

  /** `map`: where rings are mapped; anywhere if absent. */
  constructor({ to, wakeFd }: TrunkLines, poller: Poller, map: Mapper = mapFile) {
    this.to = to.map((line) => {
      if (line === null) return null;
      const [out, into] = [mapRing(line.out, map), mapRing(line.into, map)];
      return new Trunk(out, into, () => signalEventFd(line.wakeFd));
    });
    this.#all = this.to.filter((trunk) => trunk !== null);
    poller.add(wakeFd, () => drainEventFd(wakeFd));
  }

  /** Takes what has come; false: nothing has. */
  serve(network: { receive(trunk: Trunk, most: number): number }): boolean {
    let any = false;
    for (let i = 0; i < this.#all.length; i++)
      if (network.receive(this.#all[i] as Trunk, framesPerTurn) > 0) any = true;
    return any;
  }

  /** False: something has come, and it is no time to sleep. */
  sleep(): boolean {
    for (let i = 0; i < this.#all.length; i++)
      if (!(this.#all[i] as Trunk).sleep()) {
        this.wake();
        return false;
      }
    return true;
  }

  wake(): void {
    for (let i = 0; i < this.#all.length; i++) (this.#all[i] as Trunk).wake();
  }
}
