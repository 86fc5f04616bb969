/**
 * Guests with an ENA and an EFA each, as an instance with an interface of type `efa` has them: TCP by the
 * one, libfabric and MPI by the other. Their image has the stock `efa` driver, rdma-core, libfabric,
 * perftest and Open MPI.
 */
import { join } from 'node:path';
import { formatMac, parseMac } from '../../net/ethernet.ts';
import type { FaultSpec } from '../../srd/faults.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { defaultPlan } from '../../vpc/plan.ts';
import type { EthernetNetwork } from '../dataplane/config.ts';
import { Dataplane, type DataplaneEvent } from '../dataplane/dataplane.ts';
import type { Access } from '../dataplane/nic-model.ts';
import type { GuestImage } from '../guest/guest-image.ts';
import { startVm, type Vm } from '../guest/guest-vm.ts';
import type { Accelerator } from '../qemu/args.ts';
import type { QemuBinary } from '../qemu/binary.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../qemu/process.ts';
import { findEfa, firstAddress, interfaceOf } from '../vpc/members.ts';

export type HpcOptions = {
  /** 2 to 4; as many as the VPC has instances, if there is one. */
  readonly guests: number;
  readonly access?: Access;
  readonly profile?: string;
  readonly fabric?: FaultSpec;
  /** Its instances are the guests; an Ethernet if absent. */
  readonly vpc?: VpcModel;
  /** Tell about admin commands, resets and so on. */
  readonly trace?: boolean;
};

export type HpcTools = {
  readonly qemu: QemuBinary;
  readonly image: GuestImage;
  readonly accelerator: Accelerator;
};

/** What our MPI program says. */
export type MpiResult = {
  readonly ranks: number;
  /** Guests that they ran in. */
  readonly hosts: number;
  /** Values that were not what they should have been, of all ranks. */
  readonly wrong: number;
  readonly latencyUs: number;
  readonly bandwidthMBs: number;
};

export type MpiTransport = 'efa' | 'tcp';

export class HpcError extends Error {}

const firstMac = 0x02_00_00_00_00_01;
const firstEfaMac = 0x02_00_00_00_01_01;
const memoryMb = 1024;
const mpiTimeoutMs = 90_000;

const transports: Readonly<Record<MpiTransport, string>> = {
  efa: '-x FI_PROVIDER=efa --mca pml cm --mca mtl ofi --mca mtl_ofi_provider_include efa',
  tcp: '--mca pml ob1 --mca btl tcp,self',
};

type Member = {
  readonly name: string;
  readonly mac: string;
  readonly efaMac: string;
  readonly address: string;
};

export class HpcCluster {
  readonly vms: readonly Vm[];
  readonly events: readonly DataplaneEvent[];
  readonly #members: readonly Member[];
  readonly #dataplane: Dataplane;
  readonly #directory: string;

  private constructor(
    members: readonly Member[],
    vms: readonly Vm[],
    events: readonly DataplaneEvent[],
    dataplane: Dataplane,
    directory: string,
  ) {
    this.#members = members;
    this.vms = vms;
    this.events = events;
    this.#dataplane = dataplane;
    this.#directory = directory;
  }

