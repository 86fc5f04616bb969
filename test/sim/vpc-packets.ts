/** Random packets through the VPCs of `vpc-worlds.ts`: new ones, answers, errors, fragments. */
import type { Prng } from '../../src/lib/prng.ts';
import { type Packet, reversed } from '../../src/vpc/evaluate-packet.ts';
import type { NetworkInterface, VpcModel } from '../../src/vpc/model.ts';
import { networksOf, outside, ports } from './vpc-worlds.ts';

const flags = [0x02, 0x12, 0x10, 0x18, 0x10, 0x18, 0x11, 0x04] as const;

/** What was sent before, so that answers and repetitions are frequent. */
export type Sent = { readonly packet: Packet; readonly deliveredTo: string | null };

export function randomPacket(random: Prng, model: VpcModel, recent: readonly Sent[]): Packet {
  if (random.oneIn(20)) return fromOutside(random, model);
  if (recent.length > 0 && !random.oneIn(3)) return follow(random, model, random.pick(recent));
  return fresh(random, model);
}

/** What an internet gateway brings in, translated already; often to somebody who is not there. */
function fromOutside(random: Prng, model: VpcModel): Packet {
  const { id, vpc } = random.pick(model.internetGateways);
  const peers = networksOf(model, vpc);
  const to = peers.length > 0 ? random.pick(peers) : random.pick(model.interfaces);
  const is6 = random.oneIn(3);
  return {
    from: id,
    to: 'router',
    source: is6 ? outside[2] : random.pick([outside[0], outside[1]]),
    destination: destinationOf(random, to, is6),
    ...randomL4(random, is6),
  };
}

function fresh(random: Prng, model: VpcModel): Packet {
  const from = random.pick(model.interfaces);
  const vpc = model.subnets.find(({ id }) => id === from.subnet)?.vpc ?? '';
  const peers = networksOf(model, vpc);
  const others = peers.filter(({ id }) => id !== from.id);
  const to = random.pick(random.oneIn(20) ? model.interfaces : others);
  const is6 = random.oneIn(3) && (from.ipv6Addresses?.length ?? 0) > 0;
  const source = is6 ? (from.ipv6Addresses?.[0] ?? '') : random.pick(from.addresses).address;
  const spoofed = random.pick(peers).addresses[0]?.address ?? source;
  return {
    from: from.id,
    to: macOf(random, model, from, to),
    source: !is6 && random.oneIn(20) ? spoofed : source,
    destination: destinationOf(random, to, is6),
    ...(random.oneIn(60) ? { foreignMac: true } : {}),
    ...randomL4(random, is6),
  };
}

function macOf(
  random: Prng,
  model: VpcModel,
  from: NetworkInterface,
  to: NetworkInterface,
): Packet['to'] {
  if (from.subnet === to.subnet && !random.oneIn(3)) return { interface: to.id };
  if (random.oneIn(40)) return random.pick(['group', 'nobody'] as const);
  if (random.oneIn(40)) return { interface: random.pick(model.interfaces).id };
  return 'router';
}

function destinationOf(random: Prng, to: NetworkInterface, is6: boolean): string {
  if (random.oneIn(10)) return is6 ? outside[2] : random.pick([outside[0], outside[1]]);
  if (random.oneIn(30)) return is6 ? 'fd00:ec2::254' : random.pick(services);
  if (random.oneIn(30)) return is6 ? '2001:db8::dead' : '10.0.1.200';
  if (!is6) return random.pick(to.addresses).address;
  return to.ipv6Addresses?.[0] ?? outside[2];
}

const services = [
  '169.254.169.254',
  '169.254.169.253',
  '169.254.169.123',
  '10.0.0.2',
  '10.0.0.1',
  '169.254.7.7',
] as const;

type L4 = Omit<Packet, 'from' | 'to' | 'source' | 'destination'>;

