/**
 * Reads names out of cpio archives of the "newc" format as they come, any number of them one behind the
 * other, as the kernel takes an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
 */

const HEADER = 110;
const MAX_NAME = 4096; // PATH_MAX
const MAX_ENTRIES = 500_000;
const ZERO = 0;

export class CpioReader {
  readonly #onName: (name: string) => void;
  #rest = Buffer.alloc(0);
  /** Bytes of content and padding that nobody wants. */
  #skip = 0;
  #entries = 0;
  /** The last archive that began has ended. */
  complete = true;
  /** What is wrong with the data, after which no more is taken. */
  problem: string | null = null;
  /** How much of what was pushed was used. */
  used = 0;

  constructor(onName: (name: string) => void) {
    this.#onName = onName;
  }

  /** False: no more is wanted, because something else begins or because of `problem`. */
  push(data: Buffer): boolean {
    let at = 0;
    const all = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    const begun = this.used;
    for (;;) {
      const skipped = Math.min(this.#skip, all.length - at);
      this.#skip -= skipped;
      at += skipped;
      while (this.complete && all[at] === ZERO) at++;
      this.used = begun + at;
      if (all.length - at < HEADER) break;
      const length = this.#entry(all, at);
      if (length === -1) return false;
      if (length === 0) break;
      at += length;
    }
    this.used = begun + at;
    this.#rest = Buffer.from(all.subarray(at));
    return true;
  }

  /** Bytes of the header and name at `at`; 0: more is needed; -1: this is no header. */
  #entry(data: Buffer, at: number): number {
    const magic = data.toString('latin1', at, at + 6);
    if (magic !== '070701' && magic !== '070702') return this.#refuse('no archive begins here');
    const field = (index: number): number =>
      Number.parseInt(data.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    if (!(size >= 0) || !(nameSize >= 1 && nameSize <= MAX_NAME))
      return this.#refuse('a bad header');
    const length = padded(HEADER + nameSize);
    if (data.length - at < length) return 0;
    if (++this.#entries > MAX_ENTRIES) return this.#refuse('too many entries');
    const name = data.toString('utf8', at + HEADER, at + HEADER + nameSize - 1);
    this.complete = name === 'TRAILER!!!';
    this.#skip = padded(size);
    if (!this.complete) this.#onName(name);
    return length;
  }

  #refuse(problem: string): -1 {
    this.problem = problem;
    return -1;
  }
}

const padded = (length: number): number => Math.ceil(length / 4) * 4;
