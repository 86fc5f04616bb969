/**
 * What a driver says of its interface by ethtool: asked of the kernel on this machine, or read from what
 * `ethtool` printed on another one (`virtfn/ethtool/NAME.i`, `.S` and `.g` in a collected tree).
 */
import { execFileSync } from 'node:child_process';
import { type Fact, known, unread } from '../../check/fact.ts';
import type { Counters } from '../../check/host/facts.ts';
import { SysError } from '../../sys/errno.ts';
import type { EthtoolSocket, Rings } from '../../sys/ethtool.ts';
import { map, present, wholeNumber } from './numbers.ts';
import type { Tree } from './tree.ts';

export type DriversSay = {
  readonly version: (name: string) => Fact<string>;
  readonly rings: (name: string) => Fact<Rings>;
  readonly txPush: (name: string) => Fact<boolean>;
  readonly counters: (name: string) => Fact<Counters>;
  /** The counters a while later; null where they cannot be read twice. */
  readonly later: ((name: string) => Fact<Counters>) | null;
};

/** Asks the kernel; needs no privilege. */
export function askKernel(socket: EthtoolSocket): DriversSay {
  const ask = <T>(option: string, name: string, how: () => T): Fact<T> => {
    const at = { call: `ethtool ${option} ${name}` };
    try {
      return known(how(), at);
    } catch (error) {
      if (!(error instanceof SysError)) throw error;
      const why = error.code === 'EOPNOTSUPP' ? 'its driver does not tell' : error.message;
      return unread(why, at);
    }
  };
  const counters = (name: string): Fact<Counters> => ask('-S', name, () => socket.statistics(name));
  return {
    version: (name) => ask('-i', name, () => socket.driverInfo(name).version),
    rings: (name) => ask('-g', name, () => socket.rings(name)),
    txPush: askTool,
    counters,
    later: counters,
  };
}

const noPush = 'neither this kernel (6.4) nor this ethtool (6.2) tells of TX Push';
const toolMs = 5000;

/** The kernel tells it by netlink only, which the program speaks and we do not. */
function askTool(name: string): Fact<boolean> {
  const at = { call: `ethtool -g ${name}` };
  if (name.startsWith('-')) return unread('the name would be an option of ethtool', at);
  try {
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    const text = execFileSync('ethtool', ['-g', name], { timeout: toolMs, stdio: [...stdio] });
    return map(known(text.toString(), at), parsePush, noPush);
  } catch {
    return unread('the program ethtool is not there, or this driver does not tell', at);
  }
}

const folder = '/virtfn/ethtool';
const notCollected = 'what ethtool says was not collected with this tree';

/** Reads what was collected. */
export function readRecorded(tree: Tree): DriversSay {
  const text = (name: string, option: string): Fact<string> =>
    present(tree.text(`${folder}/${name}.${option}`), notCollected);
  const counters = (name: string, option: string): Fact<Counters> =>
    map(text(name, option), parseCounters, 'it is not what ethtool -S prints');
  return {
    version: (name) =>
      map(
        text(name, 'i'),
        (said) => /^version: *(\S+)/m.exec(said)?.[1] ?? null,
        'it has no version',
      ),
    rings: (name) => map(text(name, 'g'), parseRings, 'it is not what ethtool -g prints'),
    txPush: (name) => map(text(name, 'g'), parsePush, noPush),
    counters: (name) => counters(name, 'S'),
    later: null,
  };
}

function parseCounters(text: string): Counters | null {
  const found = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^ *([\w.: -]{1,64}?): *(\d+)$/.exec(line) ?? [];
    const number = wholeNumber(value);
    if (name !== undefined && number !== null) found.set(name, number);
  }
  return found.size === 0 ? null : found;
}

/** `TX Push:  on`; `n/a` where the driver does not tell. */
function parsePush(text: string): boolean | null {
  const [, state] = /^TX Push:\s*(on|off)\s*$/im.exec(text) ?? [];
  return state === undefined ? null : state.toLowerCase() === 'on';
}

/** The second block, "Current hardware settings". */
function parseRings(text: string): Rings | null {
  const current = text.slice(text.indexOf('Current'));
  const rx = wholeNumber(/^RX:\s*(\d+)/m.exec(current)?.[1] ?? '');
  const tx = wholeNumber(/^TX:\s*(\d+)/m.exec(current)?.[1] ?? '');
  return rx === null || tx === null ? null : { rx, tx };
}
