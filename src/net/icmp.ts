/** ICMP (RFC 792) and ICMPv6 (RFC 4443): the four bytes that they share. */
export const icmp = { type: 0, code: 1, checksum: 2, minBytes: 4 } as const;
