/**
 * The fast path: bursts of plain frames from a sender's ring into their receivers' buffers, by a
 * WebAssembly module over the memory that rings, buffers and tables lie in. For each burst the sender's
 * device and port lend what is theirs, and receivers when the first frame for them comes; what a frame
 * meets that is not plain ends the burst before it, and everything is given back as if the ordinary
 * path had sent the frames.
 */
import type { Arena } from '../lib/arena.ts';
import { bigCount } from '../lib/big-count.ts';
import {
  type BurstFabric,
  type BurstPath,
  type BurstReceiver,
  type BurstSender,
  type BurstTrunk,
  ReceiverLoan,
  RemoteLoan,
  type RouteTables,
  SenderLoan,
} from '../net/loans.ts';
import {
  APART,
  CONTROL_BYTES,
  CONTROL_EPOCH,
  CONTROL_FLOW_SEEDS,
  CONTROL_FLOW_SHIFT,
  CONTROL_FLOWS,
  CONTROL_HEAD,
  CONTROL_KEY,
  CONTROL_LARGE,
  CONTROL_MAC_LO,
  CONTROL_MARKS,
  CONTROL_OWNER_EPOCH,
  CONTROL_OWNERS,
  CONTROL_RECEIVERS,
  CONTROL_RING,
  CONTROL_ROUTES,
  CONTROL_SENDERS,
  CONTROL_STOP,
  CONTROL_TRACKER,
  HEAD_ROOM_BYTES,
  LARGE_ROOM_BYTES,
  OWNER_BYTES,
  OWNERS,
  RECEIVERS,
  REMOTE_BYTES,
  REMOTE_KNOWN,
  REMOTE_MAC_HI,
  REMOTE_MAC_LO,
  REMOTE_SLOT,
  STOP_OWNER,
  STOP_RECEIVER,
  STOP_RING,
  STOP_SENDER,
  UNKNOWN,
} from './layout.ts';
import type { FastpathExports } from './module.ts';
import { PortBlock } from './port-block.ts';
import type { RingBlock } from './ring-block.ts';
import { TrunkBlock } from './trunk-block.ts';

/** A receiver of the burst that is under way. */
class Receiver {
  key = 0;
  block: PortBlock | null = null;
  lender: BurstReceiver | null = null;
  readonly loan = new ReceiverLoan();
  /** Its rings that take part: the first `ringCount` of these. */
  readonly rings: RingBlock[] = [];
  ringCount = 0;
}

export class FastPath implements BurstPath {
  /** Carried so far. */
  frames: number = bigCount;
  readonly #arena: Arena;
  readonly #module: FastpathExports;
  readonly #fabric: BurstFabric;
  readonly #control: Int32Array;
  readonly #receivers: Int32Array;
  readonly #owners: Int32Array;
  /** By port. */
  readonly #blocks: (PortBlock | null)[] = [];
  #routes: RouteTables | null = null;
  readonly #sender = new SenderLoan();
  /** Receivers of the burst: the first `#count` of these. */
  readonly #lent: Receiver[] = [];
  #count = 0;
  /** Receivers that lend nothing in the burst: entries of `#receivers` to be forgotten. */
  readonly #apart: number[] = [];
  #apartCount = 0;
  /** Made when first needed, for each direction. */
  readonly #out: TrunkBlock[] = [];
  readonly #into: TrunkBlock[] = [];
  /** Other threads' senders that are known, and by what they were. */
  readonly #remotes: Int32Array;
  readonly #remote = new RemoteLoan();
  #remotesOf: RouteTables | null = null;
  #remotesVersion = -1;

  /** `arena`: tables in the module's memory. Throws a RangeError when that is full. */
  constructor(arena: Arena, module: FastpathExports, fabric: BurstFabric) {
    this.frames = 0;
    this.#arena = arena;
    this.#module = module;
    this.#fabric = fabric;
    const control = arena.int32(CONTROL_BYTES / 4);
    this.#control = control;
    this.#receivers = arena.int32(RECEIVERS);
    this.#owners = arena.int32((OWNERS * OWNER_BYTES) / 4);
    this.#remotes = arena.int32((RECEIVERS * REMOTE_BYTES) / 4);
    control[CONTROL_SENDERS / 4] = this.#remotes.byteOffset;
    control[CONTROL_RECEIVERS / 4] = this.#receivers.byteOffset;
    control[CONTROL_OWNERS / 4] = this.#owners.byteOffset;
    control[CONTROL_HEAD / 4] = arena.int32(HEAD_ROOM_BYTES / 4).byteOffset;
    control[CONTROL_LARGE / 4] = arena.int32(LARGE_ROOM_BYTES / 4).byteOffset;
  }

