/** An outside by a TUN device: the host routes the VPCs' public addresses to it. */
import { ethernet, etherType, writeEthernet } from '../../net/ethernet.ts';
import { Frame } from '../../net/frame.ts';
import { gatewayMtu } from '../../switch/gateway.ts';
import { disconnected } from '../../sys/socket.ts';
import type { TunDevice } from '../../sys/tun.ts';
import type { Uplink } from './uplink.ts';

const framesPerTurn = 64;
/** Larger packets are read cut off, and so found malformed. */
const room = ethernet.bytes + gatewayMtu;

export class TunOutside implements Uplink {
  readonly fd: number;
  /** Never: a device that has no room loses the packet. */
  onBlocked = (): void => {};
  readonly #device: TunDevice;
  readonly #in = new Uint8Array(room);
  readonly #out = new Uint8Array(room);
  readonly #frame = new Frame();

  constructor(device: TunDevice) {
    this.#device = device;
    this.fd = device.fd;
  }

  send(frame: Frame): boolean {
    if (frame.length > room) return false;
    frame.copyTo(this.#out, 0);
    const { l3Offset, ipEnd } = frame.headers;
    return this.#device.send(this.#out, l3Offset, ipEnd - l3Offset);
  }

  unblock(): boolean {
    return true;
  }

  receive(arrive: (frame: Frame) => void): boolean {
    const bytes = this.#in;
    for (let n = 0; n < framesPerTurn; n++) {
      const length = this.#device.receive(bytes, ethernet.bytes);
      if (length === disconnected) return false;
      if (length <= 0) return true;
      const isV6 = (bytes[ethernet.bytes] as number) >>> 4 === 6;
      writeEthernet(bytes, 0, 0, isV6 ? etherType.ipv6 : etherType.ipv4);
      this.#frame.load(bytes, 0, ethernet.bytes + length);
      arrive(this.#frame);
    }
    return true;
  }

  close(): void {
    this.#device.close();
  }
}
