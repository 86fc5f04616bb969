/**
 * A captured packet as an instance would have sent or been sent it: which way it went, what it was on
 * the wire, whether it left the VPC. Captures of a host's own interface show large TCP frames that the card
 * cuts up afterwards: they count as the frames that the wire saw.
 */
import type { CapturedPacket } from '../../lib/capture-reader.ts';
import { ethernet, formatMac, isGroupMac, parseMac, readMac } from '../../net/ethernet.ts';
import { formatIpv4, parseIpv4 } from '../../net/ipv4.ts';
import { formatIpv6, type Ipv6Address, parseIpv6 } from '../../net/ipv6.ts';
import { Headers } from '../../net/parse.ts';
import { hasIpv4, hasIpv6, type Prefix, parsePrefix } from '../../net/prefix.ts';
import { isLimited } from '../../switch/vpc/services.ts';
import type { Packet, Way } from './whatif.ts';

/** Which end of the capture the instance is. */
export type Ends = {
  readonly mac?: number;
  /** As text, in its usual form. */
  readonly address?: string;
  /** All packets went this way. */
  readonly direction?: Way;
  /** What is inside the VPC; private addresses if absent. */
  readonly cidrs?: readonly Prefix[];
  /** Of the instance's interface: longer packets are cut up. */
  readonly mtu: number;
};

/** The same in words, as a person gives them. */
export type EndWords = {
  readonly mac?: string;
  readonly address?: string;
  readonly direction?: Way;
  readonly vpcCidr?: readonly string[];
  readonly mtu: number;
};

/** @throws an Error in a sentence for a person */
export function parseEnds({ mac, address, direction, vpcCidr, mtu }: EndWords): Ends {
  return {
    ...(mac !== undefined && { mac: parseMac(mac) }),
    ...(address !== undefined && { address: usual(address) }),
    ...(direction !== undefined && { direction }),
    ...(vpcCidr !== undefined && { cidrs: vpcCidr.map(parsePrefix) }),
    mtu,
  };
}

const usual = (address: string): string =>
  address.includes(':') ? formatIpv6(parseIpv6(address)) : formatIpv4(parseIpv4(address));

/** LINKTYPE_ values, and the bytes in front of the IP packet. */
const links: Readonly<Record<number, number>> = {
  ...{ 0: 4, 1: ethernet.bytes, 12: 0, 14: 0, 101: 0, 108: 4, 113: 16, 228: 0, 229: 0, 276: 20 },
};
const link = { ethernet: 1, cooked: 113, cooked2: 276 } as const;
/** `sll_pkttype`: somebody else's; ours. */
const cookedOut = 4;

