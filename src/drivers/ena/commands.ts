/**
 * The admin commands by name: each takes plain values, waits for the device, and throws an
 * `EnaAdminError` that names the command and the status when it was refused. Tests that want the
 * status rather than an exception, or a command that no driver would send, use `AdminQueue`.
 */
import {
  acqEntry,
  aenqResp,
  createCqCmd,
  createCqResp,
  createSqCmd,
  createSqResp,
  destroyCqCmd,
  destroySqCmd,
  FEATURE,
  featureCmd,
  getStatsCmd,
  OPCODE,
  PLACEMENT,
  STATUS,
  setAenq,
  setHostAttr,
  setHwTimestamp,
  setMtu,
} from '../../defs/ena-admin.ts';
import type { Fields, Layout, Record32 } from '../../lib/layout.ts';
import { addressHi, addressLo } from '../dma-arena.ts';
import type { AdminCommand, AdminCompletion, AdminQueue } from './admin-queue.ts';

const nameIn = (table: Readonly<Record<string, number>>, value: number): string =>
  Object.keys(table).find((name) => table[name] === value) ?? `0x${value.toString(16)}`;

/** The device refused a command, or did not answer it (`status` is then null). */
export class EnaAdminError extends Error {
  readonly status: number | null;
  readonly extendedStatus: number;

  constructor(what: string, completion: AdminCompletion | null) {
    super(
      completion === null
        ? `${what}: no completion`
        : `${what}: ${nameIn(STATUS, completion.status)} (status ${completion.status}, extended ${completion.extendedStatus})`,
    );
    this.status = completion === null ? null : completion.status;
    this.extendedStatus = completion === null ? 0 : completion.extendedStatus;
  }
}

/** A piece of memory that a command hands over: a DMA address and a length in bytes. */
export type ControlBuffer = { readonly address: number; readonly length: number };

export type CreateCq = {
  readonly address: number;
  readonly depth: number;
  readonly entryWords: number;
  readonly vector: number;
  readonly interrupts: boolean;
};

export type CreateSq = {
  readonly direction: number;
  readonly cqIndex: number;
  readonly address: number;
  readonly depth: number;
  readonly placement?: number;
  readonly completionPolicy?: number;
};

type Buffered = {
  ctrl_data_indirect: number;
  control_length: number;
  control_addr_lo: number;
  control_addr_hi: number;
};

export class AdminCommands {
  readonly queue: AdminQueue;

  constructor(queue: AdminQueue) {
    this.queue = queue;
  }

  /** Runs a command; its successful completion as `response` reads it. */
  run<F extends Fields>(what: string, command: AdminCommand, response: Layout<F>): Record32<F> {
    const completion = this.queue.execute(command);
    if (completion === null || completion.status !== STATUS.SUCCESS)
      throw new EnaAdminError(what, completion);
    const record = response.create();
    record.load(completion.words, 0);
    return record;
  }

  getFeature<F extends Fields>(
    feature: number,
    response: Layout<F>,
    version = 0,
    buffer: ControlBuffer | null = null,
  ): Record32<F> {
    const command = featureCmd.create();
    command.opcode = OPCODE.GET_FEATURE;
    command.feature_id = feature;
    command.feature_version = version;
    attach(command, buffer);
    return this.run(`GET_FEATURE ${nameIn(FEATURE, feature)}`, command, response);
  }

  /** `command` is one of the `set...` records, its own fields filled in. */
  setFeature(
    feature: number,
    command: AdminCommand & Buffered & { opcode: number; feature_id: number },
    buffer: ControlBuffer | null = null,
  ): void {
    command.opcode = OPCODE.SET_FEATURE;
    command.feature_id = feature;
    attach(command, buffer);
    this.run(`SET_FEATURE ${nameIn(FEATURE, feature)}`, command, acqEntry);
  }

  setMtu(mtu: number): void {
    const command = setMtu.create();
    command.mtu = mtu;
    this.setFeature(FEATURE.MTU, command);
  }

  /** For all packets sent, and for all received. */
  setTimeStamps(tx: boolean, rx: boolean): void {
    const command = setHwTimestamp.create();
    [command.tx, command.rx] = [tx ? 1 : 0, rx ? 1 : 0];
    this.setFeature(FEATURE.HW_TIMESTAMP, command);
  }

  setHostAttributes(hostInfoAddress: number, debug: ControlBuffer | null): void {
    const command = setHostAttr.create();
    command.os_info_lo = addressLo(hostInfoAddress);
    command.os_info_hi = addressHi(hostInfoAddress);
    command.debug_lo = addressLo(debug?.address ?? 0);
    command.debug_hi = addressHi(debug?.address ?? 0);
    command.debug_area_size = debug?.length ?? 0;
    this.setFeature(FEATURE.HOST_ATTR_CONFIG, command);
  }

  /** Enables those of `wanted` that the device has; returns what is enabled, as bits. */
  setEventGroups(wanted: number): number {
    const supported = this.getFeature(FEATURE.AENQ_CONFIG, aenqResp).supported_groups;
    const command = setAenq.create();
    command.enabled_groups = wanted & supported;
    this.setFeature(FEATURE.AENQ_CONFIG, command);
    return wanted & supported;
  }

  createCq(spec: CreateCq): Record32<typeof createCqResp.fields> {
    const command = createCqCmd.create();
    command.opcode = OPCODE.CREATE_CQ;
    command.interrupt_mode_enabled = spec.interrupts ? 1 : 0;
    command.cq_entry_size_words = spec.entryWords;
    command.cq_depth = spec.depth;
    command.msix_vector = spec.vector;
    command.cq_ba_lo = addressLo(spec.address);
    command.cq_ba_hi = addressHi(spec.address);
    return this.run('CREATE_CQ', command, createCqResp);
  }

  createSq(spec: CreateSq): Record32<typeof createSqResp.fields> {
    const command = createSqCmd.create();
    command.opcode = OPCODE.CREATE_SQ;
    command.sq_direction = spec.direction;
    command.placement_policy = spec.placement ?? PLACEMENT.HOST;
    command.completion_policy = spec.completionPolicy ?? 0;
    command.is_physically_contiguous = 1;
    command.cq_idx = spec.cqIndex;
    command.sq_depth = spec.depth;
    command.sq_ba_lo = addressLo(spec.address);
    command.sq_ba_hi = addressHi(spec.address);
    return this.run('CREATE_SQ', command, createSqResp);
  }

  destroySq(index: number, direction: number): void {
    const command = destroySqCmd.create();
    command.opcode = OPCODE.DESTROY_SQ;
    command.sq_idx = index;
    command.sq_direction = direction;
    this.run('DESTROY_SQ', command, acqEntry);
  }

  destroyCq(index: number): void {
    const command = destroyCqCmd.create();
    command.opcode = OPCODE.DESTROY_CQ;
    command.cq_idx = index;
    this.run('DESTROY_CQ', command, acqEntry);
  }

  getStats<F extends Fields>(type: number, response: Layout<F>, scope = 0, queue = 0): Record32<F> {
    const command = getStatsCmd.create();
    command.opcode = OPCODE.GET_STATS;
    command.type = type;
    command.scope = scope;
    command.queue_idx = queue;
    return this.run('GET_STATS', command, response);
  }
}

/** As Linux does: whoever hands over a buffer sets CTRL_DATA_INDIRECT. */
function attach(command: Buffered, buffer: ControlBuffer | null): void {
  if (buffer === null) return;
  command.ctrl_data_indirect = 1;
  command.control_length = buffer.length;
  command.control_addr_lo = addressLo(buffer.address);
  command.control_addr_hi = addressHi(buffer.address);
}
