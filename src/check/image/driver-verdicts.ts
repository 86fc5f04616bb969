/** What is so of one driver, in each kernel that may start: for rules on images, and for instance types. */
import { valueIn } from '../fact.ts';
import { shellWord } from '../printable.ts';
import { fail, type Judged, judge, notApplicable, pass, unknown, type Verdict } from '../rule.ts';
import { addToInitramfs, installKernel } from './commands.ts';
import type { CommandLine, DriverName, ImageFacts } from './facts.ts';
import { type Driver, driverIn, type Presence, startingCommandLine } from './kernels.ts';

const words = ({ how }: Presence): string => how;

export function presentVerdicts(facts: ImageFacts, name: DriverName, card: string): Verdict[] {
  return driverIn(facts, name).map(({ subject, fact }) =>
    judge(
      fact,
      subject,
      (driver, about) =>
        driver.present
          ? pass(`${name}: ${driver.how}`, about)
          : fail(`there is no driver for ${card}`, { ...about, mend: [mendOf(facts, name)] }),
      words,
    ),
  );
}

function mendOf(facts: ImageFacts, name: DriverName): string {
  if (facts.system === 'freebsd')
    return `sudo sysrc -f /boot/loader.conf if_${name}_load=YES   # needs if_${name}.ko in /boot/kernel or /boot/modules`;
  if (facts.system === 'windows')
    return `pnputil /add-driver ${name === 'nvme' ? 'AWSNVMe' : name}.inf /install   # from Amazon's driver package`;
  return installKernel(facts);
}

export function indexedVerdicts(facts: ImageFacts, name: DriverName): Verdict[] {
  return moduleVerdicts(facts, name, ({ subject = '' }, { details, how }, about) =>
    details?.indexed
      ? pass(`modules.dep lists ${name}`, about)
      : fail(`modules.dep does not list ${how}`, {
          ...about,
          mend: [`sudo depmod ${shellWord(subject)}`],
        }),
  );
}

export function permittedVerdicts(facts: ImageFacts, name: DriverName): Verdict[] {
  return moduleVerdicts(facts, name, (_, { details }, about) => {
    const line = forbiddingLine(facts, name);
    const place = details?.blacklisted ?? line?.at ?? null;
    if (place === null) return pass(`nothing forbids ${name}`, about);
    const file = shellWord('file' in place ? place.file : '');
    return fail(`${name} is blacklisted`, {
      ...about,
      seen: [{ value: `forbids ${name}`, at: place }],
      mend: [
        details?.blacklisted
          ? `sudo sed -i 's/^\\(blacklist\\|install\\)[[:space:]]\\+${name}\\>/# &/' ${file}`
          : `# take ${name} out of modprobe.blacklist= or module_blacklist= on the command line in ${file}`,
      ],
    });
  });
}

/** The kernel's command line, where it forbids a module. */
function forbiddingLine(facts: ImageFacts, name: DriverName): CommandLine | undefined {
  const argument = /^(?:modprobe\.blacklist|module_blacklist)=(.*)$/;
  return (valueIn(startingCommandLine(facts)) ?? []).find(({ text }) =>
    text.split(/\s+/).some((word) => argument.exec(word)?.[1]?.split(',').includes(name)),
  );
}

export function fittingVerdicts(facts: ImageFacts, name: DriverName): Verdict[] {
  return moduleVerdicts(facts, name, ({ subject = '' }, { details }, about) => {
    const built = details?.vermagic?.split(' ')[0];
    if (built === undefined) return unknown(`${name} does not say what it was built for`, about);
    if (built === subject) return pass(`${name} was built for ${built}`, about);
    // with symbol versions only what stands behind the release must agree
    const isLinkedIn = /weak-updates|extra/.test(details?.path ?? '');
    if (isLinkedIn && details?.vermagic?.includes('modversions'))
      return pass(`${name} was built for ${built}, and is linked in by symbol versions`, about);
    const mend = [`sudo dkms autoinstall -k ${shellWord(subject)}`] as const;
    return fail(`${name} was built for ${built}`, { ...about, mend });
  });
}

/** Whether the driver is there before the root is mounted. `name`: that of the root's disk. */
export function earlyVerdicts(facts: ImageFacts, name: DriverName): Verdict[] {
  if (facts.system !== 'linux') return [];
  return driverIn(facts, name).map((driver) =>
    judge(
      driver.fact,
      driver.subject,
      (presence, about) => earlyVerdict(facts, name, driver, presence, about),
      words,
    ),
  );
}

function earlyVerdict(
  facts: ImageFacts,
  name: DriverName,
  { kernel, subject }: Driver,
  presence: Presence,
  about: Judged,
): Verdict {
  if (!presence.present) return notApplicable(`there is no ${name}`, about);
  if (presence.details?.form === 'builtIn') return pass(`${name} is built in`, about);
  if (kernel === null) return unknown('no kernel is known', about);
  return judge(
    kernel.initramfs,
    subject,
    (initramfs, { seen }) => {
      const all = { ...about, seen: [...about.seen, ...seen] };
      const mend = [addToInitramfs(facts, kernel, name)] as const;
      if (initramfs === null)
        return fail(`${name} is a module, and there is no initramfs to load it`, { ...all, mend });
      if (initramfs.drivers.includes(name)) return pass(`${name} is in ${initramfs.path}`, all);
      if (initramfs.unreadPart !== null)
        return unknown(`${initramfs.path} was read in part: ${initramfs.unreadPart}`, all);
      return fail(`${initramfs.path} has no ${name}`, { ...all, mend });
    },
    (initramfs) =>
      initramfs === null
        ? 'no initramfs'
        : `modules: ${initramfs.drivers.join(', ') || 'none of them'}`,
  );
}

/** Of each kernel that may start and has it as a module. */
function moduleVerdicts(
  facts: ImageFacts,
  name: DriverName,
  how: (driver: Driver, presence: Presence, about: Judged) => Verdict,
): Verdict[] {
  if (facts.system !== 'linux') return [];
  return driverIn(facts, name).map((driver) =>
    judge(
      driver.fact,
      driver.subject,
      (presence, about) =>
        presence.details?.form === 'module'
          ? how(driver, presence, about)
          : notApplicable(`${name} is no module`, about),
      words,
    ),
  );
}
