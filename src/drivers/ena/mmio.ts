/**
 * ENA registers as a driver reaches them: plain stores, and reads by the *readless* scheme (a
 * request is stored to MMIO_REG_READ, the device answers by DMA) unless bit 0 of the PCI revision
 * says that the device has none. Follows `ena_com_reg_bar_read32` of the public drivers.
 */
import { DEV_CTL, DEV_STS, enaRegisters, resetReasons } from '../../defs/ena-regs.ts';
import { layout, u16, u32 } from '../../lib/layout.ts';
import type { PciFunction } from '../../pci/function.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';
import type { Watchdog } from './watchdog.ts';

export type RegisterName = keyof typeof enaRegisters.registers;
export type ResetReason = (typeof resetReasons)[number];

/** The answer to a readless read (`ena_admin_ena_mmio_req_read_less_resp`). */
const mmioResp = layout('ena_admin_ena_mmio_req_read_less_resp', 8, {
  req_id: u16(0, 'As in the request'),
  reg_off: u16(2, 'As in the request'),
  reg_val: u32(4, "The register's value"),
});

/** What a register read yields when no answer came. */
export const ENA_MMIO_READ_TIMEOUT = 0xffff_ffff;
const ENA_REG_BAR = 0;
const revisionOffset = 8;

/** Something that the device did or did not do, which the driver cannot live with. */
export class EnaDeviceError extends Error {}

/** `pause` runs between two looks at what the device has to change, `maxPolls` times at most. */
export type Waits = {
  readonly pause: () => void;
  readonly maxPolls: number;
  readonly watchdog: Watchdog;
};

export class EnaMmio {
  readonly function: PciFunction;
  readonly readless: boolean;
  /** Where readless reads are answered. */
  readonly respAddress: number;
  readonly #arena: DmaArena;
  readonly #resp = mmioResp.create();
  readonly #waits: Waits;
  #seqNum = 0;

  constructor(fn: PciFunction, arena: DmaArena, waits: Waits) {
    this.function = fn;
    this.#arena = arena;
    this.#waits = waits;
    this.readless = (fn.config.read(revisionOffset, 1) & 1) === 0;
    this.respAddress = arena.alloc(mmioResp.sizeBytes, 64);
  }

  write(name: RegisterName, value: number): void {
    this.function.write(ENA_REG_BAR, enaRegisters.registers[name].offset, 4, value >>> 0);
  }

  /** A doorbell or another register that the device handed out by its offset. */
  writeAt(offset: number, value: number): void {
    this.function.write(ENA_REG_BAR, offset, 4, value >>> 0);
  }

  writeAddress(lo: RegisterName, hi: RegisterName, address: number): void {
    this.write(lo, addressLo(address));
    this.write(hi, addressHi(address));
  }

  /** Tells the device where to answer reads; a reset makes it forget. */
  setRespAddress(): void {
    this.writeAddress('MMIO_RESP_LO', 'MMIO_RESP_HI', this.respAddress);
  }

  /** The register's value, or ENA_MMIO_READ_TIMEOUT when the device did not answer. */
  read(name: RegisterName): number {
    const { offset } = enaRegisters.registers[name];
    return this.readless ? this.readlessRead(offset) : this.function.read(ENA_REG_BAR, offset, 4);
  }

  /** As `read`, for any offset. */
  readlessRead(offset: number): number {
    const at = this.#arena.offset(this.respAddress) >>> 2;
    const resp = this.#resp;
    this.#seqNum = (this.#seqNum + 1) & 0xffff;
    resp.clear();
    resp.req_id = this.#seqNum + 0xdead;
    resp.store(this.#arena.words, at);
    this.write('MMIO_REG_READ', (offset * 0x1_0000) | this.#seqNum);
    const answered = this.until(() => {
      resp.load(this.#arena.words, at);
      return resp.req_id === this.#seqNum;
    }, this.#waits.watchdog.patience.mmioReadMs);
    return answered && resp.reg_off === offset ? resp.reg_val : ENA_MMIO_READ_TIMEOUT;
  }

  /** Polls until `done`, a bounded number of times and no longer than so; whether it came true. */
  until(done: () => boolean, timeoutMs = Infinity): boolean {
    const { pause, maxPolls, watchdog } = this.#waits;
    const deadline = watchdog.deadline(timeoutMs);
    for (let i = 0; i < maxPolls && !watchdog.isPast(deadline); i++) {
      if (done()) return true;
      pause();
    }
    return done();
  }

  /** As `until`, for the answer to an admin command. */
  untilAnswered(done: () => boolean): boolean {
    return this.until(done, this.#waits.watchdog.patience.adminMs);
  }

  /**
   * The reset handshake. `reason` is an index of `resetReasons`; those above 15 need the device's
   * EXTENDED_RESET_REASONS, and are GENERIC without. Throws an EnaDeviceError that names the step
   * that did not happen.
   */
  reset(reason: number, isExtended: boolean): void {
    const ready = (this.read('DEV_STS') & DEV_STS.ready) !== 0;
    if (!ready) throw new EnaDeviceError('the device is not ready: it cannot be reset');
    if (((this.read('CAPS') >>> 1) & 0x1f) === 0)
      throw new EnaDeviceError('CAPS holds no reset time-out');
    const told = reason > 15 && !isExtended ? resetReasons.indexOf('GENERIC') : reason;
    this.write('DEV_CTL', DEV_CTL.reset | (told << 28) | ((told >>> 4) << 24));
    this.setRespAddress();
    if (!this.#resetIs(true)) throw new EnaDeviceError('the reset did not begin');
    this.write('DEV_CTL', 0);
    if (!this.#resetIs(false)) throw new EnaDeviceError('the reset did not end');
  }

  /** Follows Linux in giving up as soon as a read is not answered. */
  #resetIs(inProgress: boolean): boolean {
    let status = 0;
    const settled = this.until(() => {
      status = this.read('DEV_STS');
      const now = (status & DEV_STS.resetInProgress) !== 0;
      return status === ENA_MMIO_READ_TIMEOUT || now === inProgress;
    });
    return settled && status !== ENA_MMIO_READ_TIMEOUT;
  }
}
