/** What a person may ask for as the outside of a lab's VPC, and making it. Nothing unless asked for. */
import { z } from 'zod';
import { expected, ipv4, text } from '../lab/schema.ts';
import type { SetOptions } from '../packages/sets.ts';
import type { OutsideConfig } from './config.ts';
import { startPasst } from './passt.ts';

const passt = z.strictObject(
  { loopback: ipv4.optional() },
  expected('passt: loopback, an address that stands for the loopback of this machine'),
);
const tunName = text("the name of a TUN device, 1 to 15 characters like 'virtfn0'", (value) =>
  /^[\w.-]{1,15}$/.test(value),
);

/** `passt` is short for `{ passt: {} }`. */
export const outsideSchema = z.preprocess(
  (value) => (value === 'passt' ? { passt: {} } : value),
  z
    .strictObject(
      { passt: passt.optional(), tun: tunName.optional() },
      expected('an outside: passt or tun'),
    )
    .refine((one) => Object.keys(one).length === 1, expected('either passt or tun')),
);

export type OutsideRequest = z.infer<typeof outsideSchema>;

export type OpenedOutside = { readonly config: OutsideConfig; close(): Promise<void> };

/** @throws SetupError where passt cannot be had */
export async function openOutside(
  request: OutsideRequest,
  options: SetOptions,
): Promise<OpenedOutside> {
  if (request.tun !== undefined)
    return { config: { kind: 'tun', name: request.tun }, close: async () => {} };
  const { loopback } = request.passt ?? {};
  const { socket, close } = await startPasst({
    ...options,
    ...(loopback !== undefined && { hostLoopback: loopback }),
  });
  return { config: { kind: 'stream', socket }, close };
}
