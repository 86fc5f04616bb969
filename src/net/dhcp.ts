/**
 * DHCP messages (RFC 2131, options of RFC 2132, 3442 and 3397): reading and writing over bytes.
 * Offsets count from the BOOTP header.
 */
import { read16, read32, write16, write32 } from './bytes.ts';
import { readMac } from './ethernet.ts';

export const bootp = {
  op: 0,
  hardwareType: 1,
  hardwareLength: 2,
  transaction: 4,
  flags: 10,
  clientAddress: 12,
  yourAddress: 16,
  serverAddress: 20,
  relayAddress: 24,
  clientMac: 28,
  magic: 236,
  options: 240,
  /** Relays and old clients expect no less (RFC 1542, section 2.1). */
  minBytes: 300,
} as const;

export const bootpMagic = 0x6382_5363;
export const bootpPorts = { server: 67, client: 68 } as const;
export const broadcastFlag = 0x8000;

export const dhcpType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

export const dhcpOption = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  dns: 6,
  hostname: 12,
  domain: 15,
  mtu: 26,
  broadcast: 28,
  ntpServers: 42,
  netbiosServers: 44,
  netbiosNodeType: 46,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  renewal: 58,
  rebinding: 59,
  classlessRoutes: 121,
  end: 255,
} as const;

/** What a server needs of a client's message. Addresses are signed integers, 0 when absent. */
export class DhcpRequest {
  type = 0;
  transaction = 0;
  flags = 0;
  clientAddress = 0;
  clientMac = 0;
  requestedAddress = 0;
  serverId = 0;

  /** Reads `bytes[at .. end]`; false when it is no well-formed request from an Ethernet client. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    this.type = 0;
    this.requestedAddress = 0;
    this.serverId = 0;
    if (end - at < bootp.options || read32(bytes, at + bootp.magic) !== bootpMagic) return false;
    if (bytes[at + bootp.op] !== 1 || read16(bytes, at + bootp.hardwareType) !== 0x0106)
      return false;
    this.transaction = read32(bytes, at + bootp.transaction);
    this.flags = read16(bytes, at + bootp.flags);
    this.clientAddress = read32(bytes, at + bootp.clientAddress);
    this.clientMac = readMac(bytes, at + bootp.clientMac);
    // Relays sit between networks; a port has none before it.
    if (read32(bytes, at + bootp.relayAddress) !== 0) return false;
    return this.#options(bytes, at + bootp.options, end) && this.type !== 0;
  }

  #options(bytes: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end; ) {
      const code = bytes[at] as number;
      if (code === dhcpOption.end) return true;
      if (code === dhcpOption.pad) {
        at++;
        continue;
      }
      const length = at + 1 < end ? (bytes[at + 1] as number) : end;
      if (at + 2 + length > end) return false;
      if (code === dhcpOption.messageType && length === 1) this.type = bytes[at + 2] as number;
      if (length === 4) {
        if (code === dhcpOption.requestedAddress) this.requestedAddress = read32(bytes, at + 2);
        if (code === dhcpOption.serverId) this.serverId = read32(bytes, at + 2);
      }
      at += 2 + length;
    }
    // No end option: tolerated, the message ended between two options.
    return true;
  }
}

/** Appends options to a message. Its owner sees to the room. */
export class DhcpOptions {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(code: number, value: number): void {
    this.#begin(code, 1);
    this.#bytes[this.at++] = value;
  }

  short(code: number, value: number): void {
    this.#begin(code, 2);
    write16(this.#bytes, this.at, value);
    this.at += 2;
  }

  word(code: number, value: number): void {
    this.#begin(code, 4);
    write32(this.#bytes, this.at, value);
    this.at += 4;
  }

  data(code: number, value: Uint8Array): void {
    this.#begin(code, value.length);
    this.#bytes.set(value, this.at);
    this.at += value.length;
  }

  /** Options that were written before. */
  raw(options: Uint8Array): void {
    this.#bytes.set(options, this.at);
    this.at += options.length;
  }

  end(): void {
    this.#bytes[this.at++] = dhcpOption.end;
  }

  #begin(code: number, length: number): void {
    this.#bytes[this.at] = code;
    this.#bytes[this.at + 1] = length;
    this.at += 2;
  }
}
