/** An image and an instance type: can the one run on the other? */
import type { InstanceType } from '../../vpc/instance-type.ts';
import type { Verdict } from '../rule.ts';

export type TypeFacts = { readonly type: InstanceType; readonly image: ImageAbilities };

/** What an image has to offer to any type: a verdict each, judged once. */
export type ImageAbilities = {
  /** `x86_64`; null: it cannot be told, and `architectureUnknown` says why. */
  readonly architecture: string | null;
  readonly architectureUnknown: string;
  readonly byBios: Verdict;
  readonly byUefi: Verdict;
  readonly ena: Verdict;
  readonly nvme: Verdict;
  readonly xenDisk: Verdict;
  readonly xenNetwork: Verdict;
  readonly ixgbevf: Verdict;
  readonly efa: Verdict;
  /** Names of disks, in fstab and on the command line. */
  readonly diskNames: Verdict;
  /** It asks for an address on an interface that it has not seen before. */
  readonly network: Verdict;
};
