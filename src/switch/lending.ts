/** The switch as a fast path sees it: what it lends for a burst, and what it counts afterwards. */
import type {
  BurstFabric,
  BurstReceiver,
  BurstTrunk,
  ReceiverLoan,
  RemoteLoan,
  SenderLoan,
} from '../net/loans.ts';
import type { BurstRoutes } from './forwarder.ts';
import type { SwitchPort } from './port.ts';
import { counter } from './port-counters.ts';
import type { Switch } from './switch.ts';

/** More than passes in any burst, and exact in sums of whole bytes. */
const unlimited = 2 ** 50;

export class Lending implements BurstFabric {
  readonly #network: Switch;
  readonly #routes: BurstRoutes | null;

  constructor(network: Switch) {
    this.#network = network;
    this.#routes = network.forwarder.burstRoutes ?? null;
  }

  get routes() {
    return this.#routes?.tables ?? null;
  }

  get ownersVersion(): number {
    return this.#network.ownersVersion;
  }

  now(): number {
    return this.#network.time.now();
  }

  /** Taps are told of each frame, and ENA Express asks of each flow: those frames go one by one. */
  lendSender(index: number, loan: SenderLoan): boolean {
    const network = this.#network;
    const port = network.ports[index] as SwitchPort;
    if (network.taps.any || !port.linkUp || port.isFabric || port.express !== null) return false;
    const key = this.#routes === null ? index : this.#routes.keyOf(port);
    if (key < 0) return false;
    loan.key = key;
    loan.macHi = port.macHi;
    loan.macLo = port.macLo;
    loan.address = this.#routes === null && port.spoofCheck ? (port.address ?? 0) : 0;
    loan.maxBytes = Math.min(loan.maxBytes, port.maxFrameBytes);
    loan.bytesLeft = unlimited;
    loan.packetsLeft = unlimited;
    network.time.tick();
    return port.shaper === null || port.shaper.lendOut(loan);
  }

  takeSenderBack(index: number, loan: SenderLoan): void {
    const port = this.#network.ports[index] as SwitchPort;
    const { values } = port;
    port.shaper?.takeOutBack(loan);
    values[counter.txFrames] = (values[counter.txFrames] as number) + loan.frames;
    values[counter.txBytes] = (values[counter.txBytes] as number) + loan.bytes;
    values[counter.fastTx] = (values[counter.fastTx] as number) + loan.frames;
  }

  portOf(key: number): number {
    return this.#receiverAt(key)?.index ?? -1;
  }

  lendReceiver(key: number, loan: ReceiverLoan): BurstReceiver | null {
    const port = this.#receiverAt(key);
    const lender = port?.endpoint?.lender ?? null;
    if (port === null || lender === null || !port.linkUp || port.waiting > 0) return null;
    if (port.isFabric || !lender.lend(loan)) return null;
    this.#routes?.macsOf(key, loan.macs);
    loan.address = (port.address ?? 0) | 0;
    loan.joins &&= port.address === loan.address;
    loan.bytesLeft = unlimited;
    loan.packetsLeft = unlimited;
    return port.shaper === null || port.shaper.lendIn(loan) ? lender : null;
  }

  takeReceiverBack(key: number, loan: ReceiverLoan): void {
    const port = this.#receiverAt(key) as SwitchPort;
    const { values } = port;
    port.shaper?.takeInBack(loan);
    values[counter.rxFrames] = (values[counter.rxFrames] as number) + loan.frames;
    values[counter.rxBytes] = (values[counter.rxBytes] as number) + loan.bytes;
    this.#network.touch(port);
  }

  get isOpen(): boolean {
    return !this.#network.taps.any;
  }

  trunkOf(port: number): BurstTrunk | null {
    return this.#network.ports[port]?.trunk ?? null;
  }

  lendRemote(index: number, loan: RemoteLoan): boolean {
    const port = this.#network.ports[index] ?? null;
    if (port === null || port.isFabric || port.express !== null) return false;
    loan.key = this.#routes === null ? index : this.#routes.keyOf(port);
    loan.macHi = port.macHi;
    loan.macLo = port.macLo;
    return loan.key >= 0;
  }

  ownerOf(macHi: number, macLo: number): number {
    return this.#network.ownerOf(macHi, macLo);
  }

  #receiverAt(key: number): SwitchPort | null {
    return (this.#routes === null ? this.#network.ports[key] : this.#routes.portOf(key)) ?? null;
  }
}
