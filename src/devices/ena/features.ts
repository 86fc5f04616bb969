/**
 * GET_FEATURE and SET_FEATURE: one entry per feature id, each with what it answers and what it
 * accepts. A feature that the profile lacks is answered as unsupported, as old cards do.
 */
import {
  aenqResp,
  deviceAttrResp,
  FEATURE,
  featureCmd,
  hashFunctionResp,
  hashInputResp,
  hostInfo,
  hwHintsResp,
  indTableResp,
  LINK_SPEEDS,
  linkResp,
  maxQueuesExtResp,
  maxQueuesResp,
  offloadResp,
  RSS_KEY_WORDS,
  STATUS,
  setAenq,
  setHashFunction,
  setHostAttr,
  setIndTable,
  setMtu,
} from '../../defs/ena-admin.ts';
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import type { EventQueue } from './event-queue.ts';
import type { Llq } from './llq.ts';
import type { EnaProfile } from './profile.ts';
import type { Queues } from './queues.ts';
import type { Rss } from './rss.ts';
import { enaRules } from './rules.ts';

export const minMtu = 128;
const hostInfoPageBytes = 4096;
const noInlineEntry = 0xffff_ffff;

export type FeatureParts = {
  readonly profile: EnaProfile;
  readonly queuePairs: number;
  readonly mac: Uint8Array;
  readonly linkMbps: number;
  readonly memory: GuestMemory;
  readonly diagnostics: Diagnostics;
  readonly events: EventQueue;
  readonly rss: Rss;
  readonly queues: Queues;
  readonly llq: Llq | null;
};

type Getter = (answer: Int32Array) => number;
type Setter = (command: Int32Array) => number;
type Entry = { readonly get?: Getter; readonly set?: Setter };

const names = new Map<number, string>(Object.entries(FEATURE).map(([name, id]) => [id, name]));

export class Features {
  mtu = 1500;
  /** What the driver said of itself; null before it did. */
  hostInfo: { osType: number; driverVersion: number; specVersion: number } | null = null;
  readonly #parts: FeatureParts;
  readonly #head = featureCmd.create();
  readonly #entries: ReadonlyMap<number, Entry>;