  static async start(options: HpcOptions, tools: HpcTools, signal?: AbortSignal) {
    const { access, profile, fabric, vpc, trace = false } = options;
    const members = membersOf(options);
    const directory = temporaryDirectory();
    const socket = (name: string): string => join(directory, `${name}.sock`);
    const events: DataplaneEvent[] = [];
    const dataplane = await Dataplane.start(
      {
        functions: members.flatMap(({ name, mac, efaMac }) => [
          { name, model: 'ena' as const, socket: socket(name), mac, linkMbps: 12_500 },
          {
            ...{ name: `${name}-efa`, model: 'efa' as const, socket: socket(`${name}-efa`) },
            ...{ mac: efaMac, linkMbps: 100_000 },
            ...(access !== undefined && { access }),
            ...(profile !== undefined && { profile }),
            ...(fabric !== undefined && { fabric }),
          },
        ]),
        ...(vpc === undefined ? ethernetOf(members) : { vpc }),
        trace,
      },
      (event) => events.push(event),
    );
    const { qemu, image, accelerator } = tools;
    const started = members.map(({ name }) =>
      startVm({
        ...{ qemu, accelerator, name, image, memoryMb },
        nics: [name, `${name}-efa`].map((nic) => ({ kind: 'vfio-user', socket: socket(nic) })),
        ...(signal !== undefined && { signal }),
      }),
    );
    try {
      const vms = await Promise.all(started);
      const cluster = new HpcCluster(members, vms, events, dataplane, directory);
      await Promise.all(vms.map((vm) => cluster.#up(vm)));
      return cluster;
    } catch (error) {
      for (const one of await Promise.allSettled(started))
        if (one.status === 'fulfilled') await one.value.close();
      await dataplane.close();
      removeTemporaryDirectory(directory);
      throw error;
    }
  }

  /** An address by DHCP, the names of all, the driver, and somebody to start MPI's daemons. */
  async #up(vm: Vm): Promise<void> {
    await vm.dhcp(await vm.waitForDriver('ena'));
    const names = this.#members.map(({ name, address }) => `${address} ${name}\\n`).join('');
    await vm.run(
      `ip link set lo up && printf '${names}' >> /etc/hosts && mkdir -p /dev/shm &&
       mount -t tmpfs shm /dev/shm && modprobe ib_uverbs && modprobe efa &&
       { setsid virtfn-rsh serve > /tmp/rsh.log 2>&1 < /dev/null & }`,
    );
  }

  address(index: number): string {
    return this.#members[index]?.address ?? '';
  }

  /** Other rules for a VPC that runs. @throws HpcError with what is wrong */
  async setVpc(vpc: VpcModel): Promise<void> {
    const problems = await this.#dataplane.setVpc(vpc);
    if (problems.length > 0) throw new HpcError(problems.join('; '));
  }

  /** What our own side counts of a guest's EFA, also what its driver cannot show. */
  ownCounters(index: number): Readonly<Record<string, number>> {
    const counts = this.#dataplane.counters()[`${this.#members[index]?.name}-efa`];
    return { ...counts } as Record<string, number>;
  }

  /**
   * Runs our MPI program with `ranks` on each guest; `rounds` of its measurements.
   *
   * @throws HpcError with what MPI said
   */
  async mpi(transport: MpiTransport, ranks = 1, rounds = 100): Promise<MpiResult> {
    const command = this.mpiCommand(transport, ranks, String(rounds));
    const [first] = this.vms as readonly [Vm];
    const { stdout, stderr } = await first.exec(command, { timeoutMs: mpiTimeoutMs });
    const line = stdout.split('\n').find((text) => text.startsWith('{'));
    if (line === undefined) throw new HpcError(`MPI over ${transport}: ${stdout}${stderr}`);
    const result = JSON.parse(line) as MpiResult;
    if (result.hosts !== this.vms.length)
      throw new HpcError(`MPI ran in ${result.hosts} of ${this.vms.length} guests: ${stderr}`);
    return result;
  }

  /** What starts our MPI program with these arguments, in the first guest. */
  mpiCommand(transport: MpiTransport, ranks: number, args: string): string {
    const hosts = this.#members.map(({ name }) => `${name}:${ranks}`).join(',');
    return [
      `cd /tmp && HOME=/tmp timeout ${mpiTimeoutMs / 1000 - 10} mpirun --allow-run-as-root`,
      `-np ${ranks * this.vms.length} --host ${hosts} --map-by ppr:${ranks}:node --bind-to none`,
      `--prtemca plm_ssh_agent /usr/bin/virtfn-rsh ${transports[transport]} virtfn-mpi ${args}`,
    ].join(' ');
  }

  /** A guest's EFA counters, as its driver shows them. */
  async counters(index: number): Promise<Record<string, number>> {
    const directory = '/sys/class/infiniband/*/ports/1/hw_counters';
    const text = (await this.vms[index]?.run(`cd ${directory} && grep -H . *`)) ?? '';
    const lines = text.trim().split('\n');
    return Object.fromEntries(
      lines.map((line): [string, number] => {
        const [counter = '', value] = line.split(':');
        return [counter, Number(value)];
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.vms.map((vm) => vm.close()));
    await this.#dataplane.close();
    removeTemporaryDirectory(this.#directory);
  }
}

/** `a`, `b`, ..; or the instances of a VPC. Throws for an instance without EFA. */
function membersOf({ guests, vpc }: HpcOptions): readonly Member[] {
  if (vpc !== undefined)
    return vpc.instances.map(({ name }) => {
      const [at, efa] = [interfaceOf(vpc, name), findEfa(vpc, name)];
      if (efa === undefined) throw new HpcError(`the instance ${name} has no EFA`);
      return { name, mac: at.mac, efaMac: efa.mac, address: firstAddress(at) };
    });
  return Array.from({ length: guests }, (_, i) => ({
    name: String.fromCharCode(0x61 + i),
    ...{ mac: formatMac(firstMac + i), efaMac: formatMac(firstEfaMac + i) },
    address: `10.0.0.${10 + i}`,
  }));
}

function ethernetOf(members: readonly Member[]): EthernetNetwork {
  const leases = members.map(({ name, mac, address }) => {
    return { mac: parseMac(mac), address, hostname: name };
  });
  return { plan: { ...defaultPlan, leases } };
}
