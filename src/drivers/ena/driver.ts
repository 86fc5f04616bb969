/**
 * A poll-mode reference driver for ENA that runs in this process: it drives any `PciFunction`
 * with ENA's registers, through memory of its own. `start` does what Linux does, in Linux's order
 * (`ena_device_init`, `ena_probe`, `ena_up`); each step is a method, so that a test can leave one
 * out or do them in an order that no real driver has.
 */
import {
  AENQ_GROUP,
  CAPABILITY,
  deviceAttrResp,
  FEATURE,
  hostInfo,
  hwHintsResp,
  linkResp,
  llqResp,
  moderationResp,
  offloadResp,
} from '../../defs/ena-admin.ts';
import { resetReasons } from '../../defs/ena-regs.ts';
import type { Record32 } from '../../lib/layout.ts';
import { PCI_CAP_ID_MSIX } from '../../pci/capabilities.ts';
import { PCI_COMMAND, PCI_COMMAND_MASTER, PCI_COMMAND_MEMORY } from '../../pci/config-space.ts';
import type { PciFunction } from '../../pci/function.ts';
import type { DmaArena } from '../dma-arena.ts';
import { AdminQueue } from './admin-queue.ts';
import { AdminCommands } from './commands.ts';
import { EventQueue } from './event-queue.ts';
import { type BasicStats, type DeviceLimits, readBasicStats, readLimits } from './limits.ts';
import { chooseLlq } from './llq.ts';
import { EnaDeviceError, EnaMmio, type ResetReason } from './mmio.ts';
import { type QueueOptions, QueueSet } from './queue-set.ts';
import { Rss } from './rss.ts';
import type { RxQueue } from './rx-queue.ts';
import type { TxQueue } from './tx-queue.ts';
import { Watchdog } from './watchdog.ts';

export type EnaDriverOptions = QueueOptions & {
  /** Where transmit queues lie; in the host when the device offers no LLQ. */
  readonly placement: 'host' | 'device';
  /** Where the headers of queues in device memory lie. */
  readonly llqHeaders: 'inline' | 'ring';
  /** Without L2. */
  readonly mtu: number;
  /** AENQ groups wanted, as bits. */
  readonly eventGroups: number;
  /** `ena_admin_os_type`: 1 Linux, 3 DPDK, 5 iPXE. */
  readonly osType: number;
  /** The version of ENA's specification that the driver claims: 15:8 major, 7:0 minor. */
  readonly specVersion: number;
  /** Runs while the driver waits for the device, `maxPolls` times at most per wait. */
  readonly pause: () => void;
  readonly maxPolls: number;
};

const defaults: EnaDriverOptions = {
  queuePairs: 1,
  txDepth: 1024,
  rxDepth: 1024,
  txBufferBytes: 2048,
  rxBufferBytes: 2048,
  placement: 'host',
  llqHeaders: 'inline',
  mtu: 1500,
  eventGroups:
    (1 << AENQ_GROUP.LINK_CHANGE) |
    (1 << AENQ_GROUP.FATAL_ERROR) |
    (1 << AENQ_GROUP.WARNING) |
    (1 << AENQ_GROUP.NOTIFICATION) |
    (1 << AENQ_GROUP.KEEP_ALIVE) |
    (1 << AENQ_GROUP.CONF_NOTIFICATIONS) |
    (1 << AENQ_GROUP.DEVICE_REQUEST_RESET),
  interrupts: true,
  clock: null,
  timeStamps: false,
  osType: 3,
  specVersion: 0x0200,
  pause: () => {},
  maxPolls: 1000,
};

const debugAreaBytes = 4096;
const PCI_MSIX_FLAGS_ENABLE = 0x8000;

