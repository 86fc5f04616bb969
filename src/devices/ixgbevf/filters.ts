/**
 * What the parent's switch lets through to the function (82599 datasheet, 7.10.3): its own address,
 * further unicast ones, multicasts by a hash of 12 bits, broadcasts, and VLANs.
 */
import { ethernet, etherType } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import type { Port } from '../../net/port.ts';

const groupBit = 0x0100;
const maxVlanIds = 4096;
const hashes = 4096;

/** The tag of a frame that has one where the 82599 looks for it, else -1. */
export const vlanTag = (frame: Frame): number =>
  frame.headLength >= ethernet.bytes + 2 &&
  frame.headView.getUint16(ethernet.type) === etherType.vlan
    ? frame.headView.getUint16(ethernet.bytes)
    : -1;

export const vlanId = (tag: number): number => tag & 0xfff;

export class Filters {
  readonly #port: Port;
  readonly #filterType: number;
  readonly #maxVlans: number;
  /** Further addresses: all unicast frames that come to the port are for it or for one of these. */
  readonly #macvlans = new Set<number>();
  readonly #hashBits = new Uint32Array(hashes / 32);
  readonly #vlans = new Uint8Array(maxVlanIds);
  #vlanCount = 0;
  #mac = 0;
  /** VMOLR: untagged frames; multicasts by hash; all multicasts. */
  acceptUntagged = true;
  acceptHashed = false;
  acceptAllMulticast = false;

  constructor(port: Port, filterType: number, maxVlans: number) {
    this.#port = port;
    this.#filterType = filterType;
    this.#maxVlans = maxVlans;
  }

  /** The function's own address, 0: none. False: it is another function's. */
  setMac(mac: number): boolean {
    if (!this.#port.setMac(mac === 0 ? null : mac)) return false;
    this.#mac = mac;
    return true;
  }

  get macvlans(): number {
    return this.#macvlans.size;
  }

  addMacvlan(mac: number): boolean {
    if (mac !== this.#mac && !this.#port.addMac(mac)) return false;
    this.#macvlans.add(mac);
    return true;
  }

  clearMacvlans(): void {
    for (const mac of this.#macvlans) if (mac !== this.#mac) this.#port.removeMac(mac);
    this.#macvlans.clear();
  }

  /** Hashes are added; nobody but a reset of the parent takes them away. */
  addHash(hash: number): void {
    const at = (hash >>> 5) & 0x7f;
    this.#hashBits[at] = (this.#hashBits[at] as number) | (1 << (hash & 31));
  }

  clearHashes(): void {
    this.#hashBits.fill(0);
  }

  hasVlan(id: number): boolean {
    return this.#vlans[id] === 1;
  }

  /** False: the table is full. */
  addVlan(id: number): boolean {
    if (this.hasVlan(id)) return true;
    if (this.#vlanCount === this.#maxVlans) return false;
    this.#vlans[id] = 1;
    this.#vlanCount++;
    return true;
  }

  removeVlan(id: number): void {
    if (!this.hasVlan(id)) return;
    this.#vlans[id] = 0;
    this.#vlanCount--;
  }

  clearVlans(): void {
    this.#vlans.fill(0);
    this.#vlanCount = 0;
  }

  /** Whether a frame comes through. */
  accepts(frame: Frame): boolean {
    const tag = vlanTag(frame);
    if (tag < 0 ? !this.acceptUntagged : !this.hasVlan(vlanId(tag))) return false;
    const { dstMacHi: hi, dstMacLo: lo } = frame.headers;
    if ((hi & groupBit) === 0) return this.#acceptsUnicast(hi, lo);
    if (hi === 0xffff && lo === -1) return true;
    if (this.acceptAllMulticast) return true;
    return this.acceptHashed && this.#acceptsHash(lo);
  }

  #acceptsUnicast(hi: number, lo: number): boolean {
    const mac = hi * 2 ** 32 + (lo >>> 0);
    return mac === this.#mac || this.#macvlans.has(mac);
  }

  /** MO of MCSTCTRL chooses bits 47:36, 46:35, 45:34 or 43:32 of the address as it is sent. */
  #acceptsHash(lo: number): boolean {
    const last = ((lo & 0xff) << 8) | ((lo >>> 8) & 0xff);
    const shift = [4, 3, 2, 0][this.#filterType] as number;
    const hash = (last >>> shift) & 0xfff;
    return (((this.#hashBits[hash >>> 5] as number) >>> (hash & 31)) & 1) === 1;
  }
}
