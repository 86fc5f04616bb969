/**
 * The Intel 82599's virtual function: one PCI function on one switch port, with its parent's side
 * of the mailbox.
 *
 * A pure state machine over guest memory, interrupts, a port and a clock. It follows the 82599
 * datasheet, revision 2.76, and what Linux's ixgbe and ixgbevf say to each other. This file holds
 * registers, resets and the links between the parts.
 */
import {
  ixgbevfRegisters,
  LINK_SPEED,
  RXDCTL,
  TXDCTL,
  VF_QUEUES,
  VFCTRL,
  VFLINKS,
  VFSTATUS,
} from '../../defs/ixgbevf-regs.ts';
import { nsPerSecond } from '../../lib/clock.ts';
import { RegisterBank } from '../../lib/registers.ts';
import { isGroupMac, readMac } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import type { Endpoint, Port } from '../../net/port.ts';
import { R, type Reason } from '../../net/reasons.ts';
import type { ConfigSpace } from '../../pci/config-space.ts';
import type {
  AccessSize,
  Bar,
  FunctionHost,
  PolledFunction,
  ResetCause,
} from '../../pci/function.ts';
import { limitRate } from '../common/paced-sender.ts';
import { Conversation } from './conversation.ts';
import { Filters, vlanTag } from './filters.ts';
import { VfInterrupts } from './interrupts.ts';
import { MappedRings } from './mapped-rings.ts';
import { Parent, type ParentChange, type ParentSettings } from './parent.ts';
import { type BarAccess, PciFace, registerBar } from './pci-face.ts';
import { ec2Profile, type IxgbevfProfile } from './profile.ts';
import type { QueueHost, VfBank } from './queue-host.ts';
import { ParentRss } from './rss.ts';
import { ixgbevfRules } from './rules.ts';
import { RxQueue } from './rx-queue.ts';
import { high4, low32, VfStats } from './stats.ts';
import { TxQueue } from './tx-queue.ts';

export type IxgbevfOptions = {
  /** 6 bytes. */
  readonly mac: Uint8Array;
  /** 10,000, 1000 or 100. */
  readonly linkMbps: number;
  readonly profile?: IxgbevfProfile;
  readonly queuePairs?: number;
  readonly access?: BarAccess;
  /** What the parent's administrator has set; the rest is as the profile says. */
  readonly parent?: Partial<Omit<ParentSettings, 'mac'>>;
};

/** Links that the card can have. */
export const linkSpeeds: ReadonlyMap<number, number> = new Map([
  [100, LINK_SPEED.mbps100],
  [1000, LINK_SPEED.gbps1],
  [10_000, LINK_SPEED.gbps10],
]);
/** What VFCTRL.RST clears beside the switches of the queues. */
const ofInterrupts = ['VFEIAC', 'VFEIAM', 'VFIVAR', 'VFIVAR_MISC', 'VFEITR'] as const;
const fcsBytes = 4;
const tagBytes = 4;
const resetStallNs = 0.01 * nsPerSecond;

export class IxgbevfFunction implements PolledFunction, Endpoint {
  readonly model = '82599vf';
  readonly config: ConfigSpace;
  readonly bars: readonly Bar[];
  readonly vectors: number;
  readonly stats = new VfStats();
  /** The administrator's side. */
  readonly parent: Parent;
  readonly #host: FunctionHost;
  readonly #port: Port;
  readonly #profile: IxgbevfProfile;
  readonly #speed: number;
  readonly #face: PciFace;
  readonly #interrupts: VfInterrupts;
  readonly #filters: Filters;
  readonly #rss: ParentRss;
  readonly #conversation: Conversation;
  readonly #registers: VfBank;
  readonly #queueHost: QueueHost;
  readonly #tx: readonly TxQueue[];
  readonly #rx: readonly RxQueue[];
  readonly #mapped: MappedRings | null;
  #wireIsUp = true;

