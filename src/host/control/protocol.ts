/**
 * What can be said to something that runs and serves functions, a lab or `virtfn nic`, from another
 * process: one JSON object a line each way, over a UNIX socket in its own temporary directory.
 *
 *     -> {"do":"describe"}                                <- {"facts":{...}}
 *     -> {"do":"trace","filter":{...},"perSecond":50}     <- {"verdicts":[...],"leftOut":0} ...
 *     -> {"do":"apply","model":{...}}                     <- {"problems":[]}
 *     -> {"do":"reach"}                                   <- {"reachability":{...}}
 *
 * What is wrong is answered with {"error":"one sentence"}.
 */
import { z } from 'zod';
import { type ReasonName, reasonNames } from '../../net/reasons.ts';
import type { Verdict, VerdictFilter } from '../../switch/tap-verdicts.ts';
import type { VpcModel } from '../../vpc/model.ts';
import type { Reachability } from '../lab/report.ts';
import { parseCidr } from '../vpc/cidr.ts';
import { modelSchema } from '../vpc/model-schema.ts';

export type { ReasonName } from '../../net/reasons.ts';
export type { Verdict, VerdictFilter } from '../../switch/tap-verdicts.ts';

/** The name of the socket. */
export const CONTROL_SOCKET = 'control.sock';

/** Who is there, for whoever reads a trace or asks for a filter. */
export type Facts = {
  readonly kind: 'lab' | 'nic';
  readonly pid: number;
  /** Nanoseconds since 1970 at time 0 of verdicts, in text: it is more than a number holds. */
  readonly epochNs: string;
  /** Names of functions, which are those of instances in a lab, with their addresses. */
  readonly ends: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  /** null: an Ethernet. */
  readonly vpc: VpcModel | null;
};

export type Answer =
  | { readonly facts: Facts }
  | { readonly verdicts: readonly Verdict[]; readonly leftOut: number }
  | { readonly reachability: Reachability }
  | { readonly problems: readonly string[] }
  | { readonly error: string };

const isReason = (name: string): name is ReasonName => reasonNames.includes(name as ReasonName);

const filter = z.strictObject({
  ends: z
    .array(
      z.strictObject({
        port: z.string().optional(),
        prefixes: z.array(z.string().refine((text) => parseCidr(text) !== null, 'no prefix')),
      }),
    )
    .optional(),
  ports: z.array(z.number().int().min(0).max(65_535)).optional(),
  reasons: z.array(z.string().refine(isReason, 'no reason')).optional(),
});

const request = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('describe') }),
  z.strictObject({ do: z.literal('reach') }),
  z.strictObject({
    do: z.literal('trace'),
    filter,
    perSecond: z.number().int().min(1).max(10_000),
  }),
  z.strictObject({ do: z.literal('apply'), model: modelSchema }),
]);

export type Request =
  | { readonly do: 'describe' }
  | { readonly do: 'reach' }
  | { readonly do: 'trace'; readonly filter: VerdictFilter; readonly perSecond: number }
  | { readonly do: 'apply'; readonly model: VpcModel };

/** A line as a request. Throws an Error with one sentence. */
export function parseRequest(line: string): Request {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error('a request is a JSON object on a line');
  }
  const parsed = request.safeParse(value);
  if (parsed.success) return withoutAbsent(parsed.data) as Request;
  const [issue] = parsed.error.issues;
  throw new Error(`${issue?.path.join('.') || 'the request'}: ${issue?.message}`);
}

/** Absent is not `undefined`. */
const withoutAbsent = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
