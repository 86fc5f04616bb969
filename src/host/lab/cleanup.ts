/** What has to be undone when a lab ends, in whatever way: the last thing first. */
export class Cleanup {
  readonly #tasks: (() => Promise<void> | void)[] = [];
  #closed = false;

  /** Registers what undoes the thing just made; done at once when the lab has ended meanwhile. */
  defer(task: () => Promise<void> | void): void {
    if (this.#closed) void attempt(task);
    else this.#tasks.push(task);
  }

  /** Undoes everything; what fails does not keep the rest from being done. Can be called again. */
  async run(): Promise<void> {
    this.#closed = true;
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop())
      await attempt(task);
  }
}

async function attempt(task: () => Promise<void> | void): Promise<void> {
  try {
    await task();
  } catch {
    // it is gone already: a guest that has ended, a socket whose directory was removed
  }
}
