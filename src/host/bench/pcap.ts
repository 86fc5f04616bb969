/** A capture for a peer that plays it again and again: the bench's frames, there and back. */
import { writeFileSync } from 'node:fs';
import { parseIpv4 } from '../../net/ipv4.ts';
import { type Ends, setFlow, writeFrame } from './frames.ts';

const headerBytes = 24;
const recordBytes = 16;
const there: Ends = {
  ...{ srcMac: 0x0200_0000_0001, dstMac: 0x0200_0000_0101 },
  ...{ src: parseIpv4('10.0.0.10'), dst: parseIpv4('10.0.1.10') },
};
const back: Ends = {
  ...{ srcMac: there.dstMac, dstMac: there.srcMac, src: there.dst, dst: there.src },
};

/** `flows` one-way flows: of each connection one frame there and one back. */
export function writePcap(path: string, bytes: number, flows: number): void {
  const file = new Uint8Array(headerBytes + flows * (recordBytes + bytes));
  const view = new DataView(file.buffer);
  // Magic, version 2.4, snap length, Ethernet.
  view.setUint32(0, 0xa1b2_c3d4, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, 0xffff, true);
  view.setUint32(20, 1, true);
  for (let i = 0; i < flows; i++) {
    const at = headerBytes + i * (recordBytes + bytes);
    view.setUint32(at + 8, bytes, true);
    view.setUint32(at + 12, bytes, true);
    const frame = file.subarray(at + recordBytes, at + recordBytes + bytes);
    writeFrame(frame, i % 2 === 0 ? there : back, false);
    setFlow(frame, 0, i >> 1);
    if (i % 2 === 1) exchangePorts(frame);
  }
  writeFileSync(path, file);
}

function exchangePorts(frame: Uint8Array): void {
  const ports = frame.slice(34, 38);
  frame.copyWithin(34, 36, 38);
  frame.set(ports.subarray(0, 2), 36);
}
