/** The lab with real guests: QEMU machines whose only NIC is a function that we serve. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { Dataplane } from '../dataplane/dataplane.ts';
import { chooseAccelerator } from '../guest/accelerator.ts';
import { GuestError } from '../guest/agent.ts';
import { startVm, type Vm } from '../guest/guest-vm.ts';
import { ensureTools } from '../guest/tools.ts';
import { type ChosenFunction, chooseFunctions, dataplaneConfig } from '../nic/functions.ts';
import { cacheDirectory } from '../packages/cache.ts';
import { chooseRecipe } from '../packages/sets.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../qemu/process.ts';
import { guestBench, startServer } from './guest-bench.ts';
import type { LabContext, LabRun } from './lab.ts';
import { hostFacts, ownCpuSeconds, waitUntilQuiet } from './machine.ts';
import { type Bench, measureAll } from './measure.ts';
import { plugPair } from './plugged-pair.ts';
import type { InstanceFacts } from './report.ts';
import type { Instance } from './topology.ts';

type Prepared = {
  readonly instances: readonly (Instance & { cpus: number })[];
  readonly functions: readonly ChosenFunction[];
  readonly directory: string;
};

/** A guest that is on the network. */
type Member = { readonly vm: Vm; readonly interface: string; readonly facts: InstanceFacts };

export async function runGuestLab(context: LabContext): Promise<LabRun> {
  const { topology, observer, signal } = context;
  const tools = await prepareTools(context);
  const prepared = prepare(context);
  await startDataplane(context, prepared);
  const vms = await boot(context, prepared, tools);
  observer.step('Waiting for the ena driver, its link and an address');
  const members = await Promise.all(
    vms.map((vm, i) => join_(vm, prepared.instances[i], prepared.functions[i])),
  );
  observer.detail(members.map(({ facts }) => `${facts.name} ${facts.address}`).join(', '));
  signal.throwIfAborted();

  const meter = (): number => vms.reduce((sum, vm) => sum + vm.cpuSeconds(), ownCpuSeconds());
  const benches = await prepareBenches(context, members, prepared.directory, meter);
  observer.step('Measuring');
  const notes = await settle(context, meter);
  const comparison = await measureAll(benches, topology.measure, {
    isFailure: (error) => error instanceof GuestError && !signal.aborted,
    onRun: (text, fraction) => observer.detail(text, fraction),
  });
  observer.detail(`${topology.measure.rounds} rounds`);
  const [from, to] = members as [Member, Member];
  const { mtu, rounds, seconds, pings } = topology.measure;
  return {
    report: {
      machine: { ...hostFacts(), ...tools.facts, guest_kernel: from.facts.kernel },
      instances: members.map(({ facts }) => facts),
      measured: { from: from.facts.name, to: to.facts.name, rounds, seconds, pings, mtu },
      comparison,
      notes,
    },
    doors: [],
  };
}

type PreparedTools = Awaited<ReturnType<typeof prepareTools>>;

/** QEMU, a guest image per instance, and whether KVM works. */
async function prepareTools(context: LabContext) {
  const { topology, observer, signal, cleanup } = context;
  observer.step('Getting QEMU and the guests ready');
  const progress = (step: string, fraction: number | undefined, text: string): void =>
    observer.detail(`${step}: ${text}`, fraction);
  const fallback = topology.instances.some(({ kernel }) => kernel === undefined)
    ? Object.keys(chooseRecipe().recipe.sets.kernels)[0]
    : undefined;
  const kernelOf = ({ kernel = fallback ?? '' }: Instance): string => kernel;
  const kernels = [...new Set(topology.instances.map(kernelOf))];
  const work = ensureTools({ kernels, progress, signal });
  cleanup.defer(async () => void (await work)); // it removes what is half done
  const { qemu, guestImages } = await work;
  const imageOf = (instance: Instance) => {
    const image = guestImages[kernels.indexOf(kernelOf(instance))];
    if (image === undefined) throw new Error('unreachable: an image per kernel');
    return image;
  };
  const [first] = topology.instances as [Instance];
  const choice = await chooseAccelerator(context.accelerator, {
    ...{ qemu, image: imageOf(first), cache: cacheDirectory(), progress },
  });
  signal.throwIfAborted();
  const how = choice.accelerator === 'kvm' ? 'KVM' : 'emulated (no KVM)';
  observer.detail(`QEMU ${qemu.version}, ${how}, Linux ${imageOf(first).kernelVersion}`);
  return {
    ...{ qemu, imageOf, accelerator: choice.accelerator },
    facts: {
      qemu: qemu.version,
      accelerator: choice.accelerator,
      accelerator_reason: choice.reason,
    },
  };
}

