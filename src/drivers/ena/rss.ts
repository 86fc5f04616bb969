/**
 * Receive side scaling: hash function and key, hash inputs and the indirection table, set through
 * control buffers. A card may lack each of them; `null` then says so. Follows `ena_com_rss_init`
 * and the functions around it.
 */
import {
  FEATURE,
  HASH_FUNCTION,
  hashFunctionResp,
  hashInputResp,
  indTableResp,
  RSS_KEY_WORDS,
  setHashFunction,
  setHashInput,
  setIndTable,
} from '../../defs/ena-admin.ts';
import type { DmaArena } from '../dma-arena.ts';
import type { AdminCommands, ControlBuffer } from './commands.ts';

/** ena_admin_flow_hash_proto */
export const RSS_PROTO = {
  TCP4: 0,
  UDP4: 1,
  TCP6: 2,
  UDP6: 3,
  IP4: 4,
  IP6: 5,
  IP4_FRAG: 6,
  NOT_IP: 7,
} as const;
const RSS_PROTO_NUM = 16;

/** ena_admin_flow_hash_fields */
export const RSS_FIELD = {
  L2_DA: 1 << 0,
  L2_SA: 1 << 1,
  L3_DA: 1 << 2,
  L3_SA: 1 << 3,
  L4_DP: 1 << 4,
  L4_SP: 1 << 5,
} as const;

/** `ena_admin_feature_rss_flow_hash_control`: key_parts, reserved, key. */
const hashControlBytes = (2 + RSS_KEY_WORDS) * 4;
/** `ena_admin_feature_rss_hash_control`: supported, selected and two reserved tables. */
const hashInputBytes = 4 * RSS_PROTO_NUM * 4;
const maxTableEntries = 1 << 10;

export type HashFunction = { readonly functionBit: number; readonly key: Uint8Array };
export type HashInputs = { readonly supported: Uint16Array; readonly selected: Uint16Array };

export class Rss {
  readonly #commands: AdminCommands;
  readonly #arena: DmaArena;
  /** One buffer for all: commands run one at a time. */
  readonly #address: number;
  readonly #supports: (feature: number) => boolean;

  constructor(commands: AdminCommands, arena: DmaArena, supports: (feature: number) => boolean) {
    this.#commands = commands;
    this.#arena = arena;
    this.#address = arena.alloc(maxTableEntries * 4);
    this.#supports = supports;
  }

  #buffer(length: number): ControlBuffer {
    return { address: this.#address, length };
  }

  get #word(): number {
    return this.#arena.offset(this.#address) >>> 2;
  }

  /** The function and, for Toeplitz, its key of 40 bytes, as the device has them. */
  getFunction(): HashFunction | null {
    if (!this.#supports(FEATURE.RSS_HASH_FUNCTION)) return null;
    const feature = FEATURE.RSS_HASH_FUNCTION;
    const buffer = this.#buffer(hashControlBytes);
    const resp = this.#commands.getFeature(feature, hashFunctionResp, 0, buffer);
    const start = this.#arena.offset(this.#address) + 8;
    const key = this.#arena.bytes.slice(start, start + RSS_KEY_WORDS * 4);
    return { functionBit: resp.selected_func, key };
  }

  /** False when the device has no such feature. Throws an EnaAdminError when it refuses. */
  setFunction(key: Uint8Array, functionId: number = HASH_FUNCTION.TOEPLITZ): boolean {
    if (!this.#supports(FEATURE.RSS_HASH_FUNCTION)) return false;
    this.#arena.words[this.#word] = RSS_KEY_WORDS;
    this.#arena.words[this.#word + 1] = 0;
    this.#arena.bytes.set(key, this.#arena.offset(this.#address) + 8);
    const command = setHashFunction.create();
    command.selected_func = 1 << functionId;
    this.#commands.setFeature(FEATURE.RSS_HASH_FUNCTION, command, this.#buffer(hashControlBytes));
    return true;
  }

  /** Fields hashed per protocol: bits of RSS_FIELD, by RSS_PROTO. */
  getInputs(): HashInputs | null {
    const feature = FEATURE.RSS_HASH_INPUT;
    if (!this.#supports(feature)) return null;
    this.#commands.getFeature(feature, hashInputResp, 0, this.#buffer(hashInputBytes));
    const table = (first: number): Uint16Array =>
      Uint16Array.from({ length: RSS_PROTO_NUM }, (_, i) => {
        return (this.#arena.words[this.#word + first + i] as number) & 0xffff;
      });
    return { supported: table(0), selected: table(RSS_PROTO_NUM) };
  }

  /** `selected` as from `getInputs`. */
  setInputs(selected: Uint16Array): boolean {
    const feature = FEATURE.RSS_HASH_INPUT;
    if (this.getInputs() === null) return false;
    for (let i = 0; i < RSS_PROTO_NUM; i++)
      this.#arena.words[this.#word + RSS_PROTO_NUM + i] = selected[i] ?? 0;
    const command = setHashInput.create();
    command.enabled_input_sort = 0b110;
    this.#commands.setFeature(feature, command, this.#buffer(hashInputBytes));
    return true;
  }

  /** log2 of the smallest and the largest table, or null. */
  tableSizes(): { readonly min: number; readonly max: number } | null {
    const feature = FEATURE.RSS_INDIRECTION_TABLE_CONFIG;
    if (!this.#supports(feature)) return null;
    const resp = this.#commands.getFeature(feature, indTableResp, 1);
    return { min: resp.min_size, max: resp.max_size };
  }

  /** The table as the device has it: a receive queue's index per entry. */
  getTable(): Uint16Array | null {
    const feature = FEATURE.RSS_INDIRECTION_TABLE_CONFIG;
    const sizes = this.tableSizes();
    if (sizes === null) return null;
    const buffer = this.#buffer(this.#bounded(1 << sizes.max) * 4);
    const { size } = this.#commands.getFeature(feature, indTableResp, 1, buffer);
    const from = this.#word;
    return Uint16Array.from({ length: 1 << size }, (_, i) => {
      return (this.#arena.words[from + i] as number) & 0xffff;
    });
  }

  /** `queues`: a receive queue's index (`RxQueue.sqIndex`) per entry; a power of two of them. */
  setTable(queues: ArrayLike<number>): boolean {
    const feature = FEATURE.RSS_INDIRECTION_TABLE_CONFIG;
    if (!this.#supports(feature)) return false;
    const entries = this.#bounded(queues.length);
    for (let i = 0; i < entries; i++) this.#arena.words[this.#word + i] = queues[i] as number;
    const command = setIndTable.create();
    command.size = 31 - Math.clz32(entries);
    command.inline_index = 0xffff_ffff;
    this.#commands.setFeature(feature, command, this.#buffer(entries * 4));
    return true;
  }

  /** Spreads the entries of the largest table evenly. */
  spread(queues: ArrayLike<number>): boolean {
    const sizes = this.tableSizes();
    if (sizes === null) return false;
    const entries = this.#bounded(1 << sizes.max);
    return this.setTable(
      Array.from({ length: entries }, (_, i) => queues[i % queues.length] as number),
    );
  }

  #bounded(entries: number): number {
    if (entries > maxTableEntries) throw new RangeError(`an RSS table of ${entries} entries`);
    return entries;
  }
}
