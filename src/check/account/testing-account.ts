/** For tests: an account that is well, to be changed by each case. */
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { known } from '../fact.ts';
import type {
  AccountFacts,
  AclEntryFacts,
  AclFacts,
  AttachmentFacts,
  EniFacts,
  GroupFacts,
  ImageFacts,
  InstanceFacts,
  PermissionFacts,
  SubnetFacts,
  TypeFacts,
} from './facts.ts';

export const at = { call: 'a test' };
const catalogue = InstanceTypes.load();

export const type = (name: string, change: Partial<TypeFacts> = {}): TypeFacts => ({
  ...catalogue.get(name),
  bootModes: ['legacy-bios', 'uefi'],
  ...change,
});

export const instance = (change: Partial<InstanceFacts> = {}): InstanceFacts => ({
  id: 'i-1',
  name: 'web',
  type: 'c6in.32xlarge',
  state: 'running',
  image: 'ami-1',
  enaSupport: true,
  sriovNetSupport: '',
  zone: 'eu-central-1a',
  placementGroup: 'near',
  ...change,
});

export const image = (change: Partial<ImageFacts> = {}): ImageFacts => ({
  id: 'ami-1',
  name: 'ours',
  isOwn: true,
  enaSupport: true,
  sriovNetSupport: 'simple',
  virtualization: 'hvm',
  bootMode: 'uefi-preferred',
  architecture: 'x86_64',
  imdsSupport: 'v2.0',
  ...change,
});

export const attached = (change: Partial<AttachmentFacts> = {}): AttachmentFacts => ({
  instance: 'i-1',
  deviceIndex: 0,
  cardIndex: 0,
  enaExpress: true,
  enaQueues: null,
  ...change,
});

export const eni = (change: Partial<EniFacts> = {}): EniFacts => ({
  id: 'eni-1',
  kind: 'efa',
  vpc: 'vpc-1',
  zone: 'eu-central-1a',
  groups: ['sg-efa'],
  attachment: attached(),
  ...change,
});

export const permission = (change: Partial<PermissionFacts> = {}): PermissionFacts => ({
  protocol: '-1',
  fromPort: null,
  toPort: null,
  groups: [],
  cidrs: [],
  prefixLists: 0,
  ...change,
});

const itself = permission({ groups: ['sg-efa'] });

export const group = (change: Partial<GroupFacts> = {}): GroupFacts => ({
  id: 'sg-efa',
  name: 'efa',
  inbound: [itself],
  outbound: [itself],
  ...change,
});

export const entry = (change: Partial<AclEntryFacts> = {}): AclEntryFacts => ({
  number: 100,
  isEgress: false,
  isAllow: true,
  protocol: '6',
  cidr: '0.0.0.0/0',
  fromPort: 443,
  toPort: 443,
  ...change,
});

const deny = { number: 32_767, isAllow: false, protocol: '-1', fromPort: null, toPort: null };

export const acl = (...own: readonly AclEntryFacts[]): AclFacts => ({
  id: 'acl-1',
  subnets: ['subnet-1'],
  entries: [...own, entry(deny), entry({ ...deny, isEgress: true })],
});

export const subnet = (change: Partial<SubnetFacts> = {}): SubnetFacts => ({
  id: 'subnet-1',
  vpc: 'vpc-1',
  cidr: '10.0.0.0/24',
  available: 200,
  ...change,
});

export const allOut = entry({ isEgress: true, protocol: '-1', fromPort: null, toPort: null });

export const accountFacts = (change: Partial<AccountFacts> = {}): AccountFacts => ({
  region: 'eu-central-1',
  instances: known([instance()], at),
  images: known([image()], at),
  interfaces: known([eni(), eni({ id: 'eni-2', attachment: attached({ cardIndex: 1 }) })], at),
  groups: known([group()], at),
  acls: known([acl(entry(), allOut)], at),
  subnets: known([subnet()], at),
  placementGroups: known(new Map([['near', 'cluster']]), at),
  told: known([type('c6in.32xlarge')], at),
  published: [type('c6in.32xlarge')],
  groupsPerInterface: known(5, at),
  ...change,
});
