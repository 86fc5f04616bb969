/** What `virtfn check host` knows of a running Linux, as plain data: gathered by `host/inspect`. */
import type { InstanceType } from '../../vpc/instance-type.ts';
import type { Fact } from '../fact.ts';

/** Cards of EC2 Enhanced Networking, and the X540's VF, which its driver shares. */
export type CardKind = 'ena' | '82599vf' | 'x540vf' | 'efa';

/** A PCI function that is such a card. */
export type CardFacts = {
  /** `0000:00:05.0` */
  readonly address: string;
  readonly kind: CardKind;
  /** `1d0f:ec20` */
  readonly id: string;
  /** null: none is bound. */
  readonly driver: Fact<string | null>;
  /** ENA: the BAR of low-latency queues is there. */
  readonly hasLlqBar: Fact<boolean>;
  readonly interfaces: Fact<readonly InterfaceFacts[]>;
  /** Of its MSI-X vectors, those of queues, with the CPUs that they go to: `0-1`. */
  readonly queueIrqs: Fact<readonly { readonly irq: string; readonly cpus: string }[]>;
};

/** Of a driver, by name; `ethtool -S` shows the same. */
export type Counters = ReadonlyMap<string, number>;

/** A network interface of such a card. */
export type InterfaceFacts = {
  readonly name: string;
  /** `ena` or `ixgbevf`, and the version that it gives itself. */
  readonly driverVersion: Fact<string>;
  readonly mtu: Fact<number>;
  /** operstate: `up`, `down`, ... */
  readonly state: Fact<string>;
  readonly queues: Fact<{ readonly rx: number; readonly tx: number }>;
  readonly rings: Fact<{ readonly rx: number; readonly tx: number }>;
  /** The driver writes packets into the card: low-latency queues, in ethtool's words `TX Push`. */
  readonly txPush: Fact<boolean>;
  readonly counters: Fact<Counters>;
  /** What they rose by in `seconds`; not known where they were read once. */
  readonly rise: Fact<{ readonly seconds: number; readonly counters: Counters }>;
  /** Byte queue limits hold its Tx queues back. */
  readonly hasBql: Fact<boolean>;
};

export type RdmaFacts = {
  /** `efa_0`, `rdmap0s6` */
  readonly name: string;
  /** The PCI function that it belongs to. */
  readonly address: Fact<string>;
  /** `4: ACTIVE` */
  readonly state: Fact<string>;
};

export type EfaStackFacts = {
  readonly devices: Fact<readonly RdmaFacts[]>;
  /** Device files that verbs open; `readable` by who checks. */
  readonly uverbs: Fact<readonly string[]>;
  /** Where a libfabric lies. */
  readonly libfabric: Fact<string | null>;
  /** The provider of rdma-core for EFA. */
  readonly rdmaProvider: Fact<string | null>;
  readonly hugePages: Fact<number>;
  /** RLIMIT_MEMLOCK of who checks, in bytes; Infinity: unlimited. */
  readonly memlock: Fact<number>;
  /** kernel.yama.ptrace_scope; null: no Yama. */
  readonly ptraceScope: Fact<number | null>;
};

export type HostFacts = {
  /** Kernel release, as `uname -r` says it. */
  readonly kernel: Fact<string>;
  readonly commandLine: Fact<string>;
  readonly cpusOnline: Fact<number>;
  /** What DMI says of who made the machine: `Amazon EC2` on Nitro. */
  readonly vendor: Fact<string | null>;
  readonly product: Fact<string | null>;
  /** Whether this is an instance of EC2, as far as DMI or Xen's own files tell. */
  readonly isEc2: Fact<boolean>;
  /** From the catalogue; null: it does not have it, or this is no instance. */
  readonly type: Fact<InstanceType | null>;
  readonly cards: Fact<readonly CardFacts[]>;
  /** For the running kernel: `built in`, `module`; null: it has none. By the driver's name. */
  readonly drivers: Readonly<Record<'ena' | 'ixgbevf', Fact<string | null>>>;
  /** Lines of 70-persistent-net.rules that tie a name to an address; null: no such file. */
  readonly persistentNames: Fact<readonly { readonly line: number; readonly mac: string }[] | null>;
  /** MAC addresses of all interfaces. */
  readonly macs: Fact<readonly string[]>;
  /** Lines of the kernel's log that ena wrote. */
  readonly enaLog: Fact<readonly string[]>;
  readonly tcpLimitOutputBytes: Fact<number | null>;
  readonly tcpAutocorking: Fact<number | null>;
  readonly efa: EfaStackFacts;
};
