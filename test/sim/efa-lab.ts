/** Two or more EFA functions on one switch, each with a reference provider, in virtual time. */
import { EfaFunction, type EfaOptions } from '../../src/devices/efa/efa-function.ts';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import { EfaProvider, type QpOptions } from '../../src/drivers/efa/provider.ts';
import type { CompletionRing, ProviderQp } from '../../src/drivers/efa/queue-pair.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import { Diagnostics, type Refusal } from '../../src/lib/diagnostics.ts';
import { Switch } from '../../src/switch/switch.ts';

const arenaBytes = 16 << 20;
const firstMac = 0x0200_0000_0001;
export const qkey = 0x11;

export type Node = {
  readonly device: EfaFunction;
  readonly provider: EfaProvider;
  readonly arena: DmaArena;
  readonly refusals: Refusal[];
  readonly raised: number[];
  readonly traced: string[];
};

export class EfaLab {
  readonly clock = new VirtualClock();
  readonly network = new Switch({ clock: this.clock });
  readonly nodes: Node[] = [];

  constructor(count = 2, options: Partial<EfaOptions> = {}) {
    for (let i = 0; i < count; i++) this.nodes.push(this.add(options));
  }

  add(options: Partial<EfaOptions> = {}): Node {
    const i = this.nodes.length;
    const mac = firstMac + i;
    const arena = new DmaArena(arenaBytes, 2 ** 33 + i * 2 ** 30);
    const refusals: Refusal[] = [];
    const raised: number[] = [];
    const traced: string[] = [];
    const device = new EfaFunction(
      { mac, linkMbps: 100_000, secret: Uint32Array.of(1, 2, 3, i), ...options },
      {
        memory: arena.memory,
        interrupts: { raise: (vector) => raised.push(vector) },
        clock: this.clock,
        trace: (line) => traced.push(line()),
        diagnostics: new Diagnostics((refusal) => refusals.push(refusal)),
        deviceMemory: (sizeBytes) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) }),
      },
      this.network.addPort({ name: `efa${i}`, mac, fabric: true }),
    );
    const provider = new EfaProvider(device, arena);
    provider.start();
    return { device, provider, arena, refusals, raised, traced };
  }

  get a(): Node {
    return this.nodes[0] as Node;
  }

  get b(): Node {
    return this.nodes[1] as Node;
  }

  /** Lets time pass until every device is quiet, `ms` at most; polls mapped doorbells. */
  settle(ms = 10): void {
    for (let i = 0; i < ms * 10; i++) {
      for (const { device } of this.nodes) if (device.polls) device.poll();
      this.clock.advance(1e5);
    }
  }
}

/** A queue pair of each of two nodes, with handles for each other. */
export type Pair = {
  readonly a: ProviderQp;
  readonly b: ProviderQp;
  readonly cqA: CompletionRing;
  readonly cqB: CompletionRing;
  readonly toB: { ah: number; qp: number; qkey: number };
  readonly toA: { ah: number; qp: number; qkey: number };
};

export function connect(lab: EfaLab, options: QpOptions = {}, other: QpOptions = options): Pair {
  const [a, b] = [lab.a.provider, lab.b.provider];
  const cqA = a.createCq();
  const cqB = b.createCq();
  const qpA = a.createQp(cqA, { qkey, ...options });
  const qpB = b.createQp(cqB, { qkey, ...other });
  return {
    ...{ a: qpA, b: qpB, cqA, cqB },
    toB: { ah: a.createAh(b.gid), qp: qpB.number, qkey },
    toA: { ah: b.createAh(a.gid), qp: qpA.number, qkey },
  };
}
