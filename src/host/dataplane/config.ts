/** What the control plane tells a data-plane worker, and what it hears back. Plain data. */
import type { ArpMode } from '../../vpc/arp.ts';
import type { NetworkPlan } from '../../vpc/plan.ts';

export type FunctionModel = 'ena';

/** One PCI function: one vfio-user socket, one switch port. */
export type FunctionConfig = {
  /** For people: traces, captures, counters. */
  readonly name: string;
  readonly model: FunctionModel;
  /** Path of the UNIX socket that a VMM connects to. */
  readonly socket: string;
  /** `02:00:00:00:00:01` */
  readonly mac: string;
  /** What the guest is told; what the host reaches is measured. */
  readonly linkMbps: number;
  /** Name of a generation profile; the model's own default when absent. */
  readonly profile?: string;
  readonly queuePairs?: number;
  /** How the guest reaches the function's memory; see `BarAccess`. */
  readonly access?: 'posted' | 'llq' | 'polled';
  /** Refuse frames from other sources than its MAC and, if it has a lease, its address. */
  readonly spoofCheck?: boolean;
  /** What it may send; absent: as much as it can. */
  readonly rateMbps?: number;
};

export type DataplaneConfig = {
  readonly functions: readonly FunctionConfig[];
  readonly plan: NetworkPlan;
  readonly arp: ArpMode;
  /** Where to write a capture. */
  readonly pcap?: string;
  /** Tell about admin commands, resets and so on. */
  readonly trace: boolean;
};

export type DataplaneEvent =
  /** All sockets are being listened on. */
  | { readonly kind: 'ready'; readonly counters: Readonly<Record<string, PortCounts>> }
  | { readonly kind: 'attached' | 'detached'; readonly function: string }
  | {
      readonly kind: 'refusal';
      readonly function: string;
      readonly rule: string;
      readonly text: string;
      readonly source: string;
      readonly detail: string;
      /** How often that rule was broken so far. */
      readonly count: number;
    }
  | { readonly kind: 'trace'; readonly function: string; readonly line: string }
  | { readonly kind: 'closed' };

/** A port's counters: names, and values in memory that the worker keeps adding to. */
export type PortCounts = {
  readonly names: readonly string[];
  readonly buffer: SharedArrayBuffer;
};

/** What can be asked of a running worker. */
export type DataplaneCommand =
  | { readonly kind: 'set-link'; readonly function: string; readonly up: boolean }
  | { readonly kind: 'set-spoof-check'; readonly function: string; readonly on: boolean }
  /** null: no limit. */
  | { readonly kind: 'set-rate'; readonly function: string; readonly rateMbps: number | null }
  /** The device asks the guest's driver to reset it. */
  | { readonly kind: 'request-reset'; readonly function: string }
  | { readonly kind: 'close' };
