/**
 * Values for the ENA fuzzer: words, addresses, descriptors and commands that are mostly plausible
 * and never to be trusted. Formats come from the declarations, so that a new field is fuzzed too.
 */
import * as admin from '../../src/defs/ena-admin.ts';
import { rxDesc, txDesc, txMetaDesc } from '../../src/defs/ena-io.ts';
import type { AdminCommand } from '../../src/drivers/ena/admin-queue.ts';
import type { Fields, Layout } from '../../src/lib/layout.ts';
import type { Prng } from '../../src/lib/prng.ts';

export type FuzzCommand = {
  readonly name: string;
  readonly record: AdminCommand;
  /** What the command would create, if it is accepted. */
  readonly createdSq: {
    readonly isTx: boolean;
    readonly isInDevice: boolean;
    readonly address: number;
    readonly depth: number;
  } | null;
  /** What SET_FEATURE LLQ would choose; 0 for other commands. */
  readonly llqEntryBytes: number;
};

type AnyRecord = Record<string, number> & { store(words: Int32Array, at: number): void };

const commands: readonly [name: string, opcode: number, format: Layout<Fields>][] = [
  ['CREATE_SQ', admin.OPCODE.CREATE_SQ, admin.createSqCmd],
  ['CREATE_CQ', admin.OPCODE.CREATE_CQ, admin.createCqCmd],
  ['CREATE_SQ', admin.OPCODE.CREATE_SQ, admin.createSqCmd],
  ['CREATE_CQ', admin.OPCODE.CREATE_CQ, admin.createCqCmd],
  ['DESTROY_SQ', admin.OPCODE.DESTROY_SQ, admin.destroySqCmd],
  ['DESTROY_CQ', admin.OPCODE.DESTROY_CQ, admin.destroyCqCmd],
  ['GET_STATS', admin.OPCODE.GET_STATS, admin.getStatsCmd],
  ['GET_FEATURE', admin.OPCODE.GET_FEATURE, admin.featureCmd],
  ['GET_FEATURE', admin.OPCODE.GET_FEATURE, admin.featureCmd],
  ['SET_FEATURE mtu', admin.OPCODE.SET_FEATURE, admin.setMtu],
  ['SET_FEATURE host', admin.OPCODE.SET_FEATURE, admin.setHostAttr],
  ['SET_FEATURE aenq', admin.OPCODE.SET_FEATURE, admin.setAenq],
  ['SET_FEATURE hash', admin.OPCODE.SET_FEATURE, admin.setHashFunction],
  ['SET_FEATURE input', admin.OPCODE.SET_FEATURE, admin.setHashInput],
  ['SET_FEATURE table', admin.OPCODE.SET_FEATURE, admin.setIndTable],
  ['SET_FEATURE llq', admin.OPCODE.SET_FEATURE, admin.setLlq],
  ['SET_FEATURE phc', admin.OPCODE.SET_FEATURE, admin.setPhc],
  ['SET_FEATURE flow', admin.OPCODE.SET_FEATURE, admin.setFlowSteering],
  ['SET_FEATURE flow', admin.OPCODE.SET_FEATURE, admin.setFlowSteering],
  ['SET_FEATURE fragments', admin.OPCODE.SET_FEATURE, admin.setFragBypass],
  ['SET_FEATURE time stamps', admin.OPCODE.SET_FEATURE, admin.setHwTimestamp],
];

/** The feature that a SET_FEATURE format is meant for. */
const featureOf: Readonly<Record<string, number>> = {
  set_feature_mtu: admin.FEATURE.MTU,
  set_feature_host_attr: admin.FEATURE.HOST_ATTR_CONFIG,
  set_feature_aenq: admin.FEATURE.AENQ_CONFIG,
  set_feature_rss_hash_function: admin.FEATURE.RSS_HASH_FUNCTION,
  set_feature_rss_hash_input: admin.FEATURE.RSS_HASH_INPUT,
  set_feature_rss_ind_table: admin.FEATURE.RSS_INDIRECTION_TABLE_CONFIG,
  set_feature_llq: admin.FEATURE.LLQ,
  set_feature_phc: admin.FEATURE.PHC_CONFIG,
  set_feature_flow_steering: admin.FEATURE.FLOW_STEERING_CONFIG,
  set_feature_frag_bypass: admin.FEATURE.FRAG_BYPASS,
  set_feature_hw_timestamp: admin.FEATURE.HW_TIMESTAMP,
};

export class FuzzValues {
  readonly #prng: Prng;
  readonly #base: number;
  readonly #bytes: number;
  readonly #tx = txDesc.create();
  readonly #meta = txMetaDesc.create();
  readonly #rx = rxDesc.create();

  /** Addresses are mostly of `bytes` bytes of memory at `base`. */
  constructor(prng: Prng, base: number, bytes: number) {
    this.#prng = prng;
    this.#base = base;
    this.#bytes = bytes;
  }

