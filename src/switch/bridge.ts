/**
 * An Ethernet: frames go to the port that owns their MAC, to what the network itself answers, to
 * the port that a MAC was learned at (IEEE 802.1D, 7.8), or to all. With a source check, a port
 * may send from its own MAC and address only.
 */
import { arp } from '../net/arp.ts';
import { read32 } from '../net/bytes.ts';
import { etherType, groupBit } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { R, type Reason } from '../net/reasons.ts';
import type { Delivery, Forwarder } from './forwarder.ts';
import { LearnedTable } from './mac-table.ts';
import type { SwitchPort } from './port.ts';
import { notMine } from './responder.ts';
import { crossing, type Trunk } from './trunk/trunk.ts';

/** A guest that asks for an address, or whether one is taken, has none. */
const unspecified = 0;

export class Bridge implements Forwarder {
  readonly rule = null;
  readonly #delivery: Delivery;
  readonly #learned: LearnedTable;

  /** `entries`: MACs that are learned at most, a power of two; `agingNs`: how long one lasts. */
  constructor(delivery: Delivery, entries: number, agingNs: number) {
    this.#delivery = delivery;
    this.#learned = new LearnedTable(entries, agingNs);
  }

  portAdded(): void {}

  portRemoved(port: SwitchPort): void {
    this.#learned.removePort(port.index);
  }

  forward(from: SwitchPort, frame: Frame): Reason {
    const h = frame.headers;
    if (from.isFabric) return this.#goFabricWay(from, frame);
    if (h.srcMacLo !== from.macLo || h.srcMacHi !== from.macHi) {
      if (from.spoofCheck && this.#delivery.ownerOf(h.srcMacHi, h.srcMacLo) !== from.index)
        return this.#delivery.refuse(from, R.spoofedSource);
      this.#learn(from, h.srcMacHi, h.srcMacLo);
    }
    if (from.spoofCheck && from.address !== null && hasForeignAddress(frame, from.address))
      return this.#delivery.refuse(from, R.spoofedSource);
    return this.#route(from, frame);
  }

  /** What ports of other threads send; what they may send was judged there. */
  carried(trunk: Trunk, from: SwitchPort | null, to: SwitchPort | null): Reason {
    const { frame } = trunk;
    const h = frame.headers;
    if (from === null) return R.delivered;
    if (!from.isFabric && (h.srcMacLo !== from.macLo || h.srcMacHi !== from.macHi))
      this.#learn(from, h.srcMacHi, h.srcMacLo);
    if (trunk.kind === crossing.toAll) this.#floodHere(from, frame);
    else if (to !== null && to.trunk === null) this.#delivery.deliver(to, frame, from);
    return R.delivered;
  }

  /** SRD goes from fabric port to fabric port, by their own MACs: nothing is learned or flooded. */
  #goFabricWay(from: SwitchPort, frame: Frame): Reason {
    const h = frame.headers;
    if (from.spoofCheck && (h.srcMacLo !== from.macLo || h.srcMacHi !== from.macHi))
      return this.#delivery.refuse(from, R.spoofedSource);
    const owner = this.#delivery.fabricOwnerOf(h.dstMacHi, h.dstMacLo);
    if (owner < 0) return this.#delivery.refuse(from, R.noReceiver);
    return this.#deliver(owner, frame, from);
  }

  #route(from: SwitchPort, frame: Frame): Reason {
    const h = frame.headers;
    const owner = this.#delivery.ownerOf(h.dstMacHi, h.dstMacLo);
    if (owner >= 0) return this.#deliver(owner, frame, from);
    const verdict = this.#delivery.ask(frame, from);
    if (verdict !== notMine) return verdict;
    if ((h.dstMacHi & groupBit) === 0) {
      const learned = this.#learned.lookup(h.dstMacHi, h.dstMacLo, this.#delivery.time.now());
      if (learned >= 0) return this.#deliver(learned, frame, from);
    }
    return this.#flood(from, frame);
  }

  #deliver(index: number, frame: Frame, from: SwitchPort): Reason {
    const to = this.#delivery.ports[index] as SwitchPort;
    if (to === from) return this.#delivery.refuse(from, R.reflected);
    return this.#delivery.deliver(to, frame, from);
  }

  /** To all here, and once to each other thread. */
  #flood(from: SwitchPort, frame: Frame): Reason {
    const { trunks } = this.#delivery;
    let verdict = this.#floodHere(from, frame);
    for (let i = 0; i < trunks.length; i++) {
      const trunk = trunks[i] as Trunk;
      const isCarried = trunk.push(crossing.toAll, 0, from.index, frame);
      const one = isCarried ? R.queued : this.#delivery.refuse(from, R.queueFull);
      if (verdict !== R.delivered) verdict = one;
    }
    return verdict === R.noReceiver ? this.#delivery.refuse(from, verdict) : verdict;
  }

  #floodHere(from: SwitchPort, frame: Frame): Reason {
    const { ports } = this.#delivery;
    let verdict: Reason = R.noReceiver;
    for (let i = 0; i < ports.length; i++) {
      const port = ports[i] as SwitchPort | null;
      if (port === null || port === from || port.isFabric || port.trunk !== null) continue;
      const one = this.#delivery.deliver(port, frame, from);
      if (verdict !== R.delivered) verdict = one;
    }
    return verdict;
  }

  #learn(from: SwitchPort, hi: number, lo: number): void {
    // A group address is no source, and what a port owns is never learned.
    if ((hi & groupBit) !== 0 || this.#delivery.ownerOf(hi, lo) >= 0) return;
    this.#learned.learn(hi, lo, from.index, this.#delivery.time.now());
  }
}

/** Whether an IPv4 packet or an ARP message says it is from another address than `own`. */
function hasForeignAddress(frame: Frame, own: number): boolean {
  const h = frame.headers;
  let source = own;
  if (h.ipVersion === 4) source = h.src;
  else if (h.etherType === etherType.arp && frame.headLength >= h.l3Offset + arp.bytes)
    source = read32(frame.head, h.l3Offset + arp.senderAddress);
  return source !== own && source !== unspecified;
}
