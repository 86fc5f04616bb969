/**
 * A sender and a receiver for the guests' thread: functions whose guests' memory and doorbells are
 * files that another thread can map, set up by their drivers here and then handed over.
 */
import { DmaArena } from '../../drivers/dma-arena.ts';
import { EnaDriver } from '../../drivers/ena/driver.ts';
import type { Clock } from '../../lib/clock.ts';
import { createSharedMemory, type SharedMemory } from '../../sys/memory.ts';
import type { ServedNic } from '../dataplane/nic-model.ts';
import { type BenchFabric, receiverAt, senderAt } from './fabrics.ts';
import { writeFrame } from './frames.ts';
import type { LoadSpec } from './load-pair.ts';
import { type FunctionRings, ringsOf } from './load-rings.ts';
import { arenaBytes, baseOf, makeFunction, offloadOf, type Plug, shapeOf } from './path-ends.ts';
import type { PathSpec } from './path-spec.ts';

/** What the guests' thread needs to know of a pair; plain data. */
export type PairLoad = {
  readonly spec: LoadSpec;
  readonly from: FunctionRings;
  readonly to: FunctionRings;
};

export type LoadedPair = {
  readonly load: PairLoad;
  readonly functions: readonly [sender: ServedNic, receiver: ServedNic];
  /** The memories of both guests. */
  readonly memories: readonly [sender: Uint8Array, receiver: Uint8Array];
  /** The first of the sender's frames, where it lies. */
  readonly firstFrame: Uint8Array;
};

/** Guest memory as the data plane reaches it: where the fast path finds it, if there is one. */
function arenaOf({ fd, bytes }: SharedMemory, { index, fabric }: Plug): DmaArena {
  const sizeBytes = bytes.length;
  const mapping = fabric.linear?.map({ fd, offset: 0, sizeBytes, writable: true }) ?? null;
  const [piece] = mapping?.pieces ?? [];
  if (mapping === null || piece === undefined) return new DmaArena(bytes, baseOf(index));
  return new DmaArena(piece.bytes, baseOf(index), mapping.linear);
}

/** How many frames go at once, and are on their way at most: some 500 of the receiver's buffers. */
function flowControl({ bytes, mss }: PathSpec): { burst: number; window: number } {
  if (mss !== undefined) return { burst: 2, window: 8 };
  return bytes > 1514 ? { burst: 16, window: 128 } : { burst: 32, window: 480 };
}

export function loadedPair(
  i: number,
  spec: PathSpec,
  { fabric, clock, checkEvery }: { fabric: BenchFabric; clock: Clock; checkEvery: number },
): LoadedPair {
  const { hopTo } = fabric;
  const { bytes, flows, mss } = spec;
  const [from, to] = [senderAt(i), receiverAt(i)];
  const sender = makeHalf(spec, { place: from, index: 2 * i, fabric, clock });
  const receiver = makeHalf(spec, { place: to, index: 2 * i + 1, fabric, clock });
  const { burst, window } = flowControl(spec);
  const frames = 2 ** Math.ceil(Math.log2(window));
  const strideBytes = Math.ceil(bytes / 64) * 64;
  const { arena } = sender;
  const framesAt = arena.offset(arena.alloc(frames * strideBytes));
  const ends = { srcMac: from.mac, dstMac: hopTo(to), src: from.address, dst: to.address };
  const frameAt = (n: number): Uint8Array => {
    const start = framesAt + n * strideBytes;
    return arena.bytes.subarray(start, start + bytes);
  };
  for (let n = 0; n < frames; n++) writeFrame(frameAt(n), ends, mss !== undefined);
  const { control, meta0, meta2, needsMeta } = offloadOf(spec);
  return {
    load: {
      spec: {
        ...{ bytes, framesAt, frames, strideBytes, burst, window, checkEvery },
        offload: { control, meta0, meta2, needsMeta },
        expected: { isTcp: mss !== undefined, flows, src: from.address, dst: to.address },
      },
      ...{ from: sender.rings, to: receiver.rings },
    },
    functions: [sender.fn, receiver.fn],
    memories: [arena.bytes, receiver.arena.bytes],
    firstFrame: frameAt(0),
  };
}

type Half = { readonly arena: DmaArena; readonly fn: ServedNic; readonly rings: FunctionRings };

function makeHalf(spec: PathSpec, plug: Plug): Half {
  const memory = createSharedMemory(`bench-guest-${plug.index}`, arenaBytes);
  const arena = arenaOf(memory, plug);
  const bars: SharedMemory[] = [];
  const deviceMemory = (sizeBytes: number): SharedMemory => {
    const bar = createSharedMemory(`bench-bar-${plug.index}`, sizeBytes);
    bars.push(bar);
    return bar;
  };
  const fn = makeFunction(spec, plug, arena, { access: 'polled', deviceMemory });
  const { mtu, bufferBytes } = shapeOf(spec);
  const driver = new EnaDriver(fn, arena, { mtu, rxBufferBytes: bufferBytes, txBufferBytes: 64 });
  driver.start();
  const [bar] = bars; // that of the registers is made first
  if (bar === undefined) throw new Error('the doorbells are not mapped');
  const fileOf = ({ fd, bytes }: SharedMemory) => ({ fd, sizeBytes: bytes.length });
  return { arena, fn, rings: ringsOf(driver, fileOf(memory), fileOf(bar)) };
}
