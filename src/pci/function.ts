/**
 * The device seam: what a transport (vfio-user, or a driver in the same process) knows of a PCI
 * function, and what a function knows of whoever hosts it. Neither knows more of the other.
 */
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { Trace } from '../lib/trace.ts';
import type { ConfigSpace } from './config-space.ts';
import type { GuestMemory } from './guest-memory.ts';

/** Raises MSI-X vectors. A vector that the guest has not set up is dropped. */
export interface Interrupts {
  raise(vector: number): void;
}

/** What a function is given by its host. */
export type FunctionHost = {
  readonly memory: GuestMemory;
  readonly interrupts: Interrupts;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Makes zeroed memory for a BAR. `sizeBytes` is a multiple of 4096. */
  readonly deviceMemory: (sizeBytes: number) => DeviceMemory;
  /** Set while somebody watches. */
  readonly trace?: Trace;
};

/** Memory of the device itself: bytes, and the descriptor by which a client can map them. */
export type DeviceMemory = {
  /** -1 when only this process can reach it. */
  readonly fd: number;
  readonly bytes: Uint8Array;
};

/** Device memory for functions whose guest is in the same process. */
export const localDeviceMemory = (sizeBytes: number): DeviceMemory => ({
  fd: -1,
  bytes: new Uint8Array(sizeBytes),
});

/**
 * BAR memory that the guest may map and store into without a trap. The transport hands `fd` to its
 * client together with `areas`; accesses outside them are trapped as usual.
 */
export type BarMemory = DeviceMemory & {
  /** Page-aligned parts that may be mapped, in ascending order. */
  readonly areas: readonly { readonly offset: number; readonly sizeBytes: number }[];
};

export type Bar = {
  /** 0..5; a 64-bit BAR also takes the next one. */
  readonly index: number;
  /** A power of two, at least 4096. */
  readonly sizeBytes: number;
  readonly is64Bit: boolean;
  readonly prefetchable: boolean;
  readonly memory?: BarMemory;
};

export type AccessSize = 1 | 2 | 4;

/** `function` is an FLR or the transport's reset; `detach`: the client has gone away. */
export type ResetCause = 'function' | 'detach';

export interface PciFunction {
  /** The model, as `virtfn nic --model` has it. */
  readonly model: string;
  readonly config: ConfigSpace;
  readonly bars: readonly Bar[];
  /** How many MSI-X vectors the function has. */
  readonly vectors: number;

  /** A trapped read, naturally aligned, inside the BAR. Returns an unsigned number. */
  read(bar: number, offset: number, size: AccessSize): number;
  /** A trapped write, naturally aligned, inside the BAR. */
  write(bar: number, offset: number, size: AccessSize, value: number): void;
  /** All state but the identity goes back to power-on. The function stays on its switch port. */
  reset(cause: ResetCause): void;
}

/** A function whose doorbells the guest may store into mapped memory, without a trap. */
export interface PolledFunction extends PciFunction {
  /** Whether they are mapped: then the host calls `poll` again and again. */
  readonly polls: boolean;
  /** Looks at them; true when one was rung. */
  poll(): boolean;
}
