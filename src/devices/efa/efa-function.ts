/**
 * An Elastic Fabric Adapter virtual function: one PCI function on one switch port.
 *
 * A pure state machine over guest memory, interrupts, a port and a clock. It follows the public
 * headers of the EFA driver (`efa_regs_defs.h`, `efa_admin_cmds_defs.h`, `efa_io_defs.h`) and what the
 * stock Linux driver and libefa do. This file holds registers, reset and the links between the parts.
 */
import { DEV_CTL, DEV_STS, efaRegisters, resetReasons } from '../../defs/efa-regs.ts';
import { RegisterBank } from '../../lib/registers.ts';
import { TokenBucket } from '../../lib/token-bucket.ts';
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
import { SrdEndpoint } from '../../srd/endpoint.ts';
import { type FaultSpec, Faults } from '../../srd/faults.ts';
import { SRD } from '../../srd/status.ts';
import { AdminQueue } from '../amazon/admin-queue.ts';
import { EventRing } from '../amazon/event-ring.ts';
import { Readless } from '../amazon/readless.ts';
import { type AddressHandle, AddressHandles } from './address-handles.ts';
import { cqAt, doorbellBarIndex, memoryBarIndex, registerBar, rqAt, sqAt, vectors } from './bar.ts';
import { Commands } from './commands.ts';
import { CompletionQueues } from './completion-queues.ts';
import { DataPath } from './data-path.ts';
import { Doorbells } from './doorbells.ts';
import { EventQueues } from './event-queues.ts';
import { Features, maxPds, maxUars } from './features.ts';
import { KeyStream } from './keys.ts';
import { Management } from './management.ts';
import { MemoryRegions } from './memory-regions.ts';
import { Numbers } from './numbers.ts';
import { type EfaAccess, PciFace } from './pci-face.ts';
import { type EfaProfile, efaProfiles } from './profile.ts';
import type { QueuePair } from './queue-pair.ts';
import { QueuePairs } from './queue-pairs.ts';
import { Refusals } from './refusals.ts';
import { efaRules } from './rules.ts';
import { networkCounts, Statistics } from './statistics.ts';
import { type EfaCounts, newCounts, ownCounterNames } from './stats.ts';

/** Time-outs in units of 100 ms, as CAPS gives them; 0: the driver's own. */
const resetTimeout = 30;
const adminTimeout = 0;
/** What a function with a limited rate may send at once. */
const burstSeconds = 0.005;
const minBurstBytes = 32_768;

export type EfaOptions = {
  readonly mac: number;
  /** What the link claims to be. */
  readonly linkMbps: number;
  /** Four words that nobody can guess: memory keys come from them. */
  readonly secret: Uint32Array;
  readonly profile?: EfaProfile;
  readonly access?: EfaAccess;
  /** What goes wrong on the fabric; nothing unless told. */
  readonly faults?: FaultSpec;
  /** How long a peer may be silent; 4 s unless told. */
  readonly patienceNs?: number;
};

export class EfaFunction implements PolledFunction, Endpoint {
  readonly model = 'efa';
  readonly config: ConfigSpace;
  readonly bars: readonly Bar[];
  readonly vectors = vectors;
  readonly counts: EfaCounts = newCounts();
  readonly srd: SrdEndpoint;
  /** Stores of the guest to doorbells and send queues that were trapped, since the last reset. */
  trappedDoorbells = 0;
  readonly #host: FunctionHost;
  readonly #port: Port;
  readonly #profile: EfaProfile;
  readonly #access: EfaAccess;
  readonly #face: PciFace;
  readonly #doorbells: Doorbells;
  readonly #registers: RegisterBank<(typeof efaRegisters)['registers']>;
  readonly #admin: AdminQueue;
  readonly #events: EventRing;
  readonly #management: Management;
  readonly #keys: KeyStream;
  readonly #pds = new Numbers(maxPds);
  readonly #uars = new Numbers(maxUars);
  readonly #eqs: EventQueues;
  readonly #cqs: CompletionQueues;
  readonly #regions: MemoryRegions;
  readonly #handles: AddressHandles;
  readonly #qps: QueuePairs;
  readonly #queueWords: Int32Array;
  readonly #faults: Faults | null;
  #restPending = false;

