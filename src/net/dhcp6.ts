/**
 * DHCPv6 messages (RFC 8415): reading a client's, writing a server's. Offsets count from the
 * message. Options nest: an identity association (IA) holds addresses, which hold more options.
 */
import { read16, read32, write16, write32 } from './bytes.ts';
import { type Ipv6Address, readIpv6, writeIpv6Address } from './ipv6.ts';

export const dhcp6Ports = { client: 546, server: 547 } as const;

/** Message type (one byte), transaction (three bytes), options. */
export const dhcp6 = { type: 0, transaction: 1, options: 4, optionHeader: 4 } as const;

export const dhcp6Type = {
  solicit: 1,
  advertise: 2,
  request: 3,
  confirm: 4,
  renew: 5,
  rebind: 6,
  reply: 7,
  release: 8,
  decline: 9,
  informationRequest: 11,
} as const;

export const dhcp6Option = {
  clientId: 1,
  serverId: 2,
  iaNa: 3,
  iaTa: 4,
  iaAddress: 5,
  optionRequest: 6,
  statusCode: 13,
  dnsServers: 23,
  domainList: 24,
  iaPd: 25,
  ntpServer: 56,
} as const;

/** Within `ntpServer` (RFC 5908). */
export const ntpServerAddress = 1;

export const dhcp6Status = {
  success: 0,
  noAddrsAvail: 2,
  noBinding: 3,
  notOnLink: 4,
  noPrefixAvail: 6,
} as const;

/** A DUID has 130 bytes at most (section 11.1). */
const maxDuidBytes = 130;
/** More IAs, and more addresses in one, than any client has use for. */
const maxAssociations = 8;
const maxAddresses = 32;

export type Association = {
  readonly option: number;
  readonly iaid: number;
  readonly addresses: readonly Ipv6Address[];
};

/** A part of the message. */
export type Part = { readonly at: number; readonly length: number };

export class Dhcp6Request {
  type = 0;
  /** 24 bits. */
  transaction = 0;
  clientId: Part | null = null;
  serverId: Part | null = null;
  associations: Association[] = [];
  /** Codes of options that the client asks for. */
  requested: number[] = [];

  /** Reads `bytes[at .. end]`; false when it is no well-formed message of a client. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < dhcp6.options) return false;
    this.type = bytes[at] as number;
    this.transaction = read32(bytes, at) & 0xff_ffff;
    this.clientId = null;
    this.serverId = null;
    this.associations = [];
    this.requested = [];
    return eachOption(bytes, at + dhcp6.options, end, (option, from, to) =>
      this.#option(bytes, option, from, to),
    );
  }

  #option(bytes: Uint8Array, option: number, at: number, end: number): boolean {
    const length = end - at;
    if (option === dhcp6Option.clientId || option === dhcp6Option.serverId) {
      // At least a type and a byte.
      if (length < 3 || length > maxDuidBytes) return false;
      if (option === dhcp6Option.clientId) this.clientId = { at, length };
      else this.serverId = { at, length };
    } else if (option === dhcp6Option.optionRequest) {
      if (length % 2 !== 0) return false;
      for (let i = at; i < end; i += 2) this.requested.push(read16(bytes, i));
    } else if (headBytesOf(option) > 0) return this.#association(bytes, option, at, end);
    return true;
  }

  #association(bytes: Uint8Array, option: number, at: number, end: number): boolean {
    const options = at + headBytesOf(option);
    if (options > end || this.associations.length === maxAssociations) return false;
    const addresses: Ipv6Address[] = [];
    const isSound = eachOption(bytes, options, end, (inner, from, to) => {
      if (inner !== dhcp6Option.iaAddress) return true;
      if (to - from < 24 || addresses.length === maxAddresses) return false;
      addresses.push(readIpv6(bytes, from));
      return true;
    });
    if (isSound) this.associations.push({ option, iaid: read32(bytes, at), addresses });
    return isSound;
  }
}

/** The fixed part of an identity association; 0: the option is none. */
function headBytesOf(option: number): number {
  if (option === dhcp6Option.iaNa || option === dhcp6Option.iaPd) return 12;
  return option === dhcp6Option.iaTa ? 4 : 0;
}

/** Visits the options that fill `bytes[start .. end]`; false when they do not, or a visit fails. */
function eachOption(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (option: number, from: number, to: number) => boolean,
): boolean {
  let at = start;
  while (at + dhcp6.optionHeader <= end) {
    const from = at + dhcp6.optionHeader;
    const to = from + read16(bytes, at + 2);
    if (to > end || !visit(read16(bytes, at), from, to)) return false;
    at = to;
  }
  return at === end;
}

/** Appends options to a message. Its owner sees to the room. */
export class Dhcp6Writer {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  begin(at: number, type: number, transaction: number): void {
    write32(this.bytes, at, transaction);
    this.bytes[at] = type;
    this.at = at + dhcp6.options;
  }

  data(option: number, value: Uint8Array): void {
    const at = this.open(option);
    this.bytes.set(value, this.at);
    this.at += value.length;
    this.close(at);
  }

  addresses(option: number, all: readonly Ipv6Address[]): void {
    const at = this.open(option);
    for (const address of all) this.#address(address);
    this.close(at);
  }

  status(code: number): void {
    const at = this.open(dhcp6Option.statusCode);
    write16(this.bytes, this.at, code);
    this.at += 2;
    this.close(at);
  }

  /** An address, with how long it is preferred and valid, in seconds. */
  iaAddress(address: Ipv6Address, preferred: number, valid: number): void {
    const at = this.open(dhcp6Option.iaAddress);
    this.#address(address);
    this.word(preferred);
    this.word(valid);
    this.close(at);
  }

  /** Begins an option that is filled by what follows; returns what `close` wants. */
  open(option: number): number {
    write16(this.bytes, this.at, option);
    this.at += dhcp6.optionHeader;
    return this.at;
  }

  close(opened: number): void {
    write16(this.bytes, opened - 2, this.at - opened);
  }

  word(value: number): void {
    write32(this.bytes, this.at, value);
    this.at += 4;
  }

  #address(address: Ipv6Address): void {
    writeIpv6Address(this.bytes, this.at, address);
    this.at += 16;
  }
}
