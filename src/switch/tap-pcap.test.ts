import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseVpc } from '../host/vpc/load.ts';
import { VirtualClock } from '../lib/clock.ts';
import type { ByteSink } from '../lib/file-sink.ts';
import { PcapngWriter } from '../lib/pcapng.ts';
import { buildPacket } from '../net/testing-packets.ts';
import { RegionLab } from '../vpc/testing-region.ts';
import { Switch } from './switch.ts';
import { PcapTap } from './tap-pcap.ts';
import { TestEndpoint } from './testing-endpoint.ts';

class Sink implements ByteSink {
  readonly #parts: Uint8Array[] = [];
  /** All of it, as text. */
  get text(): string {
    return Buffer.concat(this.#parts).toString('latin1');
  }

  write(bytes: Uint8Array, done: (error: Error | null) => void): void {
    this.writeNow(bytes);
    done(null);
  }

  writeNow(bytes: Uint8Array): void {
    this.#parts.push(bytes.slice());
  }

  close(): void {}
}

/** Captures one delivered and one runt frame; returns the file as text, for its strings. */
function capture(both: boolean): string {
  const sink = new Sink();
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
  return sink.text;
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

test('a frame that a gate decided about carries the rule, delivered or not', () => {
  const source = `
vpc:
  subnets: { one: 10.0.0.0/24, two: 10.0.1.0/24 }
  groups: { open: { in: [tcp 22 from 10.0.0.0/16] } }
instances: { a: { subnet: one, groups: open }, b: { subnet: two, groups: open } }`;
  const lab = new RegionLab(parseVpc(source, 'lab.yaml'));
  const sink = new Sink();
  const writer = new PcapngWriter(sink);
  lab.region.network.addTap(new PcapTap(writer, lab.clock));
  assert.equal(lab.send('a', 'b', { srcPort: 40_000, dstPort: 22 }), 'delivered');
  assert.equal(lab.send('a', 'b', { srcPort: 40_000, dstPort: 23 }), 'sgIngressNone');
  writer.close();
  assert.match(
    sink.text,
    /delivered: given to its receiver \[sg-open inbound sgr-open-in-1: tcp 22 from/,
  );
  assert.match(sink.text, /sgIngressNone: .* matches \[no inbound rule in sg-open matches\]/);
});
