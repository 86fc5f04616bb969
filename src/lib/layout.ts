/**
 * Memory formats of hardware, declared once as data and compiled to accessors.
 *
 * A format is declared in the order and with the names of its public header or datasheet.
 * `layout()` turns the table into one class per format whose getters and setters carry literal
 * shifts and masks, which V8 inlines. An instance is a flyweight over little-endian 32-bit words:
 * `load()` copies the words of one record **once** (whoever shares the memory may rewrite it at
 * any time), the fields read and edit that copy, and `store()` writes it back, with the word that
 * publishes the record (its phase or ownership bit) last, by `Atomics.store`.
 */

/** A run of bits in one little-endian 32-bit word. */
export type Bits = {
  readonly word: number;
  readonly msb: number;
  readonly lsb: number;
  readonly doc: string;
};

export const bits = (word: number, msb: number, lsb: number, doc: string): Bits => ({
  word,
  msb,
  lsb,
  doc,
});

/** Fields that public headers declare as integers, by their byte offset (naturally aligned). */
export const u8 = (byte: number, doc: string): Bits => part(byte, 8, doc);
export const u16 = (byte: number, doc: string): Bits => part(byte, 16, doc);
export const u32 = (byte: number, doc: string): Bits => part(byte, 32, doc);

function part(byte: number, width: number, doc: string): Bits {
  const lsb = (byte % 4) * 8;
  return bits(byte >>> 2, lsb + width - 1, lsb, doc);
}

export type Fields = Readonly<Record<string, Bits>>;

/** The live record: every declared field, plus the verbs. */
export type Record32<F extends Fields> = { -readonly [K in keyof F]: number } & {
  /** Copies the record at word `at` of `words`. */
  load(words: Int32Array, at: number): void;
  /** Writes the copy to word `at` of `words`, the publishing word last. */
  store(words: Int32Array, at: number): void;
  /** Zeroes the copy. */
  clear(): void;
  /** Takes the copy that a record of another format has: the same words, read another way. */
  view(other: { clear(): void }): void;
};

export type Layout<F extends Fields> = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly fields: F;
  /** A new flyweight, all zero. */
  create(): Record32<F>;
};

/**
 * Declares a format of `sizeBytes` (a multiple of 4).
 *
 * Throws at declaration when a field lies outside the format or overlaps another one; formats
 * are module constants, so that is a failure at start-up, never at run time.
 */
export function layout<const F extends Fields>(
  name: string,
  sizeBytes: number,
  fields: F,
  options: { readonly publishes?: keyof F & string } = {},
): Layout<F> {
  checkFields(name, sizeBytes, fields);
  const published = options.publishes === undefined ? undefined : fields[options.publishes];
  const Class = compile(name, sizeBytes >>> 2, published?.word ?? -1, fields);
  return { name, sizeBytes, fields, create: () => new Class() as Record32<F> };
}

/** Every field of `record`, by name: for traces and error messages, never on a hot path. */
export function describe<F extends Fields>(
  format: Layout<F>,
  record: Record32<F>,
): Record<string, number> {
  const values: Record<string, number> = {};
  for (const field of Object.keys(format.fields)) values[field] = record[field] as number;
  return values;
}

function checkFields(name: string, sizeBytes: number, fields: Fields): void {
  if (sizeBytes % 4 !== 0) throw new Error(`${name}: ${sizeBytes} bytes are not whole words`);
  const used = new Uint32Array(sizeBytes >>> 2);
  for (const [field, { word, msb, lsb }] of Object.entries(fields)) {
    if (word < 0 || word >= used.length) throw new Error(`${name}.${field}: no word ${word}`);
    if (lsb < 0 || lsb > msb || msb > 31) throw new Error(`${name}.${field}: bad ${msb}:${lsb}`);
    const mask = maskOf(msb, lsb);
    const before = used[word] as number;
    if ((before & mask) !== 0) throw new Error(`${name}.${field}: overlaps another field`);
    used[word] = before | mask;
  }
}

const maskOf = (msb: number, lsb: number): number => ((2 ** (msb - lsb + 1) - 1) * 2 ** lsb) >>> 0;

function compile(
  name: string,
  words: number,
  publishing: number,
  fields: Fields,
): new () => unknown {
  const each = (f: (w: number) => string): string =>
    Array.from({ length: words }, (_, w) => f(w)).join('');
  const stored = (w: number): string => (w === publishing ? '' : `m[a+${w}]=this.w${w};`);
  const last = publishing < 0 ? '' : `Atomics.store(m,a+${publishing},this.w${publishing});`;
  let body = `constructor(){${each((w) => `this.w${w}=0;`)}}`;
  body += `clear(){${each((w) => `this.w${w}=0;`)}}`;
  body += `view(o){${each((w) => `this.w${w}=o.w${w};`)}}`;
  body += `load(m,a){${each((w) => `this.w${w}=m[a+${w}];`)}}`;
  body += `store(m,a){${each(stored)}${last}}`;
  for (const [field, { word, msb, lsb }] of Object.entries(fields)) {
    const w = `this.w${word}`;
    if (msb - lsb === 31) {
      body += `get ${field}(){return ${w}>>>0}set ${field}(v){${w}=v|0}`;
      continue;
    }
    const low = 2 ** (msb - lsb + 1) - 1;
    const keep = ~maskOf(msb, lsb);
    body += `get ${field}(){return (${w}>>>${lsb})&${low}}`;
    body += `set ${field}(v){${w}=(${w}&${keep})|((v&${low})<<${lsb})}`;
  }
  return new Function(`'use strict';return class ${name}{${body}}\n//# sourceURL=layout:${name}`)();
}
