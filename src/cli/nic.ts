/**
 * `virtfn nic`: serves bare functions on one switch until it is interrupted, and tells what their
 * drivers do. Any VMM that speaks vfio-user can attach.
 */
import { createInterface } from 'node:readline';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { controlled } from '../host/control/controlled.ts';
import { openControl } from '../host/control/server.ts';
import { Dataplane } from '../host/dataplane/dataplane.ts';
import { FAST_PATH_HELP } from '../host/dataplane/linear.ts';
import { isModel, type ModelName, modelNames, modelOf } from '../host/dataplane/models.ts';
import type { FaultSpec, ParentSpec } from '../host/dataplane/nic-model.ts';
import { maxWorkers, WORKERS_HELP } from '../host/dataplane/placement.ts';
import {
  ACCESS_CHOICES,
  type AccessChoice,
  accessReason,
  assumedGuestCpus,
  type Cores,
  usableCores,
} from '../host/nic/access.ts';
import { CONTROL_HELP, parseControl, parseVlan } from '../host/nic/control.ts';
import { EXPRESS, type ExpressChoice, expressOf, expressProblem } from '../host/nic/express.ts';
import { FABRIC_HELP, parseFabric } from '../host/nic/fabric.ts';
import {
  type ChosenFunction,
  chooseFunctions,
  dataplaneConfig,
  defaultNetwork,
  FunctionError,
} from '../host/nic/functions.ts';
import { FunctionLimits } from '../host/nic/limits.ts';
import {
  hasNic,
  PROFILE_OF_TYPE,
  profileProblem,
  resolveProfile,
  specOfType,
} from '../host/nic/of-type.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../host/qemu/process.ts';
import { findEfa, firstAddress, interfaceOf, isPlaced, objectionsTo } from '../host/vpc/members.ts';
import type { InstanceType } from '../vpc/instance-type.ts';
import { InstanceTypes } from '../vpc/instance-types.ts';
import { type LimitValues, parseLimit } from '../vpc/limits.ts';
import type { NetworkInterface, VpcModel } from '../vpc/model.ts';
import { explain } from './explain.ts';
import { interruptible } from './interrupt.ts';
import { renderLimits } from './limits-report.ts';
import { JsonTeller, type Teller, TextTeller } from './nic-events.ts';
import { readVpc } from './read-vpc.ts';
import { widthOf } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { whole } from './whole.ts';

type NicOptions = {
  model: string;
  socket?: string[];
  mac?: string[];
  linkMbps?: number;
  type?: string;
  profile?: string;
  access: AccessChoice;
  vpc?: string;
  workers: number;
  fastPath: boolean;
  pcap?: string;
  trace?: boolean;
  json?: boolean;
  explain?: string;
  control?: boolean;
  spoofchk?: boolean;
  vlan?: { vlan: number; qos: number };
  trust?: boolean;
  guestMac?: boolean;
  queryRss?: boolean;
  rateMbps?: number;
  limit?: LimitValues;
  limits: boolean;
  enaExpress?: ExpressChoice;
  showLimits?: boolean;
  fabric?: FaultSpec;
};

const help = `
Each --socket is one PCI function and one port of a switch that answers ARP and DHCP: guests get
10.0.0.10, 10.0.0.11, ... in the order of the sockets. Stop it with Ctrl-C: the sockets go away and
each port's counters are printed.

With --vpc the switch is the VPC of a topology file or a JSON model, and the k-th socket is the network
interface of its k-th instance: virtfn trace shows what its rules decide, virtfn vpc apply changes them.

What a driver does that the hardware would not accept is refused, and told with the rule it broke.

Examples:
  $ virtfn nic --model ena --socket vf0.sock --socket vf1.sock
  $ virtfn nic --socket vf0.sock --type c6i.large --trace --pcap vf0.pcap
  $ virtfn nic --vpc examples/three-tier-vpc.yaml --socket web.sock --socket app.sock
  $ virtfn nic --socket vf0.sock --socket vf1.sock --profile large-receive     bulk TCP: see the ENA README
  $ virtfn nic --socket vf0.sock --type m5.large --limit packetsPerSecond=10000 --show-limits
  $ virtfn nic --socket vf0.sock --control      then: vf0 link down, vf0 rate 1000, show
  $ virtfn nic --model efa --socket a.sock --socket b.sock --fabric loss=1%,jitter=50us,seed=3
  $ virtfn nic --model efa --vpc examples/hpc-cluster.yaml --socket n1.sock --socket n2.sock
  $ virtfn nic --model 82599vf --socket vf0.sock --control     then: vf0 mac ..., vf0 reset
  $ virtfn nic --explain cq-vector      what a refusal means, and who says so
  $ virtfn nic --explain list           all rules`;

