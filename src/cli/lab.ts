/** `virtfn lab`: boots a topology's guests on functions that it serves, measures, and compares. */
import { readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { type Command, Option } from 'commander';
import { FAST_PATH_HELP } from '../host/dataplane/linear.ts';
import { maxWorkers, WORKERS_HELP } from '../host/dataplane/placement.ts';
import { type Lab, startLab } from '../host/lab/lab.ts';
import { shownLimits } from '../host/lab/limits.ts';
import { isComplete } from '../host/lab/report.ts';
import { defaultTopology, type Topology } from '../host/lab/topology.ts';
import { TopologyError } from '../host/lab/topology-error.ts';
import { ACCESS_CHOICES, type AccessChoice } from '../host/nic/access.ts';
import { profileProblem } from '../host/nic/of-type.ts';
import { parseLab } from '../host/vpc/load.ts';
import { hasEfa } from '../vpc/check-efa.ts';
import { InstanceTypes } from '../vpc/instance-types.ts';
import { EXIT_INTERRUPTED, interruptible } from './interrupt.ts';
import { renderReport } from './lab-report.ts';
import { renderLimits } from './limits-report.ts';
import { Steps } from './steps.ts';
import { renderTable } from './table.ts';
import { paintFor, widthOf } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { whole } from './whole.ts';

type LabOptions = {
  json?: boolean;
  keep?: boolean;
  image?: string;
  kernel?: string;
  pcap?: string;
  workers: number;
  fastPath: boolean;
  profile?: string;
  access?: AccessChoice;
  accel: 'auto' | 'kvm' | 'tcg';
  guest: 'linux' | 'reference';
  compare: boolean;
  limits: boolean;
  showLimits?: boolean;
};

const help = `
A topology is YAML:
  network:            optional; or a VPC instead:
    router: 10.0.0.1/16   the switch's address and the network's prefix
    mtu: 9001             what DHCP says
  vpc:                subnets, groups, acls, routes, ...: see examples/three-tier-vpc.yaml
  outside: passt      where a VPC's gateways lead to; { tun: NAME } for a TUN device
  resolver: 192.0.2.53  whom a VPC's resolver asks about names outside; nobody unless told
  instances:          two or more, by name; traffic is measured from the first to the second
    NAME:               {} will do
      type: c6i.large     an EC2 instance type: link speed, queues, and limits of its network
      nic: ena            the NIC's model
      kernel: "6.12"      a series of the distribution, or a path (with image)
      image: disk.qcow2   a cloud image of your own, qcow2 or raw; nothing is written to it
      mac, address        chosen if absent
      profile: nitro-v5   generation of the card; type: that of the instance type; large-receive:
                          bulk TCP at its fastest, for guests that forward nothing
      access: auto        how the guest rings doorbells: posted, llq or polled; auto: polled
                          where the machine has a core to spare for it
      ena-express: tcp    ENA Express, for types that have it; udp: for UDP too
      limits: none        or others than the type's: { bandwidthGbps: 0.2, packetsPerSecond: 10000 }
      memory, cpus        MiB and number; of the lab's guest, not the type's
  measure:            optional
    mtu: 1500             of every NIC that is measured
    rounds: 3             NICs take turns; the median counts
    seconds: 1            per TCP and UDP run
    pings: 250            per round
    compare: [82599vf, e1000e, virtio]   ena, ena-whole, igb, virtio-dgram too
examples/two-instances.yaml has it with comments, and is what runs without a file. In a VPC the lab
asks each instance what it reaches, with real packets, and shows that beside what the rules say;
speed is measured there when the file has a measure section. While a lab is kept, virtfn vpc changes
its rules, virtfn trace shows each packet's verdict, and virtfn shell runs commands in its guests.

Examples:
  $ virtfn lab
  $ virtfn lab examples/two-instances.yaml --keep
  $ virtfn lab examples/three-tier-vpc.yaml --keep
  $ virtfn lab --json | jq .comparison
  $ virtfn lab --profile large-receive    bulk TCP with segments kept together: see the ENA README
  $ virtfn lab --guest reference          no QEMU: guests in this process`;

export function defineLab(command: Command, exit: (code: number) => void): void {
  command
    .description(
      'Boots unmodified Linux guests whose only NIC is a function that we serve, waits for their ' +
        "driver, measures between two of them, and compares with another model's and with QEMU's " +
        'own NICs in the same guests. ' +
        'What is missing (QEMU, kernel, tools) is fetched once from your distribution and cached.',
    )
    .argument(
      '[topology]',
      'a topology file, or the model of a VPC as JSON; two c6i.large instances if absent',
    )
    .option('--json', 'print one JSON document on stdout (progress goes to stderr)')
    .option('--keep', 'keep the guests running after the table, until Ctrl-C')
    .option('--workers <n>', WORKERS_HELP, whole(1, maxWorkers), 1)
    .option('--no-fast-path', FAST_PATH_HELP)
    .option(
      '--pcap <file>',
      "capture all frames, with the verdict as each packet's comment (pcapng)",
    )
    .option('--image <path>', 'boot this cloud image (qcow2 or raw) in every instance')
    .option('--kernel <series>', "a kernel series, like 7; or a kernel's path, with --image")
    .option(
      '--profile <name>',
      "every function's generation, like nitro-v5; type: that of its instance type",
    )
    .addOption(
      new Option(
        '--access <how>',
        'how guests ring doorbells; auto: by the cores there are',
      ).choices(ACCESS_CHOICES),
    )
    .addOption(accelOption())
    .addOption(
      new Option('--guest <kind>', 'linux in QEMU; or reference: drivers in this process')
        .choices(['linux', 'reference'])
        .default('linux'),
    )
    .option('--no-compare', 'leave other NICs out')
    .option('--no-limits', 'instances may use the network as fast as this machine can')
    .option('--show-limits', "print each instance's limits, with how each is known")
    .addHelpText('after', help)
    .action(async (file: string | undefined, options: LabOptions) => {
      if (options.pcap !== undefined && options.guest === 'reference')
        throw new UsageError('--pcap captures what virtual machines send; expected --guest linux');
      if (options.workers > 1 && options.guest === 'reference')
        throw new UsageError('--workers spreads virtual machines; expected --guest linux');
      const topology = topologyOf(file, options);
      if (options.showLimits) showLimits(topology);
      const steps = new Steps();
      const onFirst = (): void => {
        steps.stopped();
        process.stderr.write('Interrupted: cleaning up. (Ctrl-C again: at once.)\n');
      };
      exit(await interruptible((signal) => runLab(topology, options, steps, signal), { onFirst }));
    });
}

/** On stderr, where everything is that is not the result. */
function showLimits(topology: Topology): void {
  const say = (line: string): boolean => process.stderr.write(`${line}\n`);
  for (const { name, type, limits } of shownLimits(topology, InstanceTypes.load())) {
    say(`${name}  ${type}`);
    for (const line of renderLimits(limits, widthOf(process.stderr))) say(line);
  }
}

function accelOption(): Option {
  return new Option('--accel <kind>', 'kvm, tcg (emulated), or auto: KVM where a guest boots on it')
    .choices(['auto', 'kvm', 'tcg'])
    .default('auto');
}

async function runLab(
  topology: Topology,
  options: LabOptions,
  steps: Steps,
  signal: AbortSignal,
): Promise<number> {
  let lab: Lab;
  try {
    lab = await startLab({
      ...{ topology, accelerator: options.accel, guest: options.guest, signal },
      workers: options.workers,
      fastPath: options.fastPath ? 'auto' : 'off',
      ...(options.pcap !== undefined && { pcap: options.pcap }),
      observer: steps,
    });
  } catch (error) {
    steps.failed();
    throw error;
  }
  try {
    steps.done();
    print(lab, options.json ?? false);
    if (options.keep) return await keep(lab, signal);
    steps.step('Cleaning up');
  } finally {
    await lab.close();
    steps.done();
  }
  if (signal.aborted) return EXIT_INTERRUPTED;
  return isComplete(lab.report) ? 0 : 1;
}

function print({ report }: Lab, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(report, null, 2));
    return;
  }
  console.log('');
  for (const line of renderReport(report, widthOf(process.stdout), paintFor(process.stdout)))
    console.log(line);
  console.log('');
}