  constructor(parts: FeatureParts) {
    this.#parts = parts;
    const { llq } = parts;
    this.#entries = new Map<number, Entry>([
      ...(llq === null ? [] : [llqEntry(llq)]),
      [FEATURE.DEVICE_ATTRIBUTES, { get: (answer) => this.#deviceAttributes(answer) }],
      [FEATURE.MAX_QUEUES_NUM, { get: (answer) => this.#maxQueues(answer) }],
      [FEATURE.MAX_QUEUES_EXT, { get: (answer) => this.#maxQueuesExt(answer) }],
      [FEATURE.HW_HINTS, { get: (answer) => this.#store(hwHintsResp.create(), answer) }],
      [FEATURE.STATELESS_OFFLOAD_CONFIG, { get: (answer) => this.#offload(answer) }],
      [FEATURE.LINK_CONFIG, { get: (answer) => this.#link(answer) }],
      [FEATURE.MTU, { set: (command) => this.#setMtu(command) }],
      [FEATURE.HOST_ATTR_CONFIG, { set: (command) => this.#setHostAttributes(command) }],
      [
        FEATURE.AENQ_CONFIG,
        { get: (answer) => this.#aenq(answer), set: (command) => this.#setAenq(command) },
      ],
      [
        FEATURE.RSS_HASH_FUNCTION,
        {
          get: (answer) => this.#hashFunction(answer),
          set: (command) => this.#setHashFunction(command),
        },
      ],
      [
        FEATURE.RSS_HASH_INPUT,
        { get: (answer) => this.#hashInput(answer), set: () => this.#setHashInput() },
      ],
      [
        FEATURE.RSS_INDIRECTION_TABLE_CONFIG,
        { get: (answer) => this.#indTable(answer), set: (command) => this.#setIndTable(command) },
      ],
    ]);
  }

  reset(): void {
    this.mtu = 1500;
    this.hostInfo = null;
  }

  /** The feature's name in a GET_FEATURE or SET_FEATURE command, for traces. */
  nameOf(command: Int32Array): string {
    this.#head.load(command, 0);
    return names.get(this.#head.feature_id) ?? `feature ${this.#head.feature_id}`;
  }

  get(command: Int32Array, answer: Int32Array): number {
    const entry = this.#find(command);
    if (entry === null) return STATUS.UNSUPPORTED_OPCODE;
    if (entry.get === undefined) return this.#refuse(enaRules['unsupported-feature'], 'set only');
    return entry.get(answer);
  }

  set(command: Int32Array): number {
    const entry = this.#find(command);
    if (entry === null) return STATUS.UNSUPPORTED_OPCODE;
    if (entry.set !== undefined) return entry.set(command);
    return this.#refuse(enaRules['read-only-feature'], this.nameOf(command));
  }

  #find(command: Int32Array): Entry | null {
    this.#head.load(command, 0);
    const id = this.#head.feature_id;
    const offered = id < 32 && (this.#parts.profile.features & (1 << id)) !== 0;
    const entry = offered ? this.#entries.get(id) : undefined;
    if (entry !== undefined) return entry;
    this.#parts.diagnostics.refuse(
      enaRules['unsupported-feature'],
      () => `${names.get(id) ?? id} (profile ${this.#parts.profile.name})`,
    );
    return null;
  }

  #deviceAttributes(answer: Int32Array): number {
    const { profile, mac } = this.#parts;
    const made = deviceAttrResp.create();
    made.impl_id = profile.controllerVersion >>> 24;
    made.device_version = profile.deviceVersion;
    made.supported_features = profile.features;
    made.capabilities = profile.capabilities;
    made.phys_addr_width = profile.dmaAddressBits;
    made.virt_addr_width = profile.dmaAddressBits;
    [made.mac_0, made.mac_1, made.mac_2] = [mac[0] ?? 0, mac[1] ?? 0, mac[2] ?? 0];
    [made.mac_3, made.mac_4, made.mac_5] = [mac[3] ?? 0, mac[4] ?? 0, mac[5] ?? 0];
    made.max_mtu = profile.maxMtu;
    return this.#store(made, answer);
  }

  #maxQueues(answer: Int32Array): number {
    const { profile, queuePairs } = this.#parts;
    const made = maxQueuesResp.create();
    made.max_sq_num = queuePairs;
    made.max_sq_depth = profile.maxSqDepth;
    made.max_cq_num = queuePairs;
    made.max_cq_depth = profile.maxCqDepth;
    made.max_header_size = profile.maxHeaderBytes;
    made.max_packet_tx_descs = profile.maxTxDescsPerPacket;
    made.max_packet_rx_descs = profile.maxRxDescsPerPacket;
    return this.#store(made, answer);
  }

  #maxQueuesExt(answer: Int32Array): number {
    const { profile, queuePairs } = this.#parts;
    const made = maxQueuesExtResp.create();
    made.version = 1;
    made.max_tx_sq_num = queuePairs;
    made.max_tx_cq_num = queuePairs;
    made.max_rx_sq_num = queuePairs;
    made.max_rx_cq_num = queuePairs;
    made.max_tx_sq_depth = profile.maxSqDepth;
    made.max_tx_cq_depth = profile.maxCqDepth;
    made.max_rx_sq_depth = profile.maxSqDepth;
    made.max_rx_cq_depth = profile.maxCqDepth;
    made.max_tx_header_size = profile.maxHeaderBytes;
    made.max_per_packet_tx_descs = profile.maxTxDescsPerPacket;
    made.max_per_packet_rx_descs = profile.maxRxDescsPerPacket;
    return this.#store(made, answer);
  }

  #offload(answer: Int32Array): number {
    const { profile } = this.#parts;
    const made = offloadResp.create();
    made.tx = profile.offloadTx;
    made.rx_supported = profile.offloadRx;
    made.rx_enabled = profile.offloadRx;
    return this.#store(made, answer);
  }

  #link(answer: Int32Array): number {
    const { linkMbps } = this.#parts;
    const made = linkResp.create();
    made.speed = linkMbps;
    made.supported = LINK_SPEEDS.find(([mbps]) => mbps >= linkMbps)?.[1] ?? 0x200;
    made.flags = 2;
    return this.#store(made, answer);
  }

  #setMtu(command: Int32Array): number {
    const cmd = setMtu.create();
    cmd.load(command, 0);
    const { maxMtu } = this.#parts.profile;
    if (cmd.mtu < minMtu || cmd.mtu > maxMtu)
      return this.#refuse(enaRules['mtu-range'], `${cmd.mtu}, allowed ${minMtu} to ${maxMtu}`);
    this.mtu = cmd.mtu;
    return STATUS.SUCCESS;
  }

  #setHostAttributes(command: Int32Array): number {
    const cmd = setHostAttr.create();
    cmd.load(command, 0);
    const iova = cmd.os_info_hi * 2 ** 32 + cmd.os_info_lo;
    const page = new Uint8Array(hostInfoPageBytes);
    // A driver without a host info page leaves the address zero and sets the debug area only.
    if (iova === 0) return STATUS.SUCCESS;
    if (!this.#parts.memory.read(iova, page.length, page, 0))
      return this.#refuse(enaRules['host-info-memory'], `0x${iova.toString(16)}`);
    const info = hostInfo.create();
    info.load(new Int32Array(page.buffer), 0);
    this.hostInfo = {
      osType: info.os_type,
      driverVersion: info.driver_version,
      specVersion: info.ena_spec_version,
    };
    return STATUS.SUCCESS;
  }

  #aenq(answer: Int32Array): number {
    const made = aenqResp.create();
    made.supported_groups = this.#parts.profile.aenqGroups;
    made.enabled_groups = this.#parts.events.enabledGroups;
    return this.#store(made, answer);
  }

  #setAenq(command: Int32Array): number {
    const cmd = setAenq.create();
    cmd.load(command, 0);
    const { aenqGroups } = this.#parts.profile;
    if ((cmd.enabled_groups & ~aenqGroups) !== 0)
      return this.#refuse(enaRules['aenq-groups'], `0x${cmd.enabled_groups.toString(16)}`);
    this.#parts.events.enabledGroups = cmd.enabled_groups;
    return STATUS.SUCCESS;
  }

  #hashFunction(answer: Int32Array): number {
    const { rss } = this.#parts;
    const key = new Uint8Array(8 + RSS_KEY_WORDS * 4);
    key[0] = RSS_KEY_WORDS;
    key.set(rss.key, 8);
    // A driver that wants to know the functions only sends no buffer for the key.
    if (this.#controlLength() > 0 && !this.#writeControl(key)) return STATUS.ILLEGAL_PARAMETER;
    const made = hashFunctionResp.create();
    made.supported_func = rss.supportedFunctions;
    made.selected_func = rss.supportedFunctions;
    return this.#store(made, answer);
  }

  #setHashFunction(command: Int32Array): number {
    const { rss } = this.#parts;
    const cmd = setHashFunction.create();
    cmd.load(command, 0);
    if (cmd.selected_func !== rss.supportedFunctions)
      return this.#refuse(enaRules['rss-function'], `function ${cmd.selected_func}`);
    const control = this.#readControl(8 + RSS_KEY_WORDS * 4);
    if (control === null) return STATUS.ILLEGAL_PARAMETER;
    const parts = control[0] as number;
    if (parts !== RSS_KEY_WORDS)
      return this.#refuse(enaRules['rss-function'], `${parts} key words`);
    rss.setKey(control.subarray(8));
    return STATUS.SUCCESS;
  }

  #hashInput(answer: Int32Array): number {
    if (!this.#writeControl(asBytes(this.#parts.rss.hashControl())))
      return STATUS.ILLEGAL_PARAMETER;
    return this.#store(hashInputResp.create(), answer);
  }

  #setHashInput(): number {
    const words = this.#parts.rss.hashControl().length;
    const control = this.#readControl(words * 4);
    if (control === null) return STATUS.ILLEGAL_PARAMETER;
    if (this.#parts.rss.setHashControl(new Int32Array(control.buffer))) return STATUS.SUCCESS;
    return this.#refuse(enaRules['rss-function'], 'hash input that is not supported');
  }

  #indTable(answer: Int32Array): number {
    const { rss, profile } = this.#parts;
    const made = indTableResp.create();
    [made.min_size, made.max_size] = profile.rssTableLog;
    made.size = rss.tableLog;
    made.inline_index = noInlineEntry;
    // A driver first asks for the sizes without a buffer, then for the table.
    if (this.#controlLength() > 0 && !this.#writeControl(asBytes(rss.tableWords())))
      return STATUS.ILLEGAL_PARAMETER;
    return this.#store(made, answer);
  }

  #setIndTable(command: Int32Array): number {
    const { rss, profile, queues } = this.#parts;
    const cmd = setIndTable.create();
    cmd.load(command, 0);
    const [min, max] = profile.rssTableLog;
    if (cmd.size < min || cmd.size > max)
      return this.#refuse(
        enaRules['rss-table-size'],
        `2^${cmd.size}, allowed 2^${min} to 2^${max}`,
      );
    const control = this.#readControl(4 << cmd.size);
    if (control === null) return STATUS.ILLEGAL_PARAMETER;
    const entries = new Int32Array(control.buffer);
    const stray = entries.find((entry) => queues.rxQueue(entry & 0xffff) === null);
    if (stray !== undefined)
      return this.#refuse(enaRules['rss-table-entry'], `queue ${stray & 0xffff}`);
    rss.setTable(entries);
    return STATUS.SUCCESS;
  }

  /** The control buffer of the command in `#head`: Linux calls it indirect, though it is not. */
  #controlLength(): number {
    const head = this.#head;
    return (head.ctrl_data | head.ctrl_data_indirect) === 0 ? 0 : head.control_length;
  }

  #controlAddress(): number {
    return this.#head.control_addr_hi * 2 ** 32 + this.#head.control_addr_lo;
  }

  #readControl(bytes: number): Uint8Array | null {
    const control = new Uint8Array(bytes);
    const { memory } = this.#parts;
    if (this.#controlLength() >= bytes && memory.read(this.#controlAddress(), bytes, control, 0))
      return control;
    this.#refuseControl(bytes);
    return null;
  }

  #writeControl(from: Uint8Array): boolean {
    const { memory } = this.#parts;
    const { length } = from;
    if (this.#controlLength() >= length && memory.write(this.#controlAddress(), from, 0, length))
      return true;
    this.#refuseControl(length);
    return false;
  }

  #refuseControl(bytes: number): void {
    this.#refuse(
      enaRules['control-buffer'],
      `${bytes} bytes wanted, ${this.#controlLength()} at 0x${this.#controlAddress().toString(16)}`,
    );
  }

  #store(made: { store(words: Int32Array, at: number): void }, answer: Int32Array): number {
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  #refuse(rule: Rule, detail: string): number {
    this.#parts.diagnostics.refuse(rule, () => detail);
    return STATUS.ILLEGAL_PARAMETER;
  }
}

const llqEntry = (llq: Llq): [number, Entry] => [
  FEATURE.LLQ,
  { get: (answer) => llq.get(answer), set: (command) => llq.set(command) },
];

const asBytes = (words: Int32Array): Uint8Array => new Uint8Array(words.buffer);
