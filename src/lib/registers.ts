/**
 * Register maps, declared once in datasheet order with datasheet names, and a bank that runs one.
 *
 * A trapped register access costs a socket round trip, so a bank is plain tables: a word of
 * storage, masks for the access mode and at most one hook per register. Whatever the map does not
 * name reads as zero, ignores writes and is counted.
 */

/** ro, rw, wo as usual; rw1c: writing 1 clears; rc: reading clears. */
export type Access = 'ro' | 'rw' | 'wo' | 'rw1c' | 'rc';

export type Register = {
  readonly offset: number;
  readonly access: Access;
  readonly doc: string;
  /** The value after reset. */
  readonly reset: number;
  /** Bits that a write can change, where the access mode lets it change any. */
  readonly writable: number;
  /** How many copies there are, and how many bytes apart. */
  readonly count: number;
  readonly stride: number;
};

type More = { readonly reset?: number; readonly writable?: number };

export const reg = (offset: number, access: Access, doc: string, more: More = {}): Register =>
  regArray(offset, 1, 4, access, doc, more);

/** `count` copies of a register, `stride` bytes apart. */
export const regArray = (
  offset: number,
  count: number,
  stride: number,
  access: Access,
  doc: string,
  { reset = 0, writable = 0xffff_ffff }: More = {},
): Register => ({ offset, access, doc, reset, writable, count, stride });

export type Registers = Readonly<Record<string, Register>>;

export type RegisterMap<R extends Registers> = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly registers: R;
};

/** Throws at declaration when registers overlap or leave the map. */
export function registerMap<const R extends Registers>(
  name: string,
  sizeBytes: number,
  registers: R,
): RegisterMap<R> {
  const taken = new Map<number, string>();
  for (const [key, register] of Object.entries(registers)) {
    for (let i = 0; i < register.count; i++) {
      const at = register.offset + i * register.stride;
      if (at % 4 !== 0 || at + 4 > sizeBytes)
        throw new Error(`${name}.${key}: offset ${at} is outside the map`);
      const other = taken.get(at);
      if (other !== undefined) throw new Error(`${name}.${key}: overlaps ${other}`);
      taken.set(at, key);
    }
  }
  return { name, sizeBytes, registers };
}

/** Runs after the access mode was applied; `value` is what was written, `index` counts copies. */
export type WriteHook = (value: number, previous: number, index: number) => void;
export type Hooks<R extends Registers> = { readonly [K in keyof R]?: WriteHook };
/** What a register holds that changes by itself; asked whenever the guest reads it. */
export type Sources<R extends Registers> = { readonly [K in keyof R]?: (index: number) => number };

export class RegisterBank<R extends Registers> {
  readonly map: RegisterMap<R>;
  readonly #words: Uint32Array;
  readonly #writable: Uint32Array;
  readonly #readable: Uint32Array;
  readonly #clearsOnWrite: Uint32Array;
  readonly #clearsOnRead: Uint8Array;
  readonly #names: (string | undefined)[];
  readonly #hooks: (WriteHook | undefined)[];
  readonly #sources: (((index: number) => number) | undefined)[];
  readonly #index: Uint16Array;
  /** Accesses to offsets that the map does not name. */
  unknownAccesses = 0;

  constructor(map: RegisterMap<R>, hooks: Hooks<R> = {}, sources: Sources<R> = {}) {
    const words = map.sizeBytes >>> 2;
    this.map = map;
    this.#words = new Uint32Array(words);
    this.#writable = new Uint32Array(words);
    this.#readable = new Uint32Array(words);
    this.#clearsOnWrite = new Uint32Array(words);
    this.#clearsOnRead = new Uint8Array(words);
    this.#names = new Array<string | undefined>(words).fill(undefined);
    this.#hooks = new Array<WriteHook | undefined>(words).fill(undefined);
    this.#sources = new Array<undefined>(words).fill(undefined);
    this.#index = new Uint16Array(words);
    this.#each((key, register, index, w) => {
      const { access, writable } = register;
      this.#names[w] = register.count === 1 ? key : `${key}[${index}]`;
      this.#index[w] = index;
      this.#hooks[w] = hooks[key];
      this.#sources[w] = sources[key];
      if (access === 'rw' || access === 'wo') this.#writable[w] = writable;
      if (access !== 'wo') this.#readable[w] = 0xffff_ffff;
      if (access === 'rw1c') this.#clearsOnWrite[w] = 0xffff_ffff;
      if (access === 'rc') this.#clearsOnRead[w] = 1;
    });
    this.reset();
  }

  /** Every register takes its reset value; no hook runs. */
  reset(): void {
    this.#each((_key, register, _index, w) => {
      this.#words[w] = register.reset;
    });
  }

  /** The guest's read of a whole register. `offset` is in bytes, a multiple of 4. */
  read32(offset: number): number {
    const w = offset >>> 2;
    if (this.#names[w] === undefined) {
      this.unknownAccesses++;
      return 0;
    }
    const source = this.#sources[w];
    if (source !== undefined) this.#words[w] = source(this.#index[w] as number);
    const value = (this.#words[w] as number) & (this.#readable[w] as number);
    if (this.#clearsOnRead[w] === 1) this.#words[w] = 0;
    return value >>> 0;
  }

  /** The guest's write of a whole register. */
  write32(offset: number, value: number): void {
    const w = offset >>> 2;
    if (this.#names[w] === undefined) {
      this.unknownAccesses++;
      return;
    }
    const previous = this.#words[w] as number;
    const mask = this.#writable[w] as number;
    const merged = (previous & ~mask) | (value & mask);
    this.#words[w] = merged & ~(value & (this.#clearsOnWrite[w] as number));
    this.#hooks[w]?.(value >>> 0, previous, this.#index[w] as number);
  }

  /** The name at a byte offset, for traces; undefined where the map has none. */
  nameAt(offset: number): string | undefined {
    return this.#names[offset >>> 2];
  }

  /** The device's own side: no access mode applies, no hook runs. */
  get(name: keyof R & string, index = 0): number {
    return this.#words[this.#at(name, index)] as number;
  }

  set(name: keyof R & string, value: number, index = 0): void {
    this.#words[this.#at(name, index)] = value;
  }

  #at(name: keyof R & string, index: number): number {
    const register = this.map.registers[name] as Register;
    return (register.offset + index * register.stride) >>> 2;
  }

  #each(visit: (key: keyof R & string, register: Register, index: number, w: number) => void) {
    for (const [key, register] of Object.entries(this.map.registers))
      for (let i = 0; i < register.count; i++)
        visit(key, register, i, (register.offset + i * register.stride) >>> 2);
  }
}
