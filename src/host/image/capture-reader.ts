/**
 * What a booted image did, from a capture of its frames: what it asked of DHCP and got, what it asked of the
 * metadata service, how large it lets segments be. Follows pcapng as `lib/pcapng.ts` writes it, RFC 2131 and
 * 2132 (DHCP), RFC 9293 (TCP's maximum segment size).
 */
import { formatIpv4 } from '../../net/ipv4.ts';

/** From outside: frames that were seen, and nothing that the image says of itself. */
export interface CaptureFindings {
  dhcpAsked: boolean;
  /** What an acknowledgement of the network leased. */
  leased: string | null;
  /** It has sent from the leased address, so that it has taken it. */
  usesLease: boolean;
  metadataAsked: boolean;
  /** Status of the first answer: 200. */
  metadataStatus: number | null;
  /** Of its TCP over IPv4: the segment that it offers to take, and 40 bytes of headers. */
  mtu: number | null;
}

const PACKET = 6;
/** More than any boot sends; somebody wants our memory. */
export const MAX_CAPTURE_BYTES = 64 << 20;
const METADATA = '169.254.169.254';

/** @param capture may end in the middle of a packet, which is still being written */
export function readCapture(capture: Buffer): CaptureFindings {
  const found: CaptureFindings = {
    dhcpAsked: false,
    leased: null,
    usesLease: false,
    metadataAsked: false,
    metadataStatus: null,
    mtu: null,
  };
  for (let at = 0; at + 28 <= capture.length; ) {
    const length = capture.readUInt32LE(at + 4);
    if (length < 12 || at + length > capture.length) break;
    if (capture.readUInt32LE(at) === PACKET) {
      const kept = capture.readUInt32LE(at + 20);
      if (kept <= length - 32) look(capture.subarray(at + 28, at + 28 + kept), found);
    }
    at += length;
  }
  return found;
}

function look(frame: Buffer, found: CaptureFindings): void {
  if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800) return;
  const ip = frame.subarray(14);
  const header = ((ip[0] ?? 0) & 15) * 4;
  const total = Math.min(ip.readUInt16BE(2), ip.length);
  const l4 = ip.subarray(header, total);
  const [from, to] = [formatIpv4(ip.readUInt32BE(12)), formatIpv4(ip.readUInt32BE(16))];
  if (from === found.leased) found.usesLease = true;
  if (ip[9] === 17 && l4.length > 8) lookAtDhcp(l4, found);
  if (ip[9] === 6 && l4.length >= 20) lookAtTcp(l4, from, to, found);
}

function lookAtDhcp(udp: Buffer, found: CaptureFindings): void {
  const [fromPort, toPort] = [udp.readUInt16BE(0), udp.readUInt16BE(2)];
  const bootp = udp.subarray(8);
  if (bootp.length < 241) return;
  if (fromPort === 68 && toPort === 67) found.dhcpAsked = true;
  const ACK = 5;
  if (fromPort === 67 && toPort === 68 && dhcpOption(bootp, 53)?.[0] === ACK)
    found.leased = formatIpv4(bootp.readUInt32BE(16));
}

function dhcpOption(bootp: Buffer, wanted: number): Buffer | undefined {
  for (let at = 240; at + 2 <= bootp.length; ) {
    const code = bootp[at] ?? 255;
    if (code === 255) return undefined;
    if (code === 0) {
      at++;
      continue;
    }
    const length = bootp[at + 1] ?? 0;
    if (code === wanted) return bootp.subarray(at + 2, at + 2 + length);
    at += 2 + length;
  }
  return undefined;
}

function lookAtTcp(tcp: Buffer, from: string, to: string, found: CaptureFindings): void {
  const header = ((tcp[12] ?? 0) >> 4) * 4;
  const [isSyn, isAck] = [((tcp[13] ?? 0) & 2) !== 0, ((tcp[13] ?? 0) & 16) !== 0];
  const payload = tcp.subarray(header);
  if (to === METADATA) {
    if (payload.length > 0) found.metadataAsked = true;
    if (isSyn && !isAck) found.mtu ??= segmentOf(tcp.subarray(20, header));
  }
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(payload.toString('latin1', 0, 16))?.[1];
  if (from === METADATA && status !== undefined) found.metadataStatus ??= Number(status);
}

/** The maximum segment size option, and the headers that it does not count. */
function segmentOf(options: Buffer): number | null {
  for (let at = 0; at + 4 <= options.length; ) {
    const kind = options[at];
    if (kind === 0) return null;
    if (kind === 1) at++;
    else if (kind === 2) return options.readUInt16BE(at + 2) + 40;
    else at += Math.max(2, options[at + 1] ?? 2);
  }
  return null;
}
