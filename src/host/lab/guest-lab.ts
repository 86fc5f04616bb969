/** The lab with real guests: QEMU machines whose only NIC is a function that we serve. */
import { join } from 'node:path';
import { controlled } from '../control/controlled.ts';
import { openControl } from '../control/server.ts';
import { Dataplane } from '../dataplane/dataplane.ts';
import { modelOf } from '../dataplane/models.ts';
import { GuestError } from '../guest/agent.ts';
import { startVm, type Vm } from '../guest/guest-vm.ts';
import { type ChosenFunction, dataplaneConfig } from '../nic/functions.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../qemu/process.ts';
import type { Door, LabContext, LabRun } from './context.ts';
import { openDoor } from './door.ts';
import { guestBench, startServer } from './guest-bench.ts';
import { cpusOf, functionsOf } from './instances.ts';
import { type LabTools, prepareTools } from './lab-tools.ts';
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
  observer.step(`Waiting for ${driversOf(prepared)}, the link and an address`);
  const members = await Promise.all(
    vms.map((vm, i) => enter(vm, prepared.instances[i], prepared.functions[i])),
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
  observer.detail(comparison.map(({ nic }) => nic).join(', '));
  const [from, to] = members as [Member, Member];
  const { mtu, rounds, seconds, pings } = topology.measure;
  return {
    report: {
      machine: { ...hostFacts(), ...tools.facts, guest_kernel: from.facts.kernel },
      instances: members.map(({ facts }) => facts),
      measured: {
        ...{ from: from.facts.name, to: to.facts.name, transport: 'tcp' },
        ...{ rounds, seconds, pings, mtu },
      },
      comparison,
      notes,
    },
    doors: await openDoors(context, members, prepared.directory),
  };
}

/** Chooses what the topology leaves open. */
function prepare({ topology, cleanup }: LabContext): Prepared {
  const directory = temporaryDirectory();
  cleanup.defer(() => removeTemporaryDirectory(directory));
  const cpus = cpusOf(topology);
  return {
    directory,
    functions: functionsOf(topology, directory),
    instances: topology.instances.map((instance, i) => ({ ...instance, cpus: cpus[i] ?? 1 })),
  };
}

async function startDataplane(context: LabContext, prepared: Prepared): Promise<void> {
  const { functions, directory } = prepared;
  const { topology, cleanup, fail, observer } = context;
  const config = dataplaneConfig(functions, { network: topology.network });
  const dataplane = await Dataplane.start(config, (event) => {
    if (event.kind === 'refusal')
      observer.note(`${event.function}: refused ${event.rule}: ${event.detail}`);
  });
  cleanup.defer(() => dataplane.close());
  dataplane.ended().catch(fail);
  cleanup.defer(await openControl(controlled(dataplane, { kind: 'lab', functions }), directory));
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
      hotplugPorts: topology.measure.compare.length,
      ...(memoryMb !== undefined && { memoryMb }),
    });
    cleanup.defer(async () => (await vm).close());
    return vm;
  });
  return Promise.all(boots);
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
