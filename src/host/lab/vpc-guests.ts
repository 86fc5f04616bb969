/**
 * What guests in a VPC need beside DHCP, which tells a guest its first address only: further
 * addresses, as EC2's own images configure them, and forwarding where an instance is an appliance.
 * Then the guests ask each other what they reach.
 */

import type { VpcModel } from '../../vpc/model.ts';
import type { Vm } from '../guest/guest-vm.ts';
import { firstAddress, interfaceOf } from '../vpc/members.ts';
import {
  clientScript,
  judge,
  type Probe,
  parseAnswers,
  questionsOf,
  type Service,
  serverScript,
  servicesOf,
} from './reach.ts';

/** A guest that is on the network. */
export type VpcGuest = { readonly vm: Vm; readonly interface: string };

const probeMs = 30_000;

/** @param before the model that the guest was settled by; null: none yet */
export async function settleInVpc(
  { vm, interface: name }: VpcGuest,
  model: VpcModel,
  before: VpcModel | null,
): Promise<void> {
  const commands = settling(name, vm.name, model, before);
  if (commands.length > 0) await vm.run(commands.join(' && '));
}

/** What a guest has to run: addresses come and go, and forwarding is on or off. */
export function settling(
  name: string,
  instance: string,
  model: VpcModel,
  before: VpcModel | null,
): string[] {
  const had = before === null ? [] : moreAddresses(before, instance);
  const has = moreAddresses(model, instance);
  const forwards = isAppliance(model, instance);
  const changed = forwards !== (before !== null && isAppliance(before, instance));
  return [
    ...had.filter((one) => !has.includes(one)).map((one) => `ip addr del ${one} dev ${name}`),
    ...has.filter((one) => !had.includes(one)).map((one) => `ip addr add ${one} dev ${name}`),
    ...(changed ? forwarding(name, forwards) : []),
  ];
}

/** Beside the one that DHCP tells: with their prefix, as `ip addr` takes them. */
function moreAddresses(model: VpcModel, instance: string): string[] {
  const { addresses, ipv6Addresses = [], subnet } = interfaceOf(model, instance);
  const bits = model.subnets.find(({ id }) => id === subnet)?.cidr.split('/')[1];
  return [
    ...addresses.slice(1).map(({ address }) => `${address}/${bits}`),
    ...ipv6Addresses.map((address) => `${address}/128`),
  ];
}

const isAppliance = (model: VpcModel, instance: string): boolean =>
  interfaceOf(model, instance).sourceDestCheck === false;

/** It passes on what is not for itself, in and out of one interface, and says nothing about that. */
const forwarding = (name: string, on: boolean): string[] => [
  `echo ${on ? 1 : 0} > /proc/sys/net/ipv4/ip_forward`,
  `echo 0 > /proc/sys/net/ipv4/conf/${name}/send_redirects`,
  'echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects',
];

/** Starts what answers, once for all ports that may be asked. */
export async function serveInVpc({ vm }: VpcGuest, services: readonly Service[]): Promise<void> {
  const script = serverScript(services);
  if (script !== '') await vm.run(script);
}

/** Everybody asks everybody else; resolves with what came of it. */
export async function probeVpc(
  guests: readonly VpcGuest[],
  model: VpcModel,
  services: readonly Service[] = servicesOf(model),
): Promise<Probe[]> {
  const questions = questionsOf(
    guests.map(({ vm }) => vm.name),
    services,
  );
  const asked = guests.map(async ({ vm }) => {
    const own = questions.filter(({ from }) => from === vm.name);
    const script = clientScript(own, (name) => firstAddress(interfaceOf(model, name)));
    const answered = parseAnswers(await vm.run(script, { timeoutMs: probeMs }));
    return own.map((question, i) => judge(model, question, answered.has(i)));
  });
  return (await Promise.all(asked)).flat();
}