export class EnaDriver {
  readonly function: PciFunction;
  readonly arena: DmaArena;
  readonly options: EnaDriverOptions;
  readonly mmio: EnaMmio;
  readonly admin: AdminQueue;
  readonly commands: AdminCommands;
  /** What the driver's patience is, as the device hints it. */
  readonly watchdog: Watchdog;
  readonly events: EventQueue;
  readonly rss: Rss;
  /** Device attributes; all zero until `readAttributes`. */
  attributes: Record32<typeof deviceAttrResp.fields> = deviceAttrResp.create();
  offloads: Record32<typeof offloadResp.fields> = offloadResp.create();
  /** Null when the device does not have the feature. */
  hwHints: Record32<typeof hwHintsResp.fields> | null = null;
  llq: Record32<typeof llqResp.fields> | null = null;
  limits: DeviceLimits | null = null;
  eventGroups = 0;
  /** Microseconds per unit of `arm`'s delays; 0: the device does not moderate. */
  moderationUnitUs = 0;
  mtu: number;
  readonly queues: QueueSet;
  readonly #hostInfoAddress: number;
  readonly #debugAddress: number;

  /** Allocates what it needs from `arena`; touches the device's configuration space only. */
  constructor(fn: PciFunction, arena: DmaArena, options: Partial<EnaDriverOptions> = {}) {
    this.function = fn;
    this.arena = arena;
    this.options = { ...defaults, ...options };
    this.mtu = this.options.mtu;
    const { pause, maxPolls, clock } = this.options;
    this.watchdog = new Watchdog(clock);
    this.mmio = new EnaMmio(fn, arena, { pause, maxPolls, watchdog: this.watchdog });
    this.admin = new AdminQueue(this.mmio, arena);
    this.commands = new AdminCommands(this.admin);
    this.events = new EventQueue(this.mmio, arena);
    this.events.onHints = (hints) => this.watchdog.take(hints);
    this.rss = new Rss(this.commands, arena, (feature) => this.supports(feature));
    this.#hostInfoAddress = arena.alloc(4096);
    this.#debugAddress = arena.alloc(debugAreaBytes);
    this.queues = new QueueSet(this.mmio, this.commands, arena, this.options);
    fn.config.write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  }

  get tx(): readonly TxQueue[] {
    return this.queues.tx;
  }

  get rx(): readonly RxQueue[] {
    return this.queues.rx;
  }

  /** From any state to traffic. Throws an EnaDeviceError or an EnaAdminError that says why not. */
  start(reason: ResetReason = 'NORMAL'): void {
    this.resetDevice(reason);
    this.checkVersion();
    this.configureAdmin();
    this.sendHostInfo();
    this.readAttributes();
    this.eventGroups = this.commands.setEventGroups(this.options.eventGroups);
    this.allocateQueues();
    this.readModeration();
    this.enableInterrupts();
    this.rss.tableSizes();
    if (this.options.timeStamps) this.commands.setTimeStamps(true, true);
    this.queues.create();
    this.rss.spread(this.rx.map((queue) => queue.sqIndex));
    this.commands.setMtu(this.mtu);
    this.queues.postBuffers();
    this.arm();
  }

  /** Destroys the queues, then resets the device. */
  stop(reason: ResetReason = 'SHUTDOWN'): void {
    this.queues.destroy();
    this.resetDevice(reason);
  }

  /** Takes events and transmit completions; to be called often. A faulty queue needs `start`. */
  poll(): void {
    this.events.poll();
    for (const queue of this.tx) queue.reap();
  }

  /** The reset reason that a queue, the device or the watchdog calls for, or null: all is well. */
  get fault(): ResetReason | null {
    const faulty = [...this.tx, ...this.rx].find((queue) => queue.fault !== 0);
    if (faulty !== undefined) return resetReasons[faulty.fault] ?? 'GENERIC';
    if (this.admin.timedOut) return 'ADMIN_TO';
    if (this.events.resetRequested) return 'DEVICE_REQUEST';
    const sendsKeepAlives = (this.eventGroups & (1 << AENQ_GROUP.KEEP_ALIVE)) !== 0;
    return this.watchdog.check(sendsKeepAlives ? this.events.keepAlives : null, this.tx);
  }

  /** The MAC address, as a 48-bit number. */
  get mac(): number {
    const a = this.attributes;
    return [a.mac_0, a.mac_1, a.mac_2, a.mac_3, a.mac_4, a.mac_5].reduce((n, b) => n * 256 + b);
  }

  supports(feature: number): boolean {
    return ((this.attributes.supported_features >>> feature) & 1) !== 0;
  }

  resetDevice(reason: ResetReason): void {
    this.#setMsix(false);
    this.mmio.setRespAddress();
    const isExtended = (this.attributes.capabilities & CAPABILITY.EXTENDED_RESET_REASONS) !== 0;
    this.mmio.reset(resetReasons.indexOf(reason), isExtended);
    this.watchdog.reset();
  }

