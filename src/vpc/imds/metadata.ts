/**
 * What the metadata service says about an instance, from the model: the categories that the EC2
 * User Guide lists ("Instance metadata categories"), as far as a model knows them. What it does not
 * know is not there: no roles, no block devices, no spot notices.
 */
import { formatMac, parseMac } from '../../net/ethernet.ts';
import type { Instance, NetworkInterface, Subnet, Vpc, VpcModel } from '../model.ts';
import { partitionOf, privateName, publicName, regionOf, serviceDomain } from '../names.ts';
import { Directory } from './tree.ts';

/** An account's number, where the model names none. */
const noOwner = '000000000000';

/** An instance with what it stands in. */
export type Placed = {
  readonly model: VpcModel;
  readonly instance: Instance;
  /** By device index; the first is the primary one. */
  readonly interfaces: readonly [NetworkInterface, ...NetworkInterface[]];
  /** When it was launched, if the model does not say; ISO 8601. */
  readonly launchTime: string;
};

/** The instance of an id with its interfaces, or null when it is none, or has none. */
export function place(model: VpcModel, id: string, launchTime: string): Placed | null {
  const instance = model.instances.find((one) => one.id === id);
  const [first, ...more] = model.interfaces
    .filter((one) => one.instance === id)
    .sort((a, b) => (a.deviceIndex ?? 0) - (b.deviceIndex ?? 0));
  if (instance === undefined || first === undefined) return null;
  return { model, instance, interfaces: [first, ...more], launchTime };
}

/** What lies below the date of a version. */
export function versionTree(placed: Placed): Directory {
  const { userData } = placed.instance;
  const identity = new Directory().add('document', identityDocument(placed));
  return new Directory()
    .add('dynamic', new Directory().add('instance-identity', identity), 'dynamic')
    .add('meta-data', metadataTree(placed), 'meta-data')
    .add('user-data', userData);
}

function metadataTree(placed: Placed): Directory {
  const { model, instance, interfaces } = placed;
  const [primary] = interfaces;
  const home = homeOf(model, primary);
  const local = privateNameOf(primary, home);
  const address = primary.addresses[0];
  const tree = new Directory()
    .add('ami-id', instance.imageId)
    .add('ami-launch-index', '0')
    .add('ami-manifest-path', '(unknown)')
    .add('events', new Directory().add('maintenance', maintenance()))
    .add('hostname', local)
    .add('instance-action', 'none')
    .add('instance-id', instance.id)
    .add('instance-life-cycle', 'on-demand')
    .add('instance-type', instance.type)
    .add('ipv6', primary.ipv6Addresses?.[0])
    .add('local-hostname', local)
    .add('local-ipv4', address?.address)
    .add('mac', macOf(primary))
    .add('network', new Directory().add('interfaces', new Directory().add('macs', macs(placed))))
    .add('placement', placement(placed, home))
    .add('profile', 'default-hvm')
    .add('public-hostname', publicNamesOf(primary, home)[0])
    .add('public-ipv4', address?.publicAddress)
    .add('security-groups', groupNames(model, primary))
    .add('services', services(home.region))
    .add('system', 'nitro');
  const keys = publicKeys(instance);
  if (keys.size > 0) tree.add('public-keys', keys);
  if (instance.metadata?.instanceTags === true)
    tree.add('tags', new Directory().add('instance', tags(instance)));
  return tree;
}

type Home = {
  readonly subnet: Subnet | undefined;
  readonly vpc: Vpc | undefined;
  readonly region: string;
};

function homeOf(model: VpcModel, of: NetworkInterface): Home {
  const subnet = model.subnets.find(({ id }) => id === of.subnet);
  const vpc = model.vpcs.find(({ id }) => id === subnet?.vpc);
  return { subnet, vpc, region: regionOf(subnet?.zone ?? '') };
}

const macOf = ({ mac }: NetworkInterface): string => formatMac(parseMac(mac));

/** Of several domains that DHCP's option may name, the first. */
function privateNameOf(of: NetworkInterface, { vpc, region }: Home): string | undefined {
  const [domain] = (vpc?.dhcpOptions?.domainName ?? '').split(' ');
  const address = of.addresses[0]?.address;
  return address === undefined ? undefined : privateName(address, region, domain || undefined);
}

function publicNamesOf(of: NetworkInterface, { vpc, region }: Home): string[] {
  if (vpc?.dnsHostnames !== true || vpc.dnsSupport === false) return [];
  return publicAddresses(of).map((address) => publicName(address, region));
}