const defaultLinks = modelNames.map((name) => modelOf(name).defaultLinkMbps).join(', ');
const allProfiles = modelNames
  .map((name) => `${modelOf(name).profiles.join(', ')} (${name})`)
  .join('; ');

const collect = (value: string, all: string[] = []): string[] => [...all, value];

export function defineNic(command: Command, exit: (code: number) => void): void {
  command
    .description('Serves NIC functions over vfio-user, joined by one switch with DHCP.')
    .option('--model <model>', `which NIC: ${modelNames.join(', ')}`, 'ena')
    .option('--socket <path>', 'where a VMM connects; once per function', collect)
    .option('--mac <mac>', 'of the function with the same position; chosen if absent', collect)
    .option('--link-mbps <n>', `speed that guests see (default: ${defaultLinks})`, megabits)
    .option('--type <type>', 'link, queues and limits of an EC2 instance type, like c6i.large')
    .option('--limit <name=n>', 'another limit, like packetsPerSecond=10000; repeatable', limit)
    .option('--no-limits', 'no limits of the type')
    .addOption(
      new Option('--ena-express <what>', 'ENA Express for tcp; udp: for both').choices(EXPRESS),
    )
    .option('--show-limits', 'print each limit with how it is known')
    .option('--profile <name>', `generation of the card: ${allProfiles}; type: that of --type`)
    .addOption(
      new Option(
        '--access <how>',
        'how guests reach the function: by traps or mapped memory; auto: by the cores there are',
      )
        .choices(ACCESS_CHOICES)
        .default('auto'),
    )
    .option('--vpc <file>', 'sockets are the instances of this VPC, in the order of the file')
    .option('--workers <n>', WORKERS_HELP, whole(1, maxWorkers), 1)
    .option('--no-fast-path', FAST_PATH_HELP)
    .option('--pcap <file>', 'capture all frames of the switch (pcapng); one file per worker')
    .option('--trace', 'tell about admin commands and resets too')
    .option('--spoofchk', 'refuse other source addresses than those that a function was given')
    .option('--no-spoofchk', 'do not (82599vf refuses them unless told)')
    .option('--vlan <id[:prio]>', '82599vf: the parent puts all frames into this VLAN', vlan)
    .option('--trust', '82599vf: the guest may choose its addresses')
    .option('--guest-mac', '82599vf: the parent sets no MAC; the guest brings its own')
    .option('--query-rss', "82599vf: the guest may ask for the parent's RSS table and key")
    .option('--fabric <faults>', FABRIC_HELP, fabric)
    .option('--rate-mbps <n>', 'limit what each function may send', megabits)
    .option('--control', "take commands on standard input while it runs ('help' lists them)")
    .option('--json', 'events as JSON, one a line, on stdout')
    .option('--explain <rule>', 'print a rule with its source, and exit (list: all of them)')
    .addHelpText('after', help)
    .action(async (options: NicOptions) => exit(await runNic(options)));
}

function megabits(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31)
    throw new InvalidArgumentError('Expected a whole number of Mbit/s, like 12500.');
  return value;
}

