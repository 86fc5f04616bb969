/**
 * An Elastic Network Adapter virtual function: one PCI function on one switch port.
 *
 * A pure state machine over guest memory, interrupts, a port and a clock. It follows the public
 * headers of the ENA drivers (`ena_regs_defs.h`, `ena_admin_defs.h`, `ena_eth_io_defs.h`) and what
 * the stock Linux driver does. This file holds registers, reset and the links between the parts.
 */
import { AENQ_GROUP, CAPABILITY, FEATURE } from '../../defs/ena-admin.ts';
import {
  DEV_CTL,
  DEV_STS,
  enaRegisters,
  resetReasonOf,
  resetReasons,
} from '../../defs/ena-regs.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import { RegisterBank } from '../../lib/registers.ts';
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
import { AdminQueue } from '../amazon/admin-queue.ts';
import { Readless } from '../amazon/readless.ts';
import { limitRate } from '../common/paced-sender.ts';
import { Allowances } from './allowances.ts';
import { bar0, doorbellAt, interruptAt, maxQueuePairs } from './bar.ts';
import { basicFeatures, type Identity, Settings } from './basic-features.ts';
import { BringUp } from './bring-up.ts';
import { BurstLender } from './burst-lender.ts';
import { Commands } from './commands.ts';
import { DeviceTime } from './device-time.ts';
import { EventQueue } from './event-queue.ts';
import type { Feature } from './feature-call.ts';
import { Features } from './features.ts';
import { FlowSteering } from './flow-steering.ts';
import { FragmentLimit } from './fragment-limit.ts';
import { Hints, type HwHints, plainHints } from './hints.ts';
import { Llq } from './llq.ts';
import { Management } from './management.ts';
import { type BarAccess, PciFace } from './pci-face.ts';
import { Phc } from './phc.ts';
import { type EnaProfile, permissive } from './profile.ts';
import { Queues } from './queues.ts';
import { Rss } from './rss.ts';
import { rssFeatures } from './rss-features.ts';
import { enaRules } from './rules.ts';
import type { RxQueue } from './rx-queue.ts';
import { Statistics } from './statistics.ts';
import { EnaStats } from './stats.ts';
import { l2Bytes, type QueueHost } from './tx-queue.ts';
import { Vectors } from './vectors.ts';

/** Time-outs in units of 100 ms, as CAPS gives them. */
const resetTimeout = 30;
const adminTimeout = 0;

export type EnaOptions = {
  /** 6 bytes. */
  readonly mac: Uint8Array;
  /** What the link claims to be. */
  readonly linkMbps: number;
  readonly profile?: EnaProfile;
  /** 1..32; by default what the profile says. */
  readonly queuePairs?: number;
  readonly access?: BarAccess;
  /** What the driver is told of time-outs and limits; by default to choose its own. */
  readonly hints?: Partial<HwHints>;
  /** IP fragments that it may send in a second, 0: any number; by default what the profile says. */
  readonly egressFragmentsPps?: number;
};

export class EnaFunction implements PolledFunction, Endpoint {
  readonly model = 'ena';
  readonly config: ConfigSpace;
  readonly bars: readonly Bar[];
  readonly vectors: number;
  readonly mac: Uint8Array;
  readonly stats: EnaStats;
  /** Reported to the driver; whoever enforces limits keeps the numbers. */
  readonly allowances: Allowances;
  readonly lender: BurstLender;
  readonly #host: FunctionHost;
  readonly #port: Port;
  readonly #profile: EnaProfile;
  readonly #registers: RegisterBank<(typeof enaRegisters)['registers']>;
  readonly #face: PciFace;
  readonly #admin: AdminQueue;
  readonly #events: EventQueue;
  readonly #management: Management;
  readonly #settings = new Settings();
  readonly #bringUp: BringUp;
  readonly #hints: Hints;
  readonly #phc: Phc;
  readonly #steering: FlowSteering;
  readonly #queues: Queues;
  readonly #vectors: Vectors;
  readonly #rss = new Rss();
  readonly #llq: Llq | null;
  readonly #queueHost: QueueHost;
  readonly #fragmentsPps: number;
  /** The driver broke a rule that the card does not survive; only a reset helps. */
  #failed = false;

