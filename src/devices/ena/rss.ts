/**
 * Receive-side scaling: which receive queue a frame goes to.
 *
 * The card reads the key's bytes in reverse order (the DPDK driver turns it round; Linux writes
 * it as it is, so that its `ethtool -x` shows the reversed key). The entries of the indirection
 * table are called completion queues in the header, but drivers write submission queue indices.
 */
import { HASH_FUNCTION } from '../../defs/ena-admin.ts';
import type { HashTables } from '../../net/loans.ts';
import type { Headers } from '../../net/parse.ts';
import { crc32OfPacket } from '../../net/rss-crc32.ts';
import { rssInput, rssKeyBytes, Toeplitz } from '../../net/toeplitz.ts';
import { InputSort } from './rss-sort.ts';

/** ena_admin_flow_hash_fields: addresses, and ports. */
const l3Fields = 0x0c;
const l4Fields = 0x30;
const fields = l3Fields | l4Fields;
const protocols = 16;
const l2Fields = 0x03;
/**
 * What each of ena_admin_flow_hash_proto may be hashed by: TCP4, UDP4, TCP6, UDP6, IP4, IP6,
 * fragments, not IP. The last is accepted because Linux demands it; such frames hash to 0.
 */
const supportedFields = [
  ...[fields, fields, fields, fields],
  ...[l3Fields, l3Fields, l3Fields, l2Fields],
] as const;
const inputOf = [
  rssInput.tcp4,
  rssInput.udp4,
  rssInput.tcp6,
  rssInput.udp6,
  rssInput.ipv4,
  rssInput.ipv6,
] as const;

/** The key of Microsoft's specification, as the card has it at power-on: reversed. */
const defaultKey = Uint8Array.from([
  0xfa, 0x01, 0xac, 0xbe, 0x3b, 0xb7, 0x42, 0x6a, 0x0c, 0xf2, 0x30, 0x80, 0xa3, 0x2d, 0xcb, 0x77,
  0xb4, 0x30, 0x7b, 0xae, 0xcb, 0x2b, 0xca, 0xd0, 0xb0, 0x8f, 0xa3, 0x43, 0x3d, 0x25, 0x67, 0x41,
  0xc2, 0x0e, 0x5b, 0x25, 0xda, 0x56, 0x5a, 0x6d,
]);

const toeplitzBit = 1 << HASH_FUNCTION.TOEPLITZ;
const crc32Bit = 1 << HASH_FUNCTION.CRC32;

export class Rss implements HashTables {
  /** Bit per function: the header's Toeplitz, 1, is bit 1. */
  readonly supportedFunctions = toeplitzBit | crc32Bit;
  selectedFunction = toeplitzBit;
  initialValue = 0;
  readonly sort = new InputSort();
  readonly #key = new Uint8Array(rssKeyBytes);
  readonly #toeplitz = new Toeplitz(defaultKey);
  readonly #fields = new Uint16Array(protocols);
  /** Submission queue indices, 2^log of them; empty: the driver has set none. */
  #table = new Uint16Array(0);
  #inputs = 0;
  #version = 0;

  constructor() {
    this.reset();
  }

  reset(): void {
    this.setKey(defaultKey);
    this.setFunction(toeplitzBit, 0);
    this.#table = new Uint16Array(0);
    this.#fields.fill(0);
    this.#fields.set(supportedFields);
    this.sort.enabled = 0;
    this.#findInputs();
  }

  /** 40 bytes, in the card's order. */
  setKey(key: Uint8Array): void {
    this.#version++;
    this.#key.set(key);
    this.#toeplitz.setKey(key.slice().reverse());
  }

  get key(): Uint8Array {
    return this.#key;
  }

  /** `selected`: one bit of `supportedFunctions`. */
  setFunction(selected: number, initialValue: number): void {
    this.selectedFunction = selected;
    this.initialValue = initialValue;
  }

  /** Whether the hash is Toeplitz's of packets as they are: a fast path knows no other one. */
  get isPlain(): boolean {
    return this.selectedFunction === toeplitzBit && this.sort.enabled === 0;
  }

  /** Changes with the key, the inputs and the indirection. */
  get version(): number {
    return this.#version;
  }

  get contributions(): Int32Array {
    return this.#toeplitz.contributions;
  }

  get inputs(): number {
    return this.#inputs;
  }

  /** Submission queue indices by the hash's low bits; empty: the driver has set none. */
  get indirection(): Uint16Array {
    return this.#table;
  }

  /** log2 of the table's size; null: the driver has set none. */
  get tableLog(): number | null {
    return this.#table.length === 0 ? null : Math.log2(this.#table.length);
  }

  /** `entries` as the driver wrote them: 32-bit words, the queue in the low half. */
  setTable(entries: Int32Array): void {
    this.#version++;
    this.#table = Uint16Array.from(entries, (entry) => entry & 0xffff);
  }

  setTableEntry(index: number, queue: number): boolean {
    if (index >= this.#table.length) return false;
    this.#version++;
    this.#table[index] = queue;
    return true;
  }

  tableWords(sizeLog: number): Int32Array {
    return Int32Array.from({ length: 1 << sizeLog }, (_, i) => this.#table[i] ?? 0);
  }

  /** `ena_admin_feature_rss_hash_control`: supported and selected fields per protocol. */
  hashControl(): Int32Array {
    const words = new Int32Array(4 * protocols);
    words.set(supportedFields);
    words.set(this.#fields, protocols);
    return words;
  }

  /** The selected fields of a hash control; false when they ask for what is not supported. */
  setHashControl(words: Int32Array): boolean {
    const selected = Array.from(words.subarray(protocols, 2 * protocols), (w) => w & 0xffff);
    if (selected.some((bits, i) => (bits & ~(supportedFields[i] ?? 0)) !== 0)) return false;
    this.#fields.set(selected);
    this.#findInputs();
    return true;
  }

  #findInputs(): void {
    this.#version++;
    this.#inputs = 0;
    for (const [i, input] of inputOf.entries()) {
      const needed = i < 4 ? l4Fields : l3Fields;
      if (((this.#fields[i] as number) & needed) === needed) this.#inputs |= input;
    }
  }

  hash(headers: Headers): number {
    const input = this.sort.of(headers);
    if (this.selectedFunction === crc32Bit)
      return crc32OfPacket(input, this.#inputs, this.initialValue);
    return this.#toeplitz.hashPacket(input, this.#inputs);
  }

  /** The submission queue for a hash, or -1 when the driver has set no table. */
  queueOf(hash: number): number {
    const table = this.#table;
    return table.length === 0 ? -1 : (table[hash & (table.length - 1)] as number);
  }
}
