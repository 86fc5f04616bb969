/** The one error of setting a machine up: what could not be had, and what a person does about it. */

export type SetupProblem =
  | 'unsupported-machine'
  | 'no-package-manager'
  | 'no-archive'
  | 'offline'
  | 'package-missing'
  | 'download-failed'
  | 'broken-package'
  | 'no-image'
  | 'no-vpc'
  | 'no-checkout';

/** Thrown by everything in this folder; `message` is one sentence with the next step in it. */
export class SetupError extends Error {
  readonly problem: SetupProblem;

  constructor(problem: SetupProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SetupError';
    this.problem = problem;
  }
}

/** What to install by hand where no recipe fits; the end of several messages. */
export const INSTALL_BY_HAND =
  'install QEMU 10.1 or newer (its x86_64 system emulator, built with vfio-user) so that it is on PATH, ' +
  'and pass a kernel that has ena.ko by --kernel with an image by --image; ' +
  'or run with --guest reference, which needs neither';
