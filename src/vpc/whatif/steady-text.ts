/** `rate=9.5Gbps,size=1500,duration=1h,flows=4,direction=in,gateway`: a constant rate in words. */
import type { Steady } from './whatif.ts';

export type SteadySpec = { readonly steady: Steady; readonly seconds: number };

const example = 'rate=9.5Gbps,size=1514,duration=1h';
const rateUnits: Readonly<Record<string, number>> = { bps: 1, kbps: 1e3, mbps: 1e6, gbps: 1e9 };
const timeUnits: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, m: 60, min: 60, h: 3600 };
const maxSeconds = 31 * 24 * 3600;

/** @throws RangeError in a sentence for a person */
export function parseSteady(text: string): SteadySpec {
  const words = new Map(
    text.split(',').map((word) => {
      const [name = '', value = 'yes', ...more] = word.trim().split('=');
      if (more.length > 0) throw new RangeError(`'${word}' is not understood; expected ${example}`);
      return [name, value];
    }),
  );
  for (const name of words.keys())
    if (!known.includes(name))
      throw new RangeError(`there is no '${name}' in a flow; expected ${known.join(', ')}`);
  const bitsPerSecond = quantity(words.get('rate'), rateUnits, 'rate', '9.5Gbps');
  const seconds = quantity(words.get('duration'), timeUnits, 'duration', '1h');
  if (seconds > maxSeconds) throw new RangeError('duration: expected 31 days at most');
  const bytesPerPacket = whole(words.get('size') ?? '1514', 'size', 60, 65_536);
  const flows = whole(words.get('flows') ?? '1', 'flows', 1, 1_000_000);
  const direction = words.get('direction') ?? 'out';
  if (direction !== 'in' && direction !== 'out')
    throw new RangeError(`direction: expected in or out, not ${direction}`);
  const leaves = words.get('gateway') === 'yes';
  return { steady: { way: direction, bitsPerSecond, bytesPerPacket, flows, leaves }, seconds };
}

const known = ['rate', 'size', 'duration', 'flows', 'direction', 'gateway'];

function quantity(
  text: string | undefined,
  units: Readonly<Record<string, number>>,
  name: string,
  like: string,
): number {
  const [, number = '', unit = ''] = /^([\d.]+)([a-z]+)$/i.exec(text ?? '') ?? [];
  const factor = units[unit.toLowerCase()];
  const value = Number(number) * (factor ?? Number.NaN);
  if (!Number.isFinite(value) || value <= 0)
    throw new RangeError(`${name}: expected a number with its unit, like ${name}=${like}`);
  return value;
}

function whole(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new RangeError(`${name}: expected a whole number from ${least} to ${most}`);
  return value;
}
