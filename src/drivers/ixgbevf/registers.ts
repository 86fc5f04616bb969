/** The function's registers by name, as a driver of it in this process reaches them. */
import { ixgbevfRegisters, type VfRegister } from '../../defs/ixgbevf-regs.ts';
import type { PciFunction } from '../../pci/function.ts';

const registerBar = 0;

/** The device did not do what its datasheet promises. */
export class IxgbevfError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'IxgbevfError';
  }
}

export class VfRegisters {
  readonly #function: PciFunction;

  constructor(fn: PciFunction) {
    this.#function = fn;
  }

  offset(name: VfRegister, index = 0): number {
    const { offset, stride } = ixgbevfRegisters.registers[name];
    return offset + index * stride;
  }

  read(name: VfRegister, index = 0): number {
    return this.#function.read(registerBar, this.offset(name, index), 4);
  }

  write(name: VfRegister, value: number, index = 0): void {
    this.#function.write(registerBar, this.offset(name, index), 4, value >>> 0);
  }
}
