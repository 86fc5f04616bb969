/**
 * What can be said to running functions, a line at a time, in the words of `ip link set PF vf N`:
 *
 *     vf0 link down | vf0 spoofchk on | vf0 rate 1000 | vf0 rate off | vf0 reset | show | help
 *     vf0 hint driver_watchdog_timeout=9000
 */
import { hintNames } from '../../devices/ena/hints.ts';
import type { FunctionCommand } from '../dataplane/dataplane.ts';

export type ControlLine =
  | { readonly kind: 'command'; readonly command: FunctionCommand; readonly said: string }
  | { readonly kind: 'show' | 'help' | 'nothing' }
  /** One sentence: what, and what was expected. */
  | { readonly kind: 'error'; readonly message: string };

export const CONTROL_HELP = [
  'NAME link up|down        the state of the link, as the guest sees it',
  'NAME spoofchk on|off     refuse other source addresses than its own',
  'NAME rate MBPS|off       limit what it may send',
  'NAME reset               ask its driver for a reset',
  'NAME hint HINT=NUMBER    an ENA hint, by its name in the public headers, like',
  '                         driver_watchdog_timeout=9000 (ms; 0: its own, 65535: none)',
  'show                     the counters of all functions',
] as const;

/** `names`: the functions that there are. */
export function parseControl(line: string, names: readonly string[]): ControlLine {
  const [first = '', verb = '', value = '', ...more] = line.trim().split(/\s+/);
  if (first === '') return { kind: 'nothing' };
  if ((first === 'show' || first === 'help') && verb === '') return { kind: first };
  if (!names.includes(first))
    return error(`there is no function '${first}'; there are: ${names.join(', ')}`);
  const command = more.length === 0 ? commandOf(first, verb, value) : null;
  if (command === null) return error(`'${line.trim()}' is not understood; 'help' lists commands`);
  return { kind: 'command', command, said: `${first} ${verb} ${value}`.trim() };
}

const error = (message: string): ControlLine => ({ kind: 'error', message });

function commandOf(name: string, verb: string, value: string): FunctionCommand | null {
  switch (`${verb} ${value}`.trim()) {
    case 'link up':
    case 'link down':
      return { kind: 'set-link', function: name, up: value === 'up' };
    case 'spoofchk on':
    case 'spoofchk off':
      return { kind: 'set-spoof-check', function: name, on: value === 'on' };
    case 'rate off':
      return { kind: 'set-rate', function: name, rateMbps: null };
    case 'reset':
      return { kind: 'request-reset', function: name };
  }
  if (verb === 'hint') return hintOf(name, value);
  const rateMbps = Number(value);
  if (verb !== 'rate' || !/^\d+$/.test(value) || rateMbps === 0) return null;
  return { kind: 'set-rate', function: name, rateMbps };
}

function hintOf(name: string, value: string): FunctionCommand | null {
  const [hint = '', number = '', ...more] = value.split('=');
  const isNumber = /^\d{1,5}$/.test(number) && Number(number) <= 0xffff;
  if (!hintNames.includes(hint) || !isNumber || more.length > 0) return null;
  return { kind: 'hint', function: name, hints: { [hint]: Number(number) } };
}
