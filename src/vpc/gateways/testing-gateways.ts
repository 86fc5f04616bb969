/**
 * For tests: a VPC with one gateway of each kind, and an outside that keeps what it is given.
 * `a` has public addresses, `b` is behind the NAT gateway, `c` has IPv6 behind an egress-only one.
 */

import { Frame } from '../../net/frame.ts';
import { parseIpv4 } from '../../net/ipv4.ts';
import { parseIpv6 } from '../../net/ipv6.ts';
import { reasonNames } from '../../net/reasons.ts';
import { buildPacket, frameBytes, naiveSum, type PacketSpec } from '../../net/testing-packets.ts';
import type { VpcModel } from '../model.ts';
import { nic, subnet, testModel } from '../testing-model.ts';
import { RegionLab } from '../testing-region.ts';
import { Gateways } from './gateways.ts';
import type { NatTableOptions } from './nat-table.ts';
import type { Outside } from './outside.ts';

export const natAddress = '198.51.100.5';
export const remote = '203.0.113.7';
export const remote6 = '2001:db8:99::7';

export const gatedModel: VpcModel = testModel({
  subnets: [
    subnet(0, { routeTable: 'rtb-public' }),
    subnet(1, { routeTable: 'rtb-private' }),
    subnet(2, { routeTable: 'rtb-public', networkAcl: 'acl-nat' }),
  ],
  interfaces: [
    nic('a', 0, {
      addresses: [
        { address: '10.0.0.11', publicAddress: '198.51.100.11' },
        { address: '10.0.0.21', publicAddress: '198.51.100.21' },
        { address: '10.0.0.31' },
      ],
    }),
    nic('b', 1),
    nic('c', 1, { addresses: [{ address: '10.0.1.13' }] }),
    nic('d', 0, { addresses: [{ address: '10.0.0.14', publicAddress: '198.51.100.14' }] }),
  ],
  networkAcls: ['acl-1', 'acl-nat'].map((id) => {
    const entries = [
      { number: 100, action: 'allow', protocol: -1, cidr: '0.0.0.0/0' },
      { number: 101, action: 'allow', protocol: -1, cidr: '::/0' },
    ] as const;
    return { id, vpc: 'vpc-1', inbound: entries, outbound: entries };
  }),
  internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }],
  egressOnlyInternetGateways: [{ id: 'eigw-1', vpc: 'vpc-1' }],
  natGateways: [
    { id: 'nat-1', subnet: 'subnet-2', address: '10.0.2.5', publicAddress: natAddress },
  ],
  routeTables: [
    {
      ...{ id: 'rtb-public', vpc: 'vpc-1' },
      routes: [
        { destination: '0.0.0.0/0', target: 'igw-1' },
        { destination: '::/0', target: 'igw-1' },
      ],
    },
    {
      ...{ id: 'rtb-private', vpc: 'vpc-1' },
      routes: [
        { destination: '0.0.0.0/0', target: 'nat-1' },
        { destination: '::/0', target: 'eigw-1' },
      ],
    },
  ],
});

/** What a packet says, with its checksums looked at. */
export type Seen = {
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly sums: boolean;
  readonly bytes: Uint8Array;
};

export class GatewayLab {
  readonly lab: RegionLab;
  readonly gateways: Gateways;
  readonly out: Uint8Array[] = [];
  /** The outside has no room. */
  full = false;

  constructor(model: VpcModel = gatedModel, options: NatTableOptions = {}) {
    this.lab = new RegionLab(model);
    const { clock, region } = this.lab;
    this.gateways = new Gateways(model, { clock, router: region.router, seed: 1, ...options });
    region.router.connect(this.gateways);
    const outside: Outside = {
      send: (frame) => {
        if (!this.full) this.out.push(frameBytes(frame));
        return !this.full;
      },
    };
    this.gateways.connect(outside);
  }

  update(model: VpcModel): void {
    this.lab.region.update(model);
    this.gateways.update(model);
  }

  /** What left since the last call. */
  left(): Seen[] {
    return this.out.splice(0).map(see);
  }

  /** What an interface was given since the last call. */
  got(name: string): Seen[] {
    return this.lab.take(name).map(see);
  }

  /** A packet from outside; its verdict's name. */
  arrive(spec: Omit<PacketSpec, 'src' | 'dst'> & { src?: string; dst: string }): string {
    const { src, dst, ...rest } = spec;
    const version = dst.includes(':') ? 6 : 4;
    const from = src ?? (version === 4 ? remote : remote6);
    const bytes = buildPacket({ version, ...rest, src: octets(from), dst: octets(dst) });
    return this.arriveBytes(bytes);
  }

  arriveBytes(bytes: Uint8Array): string {
    const frame = new Frame();
    frame.load(bytes, 0, bytes.length);
    const verdict = this.gateways.arrive(frame);
    this.lab.region.network.flush();
    return reasonNames[verdict] as string;
  }
}

const wordOctets = (word: number): number[] => [24, 16, 8, 0].map((by) => (word >>> by) & 255);

export const octets = (text: string): number[] =>
  text.includes(':') ? parseIpv6(text).flatMap(wordOctets) : wordOctets(parseIpv4(text));

export function see(bytes: Uint8Array): Seen {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isV6 = bytes[12] === 0x86;
  const header = isV6 ? 40 : ((bytes[14] as number) & 15) * 4;
  const protocol = bytes[isV6 ? 20 : 23] as number;
  const l4 = 14 + header;
  const end = 14 + (isV6 ? 40 + view.getUint16(18) : view.getUint16(16));
  const [from, to] = isV6 ? [22, 38] : [26, 30];
  const size = isV6 ? 16 : 4;
  const text = (at: number): string => [...bytes.subarray(at, at + size)].join('.');
  const ip = isV6 || naiveSum(bytes.subarray(14, l4)) === 0xffff;
  const length = end - l4;
  const pseudo =
    protocol === 1
      ? []
      : [...bytes.subarray(from, to + size), 0, 0, length >>> 8, length & 255, 0, 0, 0, protocol];
  const isPart = !isV6 && (view.getUint16(20) & 0x3fff) !== 0;
  const sum = isPart || naiveSum([...pseudo, ...bytes.subarray(l4, end)]) === 0xffff;
  return {
    src: text(from),
    dst: text(to),
    srcPort: l4 + 4 > bytes.length ? -1 : view.getUint16(l4),
    dstPort: l4 + 4 > bytes.length ? -1 : view.getUint16(l4 + 2),
    sums: ip && sum,
    bytes,
  };
}
