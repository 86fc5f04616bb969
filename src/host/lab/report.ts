/** What a lab found out, in the shape and with the names of `virtfn lab --json`. */
import type { Access } from '../dataplane/nic-model.ts';
import type { Probe, Service } from './reach.ts';

export type Nic =
  | 'ena'
  | 'ena-whole'
  | '82599vf'
  | 'efa'
  | 'virtio'
  | 'e1000e'
  | 'igb'
  | 'virtio-dgram';

export type MachineFacts = {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  /** null: no QEMU took part. */
  readonly qemu: string | null;
  readonly accelerator: 'kvm' | 'tcg' | null;
  /** Why this accelerator, in a few words. */
  readonly accelerator_reason: string | null;
  /** Why doorbells are rung as they are, where the topology leaves that open. */
  readonly access_reason: string | null;
  /** Of the first guest; each instance has its own. */
  readonly guest_kernel: string | null;
};

export type InstanceFacts = {
  readonly name: string;
  readonly type: string;
  readonly nic: Nic;
  /** As the guest says: 'ena'. */
  readonly driver: string;
  readonly driver_version: string;
  /** null, like the next and `kernel`: there is no operating system. */
  readonly interface: string | null;
  readonly pci: string | null;
  readonly mac: string;
  /** null: the driver does not say. */
  readonly link_mbps: number | null;
  readonly address: string;
  /** As DHCP said. */
  readonly mtu: number;
  readonly kernel: string | null;
  /** Of its own. */
  readonly cpus: number;
  /** How it rings doorbells. */
  readonly access: Access;
};

export const METRICS = [
  'tcp_gbps',
  'tcp4_gbps',
  'udp64_pps',
  'rtt_p50_us',
  'rtt_p99_us',
  'host_cpu_s_per_gbit',
] as const;
export type Metric = (typeof METRICS)[number];

/** null: not measured; `failures` says why. */
export type NicResult = { readonly [M in Metric]: number | null } & {
  readonly nic: Nic;
  readonly driver: string;
  /** What the link claims; null: the driver does not say. */
  readonly link_mbps: number | null;
  readonly mtu: number;
  /** Every round's own values, in their order. */
  readonly samples: { readonly [M in Metric]?: readonly number[] };
  readonly failures: { readonly [M in Metric]?: string };
};

/** Who reaches whom in a VPC: measured, beside what the rules say. */
export type Reachability = {
  readonly services: readonly Service[];
  readonly probes: readonly Probe[];
};

export type LabReport = {
  readonly machine: MachineFacts;
  readonly instances: readonly InstanceFacts[];
  /** null: the instances are in no VPC. */
  readonly reachability: Reachability | null;
  /** Names of the instances between which traffic was measured; null: no speed was. */
  readonly measured: {
    readonly from: string;
    readonly to: string;
    /** What flows are made of; `verified-udp`: reference guests, which have no TCP. */
    readonly transport: 'tcp' | 'verified-udp';
    readonly rounds: number;
    readonly seconds: number;
    readonly pings: number;
    readonly mtu: number;
  } | null;
  readonly comparison: readonly NicResult[];
  /** What a reader of the numbers should know: a busy machine and the like. */
  readonly notes: readonly string[];
};

/** True when every number was measured, and guests reach what the rules say that they do. */
export function isComplete({ comparison, reachability }: LabReport): boolean {
  const probes = reachability?.probes ?? [];
  return (
    comparison.every((row) => METRICS.every((metric) => row[metric] !== null)) &&
    probes.every(({ reached, expected }) => reached === expected)
  );
}
