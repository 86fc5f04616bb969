/** Interfaces and packets for tests of the tracker, without a policy around them. */
import { Frame } from '../../net/frame.ts';
import { buildPacket, type PacketSpec } from '../../net/testing-packets.ts';
import { Begun } from './begun.ts';
import { Nic, TrackingAccount } from './nic.ts';
import { Packet } from './packet.ts';
import type { NicTables } from './policy.ts';

export const seconds = (n: number): number => n * 1e9;

/** Interfaces by slot; `account`: whose allowance each has. */
export function someNics(...accounts: readonly TrackingAccount[]): Nic[] {
  const router = { mac: 1, address: 0, address6: [0, 0, 0, 0] } as const;
  const subnet = { id: 'subnet-1', vpc: 0, zone: 'z', acl: 0, routes: 0, router };
  const begun = new Begun();
  return accounts.map((account, slot) => {
    const tables: NicTables = {
      id: `eni-${slot}`,
      mac: 2,
      type: 'interface',
      vpc: 0,
      subnet: 0,
      groups: new Int32Array(0),
      sourceDestCheck: true,
      account: `i-${slot}`,
      translated: new Int32Array(0),
      timeouts: {
        tcpEstablishedNs: seconds(432_000),
        udpNs: seconds(30),
        udpStreamNs: seconds(180),
      },
      noOutbound: '',
      noInbound: '',
    };
    return new Nic(slot, tables, subnet, account, begun);
  });
}

export const account = (maximum = Infinity): TrackingAccount => new TrackingAccount(maximum);

/** What the gates see of a packet. */
export function packetOf(spec: PacketSpec = {}): Packet {
  const frame = new Frame();
  const bytes = buildPacket(spec);
  frame.load(bytes, 0, bytes.length);
  frame.parse();
  const packet = new Packet();
  if (!packet.read(frame.head, frame.headLength, frame.headers)) throw new Error('unreadable');
  return packet;
}
