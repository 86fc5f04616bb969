/**
 * The lab: instances of a topology on one switch, measured. This file is what both kinds of guests
 * have in common: the order of things, how a lab ends early, what is undone.
 */
import { Cleanup } from './cleanup.ts';
import type { LabContext, LabRequest, LabRun } from './context.ts';
import { runGuestLab } from './guest-lab.ts';
import { runReferenceLab } from './reference-lab.ts';

export type { Door, LabObserver, LabRequest } from './context.ts';

/** A lab that has been measured and still runs. */
export type Lab = LabRun & {
  /** Rejects when something that the lab needs has ended by itself. */
  readonly broken: Promise<never>;
  /** Ends everything it started; resolves when nothing is left. */
  close(): Promise<void>;
};

/**
 * Starts and measures a lab. However this ends, nothing is left behind, but for the `Lab` that it
 * resolves with.
 *
 * @throws SetupError, FunctionError, GuestError; the signal's reason when that is aborted
 */
export async function startLab(request: LabRequest): Promise<Lab> {
  const cleanup = new Cleanup();
  let fail: (error: Error) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    fail = reject;
  });
  broken.catch(() => {}); // whoever waits for it hears it
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort(request.signal.reason);
    fail(request.signal.reason as Error);
  };
  if (request.signal.aborted) onAbort();
  request.signal.addEventListener('abort', onAbort, { once: true });
  const context: LabContext = { ...request, signal: controller.signal, cleanup, fail };
  try {
    const work = request.guest === 'linux' ? runGuestLab(context) : runReferenceLab(context);
    const run = await Promise.race([work, broken]);
    return { ...run, broken, close: () => cleanup.run() };
  } catch (error) {
    controller.abort(error);
    await cleanup.run();
    throw error;
  }
}
