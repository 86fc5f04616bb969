/** The lab with real guests: QEMU machines whose only NIC is a function that we serve. */
import { type ControlledOptions, controlled } from '../control/controlled.ts';
import { openControl } from '../control/server.ts';
import { Dataplane } from '../dataplane/dataplane.ts';
import { modelOf } from '../dataplane/models.ts';
import { GuestError } from '../guest/agent.ts';
import { startVm, type Vm } from '../guest/guest-vm.ts';
import { accessReason, usableCores } from '../nic/access.ts';
import { type ChosenFunction, dataplaneConfig } from '../nic/functions.ts';
import type { OutsideConfig } from '../outside/config.ts';
import { openOutside } from '../outside/open.ts';
import { cacheDirectory } from '../packages/cache.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../qemu/process.ts';
import type { Ec2Machine } from '../qemu/smbios.ts';
import type { Door, LabContext, LabRun } from './context.ts';
import { openDoor } from './door.ts';
import { cpusOf, functionsOf } from './instances.ts';
import { type LabTools, prepareTools } from './lab-tools.ts';
import { exceededLimits } from './limits.ts';
import { LiveVpc } from './live-vpc.ts';
import { hostFacts, ownCpuSeconds } from './machine.ts';
import type { Reachability } from './report.ts';
import { type Member, measureSpeed } from './speed.ts';
import type { Instance, Topology } from './topology.ts';

type Prepared = {
  readonly instances: readonly (Instance & { cpus: number })[];
  readonly functions: readonly ChosenFunction[];
  readonly directory: string;
  /** Why doorbells are rung as they are; null where the topology says how. */
  readonly accessReason: string | null;
};

export async function runGuestLab(context: LabContext): Promise<LabRun> {
  const { topology, observer, signal } = context;
  const tools = await prepareTools(context);
  const prepared = prepare(context);
  const live = topology.vpc === undefined ? null : new LiveVpc(topology.vpc);
  const dataplane = await startDataplane(context, prepared, live);
  const vms = await boot(context, prepared, tools);
  observer.step(`Waiting for ${driversOf(prepared)}, the link and an address`);
  const members = await Promise.all(
    vms.map((vm, i) => enter(vm, prepared.instances[i], prepared.functions[i])),
  );
  observer.detail(members.map(({ facts }) => `${facts.name} ${facts.address}`).join(', '));
  signal.throwIfAborted();

  const reachability = await measureReach(context, members, live);
  const meter = (): number => vms.reduce((sum, vm) => sum + vm.cpuSeconds(), ownCpuSeconds());
  const speed = topology.measuresSpeed
    ? await measureSpeed(context, members, prepared.directory, meter)
    : { measured: null, comparison: [], notes: [] };
  const notes = exceededLimits(topology, dataplane.counters());
  for (const note of notes) observer.note(note);
  const { kernel } = (members[0] as Member).facts;
  return {
    report: {
      machine: {
        ...{ ...hostFacts(), ...tools.facts, guest_kernel: kernel },
        access_reason: prepared.accessReason,
      },
      instances: members.map(({ facts }) => facts),
      reachability,
      ...speed,
      notes: [...speed.notes, ...notes],
    },
    doors: await openDoors(context, members, prepared.directory),
  };
}

/** What the instances of a VPC reach; null without a VPC. */
async function measureReach(
  { observer, signal }: LabContext,
  members: readonly Member[],
  live: LiveVpc | null,
): Promise<Reachability | null> {
  if (live === null) return null;
  observer.step('Asking each instance what it reaches');
  await live.enter(members);
  const reachability = await live.reach();
  signal.throwIfAborted();
  const reached = reachability.probes.filter((probe) => probe.reached).length;
  observer.detail(`${reached} of ${reachability.probes.length} questions were answered`);
  return reachability;
}

/** Chooses what the topology leaves open. */
function prepare({ topology, cleanup, workers = 1 }: LabContext): Prepared {
  const directory = temporaryDirectory();
  cleanup.defer(() => removeTemporaryDirectory(directory));
  const { instances } = topology;
  const cpus = cpusOf(topology);
  const guestCpus = cpus.reduce((sum, count) => sum + count, 0);
  const cores = usableCores(guestCpus, Math.min(workers, instances.length));
  const isOpen = instances.some(({ access = 'auto' }) => access === 'auto');
  return {
    directory,
    accessReason: isOpen ? accessReason(cores) : null,
    functions: functionsOf(topology, directory, cores),
    instances: instances.map((instance, i) => ({ ...instance, cpus: cpus[i] ?? 1 })),
  };
}

