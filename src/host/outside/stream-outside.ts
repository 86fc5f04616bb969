/**
 * An outside by a program that speaks the protocol of QEMU's stream netdev: each frame behind its
 * length, 32 bits in network order. passt does; it takes any MAC, and answers to the one it saw.
 *
 * The far ends of connections speak Ethernet with an MTU of 1500, passt does not: it sends segments
 * as large as a guest says that it takes. So the MSS that a SYN names is lowered on its way out, to
 * what the far end of the real internet would have.
 */
import { read16, read32, write16, write32 } from '../../net/bytes.ts';
import { ethernet, etherType, writeEthernet } from '../../net/ethernet.ts';
import { Frame } from '../../net/frame.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { tcp, tcpFlag } from '../../net/tcp.ts';
import { gatewayMtu } from '../../switch/gateway.ts';
import { disconnected, type StreamSocket, wouldBlock } from '../../sys/socket.ts';
import { adjustSum } from '../../vpc/gateways/rewrite.ts';
import type { Uplink } from './uplink.ts';

const lengthBytes = 4;
/** The largest frame that is taken from the program. */
const maxFrameBytes = 65_536;
const bytesPerTurn = 262_144;
/**
 * Room for what the program has not read yet: more than the window that it gives its guests, because
 * it never acknowledges selectively, and what is lost here costs a connection dearly.
 */
const outRoom = 4 * 2 ** 20;
/** Locally administered: ours, and the program's (passt names no other one before it has sent). */
const ownMac = 0x02_00_00_00_00_fe;
const peerMac = 0x02_00_00_00_00_ff;
const mssOption = { kind: 2, bytes: 4 } as const;

export class StreamOutside implements Uplink {
  readonly fd: number;
  onBlocked = (): void => {};
  readonly #socket: StreamSocket;
  readonly #in = new Uint8Array(2 * maxFrameBytes);
  #have = 0;
  /** What the socket has not taken yet: from `#from` to `#to`. */
  readonly #out = new Uint8Array(outRoom);
  #from = 0;
  #to = 0;
  readonly #frame = new Frame();

  constructor(socket: StreamSocket) {
    this.#socket = socket;
    this.fd = socket.fd;
  }

  send(frame: Frame): boolean {
    const length = frame.headers.ipEnd;
    if (!this.#hasRoom(lengthBytes + frame.length)) return false;
    const at = this.#to;
    write32(this.#out, at, length);
    frame.copyTo(this.#out, at + lengthBytes);
    const packet = this.#out.subarray(at + lengthBytes, at + lengthBytes + length);
    const isV6 = frame.headers.ipVersion === 6;
    writeEthernet(packet, peerMac, ownMac, isV6 ? etherType.ipv6 : etherType.ipv4);
    if ((frame.headers.tcpFlags & tcpFlag.syn) !== 0) lowerMss(packet, frame);
    this.#to = at + lengthBytes + length;
    if (at === this.#from && !this.unblock()) this.onBlocked();
    return true;
  }

  unblock(): boolean {
    const count = this.#socket.send(this.#out, this.#from, this.#to - this.#from, []);
    if (count > 0) this.#from += count;
    // Nobody is there any more: what waits is lost, and `receive` will find out.
    if (this.#from < this.#to && count !== disconnected) return false;
    this.#from = 0;
    this.#to = 0;
    return true;
  }

  receive(arrive: (frame: Frame) => void): boolean {
    for (let read = 0; read < bytesPerTurn; ) {
      const room = this.#in.length - this.#have;
      const count = this.#socket.receive(this.#in, this.#have, room, []);
      if (count === wouldBlock) return true;
      if (count === disconnected) return false;
      this.#have += count;
      read += count;
      if (!this.#split(arrive)) return false;
    }
    return true;
  }

  close(): void {
    this.#socket.close();
  }

  /** Cuts what has come into frames; false: it is no such stream. */
  #split(arrive: (frame: Frame) => void): boolean {
    let at = 0;
    while (this.#have - at >= lengthBytes) {
      const length = read32(this.#in, at) >>> 0;
      if (length > maxFrameBytes) return false;
      if (this.#have - at < lengthBytes + length) break;
      this.#frame.load(this.#in, at + lengthBytes, length);
      this.#frame.parse();
      // ARP and the like are between two machines on an Ethernet, and we are none.
      if (this.#frame.headers.ipVersion !== 0) arrive(this.#frame);
      at += lengthBytes + length;
    }
    this.#in.copyWithin(0, at, this.#have);
    this.#have -= at;
    return true;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#to + bytes <= outRoom) return true;
    // Moved to the start when half of it is free: so no byte is moved often.
    if (this.#from < outRoom / 2) return false;
    this.#out.copyWithin(0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
    return true;
  }
}

/** Lowers the MSS option of a SYN to what fits into the gateway's MTU, its checksum with it. */
function lowerMss(packet: Uint8Array, { headers: h }: Frame): void {
  if (h.l4Protocol !== ipProtocol.tcp || h.payloadOffset < 0) return;
  const most = gatewayMtu - (h.l4Offset - ethernet.bytes) - tcp.minBytes;
  for (let at = h.l4Offset + tcp.minBytes; at + 1 < h.payloadOffset; ) {
    const kind = packet[at] as number;
    if (kind === 0) return;
    const bytes = kind === 1 ? 1 : (packet[at + 1] as number);
    if (bytes === 0 || at + bytes > h.payloadOffset) return;
    if (kind === mssOption.kind && bytes === mssOption.bytes) {
      const before = read16(packet, at + 2);
      if (before <= most) return;
      write16(packet, at + 2, most);
      // The option may stand at an odd place: its bytes then belong to two words of the sum.
      const odd = ((at + 2 - h.l4Offset) & 1) !== 0;
      const swap = (value: number): number => ((value & 255) << 8) | (value >>> 8);
      const [old, now] = odd ? [swap(before), swap(most)] : [before, most];
      adjustSum(packet, h.l4Offset + tcp.checksum, old, now);
      return;
    }
    at += bytes;
  }
}
