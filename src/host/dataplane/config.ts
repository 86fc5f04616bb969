/** What the control plane tells a data-plane worker, and what it hears back. Plain data. */
import type { AllowanceLimits } from '../../switch/allowance/allowance.ts';
import type { Verdict, VerdictFilter } from '../../switch/tap-verdicts.ts';
import type { VpcModel } from '../../vpc/model.ts';
import type { NetworkPlan } from '../../vpc/plan.ts';
import type { OutsideConfig } from '../outside/config.ts';
import type { ModelName } from './models.ts';
import type { FunctionSpec, ParentChange } from './nic-model.ts';

/** One PCI function: one vfio-user socket, one switch port. */
export type FunctionConfig = FunctionSpec & { readonly model: ModelName };

/** An Ethernet that learns, with DHCP. */
export type EthernetNetwork = { readonly plan: NetworkPlan };

/** A region's VPCs. A function is the network interface whose MAC it has. */
export type VpcNetwork = {
  readonly vpc: VpcModel;
  /** Where internet gateways lead to; nowhere if absent. */
  readonly outside?: OutsideConfig;
  /** Address of a name server whom the VPC's resolver asks about other names; nobody if absent. */
  readonly resolver?: string;
};

/** `auto`: guests and tables lie where the fast path finds them, if that can be had. */
export type FastPathChoice = 'auto' | 'off';

export type DataplaneConfig = (EthernetNetwork | VpcNetwork) & {
  readonly functions: readonly FunctionConfig[];
  /** Threads that they are spread over; 1 if absent. */
  readonly workers?: number;
  /** Where to write a capture; each worker but the first writes one of its own beside it. */
  readonly pcap?: string;
  /** `auto` if absent. */
  readonly fastPath?: FastPathChoice;
  /** Tell about admin commands, resets and so on. */
  readonly trace: boolean;
};

export type DataplaneEvent =
  /** All sockets are being listened on. */
  | {
      readonly kind: 'ready';
      /** By function: of its port, and its own. */
      readonly counters: Readonly<Record<string, readonly SharedCounts[]>>;
    }
  /** A worker does without linear memory, and so without a fast path; why. */
  | { readonly kind: 'no-linear-memory'; readonly why: string }
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
  /** At the end: how often each rule was broken, also the times that nobody was told of. */
  | {
      readonly kind: 'refused';
      readonly function: string;
      readonly counts: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'trace'; readonly function: string; readonly line: string }
  /** Frames that a tracer asked for, and how many more there were than its rate allows. */
  | {
      readonly kind: 'verdicts';
      readonly tracer: number;
      readonly verdicts: readonly Verdict[];
      readonly leftOut: number;
    }
  /** What became of a `set-vpc`. With problems nothing has changed. */
  | { readonly kind: 'vpc-set'; readonly request: number; readonly problems: readonly string[] }
  | { readonly kind: 'closed' };

/** Counters: names, and values in memory that the worker keeps adding to. */
export type SharedCounts = {
  readonly names: readonly string[];
  readonly buffer: SharedArrayBuffer;
};

/** What can be asked of a running worker. */
export type DataplaneCommand =
  | { readonly kind: 'set-link'; readonly function: string; readonly up: boolean }
  | { readonly kind: 'set-spoof-check'; readonly function: string; readonly on: boolean }
  /** null: no limit. */
  | { readonly kind: 'set-rate'; readonly function: string; readonly rateMbps: number | null }
  /** What the function's instance is allowed from now on; null: as much as it can. */
  | {
      readonly kind: 'set-limits';
      readonly function: string;
      readonly limits: AllowanceLimits | null;
    }
  /** The device asks the guest's driver to reset it. */
  | { readonly kind: 'request-reset'; readonly function: string }
  /** Time-outs that the device would like its driver to keep; models without hints ignore it. */
  | {
      readonly kind: 'hint';
      readonly function: string;
      readonly hints: Readonly<Record<string, number>>;
    }
  /** Another model for a running VPC: it counts from one frame to the next. */
  | { readonly kind: 'set-vpc'; readonly request: number; readonly model: VpcModel }
  /** Tells the verdict on each frame that passes the filter, from now on. */
  | {
      readonly kind: 'start-tracer';
      readonly tracer: number;
      readonly filter: VerdictFilter;
      readonly perSecond: number;
    }
  | { readonly kind: 'stop-tracer'; readonly tracer: number }
  /** The administrator of its parent changes something; models without a parent ignore it. */
  | { readonly kind: 'administer'; readonly function: string; readonly change: ParentChange }
  | { readonly kind: 'close' };

/** A command for one function. */
export type FunctionCommand = Extract<DataplaneCommand, { readonly function: string }>;
