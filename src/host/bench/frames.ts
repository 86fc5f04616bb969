/**
 * The frames that the bench sends, ready in the sender's memory: UDP without a sum, or TCP whose sum
 * the NIC is asked for. Each payload byte follows from its place, so that whoever receives a frame
 * can tell what must be in it.
 */
import { write16 } from '../../net/bytes.ts';
import { ethernet, etherType, writeEthernet } from '../../net/ethernet.ts';
import { ipProtocol, ipv4, writeIpv4 } from '../../net/ipv4.ts';
import { tcp, tcpFlag } from '../../net/tcp.ts';
import { udp, writeUdp } from '../../net/udp.ts';

const l3 = ethernet.bytes;
/** Where the transport header begins. */
export const l4: number = l3 + ipv4.minBytes;
export const udpHeaderBytes: number = l4 + udp.bytes;
export const tcpHeaderBytes: number = l4 + tcp.minBytes;
export const firstPort = 1024;

/** Who sends to whom; addresses are 32-bit integers, MACs 48-bit numbers. */
export type Ends = {
  readonly srcMac: number;
  readonly dstMac: number;
  readonly src: number;
  readonly dst: number;
};

/** The payload byte with this number. */
export const payloadByte = (at: number): number => (at * 29 + (at >>> 8)) & 0xff;

/** Fills `frame`, the whole of it. */
export function writeFrame(frame: Uint8Array, ends: Ends, isTcp: boolean): void {
  const { length } = frame;
  const header = isTcp ? tcpHeaderBytes : udpHeaderBytes;
  for (let i = header; i < length; i++) frame[i] = payloadByte(i - header);
  writeEthernet(frame, ends.dstMac, ends.srcMac, etherType.ipv4);
  const protocol = isTcp ? ipProtocol.tcp : ipProtocol.udp;
  writeIpv4(frame, l3, length - l3, protocol, ends.src, ends.dst);
  if (!isTcp) {
    writeUdp(frame, l4, 0, firstPort, length - l4);
    return;
  }
  frame.fill(0, l4, header);
  write16(frame, l4 + 2, firstPort);
  frame[l4 + 12] = (tcp.minBytes / 4) << 4;
  frame[l4 + 13] = tcpFlag.ack;
  write16(frame, l4 + 14, 0xffff);
}

/** Makes a frame that lies at `at` one of a flow. */
export function setFlow(bytes: Uint8Array, at: number, flow: number): void {
  write16(bytes, at + l4, flow & 0xffff);
  write16(bytes, at + l4 + 2, firstPort + (flow >>> 16));
}

/** Which flow a frame is of. */
export const flowOf = (bytes: Uint8Array, at: number): number =>
  ((bytes[at + l4] as number) << 8) |
  (bytes[at + l4 + 1] as number) |
  ((((bytes[at + l4 + 2] as number) << 8) + (bytes[at + l4 + 3] as number) - firstPort) << 16);
