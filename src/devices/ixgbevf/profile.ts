/**
 * What a virtual function and its parent offer: a table per flavour, each line with where it comes
 * from. `ec2` is what instances with `sriovNetSupport=simple` are believed to have; `datasheet` is
 * the function in full, behind a parent that runs Linux's ixgbe.
 */
import type { ApiVersion } from '../../defs/ixgbevf-mbx.ts';
import { PF_FEATURE } from '../../defs/ixgbevf-mbx.ts';
import { assumed, type Claims, observed, profileOf, published } from '../common/claims.ts';

export type IxgbevfTraits = {
  /** Versions of the mailbox messages that the parent agrees to. */
  readonly apiVersions: readonly ApiVersion[];
  /** Queue pairs, unless told. */
  readonly queuePairs: number;
  readonly maxQueuePairs: number;
  /** MSI-X vectors: queues have 0 and 1. */
  readonly vectors: number;
  /** Functions that the parent says it has. */
  readonly functions: number;
  readonly subsystemId: number;
  /** The largest IP packet that the parent itself takes. */
  readonly parentMtu: number;
  /** Whether a function of API 1.0 receives while its parent takes jumbo frames. */
  readonly legacyOnJumbo: boolean;
  /** FEATURES_NEGOTIATE: `PF_FEATURE` bits. */
  readonly features: number;
  /** Whether a function may ask for RETA and key. */
  readonly rssQuery: boolean;
  /** Whether the address was set administratively: then an untrusted function has no other. */
  readonly macIsSet: boolean;
  readonly trusted: boolean;
  /** Whether source addresses and VLANs are checked. */
  readonly spoofCheck: boolean;
  /** Further unicast addresses, and VLANs, that a function may have. */
  readonly maxMacvlans: number;
  readonly maxVlans: number;
  /** Which 12 bits of a multicast address are its hash: 0..3. */
  readonly multicastFilterType: number;
};

export type IxgbevfProfile = IxgbevfTraits & {
  readonly name: string;
  /** Each trait with where it comes from. */
  readonly claims: Claims<IxgbevfTraits>;
};

const datasheet = '82599 datasheet 2.76';
const ixgbe = 'ixgbe_sriov.c of Linux';

const full: Claims<IxgbevfTraits> = {
  apiVersions: published(
    ['1.0', '1.1', '1.2', '1.3', '1.4', '1.5', '1.6', '1.7'],
    `${ixgbe}; 1.5: the parent of VMware ESX`,
  ),
  queuePairs: published(4, `${datasheet}, 7.10.2.7.2: RSS in pools of four queues`),
  maxQueuePairs: published(4, `${datasheet}, as above; eight need traffic classes`),
  vectors: published(3, `${datasheet}, 8.3.5.2.1: three causes`),
  functions: published(63, `${ixgbe}: 63 without traffic classes`),
  subsystemId: assumed(0x7a11, 'an X520-2 in the list of PCI ids'),
  parentMtu: assumed(9710, 'the most that the card can'),
  legacyOnJumbo: published(false, `${ixgbe}: older functions are shut off`),
  features: assumed(PF_FEATURE.ESX_MBX, 'all that is implemented; ixgbe offers IPsec'),
  rssQuery: assumed(true, 'off in ixgbe until switched on'),
  macIsSet: assumed(false, 'ixgbe gives none unless told'),
  trusted: published(false, ixgbe),
  spoofCheck: published(true, ixgbe),
  maxMacvlans: published(49, `${ixgbe}: 128 addresses less 15, 1 and 63`),
  maxVlans: published(64, `${datasheet}, 8.2.3.27.11: PFVLVF`),
  multicastFilterType: published(0, 'ixgbe_82599.c: bits 47:36'),
};

const ec2: Claims<IxgbevfTraits> = {
  ...full,
  apiVersions: assumed(
    ['1.0', '1.1', '1.2', '1.3'],
    'MTU 9001 and two queues need 1.1; 1.4 would promise IPsec, 1.5 another mailbox',
  ),
  queuePairs: assumed(2, 'pools of two queues, as 63 functions need'),
  maxQueuePairs: published(2, `${datasheet}, 7.10.2.7.2: with more than 32 functions`),
  parentMtu: published(9001, 'User Guide: jumbo frames on C3, I2, M4, R3 and others'),
  legacyOnJumbo: assumed(true, 'images with drivers of API 1.0 had network'),
  features: published(0, 'needs API 1.7'),
  rssQuery: assumed(false, 'off in ixgbe until switched on'),
  macIsSet: observed(true, 'every instance finds the address of its network interface'),
};

export const ec2Profile: IxgbevfProfile = profileOf('ec2', ec2);

export const ixgbevfProfiles: readonly IxgbevfProfile[] = [
  ec2Profile,
  profileOf('datasheet', full),
];
