/**
 * A small region for tests of services: two VPCs that use the same addresses, in two Regions; and a
 * switch whose forwarder does nothing but ask what the network itself answers.
 */
import { VirtualClock } from '../../lib/clock.ts';
import { read16 } from '../../net/bytes.ts';
import { parseMac } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { formatIpv4, parseIpv4 } from '../../net/ipv4.ts';
import { formatIpv6, parseIpv6, readIpv6 } from '../../net/ipv6.ts';
import { R } from '../../net/reasons.ts';
import { buildPacket, naiveChecksum } from '../../net/testing-packets.ts';
import type { Delivery, Forwarder } from '../../switch/forwarder.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine } from '../../switch/responder.ts';
import { Switch } from '../../switch/switch.ts';
import { TestEndpoint } from '../../switch/testing-endpoint.ts';
import type { DhcpOptionSet, NetworkInterface, Vpc, VpcModel } from '../model.ts';
import { routerMac } from '../well-known.ts';
import { NetworkServices } from './services.ts';
import type { DnsUpstream } from './upstream.ts';

export const macs = {
  a: '02:00:00:00:00:0a',
  b: '02:00:00:00:00:0b',
  c: '02:00:00:00:00:0c',
  other: '02:00:00:00:00:0d',
} as const;
export type Host = keyof typeof macs;

export const routers = { a: routerMac('subnet-a'), other: routerMac('subnet-other') } as const;

type Change = { readonly vpc?: Partial<Vpc>; readonly a?: Partial<NetworkInterface> };

export function testModel({ vpc, a }: Change = {}): VpcModel {
  const gates = { networkAcl: 'acl-1', routeTable: 'rtb-1' };
  return {
    vpcs: [
      {
        id: 'vpc-1',
        cidrs: ['10.0.0.0/16', '100.64.8.0/22'],
        ipv6Cidrs: ['2600:1f18:aa:bb00::/56'],
        dnsHostnames: true,
        ...vpc,
      },
      { id: 'vpc-2', cidrs: ['10.0.0.0/16'], dnsHostnames: true },
    ],
    subnets: [
      {
        id: 'subnet-a',
        vpc: 'vpc-1',
        zone: 'us-east-1a',
        cidr: '10.0.0.0/24',
        ipv6Cidr: '2600:1f18:aa:bb00::/64',
        ...gates,
      },
      { id: 'subnet-c', vpc: 'vpc-1', zone: 'us-east-1b', cidr: '10.0.1.0/24', ...gates },
      { id: 'subnet-other', vpc: 'vpc-2', zone: 'eu-west-1a', cidr: '10.0.0.0/20', ...gates },
    ],
    interfaces: [
      {
        id: 'eni-a',
        subnet: 'subnet-a',
        mac: macs.a,
        addresses: [{ address: '10.0.0.10', publicAddress: '54.1.2.3' }, { address: '10.0.0.30' }],
        ipv6Addresses: ['2600:1f18:aa:bb00::10', '2600:1f18:aa:bb00::30'],
        groups: [],
        instance: 'i-0a1',
        ...a,
      },
      {
        id: 'eni-b',
        subnet: 'subnet-a',
        mac: macs.b,
        addresses: [{ address: '10.0.0.11' }],
        ipv6Addresses: ['2600:1f18:aa:bb00::11'],
        groups: [],
        instance: 'i-0b1',
      },
      {
        id: 'eni-c',
        subnet: 'subnet-c',
        mac: macs.c,
        addresses: [{ address: '10.0.1.20' }],
        groups: [],
        instance: 'i-0b1',
        deviceIndex: 1,
      },
      {
        id: 'eni-other',
        subnet: 'subnet-other',
        mac: macs.other,
        addresses: [{ address: '10.0.0.10', publicAddress: '3.4.5.6' }],
        groups: [],
        instance: 'i-0d1',
      },
    ],
    instances: ['a', 'b', 'd'].map((name) => ({ id: `i-0${name}1`, name, type: 'c6i.large' })),
    securityGroups: [],
    networkAcls: [],
    routeTables: [],
    prefixLists: [],
    internetGateways: [],
    egressOnlyInternetGateways: [],
    natGateways: [],
    placementGroups: [],
  };
}

export const withOptions = (dhcpOptions: DhcpOptionSet): VpcModel =>
  testModel({ vpc: { dhcpOptions } });

class AskOnly implements Forwarder {
  readonly rule = null;
  readonly #delivery: Delivery;

  constructor(delivery: Delivery) {
    this.#delivery = delivery;
  }

  portAdded(): void {}
  portRemoved(): void {}

  forward(from: SwitchPort, frame: Frame): number {
    const verdict = this.#delivery.ask(frame, from);
    return verdict === notMine ? this.#delivery.refuse(from, R.notCarried) : verdict;
  }
}

