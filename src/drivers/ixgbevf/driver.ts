/**
 * A poll-mode reference driver for the 82599's virtual function, written from the datasheet and the
 * names of the public headers. `start` does what Linux does, in Linux's order (`ixgbevf_reset`,
 * `ixgbevf_negotiate_api`, `ixgbevf_configure`); each step is a method, so that a test can leave one
 * out or do what no real driver does.
 */
import {
  API_VERSION,
  type ApiVersion,
  MAILBOX,
  MBX_ANSWER,
  MBX_INFO,
  QUEUES_WORD,
  VF_MSG,
} from '../../defs/ixgbevf-mbx.ts';
import { IVAR, LINK_SPEED, PSRTYPE, RXDCTL, VFCTRL, VFLINKS } from '../../defs/ixgbevf-regs.ts';
import { macBytes, readMac } from '../../net/ethernet.ts';
import { PCI_COMMAND, PCI_COMMAND_MASTER, PCI_COMMAND_MEMORY } from '../../pci/config-space.ts';
import type { PciFunction } from '../../pci/function.ts';
import type { DmaArena } from '../dma-arena.ts';
import { VfMailbox } from './mailbox.ts';
import { IxgbevfError, VfRegisters } from './registers.ts';
import { RxQueue, type RxQueueSpec } from './rx-queue.ts';
import { TxQueue, type TxQueueSpec } from './tx-queue.ts';

export type IxgbevfDriverOptions = {
  readonly tx: TxQueueSpec;
  readonly rx: RxQueueSpec;
  /** Without L2. */
  readonly mtu: number;
  /** At most; the parent may give fewer. */
  readonly queuePairs: number;
  /** Tried one after the other, the newest first. */
  readonly apiVersions: readonly ApiVersion[];
  /** For when the parent gives none. */
  readonly mac: number;
  /** VFPSRTYPE without the bits of RSS. */
  readonly split: number;
  /** Runs while the driver waits for the device, `maxPolls` times at most per wait. */
  readonly pause: () => void;
  readonly maxPolls: number;
};

const defaults: IxgbevfDriverOptions = {
  tx: { depth: 512, bufferBytes: 2048 },
  rx: {
    ...{ depth: 512, bufferBytes: 2048, headerBytes: 256 },
    ...{ descType: 'ONE_BUFFER', stripVlan: true },
  },
  mtu: 1500,
  queuePairs: 8,
  apiVersions: ['1.7', '1.6', '1.5', '1.4', '1.3', '1.2', '1.1', '1.0'],
  mac: 0x0200_0000_fffe,
  split: 0,
  pause: () => {},
  maxPolls: 100,
};
const l2Bytes = 18;
const allVectors = 7;

export type DriverSettings = Partial<Omit<IxgbevfDriverOptions, 'tx' | 'rx'>> & {
  readonly tx?: Partial<TxQueueSpec>;
  readonly rx?: Partial<RxQueueSpec>;
};

export class IxgbevfDriver {
  readonly function: PciFunction;
  readonly arena: DmaArena;
  readonly options: IxgbevfDriverOptions;
  readonly registers: VfRegisters;
  readonly mailbox: VfMailbox;
  tx: readonly TxQueue[] = [];
  rx: readonly RxQueue[] = [];
  mac = 0;
  mtu: number;
  /** What was agreed on. */
  api: ApiVersion = '1.0';
  multicastFilterType = 0;
  /** What the parent allows. */
  maxQueuePairs = 1;
  transparentVlan = false;
  readonly #mark: number;

  /** Touches the device's configuration space only. */
  constructor(fn: PciFunction, arena: DmaArena, options: DriverSettings = {}) {
    this.function = fn;
    this.arena = arena;
    this.options = {
      ...defaults,
      ...options,
      tx: { ...defaults.tx, ...options.tx },
      rx: { ...defaults.rx, ...options.rx },
    };
    this.mtu = this.options.mtu;
    this.registers = new VfRegisters(fn);
    const { pause, maxPolls } = this.options;
    this.mailbox = new VfMailbox(this.registers, pause, maxPolls);
    this.#mark = arena.mark();
    fn.config.write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
  }

  /** From any state to traffic. Throws an IxgbevfError that says why not. */
  start(): void {
    this.reset();
    this.negotiate();
    this.readQueues();
    this.setMac(this.mac);
    this.setVlan(0, true);
    this.setFrameSize(this.mtu + l2Bytes);
    this.setVectors();
    this.makeQueues();
    this.enableInterrupts();
  }

  stop(): void {
    for (const queue of this.rx) queue.stop();
    for (const queue of this.tx) queue.stop();
    this.registers.write('VFCTRL', VFCTRL.RST);
  }

  /** Resets the function and asks the parent for its address; makes one up if it has none. */
  reset(): void {
    this.registers.write('VFEIMC', allVectors);
    this.registers.read('VFEICR');
    this.registers.write('VFCTRL', VFCTRL.RST);
    this.registers.read('VFSTATUS');
    for (let i = 0; this.mailbox.check(MAILBOX.RSTI | MAILBOX.RSTD); i++) {
      if (i === this.options.maxPolls) throw new IxgbevfError('the parent does not end its reset');
      this.options.pause();
    }
    const answer = this.mailbox.ask([VF_MSG.RESET]);
    if (answer === null) throw new IxgbevfError('the parent does not answer RESET');
    this.multicastFilterType = answer[3] as number;
    const hasMac = VfMailbox.agrees(answer, VF_MSG.RESET);
    const bytes = new Uint8Array(answer.buffer, 4, 6);
    this.mac = hasMac ? readMac(bytes, 0) : this.options.mac;
  }

