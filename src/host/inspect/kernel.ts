/** The running kernel: its drivers, its log, and names that udev gives. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { type Fact, isKnown, known, unread } from '../../check/fact.ts';
import type { HostFacts } from '../../check/host/facts.ts';
import { map, present } from './numbers.ts';
import { asRoot, type Tree } from './tree.ts';

/** `modules.dep` of a distribution's kernel has half a megabyte. */
const maxListBytes = 8 << 20;
const maxLog = 65_536;

/** `built in` or `module`, as the lists of depmod(8) and kbuild have it; null: neither. */
export function readDriver(tree: Tree, kernel: Fact<string>, name: string): Fact<string | null> {
  const loaded = tree.exists(`/sys/module/${name}`);
  if (isKnown(loaded) && loaded.value) return known('loaded', loaded.at);
  if (!isKnown(kernel)) return kernel;
  if (!/^[\w.+~-]+$/.test(kernel.value)) return unread('its release is no name of a directory');
  const folder = `/lib/modules/${kernel.value}`;
  const lists = [
    ['modules.builtin', 'built in'],
    ['modules.dep', 'a module'],
  ] as const;
  let missing: Fact<null> = known(null, { file: `${folder}/modules.dep` });
  for (const [list, how] of lists) {
    const text = present(tree.text(`${folder}/${list}`, maxListBytes));
    if (!isKnown(text)) missing = text;
    else if (new RegExp(`(^|/)${name}\\.ko(\\.\\w+)?(:|$)`, 'm').test(text.value))
      return known(how, text.at);
  }
  return missing;
}

/** Lines of ena in the kernel's log: of this machine, or what `dmesg` printed elsewhere. */
export function readEnaLog(tree: Tree): Fact<readonly string[]> {
  const log = tree.isLive
    ? readKmsg()
    : present(tree.text('/virtfn/dmesg', maxListBytes), 'the log was not collected with this tree');
  return map(log, (text) => text.split('\n').filter((line) => /\bena\b/.test(line)), '');
}

/** A record per read (Documentation/ABI/testing/dev-kmsg): `level,number,time,flags;text`. */
function readKmsg(): Fact<string> {
  const at = { file: '/dev/kmsg' };
  let file: number;
  try {
    file = openSync(at.file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return unread('the log may be read by root only', at, asRoot);
  }
  const record = Buffer.alloc(8192);
  const lines: string[] = [];
  try {
    while (lines.length < maxLog) {
      const count = readRecord(file, record);
      if (count === null) break;
      const text = record.toString('utf8', 0, count);
      lines.push(text.slice(text.indexOf(';') + 1).split('\n', 1)[0] ?? '');
    }
  } catch (error) {
    return unread(`the log cannot be read: ${(error as NodeJS.ErrnoException).code}`, at);
  } finally {
    closeSync(file);
  }
  return known(lines.join('\n'), at);
}

/** Its length; null: there is no more. A record that was overwritten meanwhile is empty. */
function readRecord(file: number, into: Buffer): number | null {
  try {
    return readSync(file, into, 0, into.length, null);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN') return null;
    if (code === 'EPIPE') return 0;
    throw error;
  }
}

const rulesFile = '/etc/udev/rules.d/70-persistent-net.rules';

/** Lines that give a name to an address; comments do not. */
export function readPersistentNames(tree: Tree): HostFacts['persistentNames'] {
  const text = tree.text(rulesFile);
  if (!isKnown(text) || text.value === null) return text as HostFacts['persistentNames'];
  const found = text.value.split('\n').flatMap((line, i) => {
    if (/^\s*#/.test(line) || !/\bNAME\s*[:+]?=/.test(line)) return [];
    const [, mac] = /ATTR\{address\}\s*==\s*"([\da-fA-F:]{17})"/.exec(line) ?? [];
    return mac === undefined ? [] : [{ line: i + 1, mac: mac.toLowerCase() }];
  });
  return known(found, text.at);
}

export function readMacs(tree: Tree): Fact<readonly string[]> {
  const names = present(tree.names('/sys/class/net'));
  return map(
    names,
    (all) =>
      all.flatMap((name) => {
        const address = tree.line(`/sys/class/net/${name}/address`);
        return isKnown(address) && address.value ? [address.value.toLowerCase()] : [];
      }),
    '',
  );
}
