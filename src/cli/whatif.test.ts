// `virtfn whatif`: what it prints and writes, and the exit code.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, test } from 'node:test';
import { direction, PcapngWriter } from '../lib/pcapng.ts';
import { buildPacket } from '../net/testing-packets.ts';
import type { WhatIfDocument } from '../vpc/whatif/summary.ts';
import { run } from './run.ts';

const directory = mkdtempSync(join(tmpdir(), 'virtfn-whatif-'));
after(() => rmSync(directory, { recursive: true }));
const trace = join(directory, 'trace.pcapng');

async function whatif(...args: string[]) {
  const lines = { log: [] as string[], error: [] as string[] };
  const mocks = (['log', 'error'] as const).map((name) =>
    mock.method(console, name, (line: string) => lines[name].push(`${line}\n`)),
  );
  try {
    const code = await run(['whatif', ...args]);
    return { code, stdout: lines.log.join(''), stderr: lines.error.join('') };
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
}

/** A second of 1000-byte frames, two sent and one received in each millisecond. */
function writeTrace(dir: { sent: number; received: number }): void {
  const writer = PcapngWriter.toFile(trace, { epochMs: Date.UTC(2026, 10, 26) });
  const id = writer.addInterface({ name: 'a' });
  const payload = new Uint8Array(958);
  const here = buildPacket({ protocol: 'udp', payload });
  const there = buildPacket({ protocol: 'udp', payload, src: [10, 0, 0, 11], dst: [10, 0, 0, 10] });
  for (let n = 0; n < 3000; n++) {
    const isSent = n % 3 > 0;
    const at = writer.begin(id, Math.floor(n / 3) * 1e6, 1000, 0);
    writer.bytes.set(isSent ? here : there, at);
    writer.end(isSent ? dir.sent : dir.received, new Uint8Array(0));
  }
  writer.close();
}

test('a capture of our own says which way packets went; with limits some of them are lost', async () => {
  writeTrace({ sent: direction.outbound, received: direction.inbound });
  const limits = ['--limit', 'bandwidthGbps=0.008', '--limit', 'queueMs=0'];
  const { code, stdout } = await whatif('--type', 'm5.large', '--pcap', trace, ...limits, '--json');
  assert.equal(code, 0);
  const document = JSON.parse(stdout) as WhatIfDocument;
  const { out, in: into, limits: met, seconds } = document;
  assert.ok(Math.abs(seconds - 0.999) < 1e-6);
  // 1 MB in a second of the 2 that were sent, and 9234 bytes at once.
  assert.ok(Math.abs(out.dropped_packets - 991) <= 2, `${out.dropped_packets} were lost`);
  assert.deepEqual([out.offered_packets, into.offered_packets], [2000, 1000]);
  assert.equal(into.dropped_packets, 0);
  assert.deepEqual(
    met.map(({ limit, provenance }) => [limit, provenance]),
    [['baselineOutGbps', 'userSet']],
  );
});

test('a capture that does not say which end is the instance is asked about; twice as fast is half as long', async () => {
  writeTrace({ sent: direction.unknown, received: direction.unknown });
  const asked = await whatif('--type', 'm5.large', '--pcap', trace);
  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /which end is the instance; expected one of --(mac|address) /);
  const other = await whatif('--type', 'm5.large', '--pcap', trace, '--address', '10.9.9.9');
  assert.match(other.stderr, /no packet is from or to the instance/);
  const options = ['--address', '10.0.0.10', '--rate', '2x'];
  const { code, stdout } = await whatif('--type', 'm5.large', '--pcap', trace, ...options);
  assert.equal(code, 0);
  assert.match(stdout, /^m5\.large, 499\.500 ms of traffic: no limit met\n/);
  assert.match(stdout, /^sent +32\.03 Mbit\/s/m);
  assert.match(stdout, /played 2 times as fast/);
});

test('constant rates: an hour in a moment, as a table, a chart and a page', async () => {
  const [svg, html] = ['o.svg', 'o.html'].map((name) => join(directory, name)) as [string, string];
  const flow = ['--flow', 'rate=10Gbps,size=9014,duration=1h,flows=8'];
  const { code, stdout } = await whatif(
    '--type',
    'c5.large',
    ...flow,
    '--svg',
    svg,
    '--html',
    html,
  );
  assert.equal(code, 0);
  assert.match(stdout, /baselineOutGbps met first, after 7\.00 min/);
  assert.match(stdout, /gone after 7\.00 min/);
  const chart = readFileSync(svg, 'utf8');
  assert.match(chart, /^<svg xmlns.*viewBox="0 0 960 \d+"/);
  assert.match(chart, /credits gone<\/text>/);
  assert.doesNotMatch(chart, /NaN|Infinity|undefined/);
  const page = readFileSync(html, 'utf8');
  assert.ok(
    page.includes(chart) && !/https?:\/\/(?!www\.w3\.org)/.test(page),
    'needs nothing else',
  );
});

test('what cannot be used is told in a sentence', async () => {
  const bad = join(directory, 'bad.pcap');
  writeFileSync(bad, 'nothing of the kind');
  const wrong: [args: string[], sentence: RegExp][] = [
    [['--type', 'm5.large'], /expected either --pcap FILE or --flow/],
    [['--type', 'm5.lage', '--flow', 'rate=1Gbps,duration=1s'], /did you mean .*m5\.large/],
    [['--type', 'm5.large', '--flow', 'rate=1'], /rate: expected a number with its unit/],
    [
      ['--type', 'm5.large', '--pcap', bad],
      /bad\.pcap: it is neither pcap nor pcapng \(offset 0\)/,
    ],
    [['--type', 'm5.large', '--pcap', 'none.pcap'], /none\.pcap: there is no such file/],
    [['--type', 'm5.large', '--pcap', bad, '--rate', 'fast'], /a factor, like 2x/],
    [['--type', 'm5.large', '--pcap', bad, '--limit', 'pps=1'], /there is no limit 'pps'/],
    [['--type', 'm5.large', '--pcap', bad, '--mac', '1:2'], /is not a MAC address/],
  ];
  for (const [args, sentence] of wrong) {
    const { code, stderr } = await whatif(...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, sentence);
  }
});