  constructor(options: EfaOptions, host: FunctionHost, port: Port) {
    const { mac, linkMbps, profile = efaProfiles[0] as EfaProfile, access = 'llq' } = options;
    const { memory, diagnostics, clock, interrupts } = host;
    this.#host = host;
    this.#port = port;
    this.#profile = profile;
    this.#access = access;
    this.#face = new PciFace(profile.deviceId, access, host, () => this.reset('function'));
    this.config = this.#face.config;
    this.bars = this.#face.bars;
    this.#doorbells = new Doorbells(this.#face.doorbellMemory);
    const { buffer, byteOffset, length } = this.#face.queueMemory;
    this.#queueWords = new Int32Array(buffer, byteOffset, length >>> 2);
    this.#keys = new KeyStream(options.secret);
    const refusals = new Refusals(diagnostics);
    this.#events = new EventRing(memory, clock, diagnostics, efaRules['admin-queue-shape']);
    this.#management = new Management(this.#events, clock, interrupts);
    this.#eqs = new EventQueues(profile.eventQueues, vectors, host, refusals);
    this.#cqs = new CompletionQueues(memory, profile, this.#eqs, this.#uars, refusals);
    this.#regions = new MemoryRegions(host, profile, this.#pds, this.#keys);
    this.#handles = new AddressHandles(this.#pds, refusals);
    const path = new DataPath(host, profile, this.#regions, this.#handles, this.counts);
    const faults = options.faults === undefined ? null : new Faults(options.faults, clock);
    this.#faults = faults;
    this.srd = new SrdEndpoint(
      {
        ...{ mac, maxPayload: profile.mtu, faults },
        ...(options.patienceNs !== undefined && { patienceNs: options.patienceNs }),
      },
      path,
      port,
      clock,
    );
    this.#qps = new QueuePairs({
      ...{ profile, cqs: this.#cqs, pds: this.#pds, uars: this.#uars, path, refusals },
      memory: this.#face.queueMemory,
      openDoorbells: (index) => this.#doorbells.open(index),
    });
    path.connect(this.#qps, this.srd);
    const commands = new Commands({
      ...{ profile, pds: this.#pds, uars: this.#uars, eqs: this.#eqs, cqs: this.#cqs },
      ...{ qps: this.#qps, regions: this.#regions, handles: this.#handles, refusals },
      features: new Features({ profile, mac, linkMbps }, host, this.#events, refusals),
      statistics: new Statistics(this.counts, this.srd.counts, this.#qps, refusals),
      trace: host.trace ?? null,
      onHandleGone: (handle) => this.#handleGone(handle),
    });
    this.#admin = new AdminQueue(memory, diagnostics, efaRules, (command, answer) =>
      commands.run(command, answer),
    );
    this.#registers = this.#makeRegisters();
    this.#powerOn();
    port.connect(this);
  }

  // The bus.

  read(bar: number, offset: number, size: AccessSize): number {
    if (bar !== registerBar.index) return 0;
    if (this.#face.msix.covers(bar, offset)) return this.#face.msix.read(bar, offset, size);
    if (size !== 4 || this.#registers.nameAt(offset) === undefined) {
      this.#refuseAccess('read', offset, size);
      return 0;
    }
    return this.#registers.read32(offset);
  }

  write(bar: number, offset: number, size: AccessSize, value: number): void {
    if (bar === doorbellBarIndex) {
      this.#writeDoorbell(offset, size, value);
      return;
    }
    if (bar === memoryBarIndex) {
      this.#writeQueue(offset, size, value);
      return;
    }
    if (bar !== registerBar.index) return;
    if (this.#face.msix.covers(bar, offset)) {
      this.#face.msix.write(bar, offset, size, value);
      return;
    }
    if (size !== 4 || this.#registers.nameAt(offset) === undefined) {
      this.#refuseAccess('write', offset, size);
      return;
    }
    this.#registers.write32(offset, value);
  }

  #writeDoorbell(offset: number, size: AccessSize, value: number): void {
    this.trappedDoorbells++;
    const cq = cqAt(offset);
    if (size !== 4) this.#refuseAccess('doorbell', offset, size);
    else if (cq >= 0) this.#ringCompletion(cq, value);
    else if (sqAt(offset) >= 0) {
      this.srd.begin();
      this.#qps.ringSend(sqAt(offset), value & 0xffff);
      this.#runAndEnd();
    } else if (rqAt(offset) >= 0) this.#qps.ringReceive(rqAt(offset), value & 0xffff);
    else this.#refuseAccess('doorbell', offset, size);
  }

  #ringCompletion(cq: number, value: number): void {
    const queue = this.#cqs.get(cq);
    if (queue !== null) queue.doorbell(value, this.#access === 'posted');
    else
      this.#host.diagnostics.refuse(efaRules['doorbell-unknown'], () => `completion queue ${cq}`);
  }

  /** A send queue's memory that is not mapped comes word by word. */
  #writeQueue(offset: number, size: AccessSize, value: number): void {
    this.trappedDoorbells++;
    if (size === 4) this.#queueWords[offset >>> 2] = value;
    else this.#refuseAccess('send queue', offset, size);
  }

  #refuseAccess(what: string, offset: number, size: number): void {
    const rule = size === 4 ? efaRules['bad-register'] : efaRules['register-access-size'];
    this.#host.diagnostics.refuse(rule, () => `${what} of ${size} bytes at ${hex(offset)}`);
  }

  // Work.

  /** Whether the host has to call `poll` again and again. */
  get polls(): boolean {
    return this.#doorbells.areMapped;
  }

  poll(): boolean {
    const { all } = this.#qps;
    let rung = false;
    for (let i = 0; i < all.length; i++) {
      const { index } = (all[i] as QueuePair).shape;
      const received = this.#doorbells.receive(index);
      const sent = this.#doorbells.send(index);
      if (received < 0 && sent < 0) continue;
      if (!rung) this.srd.begin();
      rung = true;
      if (received >= 0) this.#qps.ringReceive(index, received);
      if (sent >= 0) this.#qps.ringSend(index, sent);
    }
    if (rung) this.#runAndEnd();
    return rung;
  }

  /** A turn of posted requests; what is left goes on in the next turn of the clock. */
  #runAndEnd(): void {
    const more = this.#qps.run();
    this.srd.end();
    if (more || this.#qps.isReady) this.#goOn();
  }

  #goOn(): void {
    if (this.#restPending) return;
    this.#restPending = true;
    this.#host.clock.after(0, () => {
      this.#restPending = false;
      this.srd.begin();
      this.#runAndEnd();
    });
  }

