/**
 * ENA Express, as far as a network shows it: which packets between two ports go by SRD, and that a
 * flow of them may have more bandwidth. As the User Guide has it ("ENA Express"): both interfaces
 * have it switched on, and packets end where they are delivered, no middlebox in between; TCP, and
 * UDP where both ends want that; IP packets of at most 8900 bytes. Others go as without it.
 */
import { groupBit } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { ipProtocol } from '../net/ipv4.ts';
import { fragment } from '../net/parse.ts';
import type { SwitchPort } from './port.ts';
import { counter } from './port-counters.ts';

export type Express = { readonly udp: boolean };

const maxIpBytes = 8900;

/** Counts a frame that is about to be delivered, as `wireFrames`, if it goes by SRD; each end where it is served. */
export function countExpress(
  from: SwitchPort,
  to: SwitchPort,
  frame: Frame,
  wireFrames: number,
): void {
  if (!isEligible(from, to, frame)) return;
  if (from.trunk === null)
    from.values[counter.expressTx] = (from.values[counter.expressTx] as number) + wireFrames;
  if (to.trunk === null)
    to.values[counter.expressRx] = (to.values[counter.expressRx] as number) + wireFrames;
  from.shaper?.raiseFlow();
}

function isEligible(from: SwitchPort, to: SwitchPort, frame: Frame): boolean {
  const { express: mine } = from;
  const { express: theirs } = to;
  if (mine === null || theirs === null || from.sendsOn || to.sendsOn) return false;
  const h = frame.headers;
  if ((h.dstMacHi & groupBit) !== 0) return false; // to many, which is no connection
  if (h.fragment !== fragment.none || h.l4Offset < 0) return false;
  const isUdp = h.l4Protocol === ipProtocol.udp;
  if (isUdp ? !(mine.udp && theirs.udp) : h.l4Protocol !== ipProtocol.tcp) return false;
  const ipEnd = frame.mss === 0 ? h.ipEnd : h.payloadOffset + frame.mss;
  return ipEnd - h.l3Offset <= maxIpBytes;
}
