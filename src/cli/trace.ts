/** `virtfn trace`: a line for each packet of a running lab or `virtfn nic`, with the verdict on it. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Control } from '../host/control/client.ts';
import type { Facts, ReasonName, Verdict, VerdictFilter } from '../host/control/protocol.ts';
import {
  findReason,
  losses,
  type NameBook,
  nameBook,
  reasonWord,
  reasonWords,
  verdictText,
} from '../host/control/verdict-text.ts';
import { asCidr, parseCidr } from '../host/vpc/cidr.ts';
import { nearest } from '../lib/nearest.ts';
import { attach } from './attach.ts';
import { interruptible } from './interrupt.ts';
import { paintFor, wrap } from './terminal.ts';
import { UsageError } from './usage-error.ts';

type TraceOptions = {
  at?: string;
  instance?: string[];
  address?: string[];
  port?: number[];
  reason?: ReasonName[];
  dropped?: boolean;
  rate: number;
  count?: number;
  json?: boolean;
};

const help = `
A line has the verdict, who sends to whom, what it is, and the rule that decided:

  sg-egress-none  a 10.0.0.10:43210 > b 10.0.1.20:5432 tcp syn  no outbound rule in sg-a matches

A packet has to pass all filters; of several ports or reasons it needs one. Two times --instance is
what goes between the two. Verdicts are the same as in counters and captures; these are losses:
${wrap(losses.map(reasonWord).join(', '), 98)
  .map((line) => `  ${line}`)
  .join('\n')}

Examples:
  $ virtfn trace                              everything, 50 packets a second at most
  $ virtfn trace --dropped                    what does not come where it should
  $ virtfn trace --instance a --port 5432
  $ virtfn trace --reason acl-in-denied --count 1
  $ virtfn trace --json | jq -r .reason`;

const collect =
  <T>(parse: (text: string) => T) =>
  (text: string, all: T[] = []): T[] => [...all, parse(text)];

export function defineTrace(command: Command, exit: (code: number) => void): void {
  command
    .description(
      'Attaches to a lab or a virtfn nic that runs, and prints the verdict on each packet until Ctrl-C.',
    )
    .option('--instance <name>', 'from or to this instance; twice: between both', collect(String))
    .option('--address <prefix>', 'from or to this address or prefix', collect(prefixOf))
    .option('--port <n>', 'from or to this TCP or UDP port', collect(portOf))
    .option('--reason <name>', 'with this verdict, like sg-ingress-none', collect(reasonOf))
    .option('--dropped', 'only what is lost')
    .option('--rate <n>', 'packets a second at most; others are counted', wholeNumber, 50)
    .option('--count <n>', 'end after so many packets', wholeNumber)
    .option('--json', 'one JSON object a line')
    .option('--at <socket>', 'the control socket of the lab or nic; the only one if absent')
    .addHelpText('after', help)
    .action(async (options: TraceOptions) =>
      exit(await interruptible((signal) => trace(options, signal))),
    );
}

async function trace(options: TraceOptions, signal: AbortSignal): Promise<number> {
  const control = await attach(options.at);
  try {
    const facts = await control.describe();
    const filter = filterOf(options, facts);
    if (!options.json) process.stderr.write(`${greeting(facts)}\n`);
    return await follow(control, filter, printer(options, facts), { ...options, signal });
  } finally {
    control.close();
  }
}

type Printer = { line: (verdict: Verdict) => void; leftOut: (count: number) => void };

/** What was left out is told together, so often. */
const leftOutEveryMs = 1000;

/** Until it is interrupted, has printed enough, or the other side ends. */
async function follow(
  control: Control,
  filter: VerdictFilter,
  print: Printer,
  { rate, count = Number.POSITIVE_INFINITY, signal }: TraceOptions & { signal: AbortSignal },
): Promise<number> {
  let left = count;
  let missed = 0;
  let isThrough = false;
  const tellMissed = (): void => {
    if (missed > 0) print.leftOut(missed);
    missed = 0;
  };
  const timer = setInterval(tellMissed, leftOutEveryMs);
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    void control.ended.then(() => {
      if (!isThrough) process.stderr.write('What was watched has ended.\n');
      resolve();
    });
    control.trace(filter, rate, (verdicts, leftOut) => {
      for (const verdict of verdicts) if (left-- > 0) print.line(verdict);
      missed += leftOut;
      if (left <= 0) resolve();
    });
  });
  await stopped;
  isThrough = true;
  clearInterval(timer);
  tellMissed();
  return 0;
}

