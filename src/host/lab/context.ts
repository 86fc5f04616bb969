/** What a lab is asked for, what its parts are given, and what they give back. */
import type { FastPathChoice } from '../dataplane/config.ts';
import type { Accelerator } from '../qemu/args.ts';
import type { Cleanup } from './cleanup.ts';
import type { GuestPair } from './guest-bench.ts';
import type { LabReport } from './report.ts';
import type { Topology } from './topology.ts';

export type LabRequest = {
  readonly topology: Topology;
  readonly accelerator: 'auto' | Accelerator;
  /** `linux`: virtual machines; `reference`: our own poll-mode driver in this process. */
  readonly guest: 'linux' | 'reference';
  /** Threads of the data plane; 1 if absent. */
  readonly workers?: number;
  readonly fastPath?: FastPathChoice;
  /** Where to write a capture of all frames; of virtual machines only. */
  readonly pcap?: string;
  readonly signal: AbortSignal;
  readonly observer: LabObserver;
  /** Measures instead of the lab, which then reports no speed. */
  readonly measurer?: Measurer;
};

/**
 * Is given a pair of each NIC, between the same two guests.
 *
 * @param cpuSeconds of all guests and of this process so far
 */
export type Measurer = (pairs: readonly GuestPair[], cpuSeconds: () => number) => Promise<void>;

/** Hears what a lab does; one thing at a time. */
export interface LabObserver {
  /** Something begins, and what was under way before is through. */
  step(title: string): void;
  /** How far it is, or what came out of it. `fraction`: 0..1 */
  detail(text: string, fraction?: number): void;
  /** What a person should know, and nothing is wrong. */
  note(text: string): void;
}

/** What a part of a lab is given. */
export type LabContext = LabRequest & {
  readonly cleanup: Cleanup;
  /** Ends the lab by an error that no call is there to throw. */
  readonly fail: (error: Error) => void;
};

/** Where a running guest can be reached. */
export type Door = { readonly name: string; readonly address: string; readonly socket: string };

export type LabRun = { readonly report: LabReport; readonly doors: readonly Door[] };
