/**
 * The shape of a `VpcModel` in a JSON file: every field of `vpc/model.ts`, and nothing else. What
 * names what and what contradicts itself is for `checkVpcModel`; a list that is absent is empty.
 */
import { z } from 'zod';
import type { VpcModel } from '../../vpc/model.ts';
import { expected, isMac, text, whole, yesNo } from '../lab/schema.ts';

const id = z.string(expected('an id or a name'));
const words = z.string(expected('a text'));
const texts = z.array(words, expected('a list of texts'));
const number = z.number(expected('a number'));
const seconds = whole('seconds', 1, 432_000);

/** An object that knows its own fields. */
function object<S extends z.core.$ZodLooseShape>(what: string, shape: S) {
  return z.strictObject(shape, expected(`${what}: ${Object.keys(shape).join(', ')}`));
}

const list = <T extends z.ZodType>(of: T) => z.array(of, expected('a list')).default([]);

const dhcpOptions = object('DHCP options', {
  domainName: words.optional(),
  domainNameServers: texts.optional(),
  ntpServers: texts.optional(),
  netbiosNameServers: texts.optional(),
  netbiosNodeType: z
    .union([z.literal(1), z.literal(2), z.literal(4), z.literal(8)], expected('1, 2, 4 or 8'))
    .optional(),
});

const vpc = object('a VPC', {
  id,
  ownerId: words.optional(),
  cidrs: texts,
  ipv6Cidrs: texts.optional(),
  dhcpOptions: dhcpOptions.optional(),
  dnsSupport: yesNo('whether the resolver answers').optional(),
  dnsHostnames: yesNo('whether public addresses have names').optional(),
});

const subnet = object('a subnet', {
  ...{ id, vpc: id, zone: words, cidr: words, ipv6Cidr: words.optional() },
  ...{ networkAcl: id, routeTable: id },
});

const networkInterface = object('a network interface', {
  ...{ id, subnet: id, mac: text('the MAC of one interface, like 02:00:00:00:00:01', isMac) },
  addresses: z.array(object('an address', { address: words, publicAddress: words.optional() })),
  ipv6Addresses: texts.optional(),
  groups: texts,
  sourceDestCheck: yesNo('whether it takes only what is addressed to it').optional(),
  instance: id.optional(),
  interfaceType: z
    .enum(['interface', 'efa', 'efa-only'], expected('interface, efa or efa-only'))
    .optional(),
  deviceIndex: number.optional(),
  networkCardIndex: number.optional(),
  tracking: object('time-outs', {
    tcpEstablishedSeconds: seconds.optional(),
    udpSeconds: seconds.optional(),
    udpStreamSeconds: seconds.optional(),
  }).optional(),
});

const byName = z.record(z.string(), words, expected('texts by name')).optional();

const instance = object('an instance', {
  ...{ id, name: words, type: words, placementGroup: id.optional() },
  metadata: object('metadata options', {
    endpoint: yesNo('whether the service answers').optional(),
    tokens: z.enum(['optional', 'required'], expected('optional or required')).optional(),
    hopLimit: whole('hops', 1, 64).optional(),
    ipv6: yesNo('whether it answers over IPv6').optional(),
    instanceTags: yesNo('whether it shows tags').optional(),
  }).optional(),
  ...{ userData: words.optional(), imageId: words.optional(), launchTime: words.optional() },
  ...{ publicKeys: byName, tags: byName },
});

const peer = z.union(
  [
    z.strictObject({ cidr: words }),
    z.strictObject({ prefixList: id }),
    z.strictObject({ group: id }),
  ],
  expected('the other side: one of cidr, prefixList, group'),
);
const rule = object('a rule', {
  ...{ id, protocol: number, fromPort: number.optional(), toPort: number.optional(), peer },
});
const group = object('a security group', {
  ...{ id, vpc: id, name: words, inbound: list(rule), outbound: list(rule) },
});

const entry = object('an entry', {
  ...{ number, action: z.enum(['allow', 'deny'], expected('allow or deny')) },
  ...{ protocol: number, cidr: words, fromPort: number.optional(), toPort: number.optional() },
  ...{ icmpType: number.optional(), icmpCode: number.optional() },
});
const acl = object('a network ACL', {
  ...{ id, vpc: id, inbound: list(entry), outbound: list(entry) },
});

const gateway = object('a gateway', { id, vpc: id });

export const modelSchema = object('a model', {
  vpcs: list(vpc),
  subnets: list(subnet),
  interfaces: list(networkInterface),
  instances: list(instance),
  securityGroups: list(group),
  networkAcls: list(acl),
  routeTables: list(
    object('a route table', {
      ...{ id, vpc: id },
      routes: list(object('a route', { destination: words, target: id })),
    }),
  ),
  prefixLists: list(
    object('a prefix list', { id, name: words, cidrs: texts, maxEntries: number.optional() }),
  ),
  internetGateways: list(gateway),
  egressOnlyInternetGateways: list(gateway),
  natGateways: list(
    object('a NAT gateway', { id, subnet: id, address: words, publicAddress: words.optional() }),
  ),
  placementGroups: list(
    object('a placement group', {
      ...{ id, name: words },
      strategy: z.enum(['cluster', 'spread', 'partition'], expected('a strategy')),
    }),
  ),
});

/** Drops what was said to be absent: absent is not `undefined`. */
export function asModel(parsed: z.infer<typeof modelSchema>): VpcModel {
  return JSON.parse(JSON.stringify(parsed)) as VpcModel;
}