export class ServicesLab {
  readonly clock = new VirtualClock();
  readonly network = new Switch({
    clock: this.clock,
    forwarder: (delivery) => new AskOnly(delivery),
  });
  readonly services: NetworkServices;
  readonly hosts: Record<Host, TestEndpoint>;

  constructor(model = testModel(), upstream?: DnsUpstream) {
    const options = { clock: this.clock, sender: this.network, seed: 1 };
    this.services = new NetworkServices(model, {
      ...options,
      ...(upstream !== undefined && { upstream }),
    });
    this.network.addResponder(this.services);
    const host = (name: Host): TestEndpoint =>
      new TestEndpoint(this.network.addPort({ name, mac: parseMac(macs[name]) }));
    this.hosts = { a: host('a'), b: host('b'), c: host('c'), other: host('other') };
  }

  /** Sends; returns what came back, or the verdict when nothing did. */
  ask(host: Host, frame: Uint8Array): Uint8Array | number {
    const end = this.hosts[host];
    const before = end.received.length;
    const verdict = end.send(frame);
    return end.received[before] ?? verdict;
  }
}

export const bytesOf = (size: number, value: number): number[] =>
  Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) & 255);
export const mac = (value: number | string): number[] =>
  bytesOf(6, typeof value === 'number' ? value : parseMac(value));
export const ip = (text: string): number[] => bytesOf(4, parseIpv4(text) >>> 0);
export const ip6 = (text: string): number[] =>
  parseIpv6(text).flatMap((word) => bytesOf(4, word >>> 0));
export const text = (value: string): number[] => [...new TextEncoder().encode(value)];

type Datagram = {
  readonly host?: Host;
  readonly to: string;
  readonly from?: string;
  readonly port: number;
  readonly fromPort?: number;
  readonly toMac?: number;
  readonly payload: readonly number[];
};

/** A datagram from a host of `subnet-a` by its router, unless told otherwise. */
export function datagram(spec: Datagram): Uint8Array {
  const version = spec.to.includes(':') ? 6 : 4;
  const from = spec.from ?? (version === 4 ? '10.0.0.10' : '2600:1f18:aa:bb00::10');
  const address = version === 4 ? ip : ip6;
  return buildPacket({
    version,
    protocol: 'udp',
    srcMac: mac(macs[spec.host ?? 'a']),
    dstMac: mac(spec.toMac ?? routers.a),
    src: address(from),
    dst: address(spec.to),
    srcPort: spec.fromPort ?? 40_000,
    dstPort: spec.port,
    payload: Uint8Array.from(spec.payload),
  });
}

/** What a datagram says; its sums are checked here. */
export function readDatagram(bytes: Uint8Array | number) {
  if (typeof bytes === 'number') throw new Error(`there is no answer, but a verdict: ${bytes}`);
  const version = read16(bytes, 12) === 0x0800 ? 4 : 6;
  const l4 = version === 4 ? 34 : 54;
  const length = read16(bytes, l4 + 4);
  const [source, size] = version === 4 ? [26, 4] : [22, 16];
  const addresses = bytes.subarray(source, source + 2 * size);
  const sum = naiveChecksum([...addresses, 0, 17, ...bytesOf(2, length), ...bytes.subarray(l4)]);
  if (sum !== 0 || length !== bytes.length - l4) throw new Error('its checksum or length is wrong');
  if (version === 4 && naiveChecksum(bytes.subarray(14, 34)) !== 0)
    throw new Error("its header's checksum is wrong");
  const address = (at: number): string => {
    if (version === 6) return formatIpv6(readIpv6(bytes, at));
    return formatIpv4(parseIpv4([...bytes.subarray(at, at + 4)].join('.')));
  };
  return {
    toMac: [...bytes.subarray(0, 6)],
    fromMac: [...bytes.subarray(6, 12)],
    from: address(source),
    to: address(source + size),
    ports: [read16(bytes, l4), read16(bytes, l4 + 2)],
    payload: bytes.subarray(l4 + 8),
  };
}

/** An ICMPv6 message in a frame; its checksum is right. */
export function icmp6(
  host: Host,
  from: string,
  to: string,
  message: readonly number[],
  hopLimit = 255,
): Uint8Array {
  const addresses = [...ip6(from), ...ip6(to)];
  const filled = [...message];
  const sum = naiveChecksum([...addresses, ...bytesOf(4, message.length), 0, 0, 0, 58, ...message]);
  filled.splice(2, 2, ...bytesOf(2, sum));
  const toMac = to.startsWith('ff') ? [0x33, 0x33, ...ip6(to).slice(12)] : mac(routers.a);
  const header = [0x60, 0, 0, 0, ...bytesOf(2, message.length), 58, hopLimit];
  return Uint8Array.from([
    ...toMac,
    ...mac(macs[host]),
    ...[0x86, 0xdd],
    ...header,
    ...addresses,
    ...filled,
  ]);
}