  #writeRoutes(routes: RouteTables): void {
    this.#routes = routes;
    const control = this.#control;
    control[CONTROL_ROUTES / 4] = 1;
    control[CONTROL_EPOCH / 4] = routes.epoch;
    control[CONTROL_FLOWS / 4] = routes.flows.byteOffset;
    control[CONTROL_FLOW_SHIFT / 4] = routes.shift;
    control.set(routes.seeds.subarray(0, 6), CONTROL_FLOW_SEEDS / 4);
    control[CONTROL_TRACKER / 4] = routes.connections.byteOffset;
    control[CONTROL_MARKS / 4] = routes.marks.byteOffset;
  }

  send(port: number, sender: BurstSender, most: number): number {
    const loan = this.#sender;
    const fabric = this.#fabric;
    if (!sender.lend(loan) || !fabric.lendSender(port, loan)) return 0;
    const control = this.#control;
    this.#begin();
    const block = this.#blockOf(port);
    block.writeSender(loan);
    const now = fabric.now();
    let sent = 0;
    if (block.usualKey >= 0) this.#admitUsual(port, block);
    do sent += this.#module.run(control.byteOffset, block.sender, most - sent, now);
    while (this.#admit(port));
    const only = this.#count === 1 ? (this.#lent[0] as Receiver) : null;
    this.#takeBack();
    if (only !== null && sent > 0 && only.loan.frames === sent) {
      block.usualKey = only.key;
      block.usualRing = only.ringCount === 1 ? (only.rings[0] as RingBlock).loan.index : -1;
    } else block.usualKey = -1;
    block.senderRing.publish(this.#module);
    block.readSender(loan);
    fabric.takeSenderBack(port, loan);
    sender.takeBack(loan);
    this.frames += sent;
    return sent;
  }

  receive(trunk: BurstTrunk, most: number): number {
    const fabric = this.#fabric;
    if (!fabric.isOpen) return 0;
    const block = this.#blockFor(this.#into, trunk);
    if (!trunk.lendIn(block.loan)) return 0;
    this.#begin();
    block.write();
    const now = fabric.now();
    let taken = 0;
    do taken += this.#module.receive(this.#control.byteOffset, block.at, most - taken, now);
    while (this.#admit(-1));
    this.#takeBack();
    block.read();
    trunk.takeInBack(block.loan);
    this.frames += taken;
    return taken;
  }

  #begin(): void {
    const { routes, ownersVersion } = this.#fabric;
    if (routes !== null && routes !== this.#routes) this.#writeRoutes(routes);
    this.#control[CONTROL_OWNER_EPOCH / 4] = ownersVersion;
    if (routes === this.#remotesOf && ownersVersion === this.#remotesVersion) return;
    this.#remotesOf = routes;
    this.#remotesVersion = ownersVersion;
    this.#remotes.fill(0);
  }

  /** Who got all of the last burst is lent before the run has to stop and ask: that costs more. */
  #admitUsual(port: number, { usualKey, usualRing }: PortBlock): void {
    this.#admitReceiver(port, usualKey);
    if (this.#count === 1 && usualRing >= 0) this.#admitRing(usualKey, usualRing);
  }

  /** Gives the run what it asked for; false: it has ended. */
  #admit(port: number): boolean {
    const control = this.#control;
    const key = control[CONTROL_KEY / 4] as number;
    switch (control[CONTROL_STOP / 4]) {
      case STOP_RECEIVER:
        this.#admitReceiver(port, key);
        return true;
      case STOP_RING:
        this.#admitRing(key, control[CONTROL_RING / 4] as number);
        return true;
      case STOP_OWNER:
        return this.#findOwner(key, control[CONTROL_MAC_LO / 4] as number);
      case STOP_SENDER:
        return this.#admitRemote(key);
      default:
        return false;
    }
  }

  /** Another thread's port; false: what it sends goes the ordinary way. */
  #admitRemote(port: number): boolean {
    const loan = this.#remote;
    if (!this.#fabric.lendRemote(port, loan)) return false;
    const at = (port * REMOTE_BYTES) / 4;
    this.#remotes[at + REMOTE_KNOWN / 4] = 1;
    this.#remotes[at + REMOTE_MAC_HI / 4] = loan.macHi;
    this.#remotes[at + REMOTE_MAC_LO / 4] = loan.macLo;
    this.#remotes[at + REMOTE_SLOT / 4] = loan.key;
    return true;
  }

  /** A receiver that another thread serves: the trunk's block is lent with the first of them. */
  #admitCrossing(port: number, key: number, trunk: BurstTrunk): boolean {
    const block = this.#blockFor(this.#out, trunk);
    if (!block.isLent) {
      if (!trunk.lendOut(block.loan)) return false;
      block.isLent = true;
      block.write();
    }
    const receiver = this.#blockOf(port);
    receiver.writeTrunk(block.at);
    this.#receivers[key] = receiver.receiver;
    this.#apart[this.#apartCount++] = key;
    return true;
  }

  #admitReceiver(sender: number, key: number): void {
    const receiver = this.#next();
    const port = this.#fabric.portOf(key);
    const trunk = port < 0 ? null : this.#fabric.trunkOf(port);
    if (trunk !== null && sender >= 0 && this.#admitCrossing(port, key, trunk)) return;
    const lender =
      port < 0 || port === sender ? null : this.#fabric.lendReceiver(key, receiver.loan);
    if (lender === null) {
      this.#receivers[key] = APART;
      this.#apart[this.#apartCount++] = key;
      return;
    }
    const block = this.#blockOf(port);
    receiver.key = key;
    receiver.block = block;
    receiver.lender = lender;
    receiver.ringCount = 0;
    block.writeReceiver(receiver.loan);
    this.#receivers[key] = block.receiver;
    this.#count++;
  }

  #admitRing(key: number, index: number): void {
    const receiver = this.#lent.find((one) => one.key === key && one.lender !== null) as Receiver;
    const block = receiver.block as PortBlock;
    const ring = block.ringAt(index);
    if (receiver.lender?.lendRing(index, ring.loan) !== true) {
      block.setRing(index, APART);
      return;
    }
    ring.write();
    block.setRing(index, ring.at);
    receiver.rings[receiver.ringCount++] = ring;
  }

  /** A frame to nobody's MAC is for the ordinary path. */
  #findOwner(hi: number, lo: number): boolean {
    const owner = this.#fabric.ownerOf(hi, lo);
    if (owner < 0) return false;
    const place = ((lo ^ Math.imul(hi, 0x9e37_79b1)) & (OWNERS - 1)) * (OWNER_BYTES / 4);
    this.#owners[place] = hi;
    this.#owners[place + 1] = lo;
    this.#owners[place + 2] = owner;
    this.#owners[place + 3] = this.#fabric.ownersVersion;
    return true;
  }

  #takeBack(): void {
    for (let i = 0; i < this.#count; i++) {
      const receiver = this.#lent[i] as Receiver;
      const block = receiver.block as PortBlock;
      const lender = receiver.lender as BurstReceiver;
      for (let j = 0; j < receiver.ringCount; j++) {
        const ring = receiver.rings[j] as RingBlock;
        ring.publish(this.#module);
        ring.read();
        lender.takeRingBack(ring.loan.index, ring.loan);
      }
      block.readReceiver(receiver.loan);
      lender.takeBack(receiver.loan);
      this.#fabric.takeReceiverBack(receiver.key, receiver.loan);
      this.#receivers[receiver.key] = UNKNOWN;
      receiver.lender = null;
    }
    this.#count = 0;
    for (let i = 0; i < this.#apartCount; i++) this.#receivers[this.#apart[i] as number] = UNKNOWN;
    this.#apartCount = 0;
    for (let i = 0; i < this.#out.length; i++) {
      const block = this.#out[i] as TrunkBlock;
      if (!block.isLent) continue;
      block.isLent = false;
      block.read();
      block.trunk.takeOutBack(block.loan);
    }
  }

  #next(): Receiver {
    let receiver = this.#lent[this.#count];
    if (receiver === undefined) {
      receiver = new Receiver();
      this.#lent.push(receiver);
    }
    return receiver;
  }

  #blockFor(blocks: TrunkBlock[], trunk: BurstTrunk): TrunkBlock {
    for (let i = 0; i < blocks.length; i++) {
      const known = blocks[i] as TrunkBlock;
      if (known.trunk === trunk) return known;
    }
    const block = new TrunkBlock(this.#arena, trunk);
    blocks.push(block);
    return block;
  }

  #blockOf(port: number): PortBlock {
    let block = this.#blocks[port] ?? null;
    if (block === null) {
      while (this.#blocks.length <= port) this.#blocks.push(null);
      block = new PortBlock(this.#arena, port);
      this.#blocks[port] = block;
    }
    return block;
  }
}
