/** `virtfn whatif`: what traffic would have met at the limits of an instance type. */
import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CaptureError, readCaptureFile } from '../lib/capture-reader.ts';
import { nsPerSecond } from '../lib/clock.ts';
import { type NetworkAllowance, networkAllowance, withOverrides } from '../vpc/allowance.ts';
import { InstanceTypes } from '../vpc/instance-types.ts';
import { type LimitValues, parseLimit, switchLimits, valuesOf } from '../vpc/limits.ts';
import { CapturedTraffic, type Ends, parseEnds } from '../vpc/whatif/captured.ts';
import { parseSteady, type SteadySpec } from '../vpc/whatif/steady-text.ts';
import { summaryOf } from '../vpc/whatif/summary.ts';
import { type Way, WhatIf } from '../vpc/whatif/whatif.ts';
import { paintFor, widthOf } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { renderChart } from './whatif-chart.ts';
import { renderPage, renderWhatIf } from './whatif-report.ts';

type WhatIfOptions = {
  type: string;
  pcap?: string;
  flow?: SteadySpec[];
  rate: number;
  mac?: string;
  address?: string;
  direction?: Way;
  vpcCidr?: string[];
  mtu: number;
  limit?: LimitValues;
  placed?: boolean;
  json?: boolean;
  html?: string;
  svg?: string;
};

const help = `
The traffic is a capture (pcap, pcapng), or rates that follow each other:
  --flow rate=9.5Gbps,size=1514,duration=1h      sent; size is the Ethernet frame
  --flow rate=4Gbps,duration=90s,flows=8,direction=in,gateway
A capture has to say which end the instance is: by its MAC or address, by a direction for all, or by itself,
as virtfn's own captures and those of Linux's "any" do. What is for addresses outside of private ranges (or of
--vpc-cidr) goes through a gateway. All connections count as tracked.

Nothing is sent: the packets pay at the same meters that hold the instances of a lab, at the times that they have in
the capture. TCP would slow down where packets are lost; a capture cannot. What EC2 does not publish is
assumed, and says so (virtfn types TYPE lists it); --limit sets it.

Examples:
  $ virtfn whatif --type m5.large --pcap trace.pcapng --address 10.0.0.10
  $ virtfn whatif --type m5.large --pcap trace.pcap --mac 02:00:00:00:00:01 --rate 2x --html out.html
  $ virtfn whatif --type c5.large --flow rate=10Gbps,size=9014,duration=1h,flows=8 --svg out.svg
  $ virtfn whatif --type m5.large --pcap trace.pcap --direction out --json | jq .limits`;

export function defineWhatIf(command: Command, exit: (code: number) => void): void {
  command
    .description(
      'Puts a capture, or constant rates, to the network limits of an EC2 instance type.',
    )
    .requiredOption('--type <type>', 'an EC2 instance type, like m5.large')
    .option('--pcap <file>', 'a capture: pcap or pcapng')
    .option('--flow <rate>', 'a constant rate instead; repeatable, one after the other', flow)
    .option('--rate <factor>', 'the capture so much faster, like 2x', factor, 1)
    .option('--mac <mac>', "the instance's MAC in the capture")
    .option('--address <address>', "the instance's address in the capture")
    .addOption(new Option('--direction <way>', 'all packets went this way').choices(['in', 'out']))
    .option('--vpc-cidr <cidr>', 'what is inside the VPC; repeatable', collect)
    .option('--mtu <bytes>', 'longer packets of the capture are cut up', mtu, 9001)
    .option('--limit <name=n>', 'another limit, like packetsPerSecond=10000; repeatable', limit)
    .option('--placed', 'in a cluster placement group')
    .option('--json', 'the result as one JSON document, on stdout')
    .option('--html <file>', 'a page with tables and chart')
    .option('--svg <file>', 'the chart alone')
    .addHelpText('after', help)
    .action((options: WhatIfOptions) => exit(runWhatIf(options)));
}

const collect = (value: string, all: string[] = []): string[] => [...all, value];

/** Makes a parser's sentence one that commander tells. */
const told =
  <T>(parse: (text: string) => T) =>
  (text: string): T => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(`${(error as Error).message}.`);
    }
  };

const flow = (text: string, all: SteadySpec[] = []): SteadySpec[] => [
  ...all,
  told(parseSteady)(text),
];
const limit = (text: string, all: LimitValues = {}): LimitValues => ({
  ...all,
  ...told(parseLimit)(text),
});

