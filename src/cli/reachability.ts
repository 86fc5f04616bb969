/** `virtfn explain`: whether one end of a VPC reaches another, and which gate is closed if not. */
import { type Command, InvalidArgumentError } from 'commander';
import { checkVpcModel } from '../vpc/check-model.ts';
import type { Gate } from '../vpc/evaluate.ts';
import { type Explanation, explain, type Leg, type Question, said } from '../vpc/explain.ts';
import { type End, QuestionError } from '../vpc/explain-ends.ts';
import { type Hint, hintsFor } from '../vpc/explain-hints.ts';
import { formatRanges } from '../vpc/explain-ports.ts';
import type { VpcModel } from '../vpc/model.ts';
import { answerAboutEfas } from './reachability-efa.ts';
import { readVpcOrLab } from './read-vpc.ts';
import { renderTable } from './table.ts';
import { type Paint, paintFor, widthOf, wrap } from './terminal.ts';
import { UsageError } from './usage-error.ts';

type ExplainOptions = {
  from: string;
  to: string;
  proto: number;
  port?: number;
  sourcePort?: number;
  icmpType?: number;
  icmpCode?: number;
  ipv6?: boolean;
  efa?: boolean;
  at?: string;
  json?: boolean;
};

const help = `
No packet is sent, and no guest need be running; without a file it is the VPC of the running lab that
is asked about. An end is the name of an instance, an interface
(eni-...), or any address: one that no interface has is outside, behind the internet gateway. The
exit code is 0 when the request arrives and its reply comes back, 1 when it does not.

Examples:
  $ virtfn explain examples/three-tier-vpc.yaml --from app --to db --port 5432
  $ virtfn explain --from web --to app --proto icmp
  $ virtfn explain cluster.yaml --from a --to b --efa
  $ virtfn explain vpc.json --from 198.51.100.7 --to web --port 443 --json | jq .closed`;

const protocolNumbers: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  icmpv6: 58,
  sctp: 132,
};

export function defineExplain(command: Command, exit: (code: number) => void): void {
  command
    .description('Judges a request and its reply by the rules of a VPC, gate by gate.')
    .argument('[file]', 'a topology with a vpc section, or a VPC as JSON')
    .requiredOption('--from <end>', 'who asks')
    .requiredOption('--to <end>', 'who is asked')
    .option('--proto <protocol>', 'tcp, udp, icmp, icmpv6, ... or a number', protocol, 6)
    .option('--port <n>', 'TCP and UDP: the port that is asked', port)
    .option('--source-port <n>', 'the port that asks; any ephemeral one if absent', port)
    .option('--icmp-type <n>', 'an echo request if absent', byte)
    .option('--icmp-code <n>', '0 if absent', byte)
    .option('--ipv6', 'by the IPv6 addresses of instances and interfaces')
    .option('--efa', "about SRD between the EFAs of two instances, by EFA's own rule")
    .option('--at <socket>', 'the control socket of the lab; the only one if absent')
    .option('--json', 'the answer as one JSON document, on stdout')
    .addHelpText('after', help)
    .action(async (file: string | undefined, options: ExplainOptions) =>
      exit(await runExplain(file, options)),
    );
}

function protocol(text: string): number {
  const number = protocolNumbers[text.toLowerCase()] ?? Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 255)
    throw new InvalidArgumentError('Expected tcp, udp, icmp, icmpv6 or an IP protocol number.');
  return number;
}

const whole = (max: number, what: string) => (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) throw new InvalidArgumentError(`Expected ${what}.`);
  return value;
};
const port = whole(65_535, 'a port, 0 to 65535');
const byte = whole(255, 'a number of 0 to 255');

async function runExplain(file: string | undefined, options: ExplainOptions): Promise<number> {
  const model = await readVpcOrLab(file, options.at);
  const [problem] = checkVpcModel(model);
  if (problem !== undefined) throw new UsageError(`${file ?? 'the lab'}: ${problem}`);
  if (options.efa) return asked(() => answerAboutEfas(model, options));
  const answer = answerTo(model, options);
  const hints = hintsFor(model, answer);
  if (options.json) console.log(JSON.stringify(documentOf(answer, hints), null, 2));
  else for (const line of render(answer, hints, options)) console.log(line);
  return answer.reachable ? 0 : 1;
}

