/** What the control plane tells a data-plane worker, and what it hears back. Plain data. */
import type { ArpMode } from '../../vpc/arp.ts';
import type { NetworkPlan } from '../../vpc/plan.ts';
import type { ModelName } from './models.ts';
import type { FunctionSpec } from './nic-model.ts';

/** One PCI function: one vfio-user socket, one switch port. */
export type FunctionConfig = FunctionSpec & { readonly model: ModelName };

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
  /** Time-outs that the device would like its driver to keep; models without hints ignore it. */
  | {
      readonly kind: 'hint';
      readonly function: string;
      readonly hints: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'close' };