/** Until Ctrl-C, which is how it is meant to end. */
async function keep(lab: Lab, signal: AbortSignal): Promise<number> {
  const stop = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  for (const line of renderKept(lab)) process.stderr.write(`${line}\n`);
  await Promise.race([stop, lab.broken.catch((error) => signal.aborted || Promise.reject(error))]);
  return 0;
}

/** What a person can do with a lab that is kept, in other terminals. */
function renderKept({ doors, report }: Lab): string[] {
  if (doors.length === 0) return ['The guests keep running. Stop with Ctrl-C.'];
  const self = invocation();
  const columns = ['In other terminals', ''].map((title) => ({ title, align: 'left' as const }));
  const rules = ['other rules', `${self} vpc apply FILE --reach`];
  const rows = [
    ...doors.map(({ name, address }) => [`${name} ${address}`, `${self} shell ${name}`]),
    ['what is lost, and why', `${self} trace --dropped`],
    ...(report.reachability === null ? [] : [rules]),
  ];
  return [...renderTable(columns, rows), 'The guests keep running. Stop with Ctrl-C.'];
}

/** How this program was called, for a person to call it again. */
function invocation(): string {
  const script = process.argv[1] ?? '';
  return basename(script) === 'virtfn' ? 'virtfn' : `node ${relative('.', script)}`;
}

/** The file's topology, or the built-in one, with what the options say over it. */
function topologyOf(file: string | undefined, options: LabOptions): Topology {
  const types = InstanceTypes.load();
  const topology = file === undefined ? defaultTopology(types) : readTopology(file, types);
  const { image, kernel, profile, access, compare } = options;
  for (const { name, type, nic } of profile === undefined ? [] : topology.instances) {
    const problem = profileProblem(profile ?? '', types.get(type), nic);
    if (problem !== undefined) throw new UsageError(`--profile ${profile} for ${name}: ${problem}`);
  }
  return {
    ...topology,
    instances: topology.instances.map((instance) => {
      return {
        ...instance,
        ...(image !== undefined && { image }),
        ...(kernel !== undefined && { kernel }),
        ...(profile !== undefined && { profile }),
        ...(access !== undefined && { access }),
        ...(!options.limits && { limits: null }),
      };
    }),
    measure: { ...topology.measure, ...(compare ? {} : { compare: [] }) },
  };
}

function readTopology(file: string, types: InstanceTypes): Topology {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    throw new UsageError(`${file}: ${why}; expected a topology like examples/two-instances.yaml`);
  }
  try {
    const topology = parseLab(source, file, types);
    const efa = topology.vpc?.interfaces.find(hasEfa);
    if (efa !== undefined)
      throw new UsageError(
        `${file}: ${efa.id} is an EFA, which \`virtfn hpc ${file}\` boots guests for`,
      );
    return topology;
  } catch (error) {
    if (error instanceof TopologyError) throw new UsageError(error.message);
    throw error;
  }
}
