/** One function as a worker serves it: socket, endpoint, model and switch port, put together. */
import type { Clock } from '../../lib/clock.ts';
import { Counters } from '../../lib/counters.ts';
import { Diagnostics } from '../../lib/diagnostics.ts';
import { parseMac } from '../../net/ethernet.ts';
import { parseIpv4 } from '../../net/ipv4.ts';
import type { FunctionHost } from '../../pci/function.ts';
import type { PortOptions, SwitchPort } from '../../switch/port.ts';
import { counter } from '../../switch/port-counters.ts';
import type { Switch } from '../../switch/switch.ts';
import { createSharedMemory, type Mapper } from '../../sys/memory.ts';
import type { Poller } from '../../sys/poller.ts';
import { VfioUserEndpoint } from '../../vfio-user/endpoint.ts';
import { createServer, type VfioUserServer } from '../../vfio-user/server.ts';
import type { NetworkPlan } from '../../vpc/plan.ts';
import type { InstanceAllowances } from './allowances.ts';
import type { DataplaneEvent, FunctionCommand, FunctionConfig } from './config.ts';
import { createNic, modelOf } from './models.ts';
import type { ServedNic } from './nic-model.ts';

export type Tell = (event: DataplaneEvent) => void;

/** What all functions of a worker have in common. */
export type Shared = {
  readonly network: Switch;
  readonly clock: Clock;
  readonly poller: Poller;
  readonly trace: boolean;
  readonly allowances: InstanceAllowances;
  /** What maps guests' memory; as usual if absent. */
  readonly mapper?: Mapper;
  /** Absent in a VPC, where addresses belong to network interfaces. */
  readonly plan?: NetworkPlan;
};

/** The port of a function, wherever it is served. `plan`: absent in a VPC. */
export function portOf(config: FunctionConfig, plan: NetworkPlan | undefined): PortOptions {
  const mac = parseMac(config.mac);
  const lease = plan?.leases.find((one) => one.mac === mac);
  const { maxMtu, spoofCheck, isFabric } = modelOf(config.model);
  return {
    ...{ name: config.name, mac, mtu: maxMtu, fabric: isFabric },
    ...(config.express !== undefined && { express: config.express }),
    spoofCheck: config.spoofCheck ?? spoofCheck.byDefault,
    ...(lease !== undefined && spoofCheck.ofAddresses && { address: parseIpv4(lease.address) }),
  };
}

export class ServedFunction {
  readonly name: string;
  readonly port: SwitchPort;
  /** What the model itself counts, as it was when `publish` was last called. */
  readonly own: Counters;
  readonly #config: FunctionConfig;
  readonly #allowances: InstanceAllowances;
  readonly #model: ServedNic;
  readonly #server: VfioUserServer;
  readonly #diagnostics: Diagnostics;
  readonly #tell: Tell;
  #attached = false;

  /** Throws when the socket cannot be listened on, or for a profile that does not exist. */
  constructor(config: FunctionConfig, shared: Shared, tell: Tell) {
    const { name } = config;
    this.name = name;
    this.#config = config;
    this.#allowances = shared.allowances;
    this.#tell = tell;
    const diagnostics = new Diagnostics(({ rule, detail, count }) => {
      const { id, text, source } = rule;
      tell({ kind: 'refusal', function: name, rule: id, text, source, detail, count });
    });
    this.#diagnostics = diagnostics;
    this.port = shared.network.addPort(portOf(config, shared.plan));
    this.#allowances.join(config, this.port);
    const endpoint = new VfioUserEndpoint({
      diagnostics,
      ...(shared.mapper !== undefined && { mapper: shared.mapper }),
    });
    const host: FunctionHost = {
      memory: endpoint.memory,
      interrupts: endpoint.interrupts,
      clock: shared.clock,
      diagnostics,
      deviceMemory: (sizeBytes) => createSharedMemory(`virtfn-${name}`, sizeBytes),
      ...(shared.trace && {
        trace: (line: () => string) => tell({ kind: 'trace', function: name, line: line() }),
      }),
    };
    this.#model = createNic(config.model, config, { host, port: this.port });
    this.own = new Counters(this.#model.ownCounters?.names ?? []);
    if (config.rateMbps !== undefined) this.#model.setRate(config.rateMbps * 1e6);
    endpoint.attach(this.#model);
    this.#server = createServer({
      path: config.socket,
      endpoint,
      poller: shared.poller,
      onClient: (here) => {
        this.#attached = here;
        if (!here) shared.network.forgetMemory();
        tell({ kind: here ? 'attached' : 'detached', function: name });
      },
    });
  }

  /** Lets other threads see what the model counts. */
  publish(): void {
    this.#model.ownCounters?.read(this.own.values);
  }

  /** A guest is there whose doorbells have to be polled. */
  get polls(): boolean {
    return this.#attached && this.#model.polls;
  }

  /** Frames that its guest was given so far. */
  get received(): number {
    return this.port.values[counter.rxFrames] as number;
  }

  poll(): boolean {
    return this.#model.poll();
  }

  obey(command: FunctionCommand): void {
    switch (command.kind) {
      case 'set-link':
        this.#model.setLink(command.up);
        this.port.setLink(command.up);
        return;
      case 'set-spoof-check':
        this.port.spoofCheck = command.on;
        this.#model.setSpoofCheck?.(command.on);
        return;
      case 'set-rate':
        this.#model.setRate(command.rateMbps === null ? null : command.rateMbps * 1e6);
        return;
      case 'set-limits':
        this.#allowances.change(this.#config, command.limits);
        return;
      case 'request-reset':
        this.#model.requestReset();
        return;
      case 'hint':
        this.#model.hint?.(command.hints);
        return;
      case 'administer':
        this.#model.administer?.(command.change);
    }
  }

  close(): void {
    this.publish();
    this.#server.close();
    const counts = this.#diagnostics.counts();
    if (Object.keys(counts).length > 0)
      this.#tell({ kind: 'refused', function: this.name, counts });
  }
}
