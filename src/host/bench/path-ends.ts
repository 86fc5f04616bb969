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
import type { DeviceMemory, PciFunction } from '../../pci/function.ts';
import { createNic, modelOf } from '../dataplane/models.ts';
import type { Access, ServedNic } from '../dataplane/nic-model.ts';
import { type BenchFabric, generousAllowance, type Place } from './fabrics.ts';
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

export const arenaBytes: number = 24 << 20;
const arenaStride = 2 ** 33;
const jumboMtu = 9001;
/** A page: what Linux posts for jumbo frames. */
const jumboBufferBytes = 4096;
const linkMbps = 10_000;

/** Where a function is plugged in. */
export type Plug = {
  readonly place: Place;
  /** Among all functions. */
  readonly index: number;
  readonly fabric: BenchFabric;
  readonly clock: Clock;
};

/** The DMA address of the first byte of a function's memory: nobody else's is near. */
export const baseOf = (index: number): number => (index + 1) * arenaStride;

/** What a driver is told about its frames. */
export const shapeOf = ({ bytes }: PathSpec): { mtu: number; bufferBytes: number } =>
  bytes > 1514
    ? { mtu: jumboMtu, bufferBytes: jumboBufferBytes }
    : { mtu: 1500, bufferBytes: 2048 };

/** What a sender asks its NIC for. */
export function offloadOf({ mss }: PathSpec): TxOffload {
  if (mss === undefined) return new TxOffload(null);
  const lengths = { l3Length: ipv4.minBytes, l4Length: tcp.minBytes };
  return new TxOffload({
    ...{ l3: 'ipv4', l4: 'tcp', l3Csum: true, l4Csum: 'full', mss, ...lengths },
  });
}

const ownMemory = (sizeBytes: number): DeviceMemory => ({
  ...{ fd: -1, bytes: new Uint8Array(sizeBytes) },
});

/** A function on a port of its own, with a guest's memory. */
export function makeFunction(
  spec: PathSpec,
  { place, index, fabric: { network }, clock }: Plug,
  { memory }: DmaArena,
  {
    access,
    deviceMemory = ownMemory,
  }: {
    access?: Access;
    deviceMemory?: (sizeBytes: number) => DeviceMemory;
  } = {},
): ServedNic {
  const name = `port${index}`;
  const port = network.addPort({
    ...{ name, mac: place.mac, mtu: modelOf(spec.nic).maxMtu },
    // As the product's: on an Ethernet a port knows its guest's address, in a VPC an interface does.
    ...(spec.fabric === 'vpc'
      ? { allowance: generousAllowance(clock.now()) }
      : { address: place.address }),
  });
  const host = {
    ...{ memory, clock, deviceMemory },
    interrupts: { raise: () => {} }, // everything is polled
    diagnostics: new Diagnostics(({ rule, detail }) => {
      throw new Error(`${name}: refused ${rule.id}: ${detail}`);
    }),
  };
  const { profile } = spec;
  const nic = {
    ...{ name, socket: '', mac: formatMac(place.mac), linkMbps, queuePairs: 1 },
    ...(profile !== undefined && { profile }),
    ...(access !== undefined && { access }),
  };
  return createNic(spec.nic, nic, { host, port });
}

export function makeEnd(spec: PathSpec, plug: Plug): End {
  const arena = arenaOf(plug);
  const fn = makeFunction(spec, plug, arena, spec.llq === true ? { access: 'llq' } : {});
  const ends = spec.nic === 'ena' ? enaEnds : ixgbevfEnds;
  return { place: plug.place, arena, ...ends(fn, arena, spec) };
}

function arenaOf({ index, fabric: { linear } }: Plug): DmaArena {
  const pages = linear?.pages(arenaBytes) ?? null;
  const [piece] = pages?.pieces ?? [];
  if (pages === null || piece === undefined) return new DmaArena(arenaBytes, baseOf(index));
  return new DmaArena(piece.bytes, baseOf(index), pages.linear);
}

type Ends = (fn: PciFunction, arena: DmaArena, spec: PathSpec) => { tx: TxEnd; rx: RxEnd };

/** Frames are described where they lie, as a guest's are. */
const enaEnds: Ends = (fn, arena, spec) => {
  const { mtu, bufferBytes } = shapeOf(spec);
  const driver = new EnaDriver(fn, arena, {
    ...{ mtu, rxBufferBytes: bufferBytes, txBufferBytes: 64 },
    placement: spec.llq === true ? 'device' : 'host',
  });
  driver.start();
  const [tx, rx] = [driver.tx[0], driver.rx[0]];
  if (tx === undefined || rx === undefined) throw new Error('the driver has no queues');
  const offload = offloadOf(spec);
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
const ixgbevfEnds: Ends = (fn, arena, spec) => {
  const { mtu, bufferBytes } = shapeOf(spec);
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
