/**
 * How long a tracked connection may be idle. What EC2 publishes is in its User Guide ("Security
 * group connection tracking"); what it does not is assumed, and says so.
 */
import { nsPerSecond } from '../../lib/clock.ts';

type Timeout = { readonly seconds: number; readonly source: string };

const published = 'EC2 User Guide, "Idle connection tracking timeout"';

export const timeouts = {
  /** An interface may say another; 350 on Nitro v6. */
  tcpEstablished: { seconds: 432_000, source: published },
  udp: { seconds: 30, source: published },
  udpStream: { seconds: 180, source: published },
  other: { seconds: 600, source: 'EC2 User Guide, "Security group connection tracking"' },
  tcpOpening: { seconds: 120, source: "assumed: Linux's nf_conntrack_tcp_timeout_syn_sent" },
  tcpClosing: { seconds: 10, source: "assumed: Linux's nf_conntrack_tcp_timeout_close" },
  icmp: { seconds: 30, source: "assumed: Linux's nf_conntrack_icmp_timeout" },
  fragments: { seconds: 30, source: "assumed: Linux's ipfrag_time" },
} as const satisfies Record<string, Timeout>;

export const timeoutNs = (name: keyof typeof timeouts): number =>
  timeouts[name].seconds * nsPerSecond;
