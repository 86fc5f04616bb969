/**
 * Time for everything below the command line: nanoseconds since an arbitrary start, as a plain
 * number (exact for 104 days). Models never ask the operating system; they ask their `Clock`, so
 * that the same code runs against real time and, in tests, against a virtual clock.
 */

export type Timer = { cancel(): void };

export interface Clock {
  /** The time of day at the clock's start: nanoseconds since 1970. */
  readonly epochNs: bigint;
  /** Nanoseconds since the clock's start. */
  now(): number;
  /** The same into `into[0]`, for whoever asks often: a number that is returned may be an object. */
  read(into: Float64Array): void;
  /** Calls `action` once, `delayNs` from now. */
  after(delayNs: number, action: () => void): Timer;
}

export const nsPerMs = 1e6;
export const nsPerSecond = 1e9;

type Entry = { readonly at: number; readonly order: number; action: (() => void) | null };

/** A binary heap of deadlines; entries that share a deadline run in the order they were set. */
export class TimerQueue {
  /** The first deadline, or Infinity; in an array, as `Clock.read` has it. */
  readonly first = new Float64Array([Infinity]);
  readonly #heap: Entry[] = [];
  #order = 0;

  add(at: number, action: () => void): Timer {
    const entry: Entry = { at, order: this.#order++, action };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    this.#note();
    return {
      cancel: () => {
        entry.action = null;
        this.#dropCancelled();
      },
    };
  }

  /** Takes the first entry out and runs it. */
  runFirst(): void {
    const { action } = this.#pop();
    this.#dropCancelled();
    action?.();
  }

  #dropCancelled(): void {
    while (this.#heap[0]?.action === null) this.#pop();
  }

  #note(): void {
    this.first[0] = this.#heap[0]?.at ?? Infinity;
  }

  #before(i: number, j: number): boolean {
    const a = this.#heap[i] as Entry;
    const b = this.#heap[j] as Entry;
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  #swap(i: number, j: number): void {
    const a = this.#heap[i] as Entry;
    this.#heap[i] = this.#heap[j] as Entry;
    this.#heap[j] = a;
  }

  #up(start: number): void {
    for (let i = start; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #pop(): Entry {
    const top = this.#heap[0] as Entry;
    const last = this.#heap.pop() as Entry;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#down();
    }
    this.#note();
    return top;
  }

  #down(): void {
    const { length } = this.#heap;
    for (let i = 0; ; ) {
      const child = 2 * i + 1;
      let least = child < length && this.#before(child, i) ? child : i;
      if (child + 1 < length && this.#before(child + 1, least)) least = child + 1;
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }
}

/** A moment: the time of day, and what the system's own monotonic clock says then. */
export type ClockOrigin = {
  readonly epochNs: bigint;
  readonly seconds: number;
  readonly ns: number;
};

export function clockOrigin(): ClockOrigin {
  const [seconds, ns] = process.hrtime();
  return { epochNs: BigInt(Date.now()) * 1_000_000n, seconds, ns };
}

/** Real, monotonic time; clocks of one origin say the same, in all threads. Its owner calls `runDue()` from its loop; nothing runs by itself. */
export class MonotonicClock implements Clock {
  readonly epochNs: bigint;
  readonly #startSeconds: number;
  readonly #startNs: number;
  readonly #timers = new TimerQueue();
  readonly #time = new Float64Array(1);

  /** Time 0 is now unless told. */
  constructor({ epochNs, seconds, ns }: ClockOrigin = clockOrigin()) {
    this.epochNs = epochNs;
    this.#startSeconds = seconds;
    this.#startNs = ns;
  }

  /** By hrtime: performance.now() leaves garbage behind, and is asked in each burst. */
  now(): number {
    const [seconds, ns] = process.hrtime();
    return (seconds - this.#startSeconds) * nsPerSecond + (ns - this.#startNs);
  }

  read(into: Float64Array): void {
    const [seconds, ns] = process.hrtime();
    into[0] = (seconds - this.#startSeconds) * nsPerSecond + (ns - this.#startNs);
  }

  after(delayNs: number, action: () => void): Timer {
    return this.#timers.add(this.now() + delayNs, action);
  }

  /** Runs what is due, then returns the nanoseconds until the next deadline (or Infinity). */
  runDue(): number {
    const time = this.#time;
    const { first } = this.#timers;
    this.read(time);
    const now = time[0] as number;
    if ((first[0] as number) <= now) {
      // Timers set by a timer for "now" wait for the next turn: the work per turn is bounded.
      while ((first[0] as number) <= now) this.#timers.runFirst();
      this.read(time);
    }
    return Math.max(0, (first[0] as number) - (time[0] as number));
  }
}

/** Time that passes only when told to. */
export class VirtualClock implements Clock {
  readonly epochNs = 0n;
  #now = 0;
  readonly #timers = new TimerQueue();

  now(): number {
    return this.#now;
  }

  read(into: Float64Array): void {
    into[0] = this.#now;
  }

  after(delayNs: number, action: () => void): Timer {
    return this.#timers.add(this.#now + delayNs, action);
  }

  /** Lets `ns` pass; every timer runs at exactly its own time. */
  advance(ns: number): void {
    const end = this.#now + ns;
    const { first } = this.#timers;
    while ((first[0] as number) <= end) {
      this.#now = first[0] as number;
      this.#timers.runFirst();
    }
    this.#now = end;
  }
}
