/**
 * What can be said to running functions, a line at a time, in the words of `ip link set PF vf N`:
 *
 *     vf0 link down | vf0 spoofchk on | vf0 rate 1000 | vf0 rate off | vf0 reset | show | help
 *     vf0 hint driver_watchdog_timeout=9000 | vf0 limit packetsPerSecond=1000
 *     vf0 mac 02:00:00:00:00:07 | vf0 vlan 5:3 | vf0 vlan off | vf0 trust on | vf0 query_rss on
 */
import { hintNames } from '../../devices/ena/hints.ts';
import { isGroupMac, parseMac } from '../../net/ethernet.ts';
import { type LimitValues, parseLimit } from '../../vpc/limits.ts';
import type { FunctionCommand } from '../dataplane/dataplane.ts';
import type { ParentChange } from '../dataplane/nic-model.ts';

export type ControlLine =
  | { readonly kind: 'command'; readonly command: FunctionCommand; readonly said: string }
  /** Another limit of a function's instance. */
  | {
      readonly kind: 'limit';
      readonly function: string;
      readonly set: LimitValues;
      readonly said: string;
    }
  | { readonly kind: 'show' | 'help' | 'nothing' }
  /** One sentence: what, and what was expected. */
  | { readonly kind: 'error'; readonly message: string };

export const CONTROL_HELP = [
  'NAME link up|down        the state of the link, as the guest sees it',
  'NAME spoofchk on|off     refuse other source addresses than its own',
  'NAME rate MBPS|off       limit what it may send',
  'NAME limit LIMIT=NUMBER  what its instance is allowed, like bandwidthGbps=0.2,',
  '                         packetsPerSecond=10000, queueMs=5 (--show-limits lists them)',
  'NAME limit off           no limits any more',
  'NAME reset               ask its driver for a reset',
  'NAME hint HINT=NUMBER    an ENA hint, by its name in the public headers, like',
  '                         driver_watchdog_timeout=9000 (ms; 0: its own, 65535: none)',
  'NAME mac MAC|off         82599vf: the address that its guest finds after a reset; off: its own',
  'NAME vlan ID[:PRIO]|off  82599vf: the VLAN of all its frames',
  'NAME trust on|off        82599vf: it may choose its addresses',
  'NAME query_rss on|off    82599vf: it may ask for the RSS table and key',
  'show                     the counters of all functions',
] as const;

/**
 * `names`: the functions that there are. `children`: those of them that have a parent. `inVpc`: they
 * are interfaces of a VPC, whose source check stands in its model.
 */
export function parseControl(
  line: string,
  names: readonly string[],
  children: readonly string[],
  inVpc: boolean,
): ControlLine {
  const [first = '', verb = '', value = '', ...more] = line.trim().split(/\s+/);
  if (first === '') return { kind: 'nothing' };
  if ((first === 'show' || first === 'help') && verb === '') return { kind: first };
  if (!names.includes(first))
    return error(`there is no function '${first}'; there are: ${names.join(', ')}`);
  if (verb === 'limit' && value !== 'off' && more.length === 0) return limitOf(first, value);
  const command = more.length === 0 ? commandOf(first, verb, value) : null;
  if (command === null) return error(`'${line.trim()}' is not understood; 'help' lists commands`);
  if (command.kind === 'administer' && !children.includes(first))
    return error(`${first} has no parent function: ${verb} is for 82599vf`);
  if (command.kind === 'set-spoof-check' && inVpc)
    return error(`${first} is in a VPC: its source check stands in the file of the VPC`);
  return { kind: 'command', command, said: `${first} ${verb} ${value}`.trim() };
}

function limitOf(name: string, text: string): ControlLine {
  try {
    return { kind: 'limit', function: name, set: parseLimit(text), said: `${name} limit ${text}` };
  } catch (problem) {
    return error((problem as Error).message);
  }
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
    case 'limit off':
      return { kind: 'set-limits', function: name, limits: null };
    case 'rate off':
      return { kind: 'set-rate', function: name, rateMbps: null };
    case 'reset':
      return { kind: 'request-reset', function: name };
  }
  if (verb === 'hint') return hintOf(name, value);
  const change = changeOf(verb, value);
  if (change !== null) return { kind: 'administer', function: name, change };
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

/** What an administrator says of a function's parent; null: nothing of the kind. */
function changeOf(verb: string, value: string): ParentChange | null {
  const isOff = value === 'off';
  const isSwitch = isOff || value === 'on';
  switch (verb) {
    case 'mac':
      return isOff ? { what: 'mac', mac: 0 } : macChange(value);
    case 'vlan':
      return isOff ? { what: 'vlan', vlan: 0, qos: 0 } : vlanChange(value);
    case 'trust':
      return isSwitch ? { what: 'trust', on: !isOff } : null;
    case 'query_rss':
      return isSwitch ? { what: 'rss-query', on: !isOff } : null;
    default:
      return null;
  }
}

function macChange(text: string): ParentChange | null {
  try {
    const mac = parseMac(text);
    return mac === 0 || isGroupMac(mac) ? null : { what: 'mac', mac };
  } catch {
    return null;
  }
}

function vlanChange(text: string): ParentChange | null {
  const vlan = parseVlan(text);
  return vlan === null ? null : { what: 'vlan', ...vlan };
}

/** `5` or `5:3`: a VLAN, and its priority. */
export function parseVlan(text: string): { readonly vlan: number; readonly qos: number } | null {
  const [, id = '', priority = '0'] = /^(\d{1,4})(?::([0-7]))?$/.exec(text) ?? [];
  const vlan = Number(id);
  return id === '' || vlan < 1 || vlan > 4094 ? null : { vlan, qos: Number(priority) };
}
