import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../lib/clock.ts';
import type { ByteSink } from '../lib/file-sink.ts';
import { PcapngWriter } from '../lib/pcapng.ts';
import { buildPacket } from '../net/testing-packets.ts';
import { Switch } from './switch.ts';
import { PcapTap } from './tap-pcap.ts';
import { TestEndpoint } from './testing-endpoint.ts';

/** Captures one delivered and one runt frame; returns the file as text, for its strings. */
function capture(both: boolean): string {
  const parts: Uint8Array[] = [];
  const sink: ByteSink = {
    write: (bytes, done) => {
      parts.push(bytes.slice());
      done(null);
    },
    writeNow: (bytes) => parts.push(bytes.slice()),
    close: () => {},
  };
  const clock = new VirtualClock();
  const fabric = new Switch({ clock });
  const ends = [10, 11].map(
    (n) => new TestEndpoint(fabric.addPort({ name: `nic-${n}`, mac: 0x02_00_00_00_00_00 + n })),
  ) as [TestEndpoint, TestEndpoint];
  const writer = new PcapngWriter(sink);
  fabric.addTap(new PcapTap(writer, clock, { both }));
  ends[0].send(buildPacket({ payload: new TextEncoder().encode('hello') }));
  ends[0].send(new Uint8Array(5));
  writer.close();
  return Buffer.concat(parts).toString('latin1');
}

const count = (text: string, part: string): number => text.split(part).length - 1;

test('each frame is captured once where it was sent, with its verdict', () => {
  const text = capture(false);
  assert.equal(count(text, 'hello'), 1);
  assert.equal(count(text, 'delivered: given to its receiver'), 1);
  assert.equal(count(text, 'runt: shorter than an Ethernet header'), 1);
  assert.deepEqual([count(text, 'nic-10'), count(text, 'nic-11')], [1, 0]);
});

test('on demand frames are captured where they were received, too', () => {
  const text = capture(true);
  assert.equal(count(text, 'hello'), 2);
  assert.deepEqual([count(text, 'nic-10'), count(text, 'nic-11')], [1, 1]);
});
