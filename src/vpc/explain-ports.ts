/**
 * The ports that a client may ask from, cut where some network ACL changes its mind: within a range
 * all ports fare alike, so that one of each says it for all.
 */
import type { VpcModel } from './model.ts';

export type PortRange = { readonly from: number; readonly to: number };

/** What Linux clients ask from (VPC User Guide, "Ephemeral ports"). */
export const linuxEphemeral: PortRange = { from: 32_768, to: 61_000 };

export function ephemeralPorts(model: VpcModel): readonly PortRange[] {
  const { from, to } = linuxEphemeral;
  const rules = [
    ...model.networkAcls.flatMap(({ inbound, outbound }) => [...inbound, ...outbound]),
    ...model.securityGroups.flatMap(({ inbound, outbound }) => [...inbound, ...outbound]),
  ];
  const starts = rules.flatMap(({ fromPort, toPort }) => [fromPort ?? 0, (toPort ?? 65_535) + 1]);
  const cuts = [...new Set([from, ...starts.filter((port) => from < port && port <= to)])];
  cuts.sort((a, b) => a - b);
  return cuts.map((start, i) => ({ from: start, to: (cuts[i + 1] ?? to + 1) - 1 }));
}

/** Neighbours as one: `32768-39999, 50000-61000`. */
export function formatRanges(ranges: readonly PortRange[]): string {
  const joined: { from: number; to: number }[] = [];
  for (const { from, to } of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && last.to + 1 === from) last.to = to;
    else joined.push({ from, to });
  }
  return joined.map(({ from, to }) => `${from}-${to}`).join(', ');
}