  word(): number {
    const prng = this.#prng;
    const kinds = [
      () => prng.next(),
      () => prng.below(256),
      () => 2 ** prng.below(32),
      () => 0xffff_ffff - prng.below(4),
      () => 0,
      () => (64 << 16) | (1 << prng.below(12)),
      () => (prng.below(0x110) << 16) | prng.below(65_536),
    ];
    return prng.pick(kinds)() >>> 0;
  }

  /** A DMA address, 48 bits. */
  address(): number {
    const prng = this.#prng;
    switch (prng.below(40)) {
      case 0:
        return prng.oneIn(3) ? this.#base + this.#bytes - prng.below(128) : this.#base;
      case 1:
        return prng.below(65_536) * 2 ** 32 + prng.next();
      case 2:
        return prng.pick([0, 2 ** 48 - 4, this.#base - 4, this.#base + this.#bytes]);
      case 3:
        return this.#base + prng.below(this.#bytes);
      default:
        return this.#base + prng.below(this.#bytes >>> 6) * 64;
    }
  }

  garbage(words: Int32Array, at: number, count: number): void {
    for (let i = 0; i < count; i++) words[at + i] = this.word();
  }

  /**
   * As a driver posts them. `place`: -1 in a packet of one descriptor; 0 and 1 in one of two that is to be
   * cut up.
   */
  goodDescriptor(
    words: Int32Array,
    at: number,
    phase: number,
    { iova, length, place }: { iova: number; length: number; place: number },
  ): void {
    if (place === 0) {
      this.#metaDescriptor(words, at, phase, 536);
      return;
    }
    const desc = txDesc.create();
    desc.length = length;
    desc.phase = phase;
    desc.first = place < 0 ? 1 : 0;
    desc.tso_en = place < 0 ? 0 : 1;
    desc.last = 1;
    desc.comp_req = 1;
    desc.buff_addr_lo = iova >>> 0;
    desc.addr_hi = Math.floor(iova / 2 ** 32);
    desc.store(words, at);
  }

  txDescriptor(
    words: Int32Array,
    at: number,
    phase: number,
    isFirst: boolean,
    isLast: boolean,
  ): void {
    const prng = this.#prng;
    if (prng.oneIn(150)) this.garbage(words, at, 4);
    else if (isFirst && prng.oneIn(3)) this.#anyMetaDescriptor(words, at, phase);
    else this.#dataDescriptor(words, at, phase, isFirst, isLast);
  }

  #dataDescriptor(
    words: Int32Array,
    at: number,
    phase: number,
    isFirst: boolean,
    isLast: boolean,
  ): void {
    const prng = this.#prng;
    const desc = this.#tx;
    desc.clear();
    desc.length = prng.pick([64, 100, 1500, 64, 400, prng.below(10_000), 0, 1]);
    if (prng.oneIn(30)) desc.length = prng.below(65_536);
    desc.phase = prng.oneIn(200) ? 1 - phase : phase;
    desc.first = prng.oneIn(150) ? 1 : Number(isFirst);
    desc.last = prng.oneIn(20) ? 1 - Number(isLast) : Number(isLast);
    desc.comp_req = prng.oneIn(4) ? 0 : 1;
    desc.req_id_lo = prng.below(1024);
    if (prng.oneIn(3)) {
      desc.l3_csum_en = prng.below(2);
      desc.l4_csum_en = prng.below(2);
      desc.l4_csum_partial = prng.below(2);
      desc.tso_en = prng.below(2);
      desc.l3_proto_idx = prng.pick([8, 11, prng.below(16)]);
      desc.l4_proto_idx = prng.pick([12, 13, prng.below(32)]);
    }
    const address = this.address();
    desc.buff_addr_lo = address % 2 ** 32;
    desc.addr_hi = Math.floor(address / 2 ** 32);
    desc.header_length = prng.below(256);
    if (prng.oneIn(200)) desc.reserved1 = 1;
    desc.store(words, at);
  }

  #anyMetaDescriptor(words: Int32Array, at: number, phase: number): void {
    const prng = this.#prng;
    const isLast = prng.oneIn(10);
    const isValid = !prng.oneIn(5);
    const mss = prng.pick([0, 1, 48, 500, 1448, prng.below(16_384)]);
    this.#metaDescriptor(words, at, phase, mss, isLast, isValid);
  }

