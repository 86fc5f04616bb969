/** Whether a frame that has arrived is one that the bench sends: all of it, but for its MACs and sums. */
import { flowOf, l4, payloadByte, tcpHeaderBytes, udpHeaderBytes } from './frames.ts';

export type Expected = {
  readonly isTcp: boolean;
  readonly flows: number;
  /** IPv4 addresses, as 32-bit integers. */
  readonly src: number;
  readonly dst: number;
};

const addressesAt = 26;

/** @throws Error that says what is wrong with it */
export function checkFrame(frame: Uint8Array, { isTcp, flows, src, dst }: Expected): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if ([src, dst].some((address, i) => view.getInt32(addressesAt + 4 * i) !== address))
    throw new Error('a frame arrived with other addresses');
  if (flowOf(frame, 0) >= flows) throw new Error('a frame arrived of no flow');
  const first = isTcp ? view.getUint32(l4 + 4) : 0;
  const header = isTcp ? tcpHeaderBytes : udpHeaderBytes;
  for (let i = header; i < frame.length; i++)
    if (frame[i] !== payloadByte(first + i - header))
      throw new Error(`byte ${i} of ${frame.length} arrived changed`);
}
