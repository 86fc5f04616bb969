/**
 * What a model of a NIC is to its host: how it is made, and what can be asked of it beside what
 * every PCI function does. `models.ts` is the table of those that there are.
 */
import type { ParentChange, ParentSettings } from '../../devices/ixgbevf/parent.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import type { Port } from '../../net/port.ts';
import type { FunctionHost, PolledFunction } from '../../pci/function.ts';
import type { FaultSpec } from '../../srd/faults.ts';
import type { AllowanceLimits } from '../../switch/allowance/allowance.ts';
import type { Express } from '../../switch/express.ts';

/** How a guest reaches a function's doorbells and descriptors; each model says what it has. */
export const ACCESS = ['posted', 'llq', 'polled'] as const;
export type Access = (typeof ACCESS)[number];

/** One function as it is to be; what is absent is the model's own choice. */
export type FunctionSpec = {
  /** For people: traces, captures, counters. */
  readonly name: string;
  /** Path of the UNIX socket that a VMM connects to. */
  readonly socket: string;
  /** `02:00:00:00:00:01` */
  readonly mac: string;
  /** What the guest is told; what the host reaches is measured. */
  readonly linkMbps: number;
  /** Name of a generation profile. */
  readonly profile?: string;
  readonly queuePairs?: number;
  readonly access?: Access;
  /** Refuse frames from other sources than its MAC and, if it has a lease, its address. */
  readonly spoofCheck?: boolean;
  /** What it may send; absent: as much as it can. */
  readonly rateMbps?: number;
  /** What its instance's network is allowed; absent: as much as it can. */
  readonly limits?: AllowanceLimits;
  /** IP fragments that it may send in a second; absent: what its profile says. ENA only. */
  readonly egressFragmentsPps?: number;
  /** ENA Express is switched on. ENA only. */
  readonly express?: Express;
  /** Whose limits it shares with other functions; its own name if absent. */
  readonly instance?: string;
  /** What the administrator of its parent function has set, for models that have one. */
  readonly parent?: ParentSpec;
  /** What goes wrong on the fabric between EFA functions; nothing when absent. */
  readonly fabric?: FaultSpec;
};

export type ParentSpec = Partial<Omit<ParentSettings, 'mac' | 'spoofCheck' | 'linkEnabled'>>;
export type { ParentChange } from '../../devices/ixgbevf/parent.ts';
export type { FaultSpec } from '../../srd/faults.ts';

/** What a function is plugged into: its host, and its port of the Ethernet switch. */
export type Site = { readonly host: FunctionHost; readonly port: Port };

export type OwnCounters = {
  readonly names: readonly string[];
  readonly read: (values: Float64Array) => void;
};

/** A function that is there. */
export interface ServedNic extends PolledFunction {
  /** The administrative state of the link. */
  setLink(up: boolean): void;
  /** Limits what it may send, in bits per second; null: no limit. */
  setRate(rateBps: number | null): void;
  /** Asks the guest's driver for a reset; false when that does not listen. */
  requestReset(): boolean;
  /** Changes the hints for its driver, if it has any: names and values that are possible. */
  hint?(hints: Readonly<Record<string, number>>): boolean;
  /** Where there is a parent function: what its administrator changes. False: it cannot be. */
  administer?(change: ParentChange): boolean;
  /** What it counts beside its port: names, and how to write the values in their order. */
  readonly ownCounters?: OwnCounters;
  /** The model checks more than the addresses that the switch does. */
  setSpoofCheck?(on: boolean): void;
}

/** One kind of NIC. */
export type NicModel = {
  /** For people. */
  readonly title: string;
  /** The stock driver that Linux has for it. */
  readonly driver: string;
  /** Names of generation profiles, the default first. */
  readonly profiles: readonly string[];
  readonly access: readonly Access[];
  /** What its link claims when nobody says. */
  readonly defaultLinkMbps: number;
  /** An instance type that has it. */
  readonly defaultType: string;
  /** Speeds that its link can have; null: the instance type's, and its queues too. */
  readonly linksMbps: readonly number[] | null;
  /** The largest IP packet that it sends. */
  readonly maxMtu: number;
  /** Sources are checked unless told otherwise; IPv4 addresses too, or MACs only. */
  readonly spoofCheck: { readonly byDefault: boolean; readonly ofAddresses: boolean };
  /** Functions of one parent, or of one switch, at most. */
  readonly maxFunctions: number;
  /** Its packets are no Ethernet frames of a guest: it is plugged into a fabric port. */
  readonly isFabric: boolean;
  /** Whether it is one function of a parent that somebody administers. */
  readonly hasParent: boolean;
  /** What it holds its driver to. */
  readonly rules: readonly Rule[];
  /** `profile`: one of `profiles`. Throws a RangeError for what no such card can be. */
  readonly create: (spec: FunctionSpec, profile: string, site: Site) => ServedNic;
};
