/**
 * A file that is written in the background, one batch at a time, and completed at once when its
 * owner has to leave: nothing is lost between the last batch and the end of the process.
 */
import { closeSync, fstatSync, openSync, write, writeSync } from 'node:fs';

export interface ByteSink {
  /** Writes all of `bytes`, which stay as they are until `done` is called. One at a time. */
  write(bytes: Uint8Array, done: (error: Error | null) => void): void;
  /** Writes what is under way and all of `bytes` before it returns. Throws when it cannot. */
  writeNow(bytes: Uint8Array): void;
  close(): void;
}

export class FileSink implements ByteSink {
  readonly #fd: number;
  /** Pipes and terminals have no positions: they are written to in order, and waited for. */
  readonly #hasPositions: boolean;
  #at = 0;
  /** Given to the system, and not known to be in the file. */
  #underWay: Uint8Array | null = null;
  #busy = false;
  #closing = false;

  /** Makes or empties the file. Throws when it cannot. */
  constructor(path: string) {
    this.#fd = openSync(path, 'w');
    this.#hasPositions = fstatSync(this.#fd).isFile();
  }

  write(bytes: Uint8Array, done: (error: Error | null) => void): void {
    if (!this.#hasPositions) {
      try {
        this.writeNow(bytes);
        done(null);
      } catch (error) {
        done(error as Error);
      }
      return;
    }
    this.#underWay = bytes;
    this.#busy = true;
    this.#writeRest(bytes, this.#at, (error) => {
      if (this.#underWay !== null) this.#at += bytes.length;
      this.#underWay = null;
      this.#busy = false;
      if (this.#closing) closeSync(this.#fd);
      done(error);
    });
  }

  writeNow(bytes: Uint8Array): void {
    // The same bytes at the same place: it does not matter which of the two writes is the later.
    const before = this.#underWay;
    this.#underWay = null;
    if (before !== null) this.#writeAll(before);
    this.#writeAll(bytes);
  }

  /** What was given to `writeNow` is written; the file stays open while a write is under way. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (!this.#busy) closeSync(this.#fd);
  }

  #writeAll(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = this.#hasPositions ? this.#at : null;
      const written = writeSync(this.#fd, bytes, done, bytes.length - done, at);
      this.#at += written;
      done += written;
    }
  }

  #writeRest(bytes: Uint8Array, at: number, done: (error: Error | null) => void): void {
    write(this.#fd, bytes, 0, bytes.length, at, (error, written) => {
      if (error !== null || written === bytes.length) done(error);
      else this.#writeRest(bytes.subarray(written), at + written, done);
    });
  }
}
