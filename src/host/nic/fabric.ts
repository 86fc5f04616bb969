/**
 * A bad fabric as a person writes it: `loss=1%,jitter=50us,seed=3`. What is absent does not happen.
 */
import { type FaultSpec, noFaults } from '../../srd/faults.ts';

export const FABRIC_HELP =
  'what goes wrong between EFAs: loss=1%,delay=20us,jitter=50us,path-failure=0.1%,path-down=100ms,seed=1';

const units: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
const maxDelayNs = 10e9;

/** The faults, or what is wrong with the text: one sentence. */
export function parseFabric(text: string): FaultSpec | string {
  const faults: Record<keyof FaultSpec, number> = { ...noFaults };
  for (const item of text.split(',')) {
    const [name = '', value = ''] = item.split('=');
    const field = fields[name];
    if (field === undefined)
      return `There is no fault '${name}': expected some of ${Object.keys(fields).join(', ')}.`;
    const [key, parse, example] = field;
    const parsed = parse(value);
    if (parsed === null) return `'${value}' is no ${name}: expected one like ${example}.`;
    faults[key] = parsed;
  }
  return faults;
}

type Parse = (text: string) => number | null;

const share: Parse = (text) => {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  const ppm = percent === undefined ? NaN : Math.round(Number(percent) * 1e4);
  return ppm >= 0 && ppm <= 1e6 ? ppm : null;
};

const time: Parse = (text) => {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/.exec(text) ?? [];
  const ns = amount === undefined ? NaN : Math.round(Number(amount) * (units[unit] as number));
  return ns <= maxDelayNs ? ns : null;
};

const whole: Parse = (text) => (/^\d{1,9}$/.test(text) ? Number(text) : null);

const fields: Readonly<Record<string, readonly [keyof FaultSpec, Parse, string]>> = {
  loss: ['lossPpm', share, '1%'],
  delay: ['delayNs', time, '20us'],
  jitter: ['jitterNs', time, '50us'],
  'path-failure': ['pathFailurePpm', share, '0.1%'],
  'path-down': ['pathDownNs', time, '100ms'],
  seed: ['seed', whole, '1'],
};
