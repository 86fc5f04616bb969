/**
 * What contradicts itself in a model: one sentence each, that says what, where, and what to do. A
 * model without problems can be compiled.
 */
import { checkAddresses, type Problems, readAddress } from './check-addresses.ts';
import { checkEfas } from './check-efa.ts';
import { checkFilters } from './check-filters.ts';
import { checkRoutes } from './check-routes.ts';
import type { DhcpOptionSet, Instance, NetworkInterface, VpcModel } from './model.ts';
import { defaultQuotas, type Quotas } from './quotas.ts';

export const checkVpcModel = (model: VpcModel, quotas: Quotas = defaultQuotas): Problems => [
  ...checkIds(model),
  ...checkReferences(model),
  ...checkAddresses(model, quotas),
  ...checkFilters(model, quotas),
  ...checkRoutes(model),
  ...model.interfaces.flatMap(checkTracking),
  ...checkAttachments(model),
  ...checkEfas(model),
  ...model.instances.flatMap(checkInstance),
  ...model.vpcs.flatMap(({ id, dhcpOptions }) => checkDhcp(id, dhcpOptions ?? {})),
];

/** Nothing is there twice: what names a thing names one. */
function checkIds(model: VpcModel): Problems {
  const seen = new Set<string>();
  const all: readonly { readonly id: string }[] = Object.values(model).flat();
  return all.flatMap(({ id }) => {
    if (seen.has(id)) return [`${id} is there twice: give one of them another id`];
    seen.add(id);
    return [];
  });
}

type Kind = keyof VpcModel;

/** What is named is there, and in the same VPC. */
function checkReferences(model: VpcModel): Problems {
  const problems: string[] = [];
  const homes = new Map<string, string>();
  for (const { id, vpc } of [...model.subnets, ...model.securityGroups, ...model.networkAcls])
    homes.set(id, vpc);
  for (const { id, vpc } of model.routeTables) homes.set(id, vpc);
  const need = (where: string, id: string, kind: Kind, what: string, vpc?: string): void => {
    const list: readonly { readonly id: string }[] = model[kind];
    const home = homes.get(id);
    if (!list.some((thing) => thing.id === id))
      problems.push(`${where}: there is no ${what} ${id}: create it, or name another one`);
    else if (vpc !== undefined && home !== undefined && home !== vpc)
      problems.push(`${where}: ${id} is in ${home}, not in ${vpc}: name one of the same VPC`);
  };
  const inVpc = [
    ...model.subnets,
    ...model.securityGroups,
    ...model.networkAcls,
    ...model.routeTables,
    ...model.internetGateways,
    ...model.egressOnlyInternetGateways,
  ];
  for (const { id, vpc } of inVpc) need(id, vpc, 'vpcs', 'VPC');
  for (const { id, vpc, networkAcl, routeTable } of model.subnets) {
    need(id, networkAcl, 'networkAcls', 'network ACL', vpc);
    need(id, routeTable, 'routeTables', 'route table', vpc);
  }
  for (const { id, subnet, groups, instance } of model.interfaces) {
    need(id, subnet, 'subnets', 'subnet');
    if (instance !== undefined) need(id, instance, 'instances', 'instance');
    for (const group of groups)
      need(id, group, 'securityGroups', 'security group', homes.get(subnet));
  }
  for (const { id, subnet } of model.natGateways) need(id, subnet, 'subnets', 'subnet');
  for (const { id, placementGroup } of model.instances)
    if (placementGroup !== undefined)
      need(id, placementGroup, 'placementGroups', 'placement group');
  const gateways = new Map<string, string>();
  for (const { id, vpc } of model.internetGateways) {
    const other = gateways.get(vpc);
    if (other)
      problems.push(`${id}: ${vpc} has an internet gateway, ${other}: a VPC has one at most`);
    gateways.set(vpc, id);
  }
  return problems;
}

/** ConnectionTrackingSpecificationRequest, EC2 API reference. */
const timeoutRanges = {
  tcpEstablishedSeconds: [60, 432_000],
  udpSeconds: [30, 60],
  udpStreamSeconds: [60, 180],
} as const;

function checkTracking({ id, tracking = {} }: NetworkInterface): Problems {
  return Object.entries(timeoutRanges).flatMap(([name, [least, most]]) => {
    const seconds = tracking[name as keyof typeof timeoutRanges];
    if (seconds === undefined || (seconds >= least && seconds <= most)) return [];
    return [`${id}: ${name} is ${seconds}: choose one from ${least} to ${most}`];
  });
}

/** An instance's interfaces are in one zone, each with a number of its own on its card. */
function checkAttachments(model: VpcModel): Problems {
  const zones = new Map(model.subnets.map(({ id, zone }) => [id, zone]));
  return model.instances.flatMap(({ id }) => {
    const own = model.interfaces.filter(({ instance }) => instance === id);
    const numbers = new Map<string, string>();
    const [first] = own;
    return own.flatMap((at) => {
      const problems: string[] = [];
      const number = at.deviceIndex ?? 0;
      const place = `${at.networkCardIndex ?? 0} ${number}`;
      const other = numbers.get(place);
      numbers.set(place, at.id);
      if (other !== undefined)
        problems.push(
          `${at.id}: device index ${number} of ${id} is ${other}'s: choose another one`,
        );
      const zone = zones.get(at.subnet);
      const home = zones.get(first?.subnet ?? '');
      if (zone !== home)
        problems.push(`${at.id} is in ${zone}, but ${id} is in ${home}: choose a subnet there`);
      return problems;
    });
  });
}

function checkInstance({ id, metadata = {} }: Instance): Problems {
  const { hopLimit = 1 } = metadata;
  if (Number.isInteger(hopLimit) && hopLimit >= 1 && hopLimit <= 64) return [];
  return [`${id}: the metadata hop limit is ${hopLimit}: choose one from 1 to 64`];
}

/** "DHCP option sets", VPC User Guide: up to four servers of each kind. */
function checkDhcp(vpc: string, options: DhcpOptionSet): Problems {
  const lists = ['domainNameServers', 'ntpServers', 'netbiosNameServers'] as const;
  return lists.flatMap((name) => {
    const servers = options[name] ?? [];
    const amazon = name === 'domainNameServers' ? 'AmazonProvidedDNS' : '';
    return [
      ...(servers.length > 4
        ? [`${vpc}: ${name} has ${servers.length} entries: 4 are the most`]
        : []),
      ...servers.flatMap((text) => {
        const address = text === amazon ? '' : readAddress(text);
        return typeof address === 'string' && address !== '' ? [`${vpc}: ${address}`] : [];
      }),
    ];
  });
}
