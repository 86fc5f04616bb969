/**
 * Measures one NIC between two running guests, with iperf3 and ping as they come. The commands are
 * the same for every NIC; only the address differs.
 */
import { GuestError } from '../guest/agent.ts';
import type { Vm } from '../guest/guest-vm.ts';
import type { Bench } from './measure.ts';
import { MeasureError, parseIperfTcp, parseIperfUdp, parsePing } from './parsers.ts';
import type { Nic } from './report.ts';

/** 18 bytes of payload make a frame of 64 bytes: 14 + 20 + 8 + 18 + 4 of check sequence. */
const UDP64_PAYLOAD = 18;
/** A run that has not ended this long after it should have is given up. */
const GRACE_MS = 8_000;
const PING_INTERVAL_S = 0.002;

export type GuestPair = {
  readonly nic: Nic;
  readonly driver: string;
  readonly linkMbps: number | null;
  readonly from: Vm;
  readonly to: Vm;
  /** Of `to`, at this NIC. */
  readonly address: string;
};

/** CPU time of everything that carries the traffic: all guests, and this process with its threads. */
export type CpuMeter = () => number;

/** A bench that can do more than a lab asks for. */
export type GuestBench = Bench & {
  /** `isReverse`: to the first instance. */
  tcp(flows: number, seconds: number, isReverse?: boolean): ReturnType<Bench['tcp']>;
  /** Datagrams with so much payload; 18 bytes unless told. */
  udp(seconds: number, payloadBytes?: number): ReturnType<Bench['udp']>;
};

export function guestBench(pair: GuestPair, cpuSeconds: CpuMeter): GuestBench {
  const { nic, driver, linkMbps, from, to, address } = pair;
  const iperf = async (options: string, seconds: number): Promise<string> => {
    const timeoutMs = seconds * 1000 + GRACE_MS;
    const connect = `--connect-timeout 3000`;
    try {
      const command = `iperf3 -c ${address} -t ${seconds} ${connect} -J ${options}`;
      const { stdout, stderr } = await from.exec(command, { timeoutMs });
      return stdout.trim() === '' ? stderr : stdout;
    } catch (error) {
      if (error instanceof GuestError) await restartServer(to).catch(() => {});
      throw error;
    }
  };
  return {
    ...{ nic, driver, linkMbps },
    tcp: async (flows, seconds, isReverse = false) => {
      const before = cpuSeconds();
      const output = await iperf(`-P ${flows}${isReverse ? ' -R' : ''}`, seconds);
      const cpu = cpuSeconds() - before;
      const result = parseIperfTcp(output);
      return { gbit: (result.bytes * 8) / 1e9, seconds: result.seconds, cpu };
    },
    udp: async (seconds, payloadBytes = UDP64_PAYLOAD) =>
      parseIperfUdp(await iperf(`-u -b 0 -l ${payloadBytes}`, seconds)),
    rtt: async (count) => {
      const ping = `ping -n -c ${count} -i ${PING_INTERVAL_S} -W 1 ${address}`;
      const { stdout, stderr } = await from.exec(ping, { timeoutMs: 20_000 });
      const times = parsePing(stdout || stderr);
      if (times.length < count * 0.99)
        throw new MeasureError(`only ${times.length} of ${count} pings were answered`);
      return times;
    },
  };
}

/** Lets a guest answer iperf3 on all of its addresses. */
export async function startServer(vm: Vm): Promise<void> {
  await vm.run('iperf3 -s -D');
}

/** A server that was cut off may wait for its client for minutes. */
async function restartServer(vm: Vm): Promise<void> {
  await vm.exec('killall iperf3; sleep 0.2; iperf3 -s -D');
}
