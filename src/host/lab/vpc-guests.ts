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

export async function settleInVpc(
  { vm, interface: name }: VpcGuest,
  model: VpcModel,
): Promise<void> {
  const { addresses, ipv6Addresses = [], sourceDestCheck, subnet } = interfaceOf(model, vm.name);
  const bits = model.subnets.find(({ id }) => id === subnet)?.cidr.split('/')[1];
  const commands = [
    ...addresses.slice(1).map(({ address }) => `ip addr add ${address}/${bits} dev ${name}`),
    ...ipv6Addresses.map((address) => `ip addr add ${address}/128 dev ${name} nodad`),
    ...(sourceDestCheck === false ? forwarding(name) : []),
  ];
  if (commands.length > 0) await vm.run(commands.join(' && '));
}

/** It passes on what is not for itself, in and out of one interface, and says nothing about that. */
const forwarding = (name: string): string[] => [
  'echo 1 > /proc/sys/net/ipv4/ip_forward',
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
