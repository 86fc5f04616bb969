/** Base address registers: windows of a function's own registers and memory. */

/** Memory of the device itself: bytes, and the descriptor by which a client can map them. */
export type DeviceMemory = {
  /** -1 when only this process can reach it. */
  readonly fd: number;
  readonly bytes: Uint8Array;
};

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