/** Chooses what the topology leaves open. */
function prepare({ topology, cleanup }: LabContext): Prepared {
  const directory = temporaryDirectory();
  cleanup.defer(() => removeTemporaryDirectory(directory));
  const types = InstanceTypes.load();
  const { instances, network } = topology;
  const share = Math.max(1, Math.floor((cpus().length - 1) / instances.length));
  const functions = chooseFunctions(
    instances.map(({ name, type, mac, address }) => {
      const { queues } = types.get(type);
      return {
        ...{ name, socket: join(directory, `${name}.sock`), linkMbps: types.linkMbps(type) },
        ...(mac !== undefined && { mac }),
        ...(address !== undefined && { address }),
        ...(queues !== null && { queuePairs: queues }),
      };
    }),
    network,
  );
  return {
    directory,
    functions,
    instances: instances.map((instance) => {
      return {
        ...instance,
        cpus: instance.cpus ?? Math.min(types.get(instance.type).vcpus, share),
      };
    }),
  };
}

async function startDataplane(context: LabContext, { functions }: Prepared): Promise<void> {
  const { topology, cleanup, fail, observer } = context;
  const config = dataplaneConfig(functions, { network: topology.network });
  const dataplane = await Dataplane.start(config, (event) => {
    if (event.kind === 'refusal')
      observer.note(`${event.function}: refused ${event.rule}: ${event.detail}`);
  });
  cleanup.defer(() => dataplane.close());
  dataplane.ended().catch(fail);
}

/** All guests at once. */
async function boot(
  { cleanup, signal, observer, topology }: LabContext,
  { functions, instances }: Prepared,
  { qemu, imageOf, accelerator }: PreparedTools,
): Promise<Vm[]> {
  observer.step(`Booting ${instances.map(({ name }) => name).join(', ')}`);
  const boots = instances.map((instance, i) => {
    const { name, cpus, memoryMb } = instance;
    const vm = startVm({
      ...{ qemu, accelerator, name, cpus, image: imageOf(instance), signal },
      nics: [{ kind: 'vfio-user', socket: functions[i]?.socket ?? '' }],
      hotplugPorts: topology.measure.compare.length,
      ...(memoryMb !== undefined && { memoryMb }),
    });
    cleanup.defer(async () => (await vm).close());
    return vm;
  });
  return Promise.all(boots);
}

/** Waits until a guest's driver is up, gets it an address, and asks what it sees. */
async function join_(
  vm: Vm,
  instance: (Instance & { cpus: number }) | undefined,
  fn: ChosenFunction | undefined,
): Promise<Member> {
  if (instance === undefined || fn === undefined) throw new Error('unreachable: one per instance');
  const driver = instance.nic;
  const name = await vm.waitForDriver(driver);
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
      ...{ kernel: vm.kernelVersion, cpus: instance.cpus },
    },
  };
}

/** The function's own bench, and one for each NIC to compare it with. */
async function prepareBenches(
  { topology, observer, signal }: LabContext,
  members: readonly Member[],
  directory: string,
  meter: () => number,
): Promise<Bench[]> {
  const { mtu, compare } = topology.measure;
  const [from, to] = members as [Member, Member];
  const measured = [from, to];
  await startServer(to.vm);
  for (const { vm, interface: name } of measured)
    await vm.run(`ip link set dev ${name} mtu ${mtu}`);
  const { nic, driver, link_mbps: linkMbps } = from.facts;
  const own = {
    ...{ nic, driver, linkMbps, from: from.vm, to: to.vm, address: to.facts.address },
  };
  const pairs = [own];
  for (const [index, model] of compare.entries()) {
    observer.step(`Plugging QEMU's ${model} into ${from.vm.name} and ${to.vm.name}`);
    const path = join(directory, `${model}.sock`);
    pairs.push(await plugPair(model, { from: from.vm, to: to.vm, path, index, mtu }));
    signal.throwIfAborted();
  }
  return pairs.map((pair) => guestBench(pair, meter));
}

/** Waits until the guests are idle; tells when the machine is not. */
async function settle({ observer, signal }: LabContext, meter: () => number): Promise<string[]> {
  observer.detail('waiting until the guests are idle');
  const { own, others } = await waitUntilQuiet(meter, 4000, signal);
  const notes: string[] = [];
  if (others > 0.15)
    notes.push(
      `Other programs used ${Math.round(others * 100)} % of this machine before the measurement: the numbers are lower than they could be.`,
    );
  if (own > 0.5) notes.push('The guests were not idle before the measurement.');
  for (const note of notes) observer.note(note);
  return notes;
}