  /** Mostly as a driver posts it before a packet. */
  #metaDescriptor(
    words: Int32Array,
    at: number,
    phase: number,
    mss: number,
    isLast = false,
    isValid = true,
  ): void {
    const prng = this.#prng;
    const meta = this.#meta;
    meta.clear();
    meta.meta_desc = 1;
    meta.first = 1;
    meta.last = isLast ? 1 : 0;
    meta.phase = phase;
    meta.ext_valid = isValid ? 1 : 0;
    meta.eth_meta_type = prng.oneIn(5) ? 0 : 1;
    meta.meta_store = prng.below(2);
    meta.mss_lo = mss;
    meta.mss_hi = mss >>> 10;
    meta.l3_hdr_off = prng.pick([14, 18, prng.below(256)]);
    meta.l3_hdr_len = prng.pick([20, 40, prng.below(256)]);
    meta.l4_hdr_len_in_words = prng.below(64);
    meta.store(words, at);
  }

  rxDescriptor(words: Int32Array, at: number, phase: number): void {
    const prng = this.#prng;
    if (prng.oneIn(150)) {
      this.garbage(words, at, 4);
      return;
    }
    const desc = this.#rx;
    desc.clear();
    desc.length = prng.pick([2048, 4096, prng.below(65_536), 0, 1, 64]);
    desc.phase = prng.oneIn(200) ? 1 - phase : phase;
    desc.first = 1;
    desc.last = 1;
    desc.comp_req = 1;
    desc.req_id = prng.oneIn(4) ? prng.below(65_536) : prng.below(32);
    const address = this.address();
    desc.buff_addr_lo = address % 2 ** 32;
    desc.buff_addr_hi = Math.floor(address / 2 ** 32);
    desc.store(words, at);
  }

  command(): FuzzCommand {
    const prng = this.#prng;
    const [name, opcode, format] = prng.pick(commands);
    const record = format.create() as unknown as AnyRecord;
    const address = this.address();
    for (const field of Object.keys(format.fields)) record[field] = this.#field(field, address);
    record['opcode'] = prng.oneIn(40) ? prng.below(256) : opcode;
    const feature = featureOf[format.name];
    if (feature !== undefined && !prng.oneIn(20)) record['feature_id'] = feature;
    const createdSq =
      format.name === admin.createSqCmd.name
        ? {
            isTx: record['sq_direction'] === admin.SQ_DIRECTION.TX,
            isInDevice: record['placement_policy'] === admin.PLACEMENT.DEV,
            address: (record['sq_ba_hi'] as number) * 2 ** 32 + (record['sq_ba_lo'] as number),
            depth: record['sq_depth'] as number,
          }
        : null;
    const isRing = record['header_location_enabled'] === admin.LLQ_HEADER.RING;
    const inlineBytes = [0, 128, 192, 0, 256][record['entry_size_enabled'] ?? 0] ?? 0;
    const llqEntryBytes = isRing ? 16 : inlineBytes;
    return { name, record: record as unknown as AdminCommand, createdSq, llqEntryBytes };
  }

  /** A plausible value for a field of that name, most of the time. */
  #field(name: string, address: number): number {
    const prng = this.#prng;
    if (prng.oneIn(50)) return this.word();
    if (/^(sq_ba|cq_ba)_lo$/.test(name)) return address % 2 ** 32;
    if (/^(sq_ba|cq_ba)_hi$/.test(name)) return Math.floor(address / 2 ** 32);
    if (['control_addr_lo', 'os_info_lo', 'output_lo'].includes(name))
      return this.address() % 2 ** 32;
    if (/^(control_addr|os_info|output)_hi$/.test(name)) return Math.floor(this.#base / 2 ** 32);
    if (name === 'header_location_enabled') return prng.pick([1, 1, 2, 2, 3]);
    if (name === 'entry_size_enabled') return prng.pick([1, 4, 4, 2]);
    if (name === 'desc_num_before_header_enabled') return prng.pick([1, 2, 4, 8]);
    if (name === 'descriptors_stride_enabled') return 1 + prng.below(2);
    if (/depth$/.test(name)) return prng.oneIn(8) ? prng.below(65_536) : 1 << prng.below(9);
    if (name === 'cq_entry_size_words') return prng.pick([2, 4, 4, 4, 8]);
    if (name === 'sq_direction') return 1 + prng.below(2);
    if (name === 'placement_policy') return prng.oneIn(8) ? 3 : 1;
    if (name === 'completion_policy') return prng.oneIn(4) ? 1 : 0;
    if (name === 'is_physically_contiguous') return 1;
    if (/idx$|vector$/.test(name)) return prng.below(9);
    if (name === 'feature_id') return prng.below(32);
    if (name === 'control_length') return prng.pick([48, 128, 256, 512, 4096, 40, 64, 8]);
    if (name === 'ctrl_data_indirect') return prng.oneIn(4) ? 0 : 1;
    if (name === 'output_length') return prng.pick([64, 64, 4096, 8]);
    if (name === 'rule_location') return prng.pick([0xffff, prng.below(40)]);
    if (/^(type|action|flow_type)$/.test(name)) return prng.below(7);
    if (name === 'size') return prng.pick([7, 7, 6, 8, prng.below(12)]);
    if (name === 'selected_func') return prng.pick([2, 4, 2, 1, 8]);
    if (name === 'mtu') return prng.pick([1500, 9000, 9216, 128, 127, 9217]);
    if (/groups$/.test(name)) return prng.below(32);
    return prng.oneIn(2) ? 0 : prng.below(4);
  }
}
