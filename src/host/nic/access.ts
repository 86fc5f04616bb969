/**
 * How guests ring doorbells where nobody says: mapped and polled where the machine has a core to spare
 * for each worker that looks for them, else by messages, which cost nothing while there are none.
 */
import { availableParallelism } from 'node:os';
import { type ModelName, modelOf } from '../dataplane/models.ts';
import { ACCESS, type Access } from '../dataplane/nic-model.ts';

export const ACCESS_CHOICES = ['auto', ...ACCESS] as const;
export type AccessChoice = (typeof ACCESS_CHOICES)[number];

/** Who wants cores at the same time. */
export type Cores = {
  /** That this process may use. */
  readonly cores: number;
  /** Virtual CPUs of all guests. */
  readonly guestCpus: number;
  /** Threads of the data plane. */
  readonly workers: number;
};

/** Cores for VMMs' own threads, this program's other ones, and whatever else runs. */
const othersCores = 1;
/** Of a guest whose VMM is somebody else's, when nobody says. */
export const assumedGuestCpus = 2;

/** Nobody has counted: no core is taken from anybody. */
export const unknownCores: Cores = { cores: 0, guestCpus: 0, workers: 1 };

/** `cores`: those of the process's affinity, as Node counts them. */
export const usableCores = (guestCpus: number, workers: number): Cores => {
  return { cores: availableParallelism(), guestCpus, workers };
};

const canPoll = ({ cores, guestCpus, workers }: Cores): boolean =>
  cores >= guestCpus + workers + othersCores;

/** What `auto` is for a model: polled, or the first of its ways, which never polls. */
export function accessOf(model: ModelName, choice: AccessChoice, cores: Cores): Access {
  if (choice !== 'auto') return choice;
  const [first, ...others] = modelOf(model).access;
  return canPoll(cores) && others.includes('polled') ? 'polled' : (first ?? 'posted');
}

/** Why `auto` is what it is: for people. */
export function accessReason(cores: Cores): string {
  const { cores: all, guestCpus, workers } = cores;
  const threads = workers === 1 ? 'a data-plane thread' : `${workers} data-plane threads`;
  const wanted = `${guestCpus} virtual CPUs, ${threads} and the rest`;
  const verdict = canPoll(cores) ? 'are enough for' : 'are not enough to poll beside';
  return `${all} ${all === 1 ? 'core' : 'cores'} ${verdict} ${wanted}`;
}