function randomL4(random: Prng, is6: boolean): L4 {
  const protocol = random.pick(is6 ? [6, 6, 17, 17, 58, 58, 47] : [6, 6, 17, 17, 1, 1, 47]);
  const fragment = random.oneIn(25)
    ? { fragment: { id: random.below(4), part: random.pick(['first', 'later'] as const) } }
    : {};
  if (protocol === 6 || protocol === 17)
    return {
      protocol,
      sourcePort: random.pick(ports),
      destinationPort: random.pick(ports),
      ...(protocol === 6 ? { tcpFlags: random.pick(flags) } : {}),
      ...fragment,
    };
  if (protocol === 47) return { protocol, ...fragment };
  const types = is6 ? [128, 128, 129, 1, 2, 100] : [8, 8, 0, 3, 13, 14, 11, 9];
  return {
    protocol,
    icmpType: random.pick(types),
    icmpCode: random.pick([0, 0, 3]),
    icmpId: random.below(3),
  };
}

/** The same again, an answer from whoever got it, an error about it, or a later fragment of it. */
function follow(random: Prng, model: VpcModel, { packet, deliveredTo }: Sent): Packet {
  const at = model.interfaces.find(({ id }) => id === deliveredTo);
  if (deliveredTo?.startsWith('igw-') && random.oneIn(2))
    return backFrom(random, deliveredTo, packet);
  const again: Packet =
    packet.protocol === 6 ? { ...packet, tcpFlags: random.pick(flags) } : packet;
  if (at === undefined || random.oneIn(3)) return again;
  // An appliance passes on what it was given.
  if (random.oneIn(6)) return { ...again, from: at.id, to: 'router' };
  if (packet.fragment !== undefined && random.oneIn(2))
    return { ...packet, fragment: { ...packet.fragment, part: 'later' } };
  const sender = model.interfaces.find(({ id }) => id === packet.from);
  const to: Packet['to'] =
    sender?.subnet === at.subnet && random.oneIn(2) ? { interface: packet.from } : 'router';
  if (random.oneIn(6) && packet.fragment === undefined) return errorAbout(random, packet, at, to);
  const { about: _about, fragment: _fragment, ...rest } = again;
  return { ...rest, ...reversed(rest), from: at.id, to, ...answered(random, packet) };
}

/** An answer from outside. */
function backFrom(random: Prng, gateway: string, packet: Packet): Packet {
  const { about: _about, fragment: _fragment, foreignMac: _mac, ...rest } = packet;
  return { ...rest, ...reversed(rest), from: gateway, to: 'router', ...answered(random, packet) };
}

function answered(random: Prng, { icmpType }: Packet): { icmpType?: number } {
  if (icmpType === undefined || random.oneIn(4)) return {};
  const answers: Record<number, number> = { 8: 0, 13: 14, 128: 129 };
  return { icmpType: answers[icmpType] ?? icmpType };
}

function errorAbout(random: Prng, packet: Packet, at: NetworkInterface, to: Packet['to']): Packet {
  const is6 = packet.source.includes(':');
  const own = is6 ? at.ipv6Addresses?.[0] : at.addresses[0]?.address;
  const { from: _from, to: _to, about: _about, ...about } = packet;
  return {
    from: at.id,
    to,
    source: random.oneIn(2) ? packet.destination : (own ?? packet.destination),
    destination: random.oneIn(8) ? packet.destination : packet.source,
    protocol: is6 ? 58 : 1,
    icmpType: is6 ? random.pick([1, 2, 3, 4]) : random.pick([3, 4, 5, 11, 12]),
    icmpCode: random.pick([0, 3, 4]),
    icmpId: 0,
    about,
  };
}

/** Seconds until the next packet: none, mostly; or around one of the time-outs. */
export function randomPause(random: Prng): number {
  if (!random.oneIn(4)) return 0;
  return random.pick([
    0.5, 1, 9, 10, 11, 29, 30, 31, 44, 46, 59, 60, 61, 119, 121, 179, 181, 349, 351, 599, 601,
    432_001,
  ]);
}
