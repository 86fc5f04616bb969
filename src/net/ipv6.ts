/** IPv6 (RFC 8200). Offsets count from the IPv6 header. */
export const ipv6 = {
  payloadLength: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
  bytes: 40,
} as const;

/** Next-header values that are extension headers, or that end the chain. */
export const ipv6Next = {
  hopByHop: 0,
  routing: 43,
  fragment: 44,
  authentication: 51,
  noNext: 59,
  destinationOptions: 60,
  mobility: 135,
} as const;

/** A chain longer than this is nothing that an honest sender builds. */
export const maxIpv6Extensions = 8;
