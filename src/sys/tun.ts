/**
 * TUN and TAP devices (Linux Documentation/networking/tuntap.rst): a network interface of the
 * host's whose other end is a descriptor. A TUN device carries IP packets, a TAP one frames. Making
 * one takes CAP_NET_ADMIN; one that was made for a user (`ip tuntap add ... user`) takes nothing.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { EAGAIN, EINTR } from './errno.ts';
import { checked, errno, ioctl, NativeStruct, read, write } from './libc.ts';
import { disconnected, wouldBlock } from './socket.ts';

const TUNSETIFF = 0x4004_54ca;
const IFF = { tun: 0x0001, tap: 0x0002, noPi: 0x1000 } as const;
const maxNameBytes = 15;
/** `struct ifreq`: the name, then the flags. */
const requestBytes = 40;
const flagsAt = 16;

export class TunDevice {
  readonly fd: number;
  readonly #buffer = new NativeStruct(65_536);

  /** Attaches to the device `name`, which is made if there is none. Throws a SysError. */
  constructor(kind: 'tun' | 'tap', name: string) {
    const encoded = new TextEncoder().encode(name);
    if (encoded.length === 0 || encoded.length > maxNameBytes)
      throw new Error(`'${name}' is no name of a network interface: 1 to ${maxNameBytes} bytes`);
    this.fd = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
    const request = new NativeStruct(requestBytes);
    request.bytes.set(encoded);
    request.words[flagsAt / 4] = IFF[kind] | IFF.noPi;
    try {
      checked('ioctl', ioctl(this.fd, TUNSETIFF, request.address), `TUNSETIFF ${name}`);
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  /**
   * One packet (of a TAP device: one frame) to `into[at ..]`; its length, `wouldBlock`, or
   * `disconnected`: the device was removed.
   */
  receive(into: Uint8Array, at: number): number {
    const most = Math.min(into.length - at, this.#buffer.bytes.length);
    const count = read(this.fd, this.#buffer.address, most);
    if (count < 0) return isTransient(errno()) ? wouldBlock : disconnected;
    into.set(this.#buffer.bytes.subarray(0, count), at);
    return count;
  }

  /** Sends one packet or frame; false when there is no room, or no link. */
  send(bytes: Uint8Array, at: number, length: number): boolean {
    this.#buffer.bytes.set(bytes.subarray(at, at + length));
    return write(this.fd, this.#buffer.address, length) === length;
  }

  close(): void {
    closeSync(this.fd);
  }
}

const isTransient = (code: number): boolean => code === EAGAIN || code === EINTR;