  /** Agrees on the newest version that both speak. */
  negotiate(): void {
    for (const version of this.options.apiVersions) {
      if (!this.request(VF_MSG.API_NEGOTIATE, [API_VERSION[version]])) continue;
      this.api = version;
      return;
    }
    this.api = '1.0';
  }

  readQueues(): void {
    const answer = this.mailbox.ask([VF_MSG.GET_QUEUES]);
    if (answer === null || !VfMailbox.agrees(answer, VF_MSG.GET_QUEUES)) return; // API 1.0
    this.maxQueuePairs = Math.min(
      answer[QUEUES_WORD.TX] as number,
      answer[QUEUES_WORD.RX] as number,
    );
    this.transparentVlan = answer[QUEUES_WORD.TRANS_VLAN] !== 0;
  }

  /** A message that is answered by success or not. `info`: bits 23:16 of its first word. */
  request(type: number, words: readonly number[], info = 0): boolean {
    const first = type | (info << MBX_INFO.shift);
    return VfMailbox.agrees(this.mailbox.ask([first, ...words]), first);
  }

  setMac(mac: number): boolean {
    return this.request(VF_MSG.SET_MAC_ADDR, macWords(mac));
  }

  /** `index`: 0 forgets all, 1 begins a new list, else one more. */
  setMacvlan(mac: number, index: number): boolean {
    return this.request(VF_MSG.SET_MACVLAN, macWords(mac), index);
  }

  setVlan(id: number, on: boolean): boolean {
    return this.request(VF_MSG.SET_VLAN, [id], on ? 1 : 0);
  }

  /** With its check sequence. */
  setFrameSize(bytes: number): boolean {
    return this.request(VF_MSG.SET_LPE, [bytes]);
  }

  setMulticast(macs: readonly number[]): boolean {
    const hashes = macs.map((mac) => this.#multicastHash(mac));
    const words = Array.from({ length: Math.ceil(hashes.length / 2) }, (_, i) => {
      return (hashes[2 * i] as number) | ((hashes[2 * i + 1] ?? 0) << 16);
    });
    return this.request(VF_MSG.SET_MULTICAST, words, hashes.length);
  }

  /** Queues take vectors 0 and 1 in turn, the mailbox the next one. */
  setVectors(): void {
    const pairs = this.#pairs;
    const vectors = Math.min(pairs, 2);
    for (let i = 0; i < 4; i++) {
      const byte = (queue: number): number =>
        queue < pairs
          ? IVAR.VALID | (queue % vectors) | ((IVAR.VALID | (queue % vectors)) << 8)
          : 0;
      this.registers.write('VFIVAR', byte(2 * i) | (byte(2 * i + 1) << 16), i);
    }
    this.registers.write('VFIVAR_MISC', IVAR.VALID | vectors);
  }

  makeQueues(): void {
    const { tx, rx, split } = this.options;
    this.arena.release(this.#mark);
    const all = Array.from({ length: this.#pairs }, (_, i) => i);
    this.tx = all.map((i) => new TxQueue(this.registers, this.arena, i, tx));
    this.rx = all.map((i) => new RxQueue(this.registers, this.arena, i, rx));
    const bits = Math.ceil(Math.log2(all.length));
    this.registers.write('VFPSRTYPE', split | (bits << PSRTYPE.RQPL));
    for (const queue of this.tx) queue.start();
    for (const queue of this.rx) queue.start();
    const stuck = this.rx.find(
      ({ index }) => (this.registers.read('VFRXDCTL', index) & RXDCTL.ENABLE) === 0,
    );
    if (stuck !== undefined) throw new IxgbevfError(`receive queue ${stuck.index} stays off`);
  }

  enableInterrupts(): void {
    this.registers.write('VFEIAC', allVectors);
    this.registers.write('VFEIAM', allVectors);
    this.registers.write('VFEIMS', allVectors);
  }

  /** Takes completions; to be called often. */
  poll(): void {
    for (const queue of this.tx) queue.reap();
  }

  /** Mbit/s; 0: no link. */
  linkSpeedMbps(): number {
    const links = this.registers.read('VFLINKS');
    if ((links & VFLINKS.UP) === 0) return 0;
    const speed = (links >>> VFLINKS.SPEED) & 3;
    if (speed === LINK_SPEED.gbps10) return 10_000;
    return speed === LINK_SPEED.gbps1 ? 1000 : 100;
  }

  /** A message that the parent has sent by itself: its first word, or null. */
  notice(): number | null {
    const words = this.mailbox.receive();
    return words === null ? null : (words[0] as number);
  }

  /** Whether the parent still listens, by a notice of it. */
  static isClearToSend(notice: number): boolean {
    return (notice & MBX_ANSWER.CTS) !== 0;
  }

  get #pairs(): number {
    return Math.max(1, Math.min(this.options.queuePairs, this.maxQueuePairs));
  }

  #multicastHash(mac: number): number {
    const bytes = macBytes(mac);
    const last = (bytes[4] as number) | ((bytes[5] as number) << 8);
    const shift = [4, 3, 2, 0][this.multicastFilterType] ?? 0;
    return (last >>> shift) & 0xfff;
  }
}

function macWords(mac: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  for (const [i, byte] of macBytes(mac).entries()) view.setUint8(i, byte);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}
