/**
 * What a device and the switch lend to the fast path for one burst: where rings and memory lie, how
 * far they have come, what may pass. The fast path gives back how far it came. Between both calls the
 * rings are the fast path's alone.
 *
 * Addresses are those of the fast path's linear memory, in 32-bit words.
 */

/** A part of a guest's memory, by DMA address. `linear`: where it begins, in bytes; -1: it does not lie there. */
export type LinearWindow = {
  readonly iova: number;
  readonly end: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly linear: number;
};

/** A guest's memory; `layout` changes whenever its windows do. */
export type LinearMemoryMap = {
  readonly layout: number;
  readonly windows: readonly LinearWindow[];
};

/** A ring of descriptors and the ring of its completions. Indexes count on, modulo 2^32. */
export class RingLoan {
  descriptorsAt = 0;
  /** In entries. */
  depth = 0;
  head = 0;
  tail = 0;
  completionsAt = 0;
  completionDepth = 0;
  completionBytes = 0;
  /** Behind so many bytes of a completion a time stamp would stand; 0: there is no room for one. */
  stampAt = 0;
  written = 0;
  /** The queue's number, for its completions. */
  index = 0;

  /**
   * When it is given back: what has passed, and completions that were written. Of a sender's ring:
   * packets as they were posted, cut up or not.
   */
  frames = 0;
  bytes = 0;
  pushed = 0;
}

/** One direction of a trunk, for its writer or its reader. Places count units of 16 bytes, modulo 2^32. */
export class TrunkLoan {
  /** Where the first record is, in bytes. */
  recordsAt = 0;
  /** In units. */
  size = 0;
  /** Where the reader is, or was when the writer last looked; and the writer. */
  head = 0;
  tail = 0;
}

/** A trunk to another thread; false: its ring does not lie where a fast path could reach it. */
export interface BurstTrunk {
  lendOut(loan: TrunkLoan): boolean;
  takeOutBack(loan: TrunkLoan): void;
  lendIn(loan: TrunkLoan): boolean;
  takeInBack(loan: TrunkLoan): void;
}

/** What another thread's port sends from: its MAC, and what its flows are known by. */
export class RemoteLoan {
  macHi = 0;
  macLo = 0;
  key = 0;
}

/** What a port and its device let pass in a burst. */
export class PortLoan {
  memory: LinearMemoryMap = noMemory;
  /** The longest frame. */
  maxBytes = 0;
  /** Of the port's allowance. */
  bytesLeft = 0;
  packetsLeft = 0;

  /** When it is given back: what the wire has seen. */
  frames = 0;
  bytes = 0;
}

export class SenderLoan extends PortLoan {
  readonly ring = new RingLoan();
  /** A completion for each frame, asked for or not. */
  completesAll = false;
  /** Descriptors that one frame may have. */
  maxPieces = 1;
  /**
   * What packets are cut up by that bring no meta descriptor: payload, and headers from L3 on. Given
   * back as the last one that was sent has left it.
   */
  mss = 0;
  l3l4Bytes = 0;
  macHi = 0;
  macLo = 0;
  /** The IPv4 address that it has to send from; 0: any. */
  address = 0;
  /** What its flows are known by; in an Ethernet the number of its port. */
  key = 0;
}

export class ReceiverLoan extends PortLoan {
  /** The first 12 bytes of frames that come by the router. */
  readonly macs = new Int32Array(3);
  /** Contributions to the Toeplitz hash, by position and byte; and what is hashed (`rssInput`). */
  hash: HashTables = noHash;
  /** By the hash's low bits: the number of the ring. Empty: there is only `firstRing`. */
  indirection: Uint16Array = noTable;
  firstRing = 0;
  /** Buffers that one frame may take. */
  maxBuffers = 1;
  /** Segments of one packet may come together, as far as they find room, if they are for `address`. */
  joins = false;
  address = 0;
}

/** Changes of any of them, and of the indirection, are seen by `version`. */
export type HashTables = {
  readonly version: number;
  readonly inputs: number;
  readonly contributions: Int32Array;
};

/** What routes go by: flows that were decided, and the connections that they belong to. Never changed. */
export type RouteTables = {
  /** Of IPv4: records, the shift of the hash, its secrets. */
  readonly flows: Int32Array;
  readonly shift: number;
  readonly seeds: Int32Array;
  /** Of tracked connections: what each packet looks at. */
  readonly connections: Int32Array;
  /** What has begun at each interface, by its key. */
  readonly marks: Int32Array;
  /** What was decided at another one does not count. */
  readonly epoch: number;
};

/** The switch, as a fast path sees it. Keys are those of `SenderLoan`. */
export interface BurstFabric {
  /** null: frames go by the MAC that owns their destination, and keys are ports' numbers. */
  readonly routes: RouteTables | null;
  /** Changes when MACs have other owners. */
  readonly ownersVersion: number;
  /** The time of the burst, in nanoseconds. */
  now(): number;
  /** Fills in what is the port's, and lowers what the device allows; false: no burst now. */
  lendSender(port: number, loan: SenderLoan): boolean;
  takeSenderBack(port: number, loan: SenderLoan): void;
  /** The number of the port that frames for `key` go to; -1: none. */
  portOf(key: number): number;
  /** As `lendSender`; the receiver that has filled in its part, or null: not in this burst. */
  lendReceiver(key: number, loan: ReceiverLoan): BurstReceiver | null;
  takeReceiverBack(key: number, loan: ReceiverLoan): void;
  /** The trunk to whoever serves `port`, or null: it is served here. */
  trunkOf(port: number): BurstTrunk | null;
  /** Fills in what another thread's port sends from; false: it sends nothing that is plain. */
  lendRemote(port: number, loan: RemoteLoan): boolean;
  /** Whether frames may be carried at all now. */
  readonly isOpen: boolean;
  /** The key of who owns a MAC, or -1. */
  ownerOf(macHi: number, macLo: number): number;
}

/** Carries bursts of plain frames. */
export interface BurstPath {
  /** As `Port.burst`, for the port with this number. */
  send(port: number, sender: BurstSender, most: number): number;
  /** Takes plain frames out of a trunk, `most` at most; returns how many. */
  receive(trunk: BurstTrunk, most: number): number;
}

/** Whose burst it is: a device's transmit queue. */
export interface BurstSender {
  /** Fills in what is the device's; false: the burst has to go the ordinary way. */
  lend(loan: SenderLoan): boolean;
  takeBack(loan: SenderLoan): void;
}

/** Who may be given frames of a burst: a device. */
export interface BurstReceiver {
  /** Fills in what is the device's; false: not in this burst. */
  lend(loan: ReceiverLoan): boolean;
  takeBack(loan: ReceiverLoan): void;
  lendRing(index: number, loan: RingLoan): boolean;
  takeRingBack(index: number, loan: RingLoan): void;
}

const noMemory: LinearMemoryMap = { layout: -1, windows: [] };
const noTable = new Uint16Array(0);
const noHash: HashTables = { version: -1, inputs: 0, contributions: new Int32Array(0) };
