/** A region whose interfaces are test endpoints, and packets between them by their names. */
import { VirtualClock } from '../lib/clock.ts';
import { parseMac } from '../net/ethernet.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { parseIpv6 } from '../net/ipv6.ts';
import { reasonNames } from '../net/reasons.ts';
import { buildPacket, type PacketSpec } from '../net/testing-packets.ts';
import type { Tap } from '../switch/tap.ts';
import { TestEndpoint } from '../switch/testing-endpoint.ts';
import type { VpcModel } from './model.ts';
import { Region, type RegionOptions } from './region.ts';
import { routerMac } from './well-known.ts';

export type Send = Omit<PacketSpec, 'src' | 'dst' | 'srcMac' | 'dstMac'> & {
  /** Another source or destination address than theirs. */
  readonly src?: string;
  readonly dst?: string;
  /** `router` (unless told), or the letter of the interface whose MAC it is for. */
  readonly via?: string;
  readonly dstMac?: number;
  readonly srcMac?: number;
  /** Changes the frame before it is sent. */
  readonly edit?: (bytes: Uint8Array) => void;
};

export class RegionLab {
  readonly clock = new VirtualClock();
  readonly region: Region;
  readonly ends = new Map<string, TestEndpoint>();
  /** The rule by which the last frame was decided. */
  rule: string | null = null;

  constructor(model: VpcModel, options: Partial<RegionOptions> = {}) {
    this.region = new Region({ clock: this.clock, model, seed: 1, ...options });
    for (const at of model.interfaces) this.plug(at.id);
    const tap: Tap = {
      sent: (_frame, _port, _verdict, rule) => {
        this.rule = rule;
      },
      offered: () => {},
    };
    this.region.network.addTap(tap);
  }

  plug(id: string): void {
    const name = id.replace('eni-', '');
    const mac = parseMac(this.#nic(name).mac);
    this.ends.set(name, new TestEndpoint(this.region.network.addPort({ name, mac })));
  }

  end(name: string): TestEndpoint {
    const end = this.ends.get(name);
    if (end === undefined) throw new Error(`no interface ${name}`);
    return end;
  }

  /** Sends from one interface to another's first address; returns the verdict's name. */
  send(from: string, to: string, spec: Send = {}): string {
    const bytes = this.packet(from, to, spec);
    return reasonNames[this.end(from).send(bytes)] as string;
  }

  packet(from: string, to: string, spec: Send = {}): Uint8Array {
    const { src, dst, via = 'router', edit, dstMac, srcMac, ...rest } = spec;
    const version = spec.version ?? 4;
    const a = this.#nic(from);
    const viaMac = via === 'router' ? routerMac(a.subnet) : parseMac(this.#nic(via).mac);
    const bytes = buildPacket({
      ...rest,
      srcMac: macBytes(srcMac ?? parseMac(a.mac)),
      dstMac: macBytes(dstMac ?? viaMac),
      src: addressBytes(src ?? this.#addressOf(from, version)),
      dst: addressBytes(dst ?? this.#addressOf(to, version)),
    });
    edit?.(bytes);
    return bytes;
  }

  /** What an interface was given since the last call. */
  take(name: string): Uint8Array[] {
    return this.end(name).received.splice(0);
  }

  counters(name: string): Record<string, number> {
    return this.end(name).port.counters.snapshot() as Record<string, number>;
  }

  #nic(name: string) {
    const found = this.region.model.interfaces.find(({ id }) => id === `eni-${name}`);
    if (found === undefined) throw new Error(`no interface ${name}`);
    return found;
  }

  #addressOf(name: string, version: 4 | 6): string {
    const at = this.#nic(name);
    return (version === 4 ? at.addresses[0]?.address : at.ipv6Addresses?.[0]) ?? '0.0.0.0';
  }
}

const macBytes = (mac: number): number[] =>
  Array.from({ length: 6 }, (_, i) => Math.floor(mac / 256 ** (5 - i)) & 255);

const wordBytes = (word: number): number[] => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255);

const addressBytes = (text: string): number[] =>
  text.includes(':') ? parseIpv6(text).flatMap(wordBytes) : wordBytes(parseIpv4(text));