  receive(frame: Frame): Reason {
    return this.srd.receive(frame) ? R.delivered : R.rxDisabled;
  }

  /** Segments come one by one. */
  roomFor(): number {
    return 0;
  }

  laneOf(): number {
    return 0;
  }

  flush(): void {
    this.srd.flush();
    if (this.#qps.isReady) this.#goOn();
  }

  #handleGone({ mac, index }: AddressHandle): void {
    for (const qp of this.#qps.all)
      for (const request of qp.busy()) {
        if (request.ah !== index || request.mac !== mac) continue;
        this.srd.cancel(request, mac);
        qp.complete(request, SRD.flushed);
      }
  }

  // What its owner may ask.

  /** EFA has no link state of its own: what the port is given then goes nowhere. */
  setLink(): void {}

  /** Limits what the function may send, in bits per second; null: no limit. */
  setRate(rateBps: number | null): void {
    const burstBytes = Math.max(minBurstBytes, ((rateBps ?? 0) / 8) * burstSeconds);
    const now = this.#host.clock.now();
    this.srd.rate = rateBps === null ? null : new TokenBucket(rateBps, burstBytes, now);
  }

  /** What `virtfn nic` shows beside the port's counters. */
  get ownCounters(): {
    readonly names: readonly string[];
    readonly read: (values: Float64Array) => void;
  } {
    return { names: ownCounterNames, read: (values) => values.set(this.#ownCounts()) };
  }

  #ownCounts(): number[] {
    const { lost = 0, delayed = 0 } = this.#faults ?? {};
    return [...Object.values(this.counts), ...networkCounts(this.srd.counts), lost, delayed];
  }

  /** There is no such event. */
  requestReset(): boolean {
    return false;
  }

  // Registers and reset.

  reset(cause: ResetCause): void {
    this.#host.trace?.(() => `reset (${cause})`);
    this.#clear();
    this.#registers.reset();
    this.#face.reset();
    this.#powerOn();
  }

  #makeRegisters(): RegisterBank<(typeof efaRegisters)['registers']> {
    const { memory, diagnostics } = this.#host;
    const address = (
      lo: 'AQ_BASE_LO' | 'ACQ_BASE_LO' | 'AENQ_BASE_LO' | 'MMIO_RESP_LO',
    ): number => {
      const high = lo.replace('_LO', '_HI') as 'AQ_BASE_HI';
      return (registers.get(high) & 0xffff) * 2 ** 32 + registers.get(lo);
    };
    const registers = new RegisterBank(efaRegisters, {
      AQ_CAPS: (caps) => {
        this.#admin.setCommands(address('AQ_BASE_LO'), caps & 0xffff, caps >>> 16);
        this.srd.restart((this.#keys.next() | 1) >>> 0);
      },
      ACQ_CAPS: (caps) => {
        if (!this.#isVector(caps >>> 24)) return;
        this.#management.setAnswerVector(caps >>> 24);
        this.#admin.setAnswers(address('ACQ_BASE_LO'), caps & 0xffff, (caps >>> 16) & 0xff);
      },
      AENQ_CAPS: (caps) => {
        if (!this.#isVector(caps >>> 24)) return;
        this.#management.setEventVector(caps >>> 24);
        this.#events.setUp(address('AENQ_BASE_LO'), caps & 0xffff, (caps >>> 16) & 0xff);
      },
      AQ_PROD_DB: (tail) => {
        this.srd.begin();
        if (this.#admin.doorbell(tail & 0xffff)) this.#management.answered();
        this.#runAndEnd();
      },
      AENQ_CONS_DB: (count) => this.#management.consumed(count),
      INTR_MASK: (value) => this.#management.mask((value & 1) !== 0),
      DEV_CTL: (value, previous) => this.#control(value, previous),
      EQ_DB: (value) => this.#eqs.doorbell(value),
      MMIO_REG_READ: (value) => readless.answer(value, address('MMIO_RESP_LO')),
    });
    const readless = new Readless(registers, memory, diagnostics, efaRules);
    return registers;
  }

  #isVector(vector: number): boolean {
    if (vector < vectors) return true;
    this.#host.diagnostics.refuse(efaRules['admin-vector'], () => `vector ${vector}`);
    return false;
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
    const { trappedDoorbells: trapped } = this;
    this.#host.trace?.(() => `doorbells and send queues were trapped ${trapped} times`);
    this.trappedDoorbells = 0;
    this.#qps.reset();
    this.srd.restart(0);
    this.#management.reset();
    this.#admin.reset();
    this.#events.reset();
    this.#cqs.reset();
    this.#eqs.reset();
    this.#regions.reset();
    this.#handles.reset();
    this.#pds.reset();
    this.#uars.reset();
    this.#port.connect(this);
  }

  /** DEV_CTL: the driver sets the reset bit, waits to see it in DEV_STS, and clears it. */
  #control(value: number, previous: number): void {
    if ((value & DEV_CTL.reset) !== 0) {
      const reason = value >>> 28;
      this.#host.trace?.(() => `reset by the driver: ${resetReasons[reason] ?? reason}`);
      this.#clear();
      this.#registers.reset();
      this.#powerOn();
      this.#registers.set('DEV_CTL', value);
      this.#registers.set('DEV_STS', DEV_STS.ready | DEV_STS.resetInProgress);
    } else if ((previous & DEV_CTL.reset) !== 0)
      this.#registers.set('DEV_STS', DEV_STS.ready | DEV_STS.resetFinished);
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`;
