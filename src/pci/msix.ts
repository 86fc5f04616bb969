/**
 * The MSI-X table and pending bits as plain storage inside a BAR, for clients that do not
 * intercept them (QEMU does, and turns the table into eventfds). Follows PCI Local Bus 3.0,
 * chapter 6.8.2.
 */
import type { MsixLayout } from './capabilities.ts';
import type { AccessSize } from './function.ts';

const entryBytes = 16;
/** Word 3 of an entry; bit 0 masks the vector. */
const vectorControl = 12;

export const tableBytes = (vectors: number): number => vectors * entryBytes;
export const pbaBytes = (vectors: number): number => Math.ceil(vectors / 64) * 8;

export class MsixTable {
  readonly layout: MsixLayout;
  readonly #table: DataView;
  readonly #pba: DataView;

  constructor(layout: MsixLayout) {
    this.layout = layout;
    this.#table = new DataView(new ArrayBuffer(tableBytes(layout.vectors)));
    this.#pba = new DataView(new ArrayBuffer(pbaBytes(layout.vectors)));
    this.reset();
  }

  /** Every vector is masked, nothing is pending. */
  reset(): void {
    new Uint8Array(this.#table.buffer).fill(0);
    new Uint8Array(this.#pba.buffer).fill(0);
    for (let v = 0; v < this.layout.vectors; v++) this.#setControl(v, 1);
  }

  /** Whether an access at `offset` of `bar` is the table's or the pending bits'. */
  covers(bar: number, offset: number): boolean {
    return this.#inTable(bar, offset) || this.#inPba(bar, offset);
  }

  /** An aligned read of what `covers` said yes to. */
  read(bar: number, offset: number, size: AccessSize): number {
    if (this.#inTable(bar, offset))
      return load(this.#table, offset - this.layout.tableOffset, size);
    return load(this.#pba, offset - this.layout.pbaOffset, size);
  }

  /** An aligned write; the pending bits are read-only. */
  write(bar: number, offset: number, size: AccessSize, value: number): void {
    if (!this.#inTable(bar, offset)) return;
    const at = offset - this.layout.tableOffset;
    if (size === 4) this.#table.setUint32(at, value, true);
    else if (size === 2) this.#table.setUint16(at, value, true);
    else this.#table.setUint8(at, value);
  }

  isMasked(vector: number): boolean {
    return (this.#table.getUint32(vector * entryBytes + vectorControl, true) & 1) !== 0;
  }

  setPending(vector: number, pending: boolean): void {
    const bit = 1 << (vector & 7);
    const byte = this.#pba.getUint8(vector >>> 3);
    this.#pba.setUint8(vector >>> 3, pending ? byte | bit : byte & ~bit);
  }

  #setControl(vector: number, value: number): void {
    this.#table.setUint32(vector * entryBytes + vectorControl, value, true);
  }

  #inTable(bar: number, offset: number): boolean {
    const at = offset - this.layout.tableOffset;
    return bar === this.layout.tableBar && at >= 0 && at < this.#table.byteLength;
  }

  #inPba(bar: number, offset: number): boolean {
    const at = offset - this.layout.pbaOffset;
    return bar === this.layout.pbaBar && at >= 0 && at < this.#pba.byteLength;
  }
}

function load(view: DataView, at: number, size: AccessSize): number {
  if (size === 4) return view.getUint32(at, true);
  return size === 2 ? view.getUint16(at, true) : view.getUint8(at);
}
