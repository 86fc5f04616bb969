/**
 * Queries that wait for somebody who resolves the names of the world: a bounded number of them, and
 * each for five seconds at most. What is no answer to the query counts as none.
 */
import { type Clock, nsPerSecond } from '../../lib/clock.ts';
import { read16 } from '../../net/bytes.ts';
import { DnsQuery, dns, dnsFlag } from '../../net/dns.ts';

/** Provided by the host; without one nobody outside is asked. */
export interface DnsUpstream {
  /**
   * Asks with a whole message. `done` is called later, with the answer to it or null, from the
   * thread that asked and outside of any burst. `isStream`: it came by TCP, and is to be answered
   * whole.
   */
  ask(query: Uint8Array, done: (answer: Uint8Array | null) => void, isStream: boolean): void;
}

/** Of one interface, and of all. */
const maxWaiting = { each: 64, all: 1024 } as const;
const patienceNs = 5 * nsPerSecond;

export class UpstreamQueries {
  readonly #upstream: DnsUpstream | null;
  readonly #clock: Clock;
  /** By MAC. */
  readonly #waiting = new Map<number, number>();
  #allWaiting = 0;

  constructor(upstream: DnsUpstream | null, clock: Clock) {
    this.#upstream = upstream;
    this.#clock = clock;
  }

  /** False: too many wait already. Else `done` is called once, later. */
  ask(
    mac: number,
    query: Uint8Array,
    done: (answer: Uint8Array | null) => void,
    isStream: boolean,
  ): boolean {
    const waiting = this.#waiting.get(mac) ?? 0;
    if (this.#upstream === null || waiting >= maxWaiting.each || this.#allWaiting >= maxWaiting.all)
      return false;
    this.#waiting.set(mac, waiting + 1);
    this.#allWaiting++;
    let isOver = false;
    const finish = (answer: Uint8Array | null): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      this.#leave(mac);
      done(answer !== null && isAnswerTo(answer, query) ? answer : null);
    };
    const timer = this.#clock.after(patienceNs, () => finish(null));
    this.#upstream.ask(query.slice(), finish, isStream);
    return true;
  }

  #leave(mac: number): void {
    const waiting = (this.#waiting.get(mac) ?? 1) - 1;
    if (waiting === 0) this.#waiting.delete(mac);
    else this.#waiting.set(mac, waiting);
    this.#allWaiting--;
  }
}

/** Whether it is a response with the same id and question. */
function isAnswerTo(answer: Uint8Array, query: Uint8Array): boolean {
  const asked = new DnsQuery();
  asked.read(query, 0, query.length);
  if (answer.length < asked.questionEnd || read16(answer, dns.id) !== asked.id) return false;
  if ((read16(answer, dns.flags) & dnsFlag.response) === 0) return false;
  if (read16(answer, dns.questions) !== 1) return false;
  for (let i = dns.bytes; i < asked.questionEnd; i++) if (answer[i] !== query[i]) return false;
  return true;
}