const publicAddresses = (of: NetworkInterface): string[] =>
  of.addresses.flatMap(({ publicAddress }) => publicAddress ?? []);

const lines = (all: readonly string[] | undefined): string | undefined =>
  all === undefined || all.length === 0 ? undefined : all.join('\n');

function macs({ model, interfaces }: Placed): Directory {
  const tree = new Directory();
  for (const one of interfaces) tree.add(macOf(one), interfaceTree(model, one));
  return tree;
}

function interfaceTree(model: VpcModel, one: NetworkInterface): Directory {
  const home = homeOf(model, one);
  const { subnet, vpc } = home;
  const associations = new Directory();
  for (const { address, publicAddress } of one.addresses)
    if (publicAddress !== undefined) associations.add(publicAddress, address);
  return new Directory()
    .add('device-number', `${one.deviceIndex ?? 0}`)
    .add('interface-id', one.id)
    .add('ipv4-associations', associations.size > 0 ? associations : undefined)
    .add('ipv6s', lines(one.ipv6Addresses))
    .add('local-hostname', privateNameOf(one, home))
    .add('local-ipv4s', lines(one.addresses.map(({ address }) => address)))
    .add('mac', macOf(one))
    .add('owner-id', vpc?.ownerId ?? noOwner)
    .add('public-hostname', publicNamesOf(one, home)[0])
    .add('public-ipv4s', lines(publicAddresses(one)))
    .add('security-group-ids', lines(one.groups))
    .add('security-groups', groupNames(model, one))
    .add('subnet-id', one.subnet)
    .add('subnet-ipv4-cidr-block', subnet?.cidr)
    .add('subnet-ipv6-cidr-blocks', subnet?.ipv6Cidr)
    .add('vpc-id', vpc?.id)
    .add('vpc-ipv4-cidr-block', vpc?.cidrs[0])
    .add('vpc-ipv4-cidr-blocks', lines(vpc?.cidrs))
    .add('vpc-ipv6-cidr-blocks', lines(vpc?.ipv6Cidrs));
}

const groupNames = (model: VpcModel, one: NetworkInterface): string | undefined =>
  lines(one.groups.map((id) => model.securityGroups.find((group) => group.id === id)?.name ?? id));

function placement({ model, instance }: Placed, { subnet, region }: Home): Directory {
  const group = model.placementGroups.find(({ id }) => id === instance.placementGroup);
  return new Directory()
    .add('availability-zone', subnet?.zone)
    .add('group-name', group?.name)
    .add('region', region);
}

const services = (region: string): Directory =>
  new Directory().add('domain', serviceDomain(region)).add('partition', partitionOf(region));

const maintenance = (): Directory => new Directory().add('history', '[]').add('scheduled', '[]');

/** Listed as `0=name`, found as `0/openssh-key`. */
function publicKeys({ publicKeys = {} }: Instance): Directory {
  const tree = new Directory();
  for (const [i, [name, key]] of Object.entries(publicKeys).entries())
    tree.add(`${i}`, new Directory().add('openssh-key', `${key.trimEnd()}\n`), `${i}=${name}`);
  return tree;
}

function tags({ tags = {} }: Instance): Directory {
  const tree = new Directory();
  for (const [name, value] of Object.entries(tags)) tree.add(name, value);
  return tree;
}

/** EC2 signs this document; ours is not signed, and has no `pkcs7`, `rsa2048` or `signature`. */
function identityDocument({ model, instance, interfaces, launchTime }: Placed): string {
  const [primary] = interfaces;
  const { subnet, vpc, region } = homeOf(model, primary);
  const fields: readonly (readonly [string, string | null])[] = [
    ['accountId', vpc?.ownerId ?? noOwner],
    ['architecture', 'x86_64'],
    ['availabilityZone', subnet?.zone ?? null],
    ['billingProducts', null],
    ['devpayProductCodes', null],
    ['marketplaceProductCodes', null],
    ['imageId', instance.imageId ?? null],
    ['instanceId', instance.id],
    ['instanceType', instance.type],
    ['kernelId', null],
    ['pendingTime', instance.launchTime ?? launchTime],
    ['privateIp', primary.addresses[0]?.address ?? null],
    ['ramdiskId', null],
    ['region', region],
    ['version', '2017-09-30'],
  ];
  const text = fields.map(([name, value]) => `  "${name}" : ${JSON.stringify(value)}`);
  return `{\n${text.join(',\n')}\n}`;
}