  /** Throws a RangeError for options that no card can have. */
  constructor(options: IxgbevfOptions, host: FunctionHost, port: Port) {
    const { mac, linkMbps, profile = ec2Profile, access = 'posted' } = options;
    const pairs = options.queuePairs ?? profile.queuePairs;
    const speed = linkSpeeds.get(linkMbps);
    if (mac.length !== 6) throw new RangeError(`a MAC address has 6 bytes, not ${mac.length}`);
    if (speed === undefined) throw new RangeError(`an 82599 has no link of ${linkMbps} Mbit/s`);
    if (!Number.isInteger(pairs) || pairs < 1 || pairs > profile.maxQueuePairs)
      throw new RangeError(`${pairs} queue pairs: from 1 to ${profile.maxQueuePairs} are possible`);
    this.#host = host;
    this.#port = port;
    this.#profile = profile;
    this.#speed = speed;
    const { vectors, subsystemId } = profile;
    const onFunctionReset = (): void => this.reset('function');
    this.#face = new PciFace({ access, vectors, subsystemId, onFunctionReset }, host);
    this.config = this.#face.config;
    this.bars = this.#face.bars;
    this.vectors = vectors;
    this.#interrupts = new VfInterrupts(vectors, host.interrupts, host.clock);
    this.#filters = new Filters(port, profile.multicastFilterType, profile.maxVlans);
    this.#rss = new ParentRss(pairs);
    this.parent = this.#makeParent(options, pairs);
    this.#conversation = new Conversation(this.parent, host.trace ?? null, () =>
      this.#interrupts.mailboxEvent(),
    );
    this.#registers = this.#makeRegisters();
    this.#queueHost = this.#makeQueueHost();
    const all = Array.from({ length: pairs }, (_, i) => i);
    this.#tx = all.map((i) => new TxQueue(i, this.#queueHost));
    this.#rx = all.map((i) => new RxQueue(i, this.#queueHost));
    const { mapped } = this.#face;
    this.#mapped = mapped === null ? null : new MappedRings(mapped, this.#registers, pairs);
    port.connect(this);
  }

  read(bar: number, offset: number, size: AccessSize): number {
    if (this.#face.msix.covers(bar, offset)) return this.#face.msix.read(bar, offset, size);
    if (bar !== registerBar || !this.#isRegister(offset, size, 'read')) return 0;
    if (this.#mapped !== null && MappedRings.covers(offset)) return this.#mapped.read(offset);
    return this.#registers.read32(offset);
  }

  write(bar: number, offset: number, size: AccessSize, value: number): void {
    if (this.#face.msix.covers(bar, offset)) {
      this.#face.msix.write(bar, offset, size, value);
      return;
    }
    if (bar !== registerBar || !this.#isRegister(offset, size, 'write')) return;
    if (this.#mapped !== null && MappedRings.covers(offset)) this.#mapped.write(offset, value);
    else this.#registers.write32(offset, value);
  }

  /** Whether the host has to call `poll` again and again. */
  get polls(): boolean {
    return this.#mapped !== null;
  }

  poll(): boolean {
    return this.#mapped?.poll() ?? false;
  }

  reset(cause: ResetCause): void {
    this.#host.trace?.(() => `reset (${cause})`);
    this.#stopQueues();
    this.#interrupts.reset();
    this.#conversation.mailbox.reset();
    this.#registers.reset();
    this.#face.reset();
    this.#finishReset();
  }

  /** The administrative state of the link: the parent tells the driver to ask for it. */
  setLink(up: boolean): void {
    this.parent.setLink(up);
  }

  /** The wire of the parent's port. */
  setWire(up: boolean): void {
    this.#wireIsUp = up;
    this.parent.ping();
  }

  /** Limits what the function may send, in bits per second; null: no limit. */
  setRate(rateBps: number | null): void {
    limitRate(this.#queueHost, rateBps);
  }

  /** What an administrator of the parent changes; false: it cannot be. */
  administer(change: ParentChange): boolean {
    return this.parent.administer(change);
  }

  setSpoofCheck(on: boolean): void {
    this.parent.setSpoofCheck(on);
  }

  /** Asks the driver to reset the function, as a parent does whose settings have changed. */
  requestReset(): boolean {
    this.parent.restartFunction();
    return true;
  }

  /** The parent goes through a reset of its own. */
  resetParent(): void {
    this.parent.resetItself(true);
    this.#host.clock.after(resetStallNs, () => this.parent.resetItself(false));
  }

  receive(frame: Frame): Reason {
    const { parent } = this;
    if (!this.#wireIsUp) return R.linkDown;
    if (!parent.receives) return R.rxDisabled;
    const allowance = vlanTag(frame) < 0 ? 0 : tagBytes;
    if (frame.length + fcsBytes > parent.maxFrameBytes + allowance) return R.rxTooLong;
    if (!this.#filters.accepts(frame)) return R.rxFiltered;
    const { headers } = frame;
    const hash = this.#rss.hash(headers);
    const queue = this.#rx[this.#queueFor(hash)];
    if (queue === undefined) return R.rxDisabled;
    if (this.#mapped !== null && !this.#mapped.receives(queue.index)) return R.rxDisabled;
    const reason = queue.receive(frame, hash, this.#rss.typeOf(headers));
    if (reason === R.delivered) this.#count(frame);
    return reason;
  }

  /** Segments come one by one. */
  roomFor(): number {
    return 0;
  }

  laneOf(frame: Frame): number {
    return this.#queueFor(this.#rss.hash(frame.headers));
  }

  flush(): void {
    for (const queue of this.#rx) queue.flush();
  }

  #queueFor(hash: number): number {
    return this.#rss.queueOf(hash, this.#registers.get('VFPSRTYPE') >>> 29);
  }

  #count({ length, headers }: Frame): void {
    const isBroadcast = headers.dstMacHi === 0xffff && headers.dstMacLo === -1;
    const isGroup = (headers.dstMacHi & 0x0100) !== 0;
    this.stats.received(length, isGroup && !isBroadcast);
  }

  #isRegister(offset: number, size: AccessSize, how: string): boolean {
    const { diagnostics } = this.#host;
    const isWhole = size === 4;
    if (isWhole && this.#registers.nameAt(offset) !== undefined) return true;
    diagnostics.refuse(
      ixgbevfRules[isWhole ? 'bad-register' : 'register-access-size'],
      () => `${how} of ${size} bytes at 0x${offset.toString(16)}`,
    );
    return false;
  }

  #makeParent(options: IxgbevfOptions, queuePairs: number): Parent {
    const profile = this.#profile;
    const given = readMac(options.mac, 0);
    if (isGroupMac(given)) throw new RangeError('a group address is no MAC of a function');
    const settings: ParentSettings = {
      ...{ mac: given, macIsSet: profile.macIsSet, trusted: profile.trusted },
      ...{ spoofCheck: profile.spoofCheck, rssQuery: profile.rssQuery },
      ...{ linkEnabled: true, vlan: 0, qos: 0 },
      ...options.parent,
    };
    // Without an address set by the administrator the function brings its own.
    if (!settings.macIsSet) settings.mac = 0;
    return new Parent(settings, {
      ...{ profile, filters: this.#filters, rss: this.#rss, queuePairs },
      diagnostics: this.#host.diagnostics,
    });
  }

  #makeQueueHost(): QueueHost {
    const { memory, diagnostics, clock } = this.#host;
    return {
      ...{ memory, diagnostics, clock, port: this.#port, rate: null },
      ...{ interrupts: this.#interrupts, parent: this.parent, stats: this.stats },
      register: (name, index) => this.#registers.get(name, index),
    };
  }

  #makeRegisters(): VfBank {
    const { mailbox } = this.#conversation;
    const interrupts = this.#interrupts;
    const { stats } = this;
    const registers: VfBank = new RegisterBank(
      ixgbevfRegisters,
      {
        VFCTRL: (value) => {
          if ((value & VFCTRL.RST) !== 0) this.#resetByDriver();
        },
        VFMBMEM: (value, _, index) => {
          mailbox.words[index] = value;
        },
        VFMAILBOX: (value) => mailbox.write(value),
        VFEICR: (value) => interrupts.clearCauses(value),
        VFEICS: (value) => interrupts.setCauses(value & 7),
        VFEIMS: (value) => interrupts.enable(value & 7),
        VFEIMC: (value) => interrupts.disable(value & 7),
        VFEIAC: (value) => {
          interrupts.autoClear = value & 7;
        },
        VFEIAM: (value) => {
          interrupts.autoMask = value & 7;
        },
        VFIVAR: (value, _, index) => interrupts.setVectors(index, value),
        VFIVAR_MISC: (value) => interrupts.setMiscVector(value),
        VFEITR: (value, _, index) => interrupts.setThrottle(index, value),
        VFRXDCTL: (value, _, index) => this.#controlRx(index, (value & RXDCTL.ENABLE) !== 0),
        VFTXDCTL: (value, _, index) => this.#controlTx(index, (value & TXDCTL.ENABLE) !== 0),
        VFRDT: (value, _, index) => this.#rx[index]?.doorbell(value & 0xffff),
        VFTDT: (value, _, index) => this.#tx[index]?.doorbell(value & 0xffff),
      },
      {
        VFSTATUS: () => this.#status(),
        VFLINKS: () => (this.#wireIsUp ? VFLINKS.UP | (this.#speed << VFLINKS.SPEED) : 0),
        VFFRTIMER: () => timerAt(this.#host.clock.now()),
        VFMBMEM: (index) => mailbox.words[index] as number,
        VFMAILBOX: () => mailbox.read(),
        VFEICR: () => interrupts.takeCauses(),
        VFEIMS: () => interrupts.enabled,
        VFRDH: (index) => this.#rx[index]?.head ?? registers.get('VFRDH', index),
        VFTDH: (index) => this.#tx[index]?.head ?? registers.get('VFTDH', index),
        VFGPRC: () => low32(stats.rxPackets),
        VFGORC_LSB: () => low32(stats.rxOctets),
        VFGORC_MSB: () => high4(stats.rxOctets),
        VFMPRC: () => low32(stats.rxMulticasts),
        VFGPTC: () => low32(stats.txPackets),
        VFGOTC_LSB: () => low32(stats.txOctets),
        VFGOTC_MSB: () => high4(stats.txOctets),
      },
    );
    return registers;
  }

  #status(): number {
    const link = this.#wireIsUp ? VFSTATUS.LINKUP : 0;
    const master = this.config.busMaster ? VFSTATUS.MASTER : 0;
    const functions = this.#profile.functions << VFSTATUS.NUM_VFS;
    return link | functions | VFSTATUS.IOV | master;
  }

  #controlRx(index: number, on: boolean): void {
    const queue = this.#rx[index];
    if (queue === undefined) this.#refuseQueue('VFRXDCTL', index, on);
    else if (on && !queue.isOn) queue.switchOn();
    else if (!on && queue.isOn) queue.switchOff();
  }

  #controlTx(index: number, on: boolean): void {
    const queue = this.#tx[index];
    if (queue === undefined) this.#refuseQueue('VFTXDCTL', index, on);
    else if (on && !queue.isOn) queue.switchOn();
    else if (!on && queue.isOn) queue.switchOff();
  }

  /** Drivers may switch off what they do not have. */
  #refuseQueue(name: 'VFRXDCTL' | 'VFTXDCTL', index: number, on: boolean): void {
    if (!on) return;
    const value = this.#registers.get(name, index) & ~RXDCTL.ENABLE;
    this.#registers.set(name, value, index);
    this.#host.diagnostics.refuse(ixgbevfRules['queue-beyond'], () => `${name}[${index}]`);
  }

  /** VFCTRL.RST: the queues' switches and the interrupts; the parent forgets what was asked for. */
  #resetByDriver(): void {
    this.#host.trace?.(() => 'reset by the driver');
    this.#stopQueues();
    this.#interrupts.reset();
    const registers = this.#registers;
    for (let i = 0; i < VF_QUEUES; i++) {
      registers.set('VFRXDCTL', registers.get('VFRXDCTL', i) & ~RXDCTL.ENABLE, i);
      registers.set('VFTXDCTL', registers.get('VFTXDCTL', i) & ~TXDCTL.ENABLE, i);
    }
    for (const name of ofInterrupts)
      for (let i = 0; i < registers.map.registers[name].count; i++) registers.set(name, 0, i);
    this.#finishReset();
  }

  #stopQueues(): void {
    for (const queue of this.#tx) queue.switchOff();
    for (const queue of this.#rx) queue.switchOff();
  }

  #finishReset(): void {
    this.parent.functionReset();
    this.#mapped?.reset();
    this.#port.connect(this); // what waited for buffers of before waits no longer
  }
}

/** VFFRTIMER: microseconds, milliseconds, seconds. */
function timerAt(nowNs: number): number {
  const us = Math.floor(nowNs / 1000);
  return (us % 1000) | ((Math.floor(us / 1000) % 1000) << 10) | ((us / 1e6) << 20);
}
