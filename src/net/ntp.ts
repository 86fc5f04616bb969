/**
 * NTP (RFC 5905, section 7.3): the header of 48 bytes. Times are seconds since 1900 and a fraction,
 * 32 bits each; offsets count from the header.
 */
import { write16, write32 } from './bytes.ts';

export const ntp = {
  /** Leap indicator, version, mode. */
  flags: 0,
  stratum: 1,
  poll: 2,
  precision: 3,
  rootDelay: 4,
  rootDispersion: 8,
  referenceId: 12,
  referenceTime: 16,
  originTime: 24,
  receiveTime: 32,
  transmitTime: 40,
  bytes: 48,
} as const;

export const ntpPort = 123;
export const ntpMode = { client: 3, server: 4 } as const;
export const ntpVersions = { oldest: 1, newest: 4 } as const;

/** From 1900 to 1970. */
const untilUnixSeconds = 2_208_988_800;

/** A time of day, as seconds since 1970 and nanoseconds. */
export function writeNtpTime(
  bytes: Uint8Array,
  at: number,
  unixSeconds: number,
  nanoseconds: number,
): void {
  // Eras of 2^32 seconds are not told apart on the wire (RFC 5905, section 6).
  write32(bytes, at, ((unixSeconds + untilUnixSeconds) % 2 ** 32) | 0);
  write32(bytes, at + 4, Math.floor((nanoseconds / 1e9) * 2 ** 32) | 0);
}

/** Seconds as NTP's short format: 16 bits each for whole and fraction. */
export function writeNtpShort(bytes: Uint8Array, at: number, seconds: number): void {
  const units = Math.round(seconds * 65_536);
  write16(bytes, at, units >>> 16);
  write16(bytes, at + 2, units & 0xffff);
}
