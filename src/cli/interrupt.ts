/**
 * Ctrl-C and its relatives. The first one asks the command to end, which closes what it started;
 * the second one does not wait: what is still there is killed and removed on the way out.
 */

/** What a shell reports for a command that was ended by Ctrl-C. */
export const EXIT_INTERRUPTED = 130;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm passes on what the terminal has sent already: two signals so close are one Ctrl-C. */
const ONE_KEYSTROKE_MS = 400;

export type InterruptionOptions = {
  /** Called at the first one, with what a person is told. */
  readonly onFirst?: (signal: NodeJS.Signals) => void;
};

/**
 * Runs `work` with a signal that is aborted by the first interruption. Resolves with the exit code
 * that `work` gave, or with `EXIT_INTERRUPTED` when it was interrupted and ended by an error.
 */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<number>,
  options: InterruptionOptions = {},
): Promise<number> {
  const controller = new AbortController();
  let first = 0;
  const onSignal = (name: NodeJS.Signals): void => {
    const now = Date.now();
    if (controller.signal.aborted) {
      if (now - first > ONE_KEYSTROKE_MS) process.exit(EXIT_INTERRUPTED);
      return;
    }
    first = now;
    options.onFirst?.(name);
    controller.abort(new Interruption(name));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } catch (error) {
    // The terminal interrupts children as well: their end may be seen before our own signal.
    if (!controller.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 50));
    if (controller.signal.aborted) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    for (const name of SIGNALS) process.removeListener(name, onSignal);
  }
}

/** Why a signal was aborted. */
export class Interruption extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.name = 'Interruption';
  }
}
