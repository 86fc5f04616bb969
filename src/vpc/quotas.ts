/**
 * How much there may be of what: Amazon VPC's quotas ("Amazon VPC quotas", VPC User Guide). What an
 * account can have raised is in `Quotas`; what it cannot is a constant.
 */

export type Quotas = {
  /** Of a security group, per direction and IP version. */
  readonly rulesPerGroup: number;
  readonly groupsPerInterface: number;
  /** Of a network ACL, per direction and IP version. */
  readonly entriesPerAcl: number;
  readonly aclsPerVpc: number;
  readonly groupsPerRegion: number;
  readonly cidrsPerVpc: number;
};

export const defaultQuotas: Quotas = {
  rulesPerGroup: 60,
  groupsPerInterface: 5,
  entriesPerAcl: 20,
  aclsPerVpc: 200,
  groupsPerRegion: 2500,
  cidrsPerVpc: 5,
};

/** Nobody gets more than these. */
export const ceilings = {
  groupsPerInterface: 16,
  /** Groups per interface times rules per group. */
  rulesPerInterface: 1000,
  entriesPerAcl: 40,
} as const;

/** The same model with quotas as far up as they go. */
export const raisedQuotas: Quotas = {
  ...defaultQuotas,
  rulesPerGroup: ceilings.rulesPerInterface,
  groupsPerInterface: ceilings.groupsPerInterface,
  entriesPerAcl: ceilings.entriesPerAcl,
};