function limit(text: string, all: LimitValues = {}): LimitValues {
  try {
    return { ...all, ...parseLimit(text) };
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

function fabric(text: string): FaultSpec {
  const parsed = parseFabric(text);
  if (typeof parsed === 'string') throw new InvalidArgumentError(parsed);
  return parsed;
}

function vlan(text: string): { vlan: number; qos: number } {
  const parsed = parseVlan(text);
  if (parsed === null)
    throw new InvalidArgumentError('Expected a VLAN from 1 to 4094, like 5 or 5:3.');
  return parsed;
}

/** What the parent's administrator has set, or nothing. */
function parentOf({ vlan, trust, guestMac, queryRss }: NicOptions): ParentSpec | undefined {
  const parent = {
    ...vlan,
    ...(trust && { trusted: true }),
    ...(guestMac && { macIsSet: false }),
    ...(queryRss && { rssQuery: true }),
  };
  return Object.keys(parent).length === 0 ? undefined : parent;
}

async function runNic(options: NicOptions): Promise<number> {
  if (options.explain !== undefined) {
    for (const line of explain(options.explain)) console.log(line);
    return 0;
  }
  const vpc = options.vpc === undefined ? null : readVpc(options.vpc);
  const limits = limitsOf(options, vpc);
  const cores = coresOf(options, vpc);
  const functions = functionsOf(options, vpc, limits, cores);
  const reason = options.access === 'auto' ? accessReason(cores) : null;
  const teller = new (options.json ? JsonTeller : TextTeller)(functions, reason);
  if (options.showLimits)
    for (const [i, { name }] of functions.entries()) {
      teller.answer(name, true);
      const shown = limits[i]?.shown() ?? [];
      for (const line of renderLimits(shown, widthOf(process.stdout))) teller.answer(line, true);
    }
  return interruptible((signal) => serve({ functions, limits }, options, vpc, teller, signal));
}

/** The functions, and the limits of each. */
type Served = {
  readonly functions: readonly ChosenFunction[];
  readonly limits: readonly FunctionLimits[];
};

async function serve(
  served: Served,
  { pcap, workers, fastPath, trace = false, control = false }: NicOptions,
  vpc: VpcModel | null,
  teller: Teller,
  signal: AbortSignal,
): Promise<number> {
  const { functions } = served;
  const config = dataplaneConfig(functions, {
    ...{ trace, workers, ...(pcap !== undefined && { pcap }) },
    fastPath: fastPath ? 'auto' : 'off',
    ...(vpc !== null && { vpc }),
  });
  const dataplane = await Dataplane.start(config, (event) => teller.event(event)).catch(
    (error: Error) => {
      throw listenError(error, functions);
    },
  );
  const directory = temporaryDirectory();
  const closeControl = await openControl(
    controlled(dataplane, {
      ...{ kind: 'nic', functions },
      ...(vpc !== null && { vpc, objections: (next) => objectionsTo(vpc, next) }),
    }),
    directory,
  );
  const stopListening = control ? obeyLines(served, dataplane, teller, vpc !== null) : () => {};
  try {
    await Promise.race([dataplane.ended(), aborted(signal)]);
  } finally {
    stopListening();
    closeControl();
    removeTemporaryDirectory(directory);
    await dataplane.close();
    teller.counters(dataplane.counters());
  }
  return 0;
}

/** Obeys what comes on standard input; returns how to stop that. */
function obeyLines(
  { functions, limits }: Served,
  dataplane: Dataplane,
  teller: Teller,
  inVpc: boolean,
): () => void {
  const names = functions.map(({ name }) => name);
  const children = functions
    .filter(({ model }) => modelOf(model).hasParent)
    .map(({ name }) => name);
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const said = parseControl(line, names, children, inVpc);
    switch (said.kind) {
      case 'command':
        dataplane.command(said.command);
        teller.answer(said.said, true);
        break;
      case 'limit':
        try {
          const command = limits[names.indexOf(said.function)]?.change(said.function, said.set);
          if (command !== undefined) dataplane.command(command);
          teller.answer(said.said, true);
        } catch (error) {
          teller.answer((error as Error).message, false);
        }
        break;
      case 'show':
        teller.counters(dataplane.counters());
        break;
      case 'help':
        for (const text of CONTROL_HELP) teller.answer(text, true);
        break;
      case 'error':
        teller.answer(said.message, false);
    }
  });
  return () => lines.close();
}

