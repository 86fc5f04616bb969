/** One guest with many functions, on a data plane of its own: each may be another generation. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FunctionConfig } from '../../src/host/dataplane/config.ts';
import { Dataplane, type DataplaneEvent } from '../../src/host/dataplane/dataplane.ts';
import { startVm, type Vm } from '../../src/host/guest/guest-vm.ts';
import type { Tools } from '../../src/host/guest/tools.ts';
import { defaultPlan } from '../../src/vpc/plan.ts';

export type FunctionChoice = Pick<FunctionConfig, 'name' | 'profile' | 'access' | 'queuePairs'> & {
  /** The guest boots without it. */
  readonly later?: boolean;
};

export class ManyFunctions {
  readonly vm: Vm;
  /** Where the switch's frames are captured. */
  readonly pcap: string;
  readonly #dataplane: Dataplane;
  readonly #events: DataplaneEvent[];
  readonly #directory: string;
  readonly #functions: readonly FunctionConfig[];
  #closed = false;

  private constructor(
    vm: Vm,
    dataplane: Dataplane,
    events: DataplaneEvent[],
    directory: string,
    functions: readonly FunctionConfig[],
  ) {
    this.vm = vm;
    this.#dataplane = dataplane;
    this.#events = events;
    this.#directory = directory;
    this.#functions = functions;
    this.pcap = join(directory, 'switch.pcapng');
  }

  static async start(tools: Tools, choices: readonly FunctionChoice[]): Promise<ManyFunctions> {
    const [image] = tools.guestImages;
    if (image === undefined) throw new Error('no guest image');
    const directory = mkdtempSync(join(tmpdir(), 'virtfn-test-'));
    const functions = choices.map(
      ({ later: _, ...choice }, i): FunctionConfig => ({
        ...choice,
        model: 'ena',
        socket: join(directory, `${choice.name}.sock`),
        mac: `02:00:00:00:01:${(i + 16).toString(16)}`,
        linkMbps: 12_500,
      }),
    );
    const events: DataplaneEvent[] = [];
    const pcap = join(directory, 'switch.pcapng');
    const dataplane = await Dataplane.start(
      { functions, plan: defaultPlan, pcap, trace: false },
      (event) => events.push(event),
    );
    try {
      const vm = await startVm({
        ...{ qemu: tools.qemu, accelerator: 'tcg', name: 'many', image, cpus: 2 },
        nics: functions
          .filter((_, i) => choices[i]?.later !== true)
          .map(({ socket }) => ({ kind: 'vfio-user', socket })),
      });
      return new ManyFunctions(vm, dataplane, events, directory, functions);
    } catch (error) {
      await dataplane.close();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** The guest's interface of a function, once its driver is there. */
  async interfaceOf(name: string): Promise<string> {
    const { mac } = this.#functionOf(name);
    return (await this.vm.run(WAIT_FOR_MAC(mac), { timeoutMs: 40_000 })).trim();
  }

  /** Plugs a function into the running guest; returns QEMU's id of it. */
  plug(name: string): Promise<string> {
    return this.vm.plug({ kind: 'vfio-user', socket: this.#functionOf(name).socket }, name);
  }

  /** Rules that a function's driver broke. */
  refusals(): string[] {
    return this.#events.flatMap((event) =>
      event.kind === 'refusal' ? [`${event.function}: ${event.rule}: ${event.detail}`] : [],
    );
  }

  /** Ends the data plane, after which the capture is complete. */
  async stop(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.vm.close();
    await this.#dataplane.close();
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #functionOf(name: string): FunctionConfig {
    const found = this.#functions.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no function is named ${name}`);
    return found;
  }
}

const WAIT_FOR_MAC = (mac: string): string => `for try in $(seq 300); do
  for dir in /sys/class/net/*; do
    [ "$(cat $dir/address)" = ${mac} ] && basename $dir && exit 0
  done
  sleep 0.1
done
exit 1`;
