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
  /** Names of its network interfaces. */
  readonly interfaces: Fact<readonly string[]>;
};

export type HostFacts = {
  /** Kernel release, as `uname -r` says it. */
  readonly kernel: Fact<string>;
  /** What DMI says of who made the machine: `Amazon EC2` on Nitro. */
  readonly vendor: Fact<string | null>;
  readonly product: Fact<string | null>;
  /** Whether this is an instance of EC2, as far as DMI or Xen's own files tell. */
  readonly isEc2: Fact<boolean>;
  /** From the catalogue; null: it does not have it, or this is no instance. */
  readonly type: Fact<InstanceType | null>;
  readonly cards: Fact<readonly CardFacts[]>;
};
