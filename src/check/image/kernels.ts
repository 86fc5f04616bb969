/** Which kernels rules are about, and what is known of their drivers. */
import { type Fact, isKnown, known, type Place, unread, valueIn } from '../fact.ts';
import type {
  CommandLine,
  DriverFacts,
  DriverName,
  ForeignDriver,
  ImageFacts,
  KernelFacts,
} from './facts.ts';

/** The kernel that starts by itself; where nobody says which, all that could. */
export function startingKernels(facts: ImageFacts): Fact<readonly KernelFacts[]> {
  const { kernels, defaultKernel } = facts;
  if (!isKnown(kernels)) return kernels;
  const named = valueIn(defaultKernel);
  const one = kernels.value.filter(({ release }) => release === named);
  if (one.length > 0) return known(one, kernels.at);
  const bootable = kernels.value.filter(({ image }) => valueIn(image) !== null);
  return known(bootable.length > 0 ? bootable : kernels.value, kernels.at);
}

/** Those that are there as well, and can be chosen. */
export function otherKernels(facts: ImageFacts): KernelFacts[] {
  const starting = valueIn(startingKernels(facts)) ?? [];
  const all = valueIn(facts.kernels) ?? [];
  return all.filter((kernel) => !starting.includes(kernel) && valueIn(kernel.image) !== null);
}

/** Of the entries that start one of these kernels, else of all. */
export function commandLinesOf(
  facts: ImageFacts,
  kernels: readonly KernelFacts[],
): Fact<readonly CommandLine[]> {
  const { commandLines } = facts.boot;
  if (!isKnown(commandLines)) return commandLines;
  const releases = kernels.map(({ release }) => release);
  const own = commandLines.value.filter(
    ({ release }) => release !== null && releases.includes(release),
  );
  // a rescue entry comes behind the one that starts by itself
  return known(own.length > 0 ? own.slice(0, 1) : commandLines.value.slice(0, 1), commandLines.at);
}

export const startingCommandLine = (facts: ImageFacts): Fact<readonly CommandLine[]> =>
  commandLinesOf(facts, valueIn(startingKernels(facts)) ?? []);

/** A driver for the rules: of a Linux kernel, or of another system. */
export type Driver = {
  /** Kernel release; absent: the system has one kernel. */
  readonly subject?: string;
  readonly kernel: KernelFacts | null;
  readonly fact: Fact<Presence>;
};

export type Presence = {
  readonly present: boolean;
  /** How, in words: `built in`, `module /lib/...`. */
  readonly how: string;
  readonly details: DriverFacts | null;
};

/** The driver in each kernel that may start, or in the one system that is no Linux. */
export function driverIn(facts: ImageFacts, name: DriverName): readonly Driver[] {
  if (facts.system !== 'linux') return [{ kernel: null, fact: foreignDriver(facts, name) }];
  const kernels = startingKernels(facts);
  if (!isKnown(kernels)) return [{ kernel: null, fact: kernels }];
  return kernels.value.map((kernel) => ({
    subject: kernel.release,
    kernel,
    fact: presenceOf(kernel, name),
  }));
}

export function presenceOf(kernel: KernelFacts, name: DriverName): Fact<Presence> {
  const fact = kernel.drivers[name];
  if (!isKnown(fact)) return fact;
  const { form, path } = fact.value;
  // what is where Linux itself puts it is named by its file, all else by its place
  const short = path
    ?.replace(`/lib/modules/${kernel.release}/`, '')
    .replace(/^kernel\/drivers\/.*\//, '');
  const how = { builtIn: 'built in', module: `module ${short}`, absent: 'absent' }[form];
  return known({ present: form !== 'absent', how, details: fact.value }, fact.at);
}

function foreignDriver({ drivers, system }: ImageFacts, name: DriverName): Fact<Presence> {
  if (!isKnown(drivers)) return drivers;
  const found = drivers.value.find((driver) => driver.name === name);
  if (found === undefined) return unread(`nobody looks for ${name} in ${system}`);
  const at: Place = { file: found.path ?? '/' };
  return known(
    { present: found.path !== null && found.starts, how: howOf(found), details: null },
    at,
  );
}

function howOf({ path, starts }: ForeignDriver): string {
  if (path === null) return 'absent';
  return starts ? path : `${path}, which nothing loads at boot`;
}
