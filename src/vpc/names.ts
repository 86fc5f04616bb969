/** The names that EC2 gives to Regions' domains and to addresses in them. */

/** `us-east-1a` and `us-west-2-lax-1a` are zones of `us-east-1` and `us-west-2`. */
export const regionOf = (zone: string): string =>
  /^[a-z]+(-[a-z]+)+-\d+/.exec(zone)?.[0] ?? 'us-east-1';

const dashed = (address: string): string => address.replaceAll('.', '-');

/** `ec2.internal`, or `eu-west-1.compute.internal`: where the Region's private names are. */
export const privateDomain = (region: string): string =>
  region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`;

/** `compute-1.amazonaws.com`, or `eu-west-1.compute.amazonaws.com`: and the public ones. */
export function publicDomain(region: string): string {
  const where = region === 'us-east-1' ? 'compute-1' : `${region}.compute`;
  return `${where}.${serviceDomain(region)}`;
}

/** `ip-10-0-0-10`: an interface's name, by its primary address. */
export const hostName = (address: string): string => `ip-${dashed(address)}`;

/** `ip-10-0-0-10.ec2.internal`; `domain`: what the VPC's DHCP options say instead, if anything. */
export const privateName = (
  address: string,
  region: string,
  domain = privateDomain(region),
): string => `${hostName(address)}.${domain}`;

/** `ec2-198-51-100-10.compute-1.amazonaws.com` */
export const publicName = (address: string, region: string): string =>
  `ec2-${dashed(address)}.${publicDomain(region)}`;

export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

export const serviceDomain = (region: string): string =>
  region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
