/**
 * Measures between two reference guests. They have no TCP: flows are transfers over UDP with
 * go-back-N, whose bytes both ends verify.
 */
import { BulkReceiver, BulkSender } from '../../drivers/bulk-transfer.ts';
import { UdpBlaster, UdpSink } from '../../drivers/udp-load.ts';
import { ownCpuSeconds } from './machine.ts';
import type { Bench } from './measure.ts';
import { MeasureError } from './parsers.ts';
import type { Fabric, ReferenceGuest } from './reference-guest.ts';

const transferBytes = 8 << 20;
const flowPort = 5201;
const loadPort = 9;
/** 64 bytes on the wire: the check sequence is the NIC's. */
const smallFrameBytes = 60;
const burst = 32;
const answerMs = 1000;
const stuckMs = 10_000;
const reference = { driver: 'virtfn-reference' } as const;

export function referenceBench(fabric: Fabric, from: ReferenceGuest, to: ReferenceGuest): Bench {
  let transfers = 0;
  return {
    ...{ nic: from.model, driver: reference.driver, linkMbps: from.driver.linkSpeedMbps() },
    tcp: async (flows, seconds) => {
      const start = performance.now();
      const cpu = ownCpuSeconds();
      let bytes = 0;
      while (performance.now() - start < seconds * 1000)
        bytes += await transfer(fabric, from, to, flows, ++transfers);
      return {
        gbit: (bytes * 8) / 1e9,
        seconds: (performance.now() - start) / 1000,
        cpu: ownCpuSeconds() - cpu,
      };
    },
    udp: async (seconds) => {
      const sink = new UdpSink();
      to.endpoint.listen(loadPort, sink);
      const blaster = new UdpBlaster(from.endpoint, to.endpoint.address, loadPort, smallFrameBytes);
      const start = performance.now();
      try {
        await fabric.runUntil(() => {
          blaster.burst(burst);
          return false;
        }, seconds * 1000);
      } finally {
        to.endpoint.close(loadPort);
      }
      if (sink.received === 0) throw new MeasureError('no datagram arrived');
      return { received: sink.received, seconds: (performance.now() - start) / 1000 };
    },
    rtt: (count) => pings(fabric, from, to, count),
  };
}

/** One transfer per flow, all at once; returns the bytes that arrived and were right. */
async function transfer(
  fabric: Fabric,
  from: ReferenceGuest,
  to: ReferenceGuest,
  flows: number,
  id: number,
): Promise<number> {
  const ports = Array.from({ length: flows }, (_, i) => flowPort + i);
  const target = to.endpoint.address;
  for (const port of ports) new BulkReceiver(to.endpoint, port);
  const senders = ports.map(
    (port) => new BulkSender(from.endpoint, target, port, transferBytes / flows, id),
  );
  try {
    const done = (): boolean => senders.every(({ verified }) => verified !== null);
    if (!(await fabric.runUntil(done, stuckMs)))
      throw new MeasureError('a transfer came to a stand-still');
  } finally {
    for (const port of ports) for (const { endpoint } of [from, to]) endpoint.close(port);
  }
  if (!senders.every(({ verified }) => verified))
    throw new MeasureError('a transfer arrived changed');
  return senders.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
}

/** Microseconds, one after the other. */
async function pings(
  fabric: Fabric,
  { endpoint }: ReferenceGuest,
  to: ReferenceGuest,
  count: number,
): Promise<number[]> {
  const times: number[] = [];
  endpoint.ping(to.endpoint.address, 0); // asks for the MAC, where it is not known
  await fabric.runUntil(() => endpoint.echoAnswers.length > 0, 50);
  for (let sequence = 1; sequence <= count; sequence++) {
    endpoint.echoAnswers.length = 0;
    endpoint.ping(to.endpoint.address, sequence);
    endpoint.nic.flush();
    const answered = await fabric.runUntil(() => endpoint.echoAnswers.length > 0, answerMs);
    const [answer] = endpoint.echoAnswers;
    if (!answered || answer === undefined)
      throw new MeasureError(`ping ${sequence} of ${count} was not answered`);
    times.push(Math.round(answer.roundTripNs / 100) / 10);
  }
  return times;
}
