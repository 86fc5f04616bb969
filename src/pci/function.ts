/**
 * The device seam: what a transport (vfio-user, or a driver in the same process) knows of a PCI
 * function, and what a function knows of whoever hosts it. Neither knows more of the other.
 */
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { Trace } from '../lib/trace.ts';
import type { Bar, DeviceMemory } from './bar.ts';
import type { ConfigSpace } from './config-space.ts';
import type { GuestMemory } from './guest-memory.ts';

export type { Bar, BarMemory, DeviceMemory } from './bar.ts';

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