  /** Throws a RangeError for options that no card can have. */
  constructor(options: EnaOptions, host: FunctionHost, port: Port) {
    const { mac, linkMbps, profile = permissive } = options;
    const pairs = options.queuePairs ?? profile.queuePairs;
    if (mac.length !== 6) throw new RangeError(`a MAC address has 6 bytes, not ${mac.length}`);
    if (!Number.isInteger(pairs) || pairs < 1 || pairs > maxQueuePairs)
      throw new RangeError(`${pairs} queue pairs: from 1 to ${maxQueuePairs} are possible`);
    this.mac = mac;
    this.#host = host;
    this.#port = port;
    this.#profile = profile;
    this.#fragmentsPps = options.egressFragmentsPps ?? profile.egressFragmentsPerSecond;
    this.stats = new EnaStats(port);
    this.allowances = new Allowances(port);
    const { memory, diagnostics, clock, interrupts } = host;
    this.#face = new PciFace(
      {
        access: options.access ?? 'posted',
        queuePairs: pairs,
        hasLlq: profile.llq !== null,
        onFunctionReset: () => this.reset('function'),
        onMsixControl: (value) => this.#bringUp.msixControl(value),
      },
      host,
    );
    this.config = this.#face.config;
    this.bars = this.#face.bars;
    this.vectors = this.#face.vectors;
    const moderated = (profile.features & (1 << FEATURE.INTERRUPT_MODERATION)) !== 0;
    const resolutionUs = moderated ? profile.moderationResolutionUs : 0;
    this.#vectors = new Vectors(this.vectors, interrupts, clock, resolutionUs);
    this.#phc = new Phc(memory, clock, diagnostics);
    this.#steering = new FlowSteering(profile.flowSteeringRules);
    this.#events = new EventQueue(memory, clock, diagnostics);
    const { maxTxDescsPerPacket: tx, maxRxDescsOfLinux: rx } = profile;
    this.#hints = new Hints({ ...plainHints(tx, rx), ...options.hints });
    this.#bringUp = new BringUp(profile, this.#settings, this.#events);
    this.#management = new Management(this.#events, this.stats, clock, interrupts);
    this.#llq =
      profile.llq === null
        ? null
        : new Llq(profile.llq, profile.llqHeaderLocations, this.#face.llqs);
    this.#queueHost = this.#makeQueueHost();
    this.#queues = new Queues({
      host: this.#queueHost,
      profile,
      pairs,
      vectors: this.#vectors,
      llq: this.#llq,
      deviceMemory: this.#face.deviceMemory,
      doorbells: this.#face.doorbells,
      bringUp: this.#bringUp,
    });
    this.lender = new BurstLender({
      ...{ profile, memory, settings: this.#settings, queues: this.#queues, rss: this.#rss },
      ...{ steering: this.#steering, stats: this.stats },
      receives: () => !this.#failed && this.#management.linkUp,
    });
    const features = this.#makeFeatures({ profile, queuePairs: pairs, mac, linkMbps });
    const { stats, allowances } = this;
    const queues = this.#queues;
    const parts = { profile, queues, stats, allowances, memory, diagnostics };
    const commands = new Commands({
      queues,
      features,
      statistics: new Statistics(parts),
      diagnostics,
      trace: host.trace ?? null,
    });
    this.#admin = new AdminQueue(memory, diagnostics, enaRules, (cmd, answer) =>
      commands.run(cmd, answer),
    );
    this.#registers = this.#makeRegisters();
    this.#powerOn();
    port.connect(this);
  }

  read(bar: number, offset: number, size: AccessSize): number {
    if (bar !== bar0.index) return 0xffff_ffff;
    if (this.#face.msix.covers(bar, offset)) return this.#face.msix.read(bar, offset, size);
    if (size !== 4) {
      this.#host.diagnostics.refuse(
        enaRules['register-access-size'],
        () => `read of ${size} bytes`,
      );
      return 0;
    }
    if (this.#registers.nameAt(offset) === undefined && doorbellAt(offset) < 0) {
      this.#host.diagnostics.refuse(enaRules['bad-register'], () => `read of ${hex(offset)}`);
      return 0;
    }
    return this.#registers.read32(offset);
  }

  write(bar: number, offset: number, size: AccessSize, value: number): void {
    if (bar !== bar0.index) return;
    const queue = doorbellAt(offset);
    if (queue >= 0 && size === 4) {
      if (!this.#failed) this.#queues.doorbell(queue, value);
      return;
    }
    if (this.#face.msix.covers(bar, offset)) {
      this.#face.msix.write(bar, offset, size, value);
      return;
    }
    if (size !== 4) {
      this.#host.diagnostics.refuse(
        enaRules['register-access-size'],
        () => `write of ${size} bytes`,
      );
      return;
    }
    const vector = interruptAt(offset);
    if (vector >= 0 && vector < this.vectors) {
      this.#vectors.writeRegister(vector, value);
      return;
    }
    if (this.#registers.nameAt(offset) === undefined) {
      this.#host.diagnostics.refuse(enaRules['bad-register'], () => `write to ${hex(offset)}`);
      return;
    }
    this.#registers.write32(offset, value);
  }

  /** Whether the host has to call `poll` again and again. */
  get polls(): boolean {
    return this.#face.doorbells !== null;
  }

  poll(): boolean {
    return !this.#failed && this.#queues.poll();
  }

  reset(cause: ResetCause): void {
    this.#host.trace?.(() => `reset (${cause})`);
    this.#clear();
    this.#registers.reset();
    this.#face.reset();
    this.#bringUp.msixControl(0);
    this.#powerOn();
  }

  /** The administrative state of the link, as the port's owner sets it. */
  setLink(up: boolean): void {
    this.#management.setLink(up);
  }

  /** Limits what the function may send, in bits per second; null: no limit. */
  setRate(rateBps: number | null): void {
    limitRate(this.#queueHost, rateBps);
  }

  /** Asks the driver to reset the function; false when it has not enabled that event. */
  requestReset(): boolean {
    return this.#management.requestReset();
  }

  /** Tells the driver that its configuration deserves attention; false when it does not listen. */
  notify(bitmap: number): boolean {
    return this.#management.notify(bitmap);
  }

  /** Something is wrong, or its capabilities are others: false as above. */
  announce(group: 'WARNING' | 'REFRESH_CAPABILITIES'): boolean {
    return this.#management.announce(AENQ_GROUP[group]);
  }

  /** Gives the driver new hints, now or when it next asks. False as above; throws a RangeError. */
  hint(hints: Partial<HwHints>): boolean {
    this.#hints.change(hints);
    return this.#management.hint(this.#hints);
  }

  receive(frame: Frame): Reason {
    if (this.#failed || !this.#management.linkUp) return this.#drop(R.rxDisabled);
    const wire = frame.mss === 0 ? frame.length : frame.mss + frame.headers.payloadOffset;
    if (wire > this.#settings.mtu + l2Bytes) return this.#drop(R.rxTooLong);
    const hash = this.#rss.hash(frame.headers);
    const queue = this.#rxQueueFor(frame, hash);
    if (queue === null) return this.#drop(R.rxDisabled);
    const reason = queue.receive(frame, hash);
    if (reason === R.delivered) {
      this.stats.rxPackets++;
      this.stats.rxBytes += frame.length;
    } else if (reason !== R.rxNoBuffer) this.stats.rxDrops++;
    return reason;
  }

  roomFor(frame: Frame): number {
    if (!this.#profile.largeReceive || this.#failed) return 0;
    return this.#rxQueueFor(frame, this.#rss.hash(frame.headers))?.room() ?? 0;
  }

  laneOf(frame: Frame): number {
    return this.#rxQueueFor(frame, this.#rss.hash(frame.headers))?.shape.index ?? 0;
  }

  /** Flow steering decides, then the hash. */
  #rxQueueFor(frame: Frame, hash: number): RxQueue | null {
    const steered = this.#steering.queueOf(frame.headers, frame.head);
    if (steered >= 0) return this.#queues.nthRxQueue(steered);
    return this.#queues.rxQueue(this.#rss.queueOf(hash));
  }

  flush(): void {
    this.#queues.flush();
  }

  #drop(reason: Reason): Reason {
    this.stats.rxDrops++;
    return reason;
  }

  #makeQueueHost(): QueueHost {
    const { memory, diagnostics, clock } = this.#host;
    return {
      memory,
      diagnostics,
      clock,
      port: this.#port,
      stats: this.stats,
      fail: (rule, detail) => this.#fail(rule, detail),
      settings: this.#settings,
      rate: null,
      time: new DeviceTime(clock),
      fragments: new FragmentLimit(this.#fragmentsPps, clock),
    };
  }

  #makeFeatures(identity: Identity): Features {
    const { memory, diagnostics } = this.#host;
    const { profile } = identity;
    const entries = new Map<number, Feature>([
      ...basicFeatures(identity, this.#settings, this.#events, memory),
      ...rssFeatures(profile, this.#rss, this.#queues),
      this.#hints.feature(),
      this.#phc.feature(),
      this.#steering.feature(() => this.#queues.rxQueueCount),
      ...(this.#llq === null ? [] : [this.#llq.feature()]),
    ]);
    const bringUp = this.#bringUp;
    return new Features({ profile, entries, memory, diagnostics, bringUp });
  }

  #makeRegisters(): RegisterBank<(typeof enaRegisters)['registers']> {
    const address = (
      lo: 'AQ_BASE_LO' | 'ACQ_BASE_LO' | 'AENQ_BASE_LO' | 'MMIO_RESP_LO',
    ): number => {
      const high = lo.replace('_LO', '_HI') as 'AQ_BASE_HI';
      return (registers.get(high) & 0xffff) * 2 ** 32 + registers.get(lo);
    };
    const registers = new RegisterBank(
      enaRegisters,
      {
        AQ_CAPS: (caps) =>
          this.#admin.setCommands(address('AQ_BASE_LO'), caps & 0xffff, caps >>> 16),
        ACQ_CAPS: (caps) =>
          this.#admin.setAnswers(address('ACQ_BASE_LO'), caps & 0xffff, caps >>> 16),
        AENQ_CAPS: (caps) =>
          this.#events.setUp(address('AENQ_BASE_LO'), caps & 0xffff, caps >>> 16),
        AQ_DB: (tail) => {
          if (!this.#failed && this.#admin.doorbell(tail & 0xffff)) this.#management.raise();
        },
        AENQ_HEAD_DB: (head) => this.#management.grantEvents(head),
        INTR_MASK: (value) => this.#management.mask((value & 1) !== 0),
        DEV_CTL: (value, previous) => this.#control(value, previous),
        RSS_IND_ENTRY_UPDATE: (value) => this.#updateRssEntry(value & 0xffff, value >>> 16),
        PHC_DB: (value) => this.#phc.doorbell(value),
        MMIO_REG_READ: (value) => readless.answer(value, address('MMIO_RESP_LO')),
      },
      {
        ACQ_TAIL: () => this.#admin.answerTail,
        AENQ_TAIL: () => this.#events.tail,
      },
    );
    const { memory, diagnostics } = this.#host;
    const readless = new Readless(registers, memory, diagnostics, enaRules);
    return registers;
  }

  /** Values that a driver finds before it has written anything. */
  #powerOn(): void {
    const { deviceVersion, controllerVersion, dmaAddressBits } = this.#profile;
    const registers = this.#registers;
    registers.set('VERSION', deviceVersion);
    registers.set('CONTROLLER_VERSION', controllerVersion);
    registers.set('CAPS', (adminTimeout << 16) | (dmaAddressBits << 8) | (resetTimeout << 1) | 1);
    registers.set('DEV_STS', DEV_STS.ready);
  }

  #clear(): void {
    this.#failed = false;
    this.#management.reset();
    this.#admin.reset();
    this.#events.reset();
    this.#settings.reset();
    this.#bringUp.reset();
    this.#phc.reset();
    this.#steering.reset();
    this.#queues.reset();
    this.#vectors.reset();
    this.#rss.reset();
    this.#llq?.reset();
    this.#port.connect(this); // what waited for buffers of before waits no longer
  }

  /** DEV_CTL: the driver sets the reset bit, waits to see it in DEV_STS, and clears it. */
  #control(value: number, previous: number): void {
    const asked = (value & DEV_CTL.reset) !== 0;
    if (asked) {
      const reason = this.#reasonOf(value);
      this.#host.trace?.(() => `reset by the driver: ${resetReasons[reason] ?? reason}`);
      this.#clear();
      this.#registers.reset();
      this.#powerOn();
      this.#registers.set('DEV_CTL', value);
      this.#registers.set('DEV_STS', DEV_STS.ready | DEV_STS.resetInProgress);
    } else if ((previous & DEV_CTL.reset) !== 0)
      this.#registers.set('DEV_STS', DEV_STS.ready | DEV_STS.resetFinished);
  }

  /** Cards that do not say that they know more look at the four bits of old only. */
  #reasonOf(value: number): number {
    const isExtended = (this.#profile.capabilities & CAPABILITY.EXTENDED_RESET_REASONS) !== 0;
    const asked = resetReasonOf(value);
    const reason = isExtended ? asked : asked & 0xf;
    if (asked !== reason || asked >= resetReasons.length)
      this.#host.diagnostics.refuse(
        enaRules['reset-reason'],
        () => `${resetReasons[asked] ?? asked}, taken as ${resetReasons[reason] ?? reason}`,
      );
    return reason;
  }

  #updateRssEntry(index: number, queue: number): void {
    if (this.#queues.rxQueue(queue) !== null && this.#rss.setTableEntry(index, queue)) return;
    this.#host.diagnostics.refuse(
      enaRules['rss-entry-update'],
      () => `entry ${index}, queue ${queue}`,
    );
  }

  /** The documented error state: everything stops, DEV_STS says so, the driver is told. */
  #fail(rule: Rule, detail: () => string): void {
    this.#host.diagnostics.refuse(rule, detail);
    if (this.#failed) return;
    this.#failed = true;
    this.#queues.stop();
    this.#registers.set('DEV_STS', DEV_STS.ready | DEV_STS.fatalError);
    this.#management.fatalError();
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`;
