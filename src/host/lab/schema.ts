/** Words that the schemas of topology files share: what was expected, wherever something is not so. */
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';

/** Says what was expected where a value is not what it should be. */
export const expected = (what: string) => ({ error: `expected ${what}` });

export const text = (what: string, fits: (value: string) => boolean) =>
  z.string(expected(what)).refine(fits, expected(what));

export const whole = (what: string, min: number, max: number) => {
  const range = expected(`${what}, a whole number from ${min} to ${max}`);
  return z.number(range).int(range).min(min, range).max(max, range);
};

export const yesNo = (what: string) => z.boolean(expected(`true or false: ${what}`));

/** One value, or a list of them. */
export const oneOrMore = <T extends z.ZodType>(one: T) =>
  z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(one));

export const isMac = (value: string): boolean =>
  /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(value);

/** A host name's label. */
export const isName = (value: string): boolean => /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/.test(value);

export const name = (what: string) =>
  text(`${what}: lower-case letters, digits and dashes, like web-1`, isName);

export const ipv4 = text('an IPv4 address, like 10.0.0.10', isIPv4);
export const ipv6 = text('an IPv6 address, like 2001:db8::10', isIPv6);
