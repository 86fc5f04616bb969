/**
 * Where something stands in a JSON text (RFC 8259): the place of what is named by a path, or of the
 * first thing that is no JSON. `JSON.parse` says neither in a way that all versions of Node share.
 */

export type Place = { readonly line: number; readonly column: number };

/** The value at `path`, or its nearest ancestor that is there; null: the text is no JSON. */
export function placeAt(text: string, path: readonly PropertyKey[]): Place | null {
  const scanner = new Scanner(text, path);
  return scanner.document() ? placeOf(text, scanner.found) : null;
}

/** The first character that cannot be there; null: the text is JSON. */
export function placeOfMistake(text: string): Place | null {
  const scanner = new Scanner(text, []);
  return scanner.document() ? null : placeOf(text, scanner.at);
}

function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}

/** Deeper nesting than this is nobody's file, and would exhaust the stack. */
const MAX_DEPTH = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

class Scanner {
  readonly #text: string;
  readonly #path: readonly PropertyKey[];
  at = 0;
  found = 0;

  constructor(text: string, path: readonly PropertyKey[]) {
    this.#text = text;
    this.#path = path;
  }

  document(): boolean {
    this.#blank();
    this.found = this.at;
    if (!this.#value(0, true)) return false;
    this.#blank();
    return this.at === this.#text.length;
  }

  /** @param onPath all that this value is in is on the path */
  #value(depth: number, onPath: boolean): boolean {
    this.#blank();
    if (onPath) this.found = this.at;
    switch (this.#text[this.at]) {
      case '{':
        return depth < MAX_DEPTH && this.#members(depth, onPath);
      case '[':
        return depth < MAX_DEPTH && this.#elements(depth, onPath);
      case '"':
        return this.#string() !== null;
      default:
        return this.#take(/(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y);
    }
  }

  #members(depth: number, onPath: boolean): boolean {
    this.at++;
    this.#blank();
    if (this.#is('}')) return true;
    for (;;) {
      this.#blank();
      const name = this.#string();
      if (name === null) return false;
      this.#blank();
      if (!this.#is(':')) return false;
      if (!this.#value(depth + 1, onPath && this.#path[depth] === name)) return false;
      this.#blank();
      if (this.#is('}')) return true;
      if (!this.#is(',')) return false;
    }
  }

  #elements(depth: number, onPath: boolean): boolean {
    this.at++;
    this.#blank();
    if (this.#is(']')) return true;
    for (let i = 0; ; i++) {
      if (!this.#value(depth + 1, onPath && this.#path[depth] === i)) return false;
      this.#blank();
      if (this.#is(']')) return true;
      if (!this.#is(',')) return false;
    }
  }

  /** A string's value; null: it is none, or none that ends. */
  #string(): string | null {
    const start = this.at;
    if (!this.#is('"')) return null;
    for (;;) {
      const code = this.#text.charCodeAt(this.at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        if (!this.#take(/\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y)) return null;
      } else if (code >= SPACE) this.at++;
      else return null; // a control character, or NaN: the text has ended
    }
    this.at++;
    return JSON.parse(this.#text.slice(start, this.at)) as string;
  }

  #is(character: string): boolean {
    if (this.#text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  #blank(): void {
    this.#take(/[ \t\r\n]*/y);
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text);
    if (found === null) return false;
    this.at += found[0].length;
    return true;
  }
}
