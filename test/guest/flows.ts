/**
 * UDP flows whose ports are chosen, from one guest to another (the kernel's own packet generator),
 * and the receive queue that each belongs to, computed here.
 */
import type { Vm } from '../../src/host/guest/guest-vm.ts';
import { Toeplitz } from '../../src/net/toeplitz.ts';
import type { Indirection } from './ethtool.ts';

export type Flows = {
  readonly from: string;
  readonly to: string;
  readonly toMac: string;
  /** Of the sender; one flow each. */
  readonly ports: readonly number[];
  /** Packets in each flow. */
  readonly count: number;
  /** Between two packets. */
  readonly delayUs?: number;
};

const discardPort = 9;

/** Sends the flows, one after the other; returns how long that took, in seconds. */
export async function sendFlows(vm: Vm, iface: string, flows: Flows): Promise<number> {
  const settings = [
    `count ${flows.count}`,
    ...['pkt_size 60', 'clone_skb 0', `delay ${(flows.delayUs ?? 0) * 1000}`],
    ...[`src_min ${flows.from}`, `src_max ${flows.from}`, `dst ${flows.to}`],
    ...[`dst_mac ${flows.toMac}`, `udp_dst_min ${discardPort}`, `udp_dst_max ${discardPort}`],
  ];
  const took = await vm.run(
    `modprobe pktgen
    pg=/proc/net/pktgen
    [ -e $pg/${iface} ] || echo 'add_device ${iface}' > $pg/kpktgend_0
    ${settings.map((one) => `echo '${one}' > $pg/${iface}`).join(' && ')} || exit 1
    read -r begin _ < /proc/uptime
    for port in ${flows.ports.join(' ')}; do
      echo "udp_src_min $port" > $pg/${iface}
      echo "udp_src_max $port" > $pg/${iface}
      echo start > $pg/pgctrl
    done
    read -r end _ < /proc/uptime
    echo rem_device_all > $pg/kpktgend_0
    echo "$begin $end"`,
    { timeoutMs: 60_000 },
  );
  const [begin = 0, end = 0] = took.trim().split(' ').map(Number);
  return end - begin;
}

/** The receive queue of a flow. The card reads the key that drivers write backwards. */
export function queueOf(rss: Indirection, flows: Flows, port: number): number {
  if (rss.key === null) throw new Error('the card shows no key');
  const input = [
    ...[flows.from, flows.to].flatMap((address) => address.split('.').map(Number)),
    ...[port >> 8, port & 255, discardPort >> 8, discardPort & 255],
  ];
  const hash = new Toeplitz(rss.key.slice().reverse()).hash(Uint8Array.from(input));
  return rss.table[hash & (rss.table.length - 1)] ?? -1;
}
