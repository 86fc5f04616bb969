/** A VPC for a person: who is where, and each rule in the words of traces. */
import type { VpcModel } from '../vpc/model.ts';
import { entryName, ruleName } from '../vpc/rule-names.ts';
import { renderTable } from './table.ts';
import type { Paint } from './terminal.ts';

export function renderVpc(model: VpcModel, width: number, paint: Paint): string[] {
  const { bold } = paint;
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ['', bold(title), ...lines];
  return [
    ...renderInterfaces(model, width, paint),
    ...section('security groups', groupLines(model)),
    ...section('network ACLs', aclLines(model)),
    ...section('routes', routeLines(model)),
    ...section('gateways', gatewayLines(model)),
  ];
}

function renderInterfaces(model: VpcModel, width: number, paint: Paint): string[] {
  const titles = ['instance', 'addresses', 'subnet', 'zone', 'groups', ''];
  const columns = titles.map((title) => ({ title, align: 'left' as const }));
  const rows = model.interfaces.map((at) => {
    const subnet = model.subnets.find(({ id }) => id === at.subnet);
    const addresses = [...at.addresses.map(({ address }) => address), ...(at.ipv6Addresses ?? [])];
    return [
      model.instances.find(({ id }) => id === at.instance)?.name ?? at.id,
      addresses.join(' '),
      `${at.subnet} ${subnet?.cidr ?? ''}`.trim(),
      subnet?.zone ?? '',
      at.groups.join(' '),
      at.sourceDestCheck === false ? 'no source/dest check' : '',
    ];
  });
  return renderTable(columns, rows, width, paint.bold);
}

function groupLines({ securityGroups }: VpcModel): string[] {
  return securityGroups.flatMap((group) => [
    ...group.inbound.map((rule) => ruleName(group, 'inbound', rule)),
    ...group.outbound.map((rule) => ruleName(group, 'outbound', rule)),
    ...(group.inbound.length === 0 ? [`${group.id} inbound: nothing`] : []),
    ...(group.outbound.length === 0 ? [`${group.id} outbound: nothing`] : []),
  ]);
}

function aclLines({ networkAcls }: VpcModel): string[] {
  const inOrder = <T extends { readonly number: number }>(entries: readonly T[]): T[] =>
    [...entries].sort((a, b) => a.number - b.number);
  return networkAcls.flatMap((acl) => [
    ...inOrder(acl.inbound).map((entry) => entryName(acl, 'inbound', entry)),
    ...inOrder(acl.outbound).map((entry) => entryName(acl, 'outbound', entry)),
  ]);
}

function routeLines({ routeTables, vpcs }: VpcModel): string[] {
  return routeTables.flatMap(({ id, vpc, routes }) => {
    const prefixes = vpcs.find((one) => one.id === vpc)?.cidrs ?? [];
    const local = prefixes.map((destination) => ({ destination, target: 'local' }));
    return [...local, ...routes].map((route) => `${id} ${route.destination} to ${route.target}`);
  });
}

function gatewayLines(model: VpcModel): string[] {
  const { internetGateways, egressOnlyInternetGateways, natGateways } = model;
  return [
    ...internetGateways.map(({ id }) => id),
    ...egressOnlyInternetGateways.map(({ id }) => id),
    ...natGateways.map(
      ({ id, subnet, address, publicAddress }) =>
        `${id} ${address} in ${subnet}${publicAddress === undefined ? '' : `, outside ${publicAddress}`}`,
    ),
  ];
}
