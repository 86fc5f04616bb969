/**
 * Two guests on a data plane of their own: what most guest tests start from. Where QEMU or the
 * guests cannot be had, tests are skipped with the reason; in CI that is a failure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Dataplane, type DataplaneEvent } from '../../src/host/dataplane/dataplane.ts';
import { type ModelName, modelOf } from '../../src/host/dataplane/models.ts';
import type { FunctionSpec } from '../../src/host/dataplane/nic-model.ts';
import type { ExtraFile } from '../../src/host/guest/guest-image.ts';
import { startVm, type Vm } from '../../src/host/guest/guest-vm.ts';
import { ensureTools, type Tools } from '../../src/host/guest/tools.ts';
import type { OutsideConfig } from '../../src/host/outside/config.ts';
import { parseMac } from '../../src/net/ethernet.ts';
import type { VpcModel } from '../../src/vpc/model.ts';
import { defaultPlan } from '../../src/vpc/plan.ts';

export const kernels = ['6.12', '7'] as const;

const hosts = [
  { name: 'a', mac: '02:00:00:00:00:0a', address: '10.0.0.10' },
  { name: 'b', mac: '02:00:00:00:00:0b', address: '10.0.0.11' },
] as const;

export type Host = (typeof hosts)[number]['name'];

export type PairOptions = {
  /** Series of the guests' kernel. */
  readonly kernel: string;
  readonly cpus?: number;
  readonly profile?: string;
  readonly queuePairs?: number;
  /** Of the data plane; 1 if absent. */
  readonly workers?: number;
  /** A VPC with an instance `a` and an instance `b`; an Ethernet with DHCP if absent. */
  readonly vpc?: VpcModel;
  /** What lies outside of the VPC. */
  readonly outside?: OutsideConfig;
  /** Of both, or of each. */
  readonly model?: ModelName | Readonly<Record<Host, ModelName>>;
  readonly more?: Partial<FunctionSpec>;
};

/** Where a guest is on its network. */
type Place = { readonly name: Host; readonly mac: string; readonly address: string };

export class Pair {
  readonly events: DataplaneEvent[] = [];
  readonly vms: Record<Host, Vm>;
  readonly dataplane: Dataplane;
  readonly #directory: string;
  readonly #tools: Tools;
  readonly #options: PairOptions;
  readonly #places: readonly Place[];

  private constructor(
    options: PairOptions,
    tools: Tools,
    directory: string,
    dataplane: Dataplane,
    vms: Record<Host, Vm>,
  ) {
    this.#options = options;
    this.#places = placesOf(options);
    this.#tools = tools;
    this.#directory = directory;
    this.dataplane = dataplane;
    this.vms = vms;
    dataplane.listen((event) => this.events.push(event));
  }

  static async start(options: PairOptions, tools: Tools): Promise<Pair> {
    const directory = mkdtempSync(join(tmpdir(), 'virtfn-test-'));
    const { profile, queuePairs, vpc, outside, workers = 1 } = options;
    const places = placesOf(options);
    const leases = places.map(({ name, mac, address }) => {
      return { mac: parseMac(mac), address, hostname: name };
    });
    const network = { plan: { ...defaultPlan, leases } } as const;
    const dataplane = await Dataplane.start({
      functions: places.map(({ name, mac }) => ({
        name,
        model: modelOfHost(options, name),
        socket: join(directory, `${name}.sock`),
        mac,
        linkMbps: modelOf(modelOfHost(options, name)).defaultLinkMbps,
        ...(profile === undefined ? {} : { profile }),
        ...(queuePairs === undefined ? {} : { queuePairs }),
        ...options.more,
      })),
      ...(vpc === undefined ? network : { vpc, ...(outside !== undefined && { outside }) }),
      ...{ workers, trace: false },
    });
    try {
      const [a, b] = await Promise.all(
        hosts.map(({ name }) => boot(name, options, tools, directory)),
      );
      if (a === undefined || b === undefined) throw new Error('two guests were to start');
      return new Pair(options, tools, directory, dataplane, { a, b });
    } catch (error) {
      await dataplane.close();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Waits for the stock driver, then for an address: `eth0`. */
  async up(name: Host): Promise<string> {
    const vm = this.vms[name];
    const iface = await vm.waitForDriver(this.driver(name));
    await vm.dhcp(iface);
    return iface;
  }

  /** The name of the stock driver that a guest has for its function. */
  driver(name: Host): string {
    return modelOf(modelOfHost(this.#options, name)).driver;
  }

  /** What the link of a function claims. */
  linkMbps(name: Host): number {
    const { more } = this.#options;
    return more?.linkMbps ?? modelOf(modelOfHost(this.#options, name)).defaultLinkMbps;
  }

  /** A new guest at the same socket. */
  async restart(name: Host): Promise<void> {
    this.vms[name] = await boot(name, this.#options, this.#tools, this.#directory);
  }

  address(name: Host): string {
    return this.#places.find((place) => place.name === name)?.address ?? '';
  }

  /** Rules that a function's driver broke. */
  refusals(): string[] {
    return this.events.flatMap((event) =>
      event.kind === 'refusal' ? [`${event.function}: ${event.rule}: ${event.detail}`] : [],
    );
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.vms).map((vm) => vm.close()));
    await this.dataplane.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function placesOf({ vpc }: PairOptions): readonly Place[] {
  if (vpc === undefined) return hosts;
  return hosts.map(({ name }) => {
    const id = vpc.instances.find((instance) => instance.name === name)?.id;
    const found = vpc.interfaces.find(({ instance }) => instance !== undefined && instance === id);
    const address = found?.addresses[0]?.address;
    if (found === undefined || address === undefined)
      throw new Error(`the VPC has no instance ${name} with an interface and an address`);
    return { name, mac: found.mac, address };
  });
}
const modelOfHost = ({ model = 'ena' }: PairOptions, name: Host): ModelName =>
  typeof model === 'string' ? model : model[name];

const boot = (name: string, options: PairOptions, tools: Tools, directory: string): Promise<Vm> => {
  const [image] = tools.guestImages;
  if (image === undefined) throw new Error(`no guest image of series ${options.kernel}`);
  return startVm({
    qemu: tools.qemu,
    accelerator: 'tcg',
    name,
    image,
    nics: [{ kind: 'vfio-user', socket: join(directory, `${name}.sock`) }],
    cpus: options.cpus ?? 1,
  });
};

/** QEMU and a guest image, or null after the test was skipped with the reason. */
export async function toolsOrSkip(
  t: TestContext,
  kernel: string,
  extraFiles: readonly ExtraFile[] = [],
): Promise<Tools | null> {
  try {
    return await ensureTools({ kernels: [kernel], extraFiles });
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    t.skip(error instanceof Error ? error.message : String(error));
    return null;
  }
}

/**
 * Options of ping: some echoes at once, as far as its socket takes them. It waits as long for the last
 * answer as it would between two: 10 ms are too little where the machine is busy.
 */
export const atOnce = (count: number): string => `-c ${count} -l ${count} -i 0.2`;

/** What the guest's kernel said of a driver at warning level or above. */
export async function complaints(vm: Vm, about: RegExp): Promise<string[]> {
  const log = await vm.run('dmesg -r');
  return log.split('\n').filter((line) => /^<[0-4]>/.test(line) && about.test(line));
}
