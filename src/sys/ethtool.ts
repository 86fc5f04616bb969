/**
 * What a network driver says of an interface: SIOCETHTOOL with the commands that read
 * (include/uapi/linux/ethtool.h). None of these needs a privilege, and none changes anything.
 */
import { checked, close, ioctl, NativeStruct, socket } from './libc.ts';

const SIOCETHTOOL = 0x8946;
const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const ETHTOOL_GDRVINFO = 0x3;
const ETHTOOL_GRINGPARAM = 0x10;
const ETHTOOL_GSTRINGS = 0x1b;
const ETHTOOL_GSTATS = 0x1d;
const ETH_SS_STATS = 1;

/** `struct ifreq`: the name, then a pointer to the command. */
const requestBytes = 40;
const dataAt = 16;
const maxNameBytes = 15;
/** `struct ethtool_drvinfo`: five texts of 32 bytes after the command, then counts. */
const driverInfoBytes = 200;
const textBytes = 32;
const countOfStatsAt = 4 + 5 * textBytes + 12 + 4;
/** Queues may be added between two calls: the kernel writes as many statistics as there are then. */
const spareStats = 16_384;
const maxStats = 65_536;

export type DriverInfo = {
  readonly driver: string;
  readonly version: string;
  readonly firmware: string;
};

export type Rings = { readonly rx: number; readonly tx: number };

/** Each throws a SysError: ENODEV, or EOPNOTSUPP where the driver does not tell. */
export class EthtoolSocket {
  readonly #fd = checked('socket', socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0));

  driverInfo(name: string): DriverInfo {
    const { bytes } = this.#driverInfo(name);
    const text = (index: number): string => textAt(bytes, 4 + index * textBytes);
    return { driver: text(0), version: text(1), firmware: text(2) };
  }

  /** Ring sizes as they are set. */
  rings(name: string): Rings {
    const command = new NativeStruct(40);
    command.words[0] = ETHTOOL_GRINGPARAM;
    this.#call(name, command, 'GRINGPARAM');
    return { rx: command.words[5] ?? 0, tx: command.words[8] ?? 0 };
  }

  /** The driver's own counters, by name. */
  statistics(name: string): ReadonlyMap<string, number> {
    const count = new DataView(this.#driverInfo(name).bytes.buffer).getUint32(countOfStatsAt, true);
    const room = Math.min(count, maxStats) + spareStats;
    const strings = new NativeStruct(16 + room * textBytes);
    strings.words.set([ETHTOOL_GSTRINGS, ETH_SS_STATS, count]);
    this.#call(name, strings, 'GSTRINGS');
    const stats = new NativeStruct(8 + room * 8);
    stats.words.set([ETHTOOL_GSTATS, count]);
    this.#call(name, stats, 'GSTATS');
    const told = Math.min(strings.words[2] ?? 0, stats.words[1] ?? 0, room);
    const values = new DataView(stats.bytes.buffer);
    const found = new Map<string, number>();
    for (let i = 0; i < told; i++) {
      const low = values.getUint32(8 + i * 8, true);
      const high = values.getUint32(12 + i * 8, true);
      found.set(textAt(strings.bytes, 12 + i * textBytes), high * 2 ** 32 + low);
    }
    return found;
  }

  close(): void {
    close(this.#fd);
  }

  #driverInfo(name: string): NativeStruct {
    const command = new NativeStruct(driverInfoBytes);
    command.words[0] = ETHTOOL_GDRVINFO;
    this.#call(name, command, 'GDRVINFO');
    return command;
  }

  #call(name: string, command: NativeStruct, what: string): void {
    const encoded = new TextEncoder().encode(name);
    if (encoded.length === 0 || encoded.length > maxNameBytes)
      throw new Error(`'${name}' is no name of a network interface: 1 to ${maxNameBytes} bytes`);
    const request = new NativeStruct(requestBytes);
    request.bytes.set(encoded);
    request.set64(dataAt, command.address);
    checked('ioctl', ioctl(this.#fd, SIOCETHTOOL, request.address), `${what} ${name}`);
  }
}

/** A text of the kernel: up to a NUL, 32 bytes at most. */
function textAt(bytes: Uint8Array, offset: number): string {
  const field = bytes.subarray(offset, offset + textBytes);
  const end = field.indexOf(0);
  return new TextDecoder('latin1').decode(end < 0 ? field : field.subarray(0, end));
}
