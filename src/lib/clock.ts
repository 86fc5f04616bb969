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
  /** Calls `action` once, `delayNs` from now. */
  after(delayNs: number, action: () => void): Timer;
}

export const nsPerMs = 1e6;
export const nsPerSecond = 1e9;

type Entry = { readonly at: number; readonly order: number; action: (() => void) | null };

/** A binary heap of deadlines; entries that share a deadline run in the order they were set. */
export class TimerQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  add(at: number, action: () => void): Timer {
    const entry: Entry = { at, order: this.#order++, action };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return {
      cancel: () => {
        entry.action = null;
      },
    };
  }

  /** The next deadline, or Infinity. */
  next(): number {
    this.#dropCancelled();
    return this.#heap[0]?.at ?? Infinity;
  }

  /** Runs the first entry that is due at `now`; false when none is. */
  runOne(now: number): boolean {
    if (this.next() > now) return false;
    const action = this.#pop().action;
    action?.();
    return true;
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && (this.#heap[0] as Entry).action === null) this.#pop();
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
    if (this.#heap.length === 0) return top;
    this.#heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < this.#heap.length && this.#before(child, least)) least = child;
      if (least === i) return top;
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

  after(delayNs: number, action: () => void): Timer {
    return this.#timers.add(this.now() + delayNs, action);
  }

  /** Runs what is due, then returns the nanoseconds until the next deadline (or Infinity). */
  runDue(): number {
    const now = this.now();
    // Timers set by a timer for "now" wait for the next turn: the work per turn is bounded.
    while (this.#timers.runOne(now));
    return Math.max(0, this.#timers.next() - this.now());
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

  after(delayNs: number, action: () => void): Timer {
    return this.#timers.add(this.#now + delayNs, action);
  }

  /** Lets `ns` pass; every timer runs at exactly its own time. */
  advance(ns: number): void {
    const end = this.#now + ns;
    for (let at = this.#timers.next(); at <= end; at = this.#timers.next()) {
      this.#now = at;
      this.#timers.runOne(at);
    }
    this.#now = end;
  }
}