function factor(text: string): number {
  const value = Number(text.replace(/x$/, ''));
  if (!(value > 0 && value <= 1e6))
    throw new InvalidArgumentError('Expected a factor, like 2x or 0.5x.');
  return value;
}

function mtu(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 576 || value > 9216)
    throw new InvalidArgumentError('Expected an MTU from 576 to 9216.');
  return value;
}

function runWhatIf(options: WhatIfOptions): number {
  const { type, pcap, flow: flows = [], json, html, svg, placed = false } = options;
  if ((pcap === undefined) === (flows.length === 0))
    throw new UsageError('expected either --pcap FILE or --flow rate=..., as the traffic');
  const allowance = allowanceOf(options);
  const values = valuesOf(allowance);
  const limits = switchLimits(values, { placed });
  const seconds = flows.reduce((sum, one) => sum + one.seconds, 0);
  const pieceNs = pcap === undefined ? (seconds * nsPerSecond) / 399.5 : 1e5;
  const run = new WhatIf(limits, values.egressFragmentsPps ?? null, pieceNs);
  const notes = pcap === undefined ? playFlows(run, flows) : playCapture(run, pcap, options);
  const document = summaryOf(run, type, allowance, notes);
  const title = `${type}: ${pcap === undefined ? 'constant rates' : pcap}`;
  const chart = renderChart(document, values, title);
  if (svg !== undefined) write(svg, chart);
  if (html !== undefined) write(html, renderPage(document, chart, title));
  if (json) console.log(JSON.stringify(document, null, 2));
  else
    for (const line of renderWhatIf(document, widthOf(process.stdout), paintFor(process.stdout)))
      console.log(line);
  return 0;
}

function allowanceOf({ type, limit: set = {} }: WhatIfOptions): NetworkAllowance {
  try {
    const found = InstanceTypes.load().get(type);
    return withOverrides(networkAllowance(found), set as object);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function playFlows(run: WhatIf, flows: readonly SteadySpec[]): string[] {
  for (const { steady, seconds } of flows) run.steady(steady, seconds * nsPerSecond);
  return [];
}

/** @returns what a person should know about the capture */
function playCapture(run: WhatIf, path: string, options: WhatIfOptions): string[] {
  const traffic = new CapturedTraffic(endsOf(options));
  try {
    const { packets, truncatedAt, outOfOrder } = readCaptureFile(path, (captured) => {
      const packet = traffic.read(captured);
      if (packet !== null) run.packet(packet, captured.timeNs / options.rate);
    });
    if (packets === 0) throw new UsageError(`${path}: the capture has no packets`);
    if (traffic.unknown + traffic.others === packets) throw new UsageError(nobody(path, traffic));
    return [
      ...(options.rate === 1 ? [] : [`The capture was played ${options.rate} times as fast.`]),
      ...(truncatedAt === null ? [] : [`The capture is cut at offset ${truncatedAt}.`]),
      ...about(outOfOrder, 'packets were out of order: their times are those ahead of them'),
      ...about(traffic.cutUp, 'frames were longer than the MTU: the card cut them up'),
      ...about(traffic.others, "packets of other ends than the instance's did not count"),
      ...about(traffic.unknown, 'packets have no known direction and did not count'),
    ];
  } catch (error) {
    if (error instanceof CaptureError || error instanceof RangeError)
      throw new UsageError(`${path}: ${error.message}`);
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new UsageError(`${path}: there is no such file`);
    if (code !== undefined) throw new UsageError(`${path}: it cannot be read (${code})`);
    throw error;
  }
}

const about = (count: number, text: string): string[] =>
  count === 0 ? [] : [`${count.toLocaleString('en')} ${text}.`];

function nobody(path: string, traffic: CapturedTraffic): string {
  if (traffic.others > 0)
    return `${path}: no packet is from or to the instance; check --mac or --address`;
  const ends = traffic.busiest(3);
  const hint = ends.length === 0 ? '--direction out' : `one of ${ends.join(', ')}`;
  return `${path}: it does not say which end is the instance; expected ${hint}`;
}

function endsOf({ mac, address, direction, vpcCidr, mtu: most }: WhatIfOptions): Ends {
  try {
    return parseEnds({
      ...(mac !== undefined && { mac }),
      ...(address !== undefined && { address }),
      ...(direction !== undefined && { direction }),
      ...(vpcCidr !== undefined && { vpcCidr }),
      mtu: most,
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new UsageError(`${path}: it cannot be written (${code})`);
  }
}