async function startDataplane(
  context: LabContext,
  prepared: Prepared,
  live: LiveVpc | null,
): Promise<Dataplane> {
  const { functions, directory } = prepared;
  const { topology, cleanup, fail, observer, pcap, workers = 1, fastPath = 'auto' } = context;
  const { network, vpc, resolver } = topology;
  const outside = await openLabOutside(context);
  const config = dataplaneConfig(functions, {
    ...(vpc === undefined ? { network, workers } : { vpc, workers }),
    fastPath,
    ...(outside !== undefined && { outside }),
    ...(resolver !== undefined && { resolver }),
    ...(pcap !== undefined && { pcap }),
  });
  const dataplane = await Dataplane.start(config, (event) => {
    if (event.kind === 'refusal')
      observer.note(`${event.function}: refused ${event.rule}: ${event.detail}`);
  });
  cleanup.defer(() => dataplane.close());
  dataplane.ended().catch(fail);
  const of: ControlledOptions = {
    ...{ kind: 'lab', functions },
    ...live?.control((text) => observer.note(text)),
  };
  cleanup.defer(await openControl(controlled(dataplane, of), directory));
  return dataplane;
}

/** What the topology wants to lie outside of its VPC, until the lab ends. */
async function openLabOutside(context: LabContext): Promise<OutsideConfig | undefined> {
  const { topology, observer, cleanup, signal } = context;
  if (topology.outside === undefined) return undefined;
  const progress = (step: string, fraction: number | undefined, text: string): void =>
    observer.detail(`${step}: ${text}`, fraction);
  const { config, close } = await openOutside(topology.outside, {
    ...{ cache: cacheDirectory(), progress, signal },
  });
  cleanup.defer(close);
  return config;
}

/** For people: the stock drivers of the functions. */
const driversOf = ({ instances }: Prepared): string =>
  [...new Set(instances.map(({ nic }) => modelOf(nic).driver))].join(', ');

/** All guests at once. */
async function boot(
  { cleanup, signal, observer, topology }: LabContext,
  { functions, instances }: Prepared,
  { qemu, images, accelerator }: LabTools,
): Promise<Vm[]> {
  observer.step(`Booting ${instances.map(({ name }) => name).join(', ')}`);
  const boots = instances.map(({ name, cpus, memoryMb }, i) => {
    const image = images[i];
    if (image === undefined) throw new Error('unreachable: an image per instance');
    const vm = startVm({
      ...{ qemu, accelerator, name, cpus, image, signal },
      nics: [{ kind: 'vfio-user', socket: functions[i]?.socket ?? '' }],
      hotplugPorts: topology.measuresSpeed ? topology.measure.compare.length : 0,
      ...(memoryMb !== undefined && { memoryMb }),
      ...ec2MachineOf(topology, name),
    });
    cleanup.defer(async () => (await vm).close());
    return vm;
  });
  return Promise.all(boots);
}

/** In a VPC a machine is an instance, and its firmware says so. */
function ec2MachineOf({ vpc }: Topology, name: string): { ec2?: Ec2Machine } {
  const instance = vpc?.instances.find((one) => one.name === name);
  return instance === undefined ? {} : { ec2: { instance: instance.id, type: instance.type } };
}

/** Waits until a guest's driver is up, gets it an address, and asks what it sees. */
async function enter(
  vm: Vm,
  instance: (Instance & { cpus: number }) | undefined,
  fn: ChosenFunction | undefined,
): Promise<Member> {
  if (instance === undefined || fn === undefined) throw new Error('unreachable: one per instance');
  const name = await vm.waitForDriver(modelOf(instance.nic).driver);
  const leased = await vm.dhcp(name);
  const [found, info] = await Promise.all([
    vm.interfaces().then((all) => all.find((one) => one.name === name)),
    vm.run(`ethtool -i ${name}`),
  ]);
  if (found === undefined) throw new GuestError(`${vm.name} has lost its interface ${name}.`);
  return {
    vm,
    interface: name,
    facts: {
      ...{ name: vm.name, type: instance.type, nic: instance.nic, driver: found.driver },
      driver_version: /^version: (.*)$/m.exec(info)?.[1] ?? '',
      ...{ interface: name, pci: found.pci, mac: found.mac },
      link_mbps: found.speedMbps > 0 ? found.speedMbps : null,
      ...{ address: leased.replace(/\/.*/, ''), mtu: found.mtu },
      ...{ kernel: vm.kernelVersion, cpus: instance.cpus, access: fn.access },
    },
  };
}

/** A way into each guest, for as long as the lab is kept. */
async function openDoors(
  { cleanup }: LabContext,
  members: readonly Member[],
  directory: string,
): Promise<Door[]> {
  const doors: Door[] = [];
  for (const { vm, facts } of members) {
    const { socket, close } = await openDoor(vm, directory);
    cleanup.defer(close);
    doors.push({ name: facts.name, address: facts.address, socket });
  }
  return doors;
}