function answerTo(model: VpcModel, options: ExplainOptions): Explanation {
  const { from, to, proto, json: _json, at: _at, efa: _efa, ipv6, ...rest } = options;
  const version = ipv6 === undefined ? {} : { version: 6 as const };
  const question: Question = { from, to, protocol: proto, ...rest, ...version };
  return asked(() => explain(model, question));
}

function asked<T>(question: () => T): T {
  try {
    return question();
  } catch (error) {
    if (error instanceof QuestionError) throw new UsageError(error.message);
    throw error;
  }
}

// The document.

function documentOf(answer: Explanation, hints: readonly Hint[]) {
  const { from, to, protocol: number, port: asked, reachable, closed, closedPorts } = answer;
  return {
    from: { name: from.name, interface: from.interface?.id ?? null, address: from.address },
    to: { name: to.name, interface: to.interface?.id ?? null, address: to.address },
    protocol: number,
    port: asked,
    reachable,
    closed: closed && {
      direction: closed.direction,
      gate: closed.gate.gate,
      at: closed.gate.at,
      rule: closed.gate.rule,
      reason: closed.reason,
      text: closed.text,
    },
    closedPorts,
    request: answer.request.map(legDocument),
    reply: answer.reply.map(legDocument),
    hints,
  };
}

const legDocument = ({ packet, judgement }: Leg) => ({
  packet,
  deliveredTo: judgement.deliveredTo,
  service: judgement.service,
  gates: judgement.gates.map((gate) => ({ ...gate, reason: said(gate.reason).reason })),
});

// For people.

function render(answer: Explanation, hints: readonly Hint[], options: ExplainOptions): string[] {
  const paint = paintFor(process.stdout);
  const { from, to, closed } = answer;
  const kind = Object.entries(protocolNumbers).find(([, number]) => number === answer.protocol);
  const what = `${kind?.[0] ?? `protocol ${answer.protocol}`} ${answer.port ?? ''}`.trim();
  const assumed = closed?.direction === 'request' ? ', if the request passed all groups' : '';
  const ends = `${endText(from)} > ${endText(to)}`;
  return [
    paint.bold(`${ends}  ${what}`),
    '',
    ...legLines('request', answer.request, paint),
    ...(answer.reply.length === 0 ? [] : legLines(`reply${assumed}`, answer.reply, paint)),
    ...verdictLines(answer, paint),
    ...hints.flatMap(({ text, source }) => hintLines(text, source)),
    ...(options.sourcePort === undefined && answer.closedPorts.length > 0
      ? [`from these ports only it is closed: ${formatRanges(answer.closedPorts)}`]
      : []),
  ];
}

const endText = ({ name, address }: End): string =>
  name === address ? name : `${name} ${address}`;

function legLines(title: string, legs: readonly Leg[], paint: Paint): string[] {
  const rows = legs.flatMap(({ judgement }) => judgement.gates.map((gate) => gateRow(gate)));
  const services = legs.flatMap(({ judgement: { service } }) =>
    service === null ? [] : [`  answered by the network itself: ${service}`],
  );
  const columns = ['', 'gate', 'of', 'rule', ''].map((name) => ({
    title: name,
    align: 'left' as const,
  }));
  const [, ...lines] = renderTable(columns, rows);
  const marked = lines.map((line) => (line.startsWith('closed') ? paint.red(line) : line));
  return [paint.bold(title), ...marked.map((line) => `  ${line}`), ...services, ''];
}

const gateRow = (gate: Gate): string[] => [
  gate.passed ? 'passes' : 'closed',
  gate.gate,
  gate.at,
  gate.rule ?? '',
  gate.how ?? (gate.passed ? '' : said(gate.reason).reason),
];

function verdictLines({ closed, request }: Explanation, paint: Paint): string[] {
  if (closed === null) {
    const service = request.at(-1)?.judgement.service ?? null;
    const how =
      service === null ? 'the request arrives, and so does its reply' : `asks the ${service}`;
    return [paint.green(`reachable: ${how}`)];
  }
  const { direction, gate, reason, text } = closed;
  return [
    paint.red(`not reachable: the ${direction} ends at the ${gate.gate} of ${gate.at}`),
    `  ${reason}: ${text}`,
  ];
}

function hintLines(text: string, source: string): string[] {
  const width = Math.min(widthOf(process.stdout), 100) - 6;
  const [first = '', ...more] = wrap(text, width);
  return [`hint  ${first}`, ...more.map((line) => `      ${line}`), `      (${source})`];
}
