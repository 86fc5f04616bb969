/** A TCP connection between two guests that never ends by itself: what must survive a change. */
import assert from 'node:assert/strict';
import type { Host, Pair } from './pair.ts';

const port = 5999;
const goesOnBytes = 200_000;
const patienceMs = 30_000;

export class Stream {
  readonly #pair: Pair;
  readonly #from: Host;
  readonly #to: Host;

  private constructor(pair: Pair, from: Host, to: Host) {
    this.#pair = pair;
    this.#from = from;
    this.#to = to;
  }

  /** 10 Mbit/s: it is to be there, not to take the machine. */
  static async start(pair: Pair, from: Host, to: Host): Promise<Stream> {
    await pair.vms[to].run(`iperf3 -s -D -p ${port} > /dev/null; sleep 0.5`);
    await pair.vms[from].run(
      `iperf3 -p ${port} -c ${pair.address(to)} -b 10M -t 3600 > /tmp/stream 2>&1 & sleep 0.5`,
    );
    const stream = new Stream(pair, from, to);
    await stream.goesOn();
    return stream;
  }

  /** Waits until some more has come through the one connection. */
  async goesOn(): Promise<void> {
    const begin = await this.#received();
    const deadline = Date.now() + patienceMs;
    let now = begin;
    while (now - begin < goesOnBytes) {
      assert.ok(Date.now() < deadline && now > 0, `the stream stands still: ${now - begin} bytes`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      now = await this.#received();
      if (now === begin) await this.#nudge();
    }
  }

  /**
   * Where the carrier went and came back at once, Linux leaves what was in a queue's qdisc there until
   * another packet comes for that queue (seen with `tc -s qdisc`: backlog 2p, nothing in flight);
   * TCP does not send again what is still on its host. Pings of many processes reach every queue.
   */
  async #nudge(): Promise<void> {
    const ping = `ping -c 1 -W 1 ${this.#pair.address(this.#to)} > /dev/null 2>&1 &`;
    await this.#pair.vms[this.#from].exec(`for i in $(seq 8); do ${ping} done; wait`);
  }

  async stop(): Promise<void> {
    for (const vm of Object.values(this.#pair.vms)) await vm.run('killall iperf3; sleep 0.2');
  }

  /** Bytes of all IP packets: hardly anything else comes. 0 when the connection has ended. */
  async #received(): Promise<number> {
    const { stdout } = await this.#pair.vms[this.#to].exec(RECEIVED);
    return Number(stdout);
  }
}

const RECEIVED = `grep -q ' [0-9A-F]*:${port.toString(16).toUpperCase()} [0-9A-F:]* 01 ' /proc/net/tcp* &&
  awk '/^IpExt:/ { if (n++) print $at; else for (i = 1; i <= NF; i++) if ($i == "InOctets") at = i }' /proc/net/netstat`;