  /** Throws an EnaDeviceError when the controller is older than 0.0.1. */
  checkVersion(): void {
    const controller = this.mmio.read('CONTROLLER_VERSION') & 0xff_ffff;
    if (controller < 1) throw new EnaDeviceError(`controller version ${controller} is too old`);
    const width = (this.mmio.read('CAPS') >>> 8) & 0xff;
    if (width < 32 || width > 48) throw new EnaDeviceError(`DMA width of ${width} bits`);
  }

  /** Admin queue and event queue, with the management interrupt masked. */
  configureAdmin(): void {
    this.admin.configure();
    this.events.configure();
    this.mmio.write('INTR_MASK', 1);
  }

  sendHostInfo(): void {
    const info = hostInfo.create();
    info.os_type = this.options.osType;
    info.driver_version = 1;
    info.ena_spec_version = this.options.specVersion;
    info.num_cpus = 1;
    info.store(this.arena.words, this.arena.offset(this.#hostInfoAddress) >>> 2);
    const debug = { address: this.#debugAddress, length: debugAreaBytes };
    this.commands.setHostAttributes(this.#hostInfoAddress, debug);
  }

  readAttributes(): void {
    const { commands } = this;
    this.attributes = commands.getFeature(FEATURE.DEVICE_ATTRIBUTES, deviceAttrResp);
    this.limits = readLimits(commands, this.supports(FEATURE.MAX_QUEUES_EXT));
    this.offloads = commands.getFeature(FEATURE.STATELESS_OFFLOAD_CONFIG, offloadResp);
    if (this.supports(FEATURE.HW_HINTS)) {
      this.hwHints = commands.getFeature(FEATURE.HW_HINTS, hwHintsResp);
      this.watchdog.take(this.hwHints);
    }
    if (this.supports(FEATURE.LLQ)) this.llq = commands.getFeature(FEATURE.LLQ, llqResp, 1);
  }

  readModeration(): void {
    const feature = FEATURE.INTERRUPT_MODERATION;
    if (!this.supports(feature)) return;
    const resp = this.commands.getFeature(feature, moderationResp);
    this.moderationUnitUs = resp.intr_delay_resolution;
  }

  /** MSI-X, then the management vector, then events. */
  enableInterrupts(): void {
    this.#setMsix(true);
    this.mmio.write('INTR_MASK', 0);
    this.events.enable();
  }

  #setMsix(on: boolean): void {
    const { config } = this.function;
    const at = config.capabilityAt(PCI_CAP_ID_MSIX);
    if (at >= 0) config.write(at + 2, 2, on ? PCI_MSIX_FLAGS_ENABLE : 0);
  }

  /** Chooses where transmit queues lie, and gets memory for all queues. */
  allocateQueues(): void {
    const { limits, llq, options } = this;
    if (limits === null) throw new EnaDeviceError('queues before the attributes were read');
    const hinted = (most: number, hint = 0): number => (hint === 0 ? most : Math.min(most, hint));
    const maxTxDescs = hinted(limits.maxTxDescs, this.hwHints?.max_tx_sgl_size);
    const maxRxDescs = hinted(limits.maxRxDescs, this.hwHints?.max_rx_sgl_size);
    const wantsLlq = options.placement === 'device' && llq !== null && llq.max_llq_num > 0;
    this.queues.allocate(
      { ...limits, maxTxDescs, maxRxDescs },
      wantsLlq ? chooseLlq(this.commands, llq, options.llqHeaders) : null,
    );
  }

  setMtu(mtu: number): void {
    this.commands.setMtu(mtu);
    this.mtu = mtu;
  }

  /** Lets every vector raise its next interrupt, after delays in units of `moderationUnitUs`. */
  arm(rxDelay = 0, txDelay = 0): void {
    this.queues.arm(rxDelay, txDelay);
  }

  /** Link speed in Mbit/s, as the device claims it. */
  linkSpeedMbps(): number {
    return this.commands.getFeature(FEATURE.LINK_CONFIG, linkResp).speed;
  }

  stats(): BasicStats {
    return readBasicStats(this.commands);
  }
}
