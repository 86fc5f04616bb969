/** A packet as the evaluator sees it: what its headers say, in words and numbers. */

/** What a rule looks at, and what makes a connection. */
export type Flow = {
  readonly source: string;
  readonly destination: string;
  /** The IP protocol number behind extension headers. */
  readonly protocol: number;
  /** TCP and UDP. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** ICMP and ICMPv6. */
  readonly icmpType?: number;
  readonly icmpCode?: number;
  /** The identifier of an ICMP query or its answer. */
  readonly icmpId?: number;
};

export type Packet = Flow & {
  /** The interface that sends the frame, or the gateway that brings it in. */
  readonly from: string;
  /** Whose MAC address the frame is for. */
  readonly to: 'router' | 'group' | 'nobody' | { readonly interface: string };
  /** The frame's source MAC is another one than the interface's. */
  readonly foreignMac?: boolean;
  readonly tcpFlags?: number;
  /** A fragment: of which packet, and whether it is the one that has the ports. */
  readonly fragment?: { readonly id: number; readonly part: 'first' | 'later' };
  /** What an ICMP error says that it is about. */
  readonly about?: Flow;
  /** The IP packet's size; 100 unless told. */
  readonly sizeBytes?: number;
};

export const protocols = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const;

/** ICMP for the packet's own version of IP: only that one has types and codes. */
export const isIcmp = (flow: Flow): boolean =>
  flow.source.includes(':') ? flow.protocol === protocols.icmp6 : flow.protocol === protocols.icmp;

export const hasPorts = ({ protocol }: { readonly protocol: number }): boolean =>
  protocol === protocols.tcp || protocol === protocols.udp;

/** The same flow as its answers see it. */
export const reversed = (flow: Flow): Flow => ({
  ...flow,
  source: flow.destination,
  destination: flow.source,
  ...(flow.destinationPort === undefined ? {} : { sourcePort: flow.destinationPort }),
  ...(flow.sourcePort === undefined ? {} : { destinationPort: flow.sourcePort }),
});

/** ICMP queries and their answers (RFC 792, RFC 4443): type of the query, type of the answer. */
export const icmpQueries: readonly (readonly [query: number, answer: number])[] = [
  [8, 0],
  [13, 14],
  [15, 16],
  [17, 18],
  [128, 129],
];

/** ICMP messages about another packet (RFC 792, RFC 4443). */
const icmpErrors = { 4: [3, 4, 5, 11, 12], 6: [1, 2, 3, 4] } as const;

export const isIcmpError = (flow: Flow): boolean =>
  isIcmp(flow) &&
  (icmpErrors[flow.source.includes(':') ? 6 : 4] as readonly number[]).includes(
    flow.icmpType ?? -1,
  );