function printer({ json, rate }: TraceOptions, facts: Facts): Printer {
  const names = nameBook(facts);
  return json ? jsonPrinter(facts, names) : textPrinter(names, rate);
}

function jsonPrinter({ epochNs }: Facts, names: NameBook): Printer {
  const start = BigInt(epochNs);
  return {
    line: ({ timeNs, packet, ...verdict }) => {
      const ms = Number((start + BigInt(Math.round(timeNs))) / 1_000_000n);
      const { why } = verdictText({ timeNs, packet, ...verdict }, names);
      console.log(JSON.stringify({ time: new Date(ms).toISOString(), ...verdict, why, packet }));
    },
    leftOut: (count) => console.log(JSON.stringify({ left_out: count })),
  };
}

/** As wide as most verdicts, so that lines stand below each other. */
const reasonRoom = 16;

function textPrinter(names: NameBook, rate: number): Printer {
  const { green, red, dim } = paintFor(process.stdout);
  const lost = new Set(losses);
  return {
    line: (verdict) => {
      const { reason, packet, why } = verdictText(verdict, names);
      const paint = lost.has(verdict.reason) ? red : green;
      console.log(`${paint(reason.padEnd(reasonRoom))}  ${packet}  ${dim(why)}`);
    },
    leftOut: (count) =>
      console.log(
        dim(`${count} more were left out: no more than ${rate} a second are shown (--rate)`),
      ),
  };
}

function greeting({ kind, pid, ends }: Facts): string {
  const who = ends.map(({ name, addresses }) => `${name} ${addresses[0] ?? ''}`.trim()).join(', ');
  return `Watching ${kind === 'lab' ? 'the lab' : 'virtfn nic'} of process ${pid}: ${who}. Stop with Ctrl-C.`;
}

/** @throws UsageError for an instance that is not there */
function filterOf(options: TraceOptions, { ends }: Facts): VerdictFilter {
  const { instance = [], address = [], port, reason, dropped } = options;
  const instances = instance.map((name) => {
    const found = ends.filter((end) => end.name === name);
    if (found.length === 0) throw new UsageError(unknownInstance(name, ends));
    return { port: name, prefixes: found.flatMap(({ addresses }) => addresses.map(asCidr)) };
  });
  if (reason !== undefined && dropped)
    throw new UsageError('--reason and --dropped were both given; expected one of them');
  const reasons = dropped ? losses : reason;
  return {
    ends: [...instances, ...address.map((prefix) => ({ prefixes: [prefix] }))],
    ...(port !== undefined && { ports: port }),
    ...(reasons !== undefined && { reasons }),
  };
}

function unknownInstance(name: string, ends: Facts['ends']): string {
  const names = ends.map((end) => end.name);
  const near = nearest(name, names);
  const hint = near.length === 0 ? '' : `; did you mean ${near.join(', ')}?`;
  return `there is no instance '${name}'; there are: ${names.join(', ')}${hint}`;
}

function prefixOf(text: string): string {
  const cidr = asCidr(text);
  if (parseCidr(cidr) === null)
    throw new InvalidArgumentError('Expected an address or a prefix, like 10.0.0.0/24.');
  return cidr;
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('Expected a port from 0 to 65535.');
  return port;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 10_000)
    throw new InvalidArgumentError('Expected a whole number from 1 to 10000.');
  return value;
}

function reasonOf(text: string): ReasonName {
  const found = findReason(text);
  if (found !== undefined) return found;
  const near = nearest(text, reasonWords);
  const hint = near.length === 0 ? 'virtfn trace --help lists them' : `did you mean ${near[0]}?`;
  throw new InvalidArgumentError(`There is no such verdict; ${hint}`);
}