const privatePrefixes = [
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16'],
  ...['224.0.0.0/3', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
].map(parsePrefix);

/** Ends of packets that are remembered, to say whose capture it might be. */
const mostEnds = 4096;

export class CapturedTraffic {
  /** Packets whose direction nobody knows, or that are of other ends. */
  unknown = 0;
  others = 0;
  /** Frames that were cut up. */
  cutUp = 0;
  readonly #ends: Ends;
  readonly #inside: readonly Prefix[];
  readonly #headers = new Headers();
  /** Bytes by MAC or address, of packets without a direction. */
  readonly #seen = new Map<string, number>();

  constructor(ends: Ends) {
    this.#ends = ends;
    this.#inside = ends.cidrs ?? privatePrefixes;
  }

  /** Null: it does not count. @throws RangeError for a capture of something else than IP or Ethernet */
  read(captured: CapturedPacket): Packet | null {
    const before = links[captured.link];
    if (before === undefined)
      throw new RangeError(
        `its packets are of link type ${captured.link}: expected Ethernet or IP`,
      );
    const { bytes, start } = captured;
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, captured.captured);
    const h = this.#headers;
    if (captured.link === link.ethernet) h.parse(view, captured.captured, captured.length, false);
    else h.parseIp(view, before, captured.captured, captured.length, false);
    const way = this.#wayOf(captured, view);
    if (way === null) return null;
    const frame = captured.length - before + ethernet.bytes;
    const { packets, bytes: wireBytes } = this.#onWire(frame);
    return {
      ...{ way, packets, bytes: wireBytes, headers: h },
      leaves: h.ipVersion !== 0 && !this.#isInside(way === 'out'),
      isLinkLocal: isLimited(h) || isServiceAnswer(h),
    };
  }

  /** Who was seen most, for a person to say which end is the instance. */
  busiest(count: number): string[] {
    const all = [...this.#seen].sort(([, a], [, b]) => b - a);
    return all.slice(0, count).map(([name]) => name);
  }

  #wayOf(captured: CapturedPacket, view: DataView): Way | null {
    const { mac, address, direction } = this.#ends;
    if (direction !== undefined) return direction;
    const h = this.#headers;
    if (mac !== undefined && captured.link === link.ethernet && captured.captured >= 12) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset, 12);
      const to = readMac(bytes, 0);
      if (readMac(bytes, ethernet.source) === mac) return 'out';
      return to === mac || isGroupMac(to) ? 'in' : this.#other();
    }
    if (address !== undefined) {
      if (addressOf(h, true) === address) return 'out';
      return addressOf(h, false) === address ? 'in' : this.#other();
    }
    if (captured.direction !== 0) return captured.direction === 2 ? 'out' : 'in';
    if (captured.link === link.cooked) return view.getUint16(0) === cookedOut ? 'out' : 'in';
    if (captured.link === link.cooked2) return view.getUint8(10) === cookedOut ? 'out' : 'in';
    this.#notice(captured, view);
    return null;
  }

  #other(): null {
    this.others++;
    return null;
  }

  #notice(captured: CapturedPacket, view: DataView): void {
    this.unknown++;
    if (this.#seen.size >= mostEnds) return;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, Math.min(12, captured.captured));
    const isEthernet = captured.link === link.ethernet && bytes.length === 12;
    const macs = isEthernet ? [readMac(bytes, 0), readMac(bytes, 6)] : [];
    const names = macs.filter((one) => !isGroupMac(one)).map((one) => `--mac ${formatMac(one)}`);
    for (const isSource of [true, false]) {
      const address = addressOf(this.#headers, isSource);
      if (address !== null) names.push(`--address ${address}`);
    }
    for (const name of names) this.#seen.set(name, (this.#seen.get(name) ?? 0) + captured.length);
  }

  /** A frame longer than the MTU is one that the card cut up, headers on each piece. */
  #onWire(frame: number): { packets: number; bytes: number } {
    const h = this.#headers;
    const most = this.#ends.mtu + ethernet.bytes;
    const headers = h.payloadOffset - h.l3Offset + ethernet.bytes;
    if (frame <= most + 2 * ethernet.tagBytes || h.payloadOffset < 0 || headers >= most)
      return { packets: 1, bytes: frame };
    this.cutUp++;
    const packets = Math.ceil((frame - headers) / (most - headers));
    return { packets, bytes: frame + (packets - 1) * headers };
  }

  /** Whether the other end is within the VPC. */
  #isInside(isOutward: boolean): boolean {
    const h = this.#headers;
    if (h.ipVersion === 4) {
      const far = isOutward ? h.dst : h.src;
      return this.#inside.some((prefix) => hasIpv4(prefix, far));
    }
    const far = isOutward ? destination6(h) : source6(h);
    return this.#inside.some((prefix) => hasIpv6(prefix, far));
  }
}

/** The resolver, metadata or time answers. */
function isServiceAnswer(h: Headers): boolean {
  if (h.ipVersion !== 4 || (h.src & ~255) !== (0xa9fe_a900 | 0)) return false;
  return [253, 254, 123].includes(h.src & 255);
}

const source6 = (h: Headers): Ipv6Address => [h.src0, h.src1, h.src2, h.src];
const destination6 = (h: Headers): Ipv6Address => [h.dst0, h.dst1, h.dst2, h.dst];

function addressOf(h: Headers, isSource: boolean): string | null {
  if (h.ipVersion === 4) return formatIpv4(isSource ? h.src : h.dst);
  return h.ipVersion === 6 ? formatIpv6(isSource ? source6(h) : destination6(h)) : null;
}
