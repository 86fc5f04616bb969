/**
 * Statistics of the function (82599 datasheet, 8.3.5.6): nothing clears them, reading and resets
 * included; packets wrap at 32 bits, octets at 36. Octets include the check sequence.
 */

import { bigCount } from '../../lib/big-count.ts';

/** What the wire adds to a frame. */
const fcsBytes = 4;

export class VfStats {
  rxPackets: number = bigCount;
  rxOctets: number = bigCount;
  rxMulticasts = 0;
  txPackets: number = bigCount;
  txOctets: number = bigCount;

  constructor() {
    this.rxPackets = 0;
    this.rxOctets = 0;
    this.txPackets = 0;
    this.txOctets = 0;
  }

  received(bytes: number, isMulticast: boolean): void {
    this.rxPackets++;
    this.rxOctets += bytes + fcsBytes;
    if (isMulticast) this.rxMulticasts++;
  }

  sent(packets: number, bytes: number): void {
    this.txPackets += packets;
    this.txOctets += bytes + packets * fcsBytes;
  }
}

/** A counter's low 32 bits, and bits 35:32. */
export const low32 = (value: number): number => value % 2 ** 32;
export const high4 = (value: number): number => Math.floor(value / 2 ** 32) % 16;
