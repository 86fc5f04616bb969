/** DHCP options from text, written once per lease. */
import { write32 } from '../net/bytes.ts';
import { DhcpOptions } from '../net/dhcp.ts';
import { parseIpv4 } from '../net/ipv4.ts';

/** Of one option; EC2's limits are lower. */
const maxOptionBytes = 252;

export function optionBytes(write: (options: DhcpOptions) => void): Uint8Array {
  const bytes = new Uint8Array(1024);
  const options = new DhcpOptions(bytes);
  write(options);
  return bytes.slice(0, options.at);
}

/** Nothing, when there is no text. */
export function putText(options: DhcpOptions, code: number, text = ''): void {
  const bytes = new TextEncoder().encode(text).subarray(0, maxOptionBytes);
  if (bytes.length > 0) options.data(code, bytes);
}

/** Nothing, when there are no addresses. */
export function putAddresses(options: DhcpOptions, code: number, all: readonly string[]): void {
  const addresses = all.slice(0, maxOptionBytes / 4);
  const bytes = new Uint8Array(addresses.length * 4);
  for (const [i, address] of addresses.entries()) write32(bytes, i * 4, parseIpv4(address));
  if (bytes.length > 0) options.data(code, bytes);
}