/** Says what to do where a socket cannot be listened on; other errors stay as they are. */
function listenError(error: Error, functions: readonly ChosenFunction[]): Error {
  const path = functions.find(({ socket }) => error.message.includes(`(${socket})`))?.socket;
  if (path === undefined) return error;
  if (error.message.includes('EADDRINUSE'))
    return new UsageError(
      `${path}: something listens there already; end it, or choose another path`,
    );
  if (error.message.includes('ENOENT'))
    return new UsageError(`${path}: there is no such directory; make it, or choose another path`);
  return new UsageError(`${path}: it cannot be listened on (${error.message})`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Who wants cores: each guest as many as its type has virtual CPUs. */
function coresOf({ socket = [], type, workers }: NicOptions, vpc: VpcModel | null): Cores {
  const types = InstanceTypes.load();
  const guests = socket.map((_, i) => {
    const name = type ?? vpc?.instances[i]?.type;
    return name !== undefined && types.has(name) ? types.get(name).vcpus : assumedGuestCpus;
  });
  const guestCpus = guests.reduce((sum, cpus) => sum + cpus, 0);
  return usableCores(guestCpus, Math.min(workers, Math.max(1, guests.length)));
}

/** Of each socket, in their order: those of its type or instance, with what was set instead. */
function limitsOf(options: NicOptions, vpc: VpcModel | null): FunctionLimits[] {
  const { socket = [], type, limit: set = {}, limits: wanted, enaExpress } = options;
  const express = enaExpress !== undefined;
  const types = InstanceTypes.load();
  return socket.map((_, i) => {
    const instance = vpc?.instances[i];
    const name = type ?? instance?.type;
    const known = name !== undefined && types.has(name) ? types.get(name) : null;
    const own = wanted ? known : null;
    if (express && isModel(options.model)) refuseExpress(known, options.model);
    const placed = vpc !== null && instance !== undefined && isPlaced(vpc, instance.name);
    try {
      return new FunctionLimits(own, set, { placed, express });
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  });
}

function functionsOf(
  options: NicOptions,
  vpc: VpcModel | null,
  limits: readonly FunctionLimits[],
  cores: Cores,
): ChosenFunction[] {
  const { socket: sockets = [], mac: macs = [], access } = options;
  const { spoofchk, rateMbps, fabric, enaExpress } = options;
  const parent = parentOf(options);
  const { model } = options;
  if (!isModel(model))
    throw new UsageError(`there is no NIC model '${model}'; expected: ${modelNames.join(', ')}`);
  if (sockets.length === 0)
    throw new UsageError('no --socket was given; expected a path, like --socket vf0.sock');
  const { maxFunctions } = modelOf(model);
  if (sockets.length > maxFunctions)
    throw new UsageError(`${sockets.length} times --socket; expected at most ${maxFunctions}`);
  if (macs.length > sockets.length)
    throw new UsageError(`${macs.length} times --mac for ${sockets.length} times --socket`);
  const places = vpc === null ? [] : placesIn(vpc, options, model, sockets.length);
  const type = typeOf(options.type);
  const link = linkOf(options, model, type);
  const profile = profileNamed(options.profile, model, type);
  const requests = sockets.map((socket, i) => {
    const mac = macs[i];
    return {
      ...{ name: `vf${i}`, model, socket, ...link },
      ...(mac !== undefined && { mac }),
      ...places[i],
      ...(profile !== undefined && { profile }),
      access,
      ...(spoofchk !== undefined && { spoofCheck: spoofchk }),
      ...(parent !== undefined && { parent }),
      ...(rateMbps !== undefined && { rateMbps }),
      ...(fabric !== undefined && { fabric }),
      ...(enaExpress !== undefined && { express: expressOf(enaExpress) }),
      ...limits[i]?.spec(),
    };
  });
  try {
    return chooseFunctions(requests, vpc === null ? defaultNetwork : null, cores);
  } catch (error) {
    if (error instanceof FunctionError) throw new UsageError(error.message);
    throw error;
  }
}

/** What the instances of a VPC are as functions. */
function placesIn(vpc: VpcModel, options: NicOptions, model: ModelName, sockets: number): Place[] {
  const { mac, spoofchk, type, linkMbps } = options;
  if (mac !== undefined || spoofchk !== undefined)
    throw new UsageError(
      `${mac === undefined ? '--spoofchk' : '--mac'} and --vpc were both given; expected that in the file`,
    );
  const { instances } = vpc;
  if (sockets > instances.length)
    throw new UsageError(`${sockets} times --socket for ${instances.length} instances of the VPC`);
  const types = InstanceTypes.load();
  return instances.slice(0, sockets).map((instance) => {
    const { name } = instance;
    const at = model === 'efa' ? efaOf(vpc, name) : interfaceOf(vpc, name);
    const saysNothing = type === undefined && linkMbps === undefined;
    const own = saysNothing && types.has(instance.type) ? types.get(instance.type) : null;
    const address = firstAddress(at);
    return {
      ...{ name, mac: at.mac, ...(address !== '' && { address }) },
      ...(own !== null && hasNic(own, model) && specOfType(own, model)),
    };
  });
}

function efaOf(vpc: VpcModel, name: string): NetworkInterface {
  const at = findEfa(vpc, name);
  if (at !== undefined) return at;
  throw new UsageError(`${name} has no EFA; expected interface-type: efa or efa-only in its file`);
}

type Place = {
  readonly name: string;
  readonly mac: string;
  readonly address?: string;
} & Partial<Link>;

type Link = ReturnType<typeof specOfType>;

/** Link and queues: of the instance type, or as they were given. */
function linkOf(options: NicOptions, model: ModelName, type: InstanceType | null): Link {
  const { linkMbps } = options;
  const { title, defaultLinkMbps, defaultType } = modelOf(model);
  if (type === null) return { linkMbps: linkMbps ?? defaultLinkMbps };
  if (linkMbps !== undefined)
    throw new UsageError('--type and --link-mbps were both given; expected one of them');
  if (!hasNic(type, model))
    throw new UsageError(`${type.name} has no ${title}; expected a type like ${defaultType}`);
  return specOfType(type, model);
}

function typeOf(name: string | undefined): InstanceType | null {
  try {
    return name === undefined ? null : InstanceTypes.load().get(name);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function refuseExpress(type: InstanceType | null, model: ModelName): void {
  const problem = expressProblem(type, model);
  if (problem !== undefined) throw new UsageError(`--ena-express: ${problem}`);
}

/** `type` stands for that of the instance type's generation; other names are checked later. */
function profileNamed(
  profile: string | undefined,
  model: ModelName,
  type: InstanceType | null,
): string | undefined {
  if (profile !== PROFILE_OF_TYPE) return profile;
  if (type === null)
    throw new UsageError('--profile type was given without --type; expected both, or a name');
  const problem = profileProblem(profile, type, model);
  if (problem !== undefined) throw new UsageError(`--profile type: ${problem}`);
  return resolveProfile(profile, type, model);
}
