/** A sender or receiver of the bench: a function, its reference driver, and what they need. */
import { DmaArena } from '../../drivers/dma-arena.ts';
import { EnaDriver } from '../../drivers/ena/driver.ts';
import { TxOffload } from '../../drivers/ena/tx-offload.ts';
import { IxgbevfDriver } from '../../drivers/ixgbevf/driver.ts';
import type { Clock } from '../../lib/clock.ts';
import { Diagnostics } from '../../lib/diagnostics.ts';
import { formatMac } from '../../net/ethernet.ts';
import { ipv4 } from '../../net/ipv4.ts';
import { tcp } from '../../net/tcp.ts';
import type { PciFunction } from '../../pci/function.ts';
import type { Switch } from '../../switch/switch.ts';
import { createNic, modelOf } from '../dataplane/models.ts';
import { generousAllowance, type Place } from './fabrics.ts';
import type { PathSpec } from './path-spec.ts';

/** The transmit queue as the bench drives it; a frame lies in the arena until it is done. */
export interface TxEnd {
  /** False: there is no room now. */
  send(offset: number, length: number): boolean;
  kick(): void;
  reap(): void;
}

/** What the bench needs of a receive queue; both drivers' have it. */
export interface RxEnd {
  readonly length: number;
  readonly pieces: number;
  readonly starts: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  next(): boolean;
  replenish(): void;
}

export type End = {
  readonly place: Place;
  readonly arena: DmaArena;
  readonly tx: TxEnd;
  readonly rx: RxEnd;
};

const arenaBytes = 24 << 20;
const arenaStride = 2 ** 33;
const jumboMtu = 9001;
/** A page: what Linux posts for jumbo frames. */
const jumboBufferBytes = 4096;
const linkMbps = 10_000;

export function makeEnd(
  spec: PathSpec,
  at: { place: Place; index: number; network: Switch; clock: Clock },
): End {
  const { place, index, network, clock } = at;
  const arena = new DmaArena(arenaBytes, (index + 1) * arenaStride);
  const name = `port${index}`;
  const port = network.addPort({
    ...{ name, mac: place.mac, mtu: modelOf(spec.nic).maxMtu },
    ...(spec.fabric === 'vpc' && { allowance: generousAllowance(clock.now()) }),
  });
  const host = {
    ...{ memory: arena.memory, clock },
    interrupts: { raise: () => {} }, // everything is polled
    diagnostics: new Diagnostics(({ rule, detail }) => {
      throw new Error(`${name}: refused ${rule.id}: ${detail}`);
    }),
    deviceMemory: (sizeBytes: number) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) }),
  };
  const { profile } = spec;
  const nic = {
    ...{ name, socket: '', mac: formatMac(place.mac), linkMbps, queuePairs: 1 },
    ...(profile !== undefined && { profile }),
    ...(spec.llq === true && { access: 'llq' as const }),
  };
  const fn = createNic(spec.nic, nic, { host, port });
  const isJumbo = spec.bytes > 1514;
  const mtu = isJumbo ? jumboMtu : 1500;
  const bufferBytes = isJumbo ? jumboBufferBytes : 2048;
  const ends = spec.nic === 'ena' ? enaEnds : ixgbevfEnds;
  return { place, arena, ...ends(fn, arena, { spec, mtu, bufferBytes }) };
}

type Ends = (
  fn: PciFunction,
  arena: DmaArena,
  options: { spec: PathSpec; mtu: number; bufferBytes: number },
) => { tx: TxEnd; rx: RxEnd };

/** Frames are described where they lie, as a guest's are. */
const enaEnds: Ends = (fn, arena, { spec, mtu, bufferBytes }) => {
  const driver = new EnaDriver(fn, arena, {
    ...{ mtu, rxBufferBytes: bufferBytes, txBufferBytes: 64 },
    placement: spec.llq === true ? 'device' : 'host',
  });
  driver.start();
  const [tx, rx] = [driver.tx[0], driver.rx[0]];
  if (tx === undefined || rx === undefined) throw new Error('the driver has no queues');
  const lengths = { l3Length: ipv4.minBytes, l4Length: tcp.minBytes };
  const offload = new TxOffload(
    spec.mss === undefined
      ? null
      : { l3: 'ipv4', l4: 'tcp', l3Csum: true, l4Csum: 'full', mss: spec.mss, ...lengths },
  );
  const { base } = arena;
  return {
    tx: {
      send: (offset, length) => tx.sendFrom(base + offset, length, offload),
      kick: () => tx.kick(),
      reap: () => void tx.reap(),
    },
    rx,
  };
};

/** The reference driver copies each frame into a buffer of its queue first. */
const ixgbevfEnds: Ends = (fn, arena, { mtu, bufferBytes }) => {
  const rings = { tx: { bufferBytes }, rx: { bufferBytes } };
  const driver = new IxgbevfDriver(fn, arena, { mtu, queuePairs: 1, ...rings });
  driver.start();
  const [tx, rx] = [driver.tx[0], driver.rx[0]];
  if (tx === undefined || rx === undefined) throw new Error('the driver has no queues');
  return {
    tx: {
      send: (offset, length) => tx.send(arena.bytes, offset, length),
      kick: () => tx.kick(),
      reap: () => void tx.reap(),
    },
    rx,
  };
};
