import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../lib/prng.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { Headers } from '../../net/parse.ts';
import { address6, buildPacket, type PacketSpec } from '../../net/testing-packets.ts';
import { Decision } from './decision.ts';
import { FlowTable, field, secondFactor, ways } from './flow-table.ts';
import { hashWords } from './hash.ts';

function headersOf(spec: PacketSpec): Headers {
  const bytes = buildPacket(spec);
  const headers = new Headers();
  headers.parse(new DataView(bytes.buffer), bytes.length, bytes.length, false);
  return headers;
}

function decisionTo(to: number): Decision {
  const decision = new Decision();
  decision.clear();
  decision.to = to;
  decision.rule = `rule ${to}`;
  return decision;
}

const base: PacketSpec = {};
const base6: PacketSpec = { version: 6, src: address6(1), dst: address6(2) };

for (const [version, spec] of [
  [4, base],
  [6, base6],
] as const)
  test(`a flow of IPv${version} is found by all that it was decided by, and by nothing else`, () => {
    const table = new FlowTable(version, 64, new Prng(1));
    table.keep(3, headersOf(spec), 5, decisionTo(9));
    const at = table.find(3, headersOf(spec), 5);
    assert.equal(table.words[at + field.to], 9);
    assert.equal(table.ruleAt(at), 'rule 9');
    assert.equal(table.find(3, headersOf(spec), 6), -1, 'another policy');
    assert.equal(table.find(4, headersOf(spec), 5), -1, 'another sender');
    const others: PacketSpec[] = [
      { srcPort: 1 },
      { dstPort: 1 },
      { protocol: 'udp' },
      { dstMac: [2, 0, 0, 0, 0, 9] },
      { dstMac: [3, 1, 0, 0, 0, 0x0b] },
    ];
    for (const i of version === 4 ? [0, 3] : [0, 4, 8, 12, 15])
      for (const name of ['src', 'dst'] as const) {
        const address = [
          ...(version === 4 ? [10, 0, 0, name === 'src' ? 10 : 11] : (spec[name] ?? [])),
        ];
        address[i] = (address[i] ?? 0) ^ 1;
        others.push({ [name]: address });
      }
    for (const other of others)
      assert.equal(table.find(3, headersOf({ ...spec, ...other }), 5), -1, JSON.stringify(other));
    table.keep(3, headersOf(spec), 6, decisionTo(8));
    assert.equal(table.words[table.find(3, headersOf(spec), 6) + field.to], 8, 'in the same place');
  });

seeded('a full table forgets, old policies first, and is never wrong', (random) => {
  const table = new FlowTable(4, 32, random);
  const kept = new Map<number, number>();
  let known = 0;
  for (let n = 0; n < 5000; n++) {
    const port = 1 + random.below(80);
    const h = headersOf({ srcPort: port });
    const at = table.find(1, h, 1);
    if (at >= 0) {
      known++;
      assert.equal(table.words[at + field.to], kept.get(port));
    } else {
      table.keep(1, h, 1, decisionTo(n));
      kept.set(port, n);
      assert.ok(table.find(1, h, 1) >= 0);
    }
  }
  assert.ok(known > 1000, `${known}`);
});

for (const [version, spec] of [
  [4, base],
  [6, base6],
] as const)
  seeded(`half of a table of IPv${version} is used before a flow is given up`, (random) => {
    const entries = 2048;
    const table = new FlowTable(version, entries, random);
    const flows = Array.from({ length: (entries * 9) / 10 }, (_, i) =>
      headersOf({ ...spec, srcPort: 1 + i }),
    );
    const half = flows.slice(0, entries / 2);
    const rest = flows.slice(entries / 2);
    for (const [i, h] of half.entries()) table.keep(3, h, 5, decisionTo(i));
    const places = half.map((h) => table.find(3, h, 5));
    assert.equal(new Set(places).size, half.length);
    for (const [i, at] of places.entries()) {
      assert.equal(table.words[at + field.to], i);
      assert.equal(table.ruleAt(at), `rule ${i}`);
    }
    for (const [i, h] of rest.entries()) table.keep(3, h, 5, decisionTo(half.length + i));
    const lost = flows.filter((h) => table.find(3, h, 5) < 0);
    assert.ok(lost.length < flows.length / 20, `${lost.length} were given up`);
  });

for (const [version, spec] of [
  [4, base],
  [6, base6],
] as const)
  test(`who is told of the table finds a flow of IPv${version} in its words`, () => {
    const table = new FlowTable(version, 4096, new Prng(1));
    const { words, strideLog, shift, seeds } = table.describe();
    for (let srcPort = 1; srcPort < 50; srcPort++) {
      const h = headersOf({ ...spec, srcPort });
      table.keep(3, h, 5, decisionTo(9));
      const ports = (h.srcPort << 16) | h.dstPort;
      const key = [h.src, h.dst, ports, h.dstMacLo, h.dstMacHi, (3 << 8) | h.l4Protocol];
      if (version === 6) key.push(h.src0, h.src1, h.src2, h.dst0, h.dst1, h.dst2);
      const used = seeds.subarray(0, key.length);
      const hash = hashWords(Int32Array.from(key), 0, used);
      const at = table.find(3, h, 5);
      const set = Math.floor(at / (ways << strideLog));
      assert.ok(set === hash >>> shift || set === Math.imul(hash, secondFactor) >>> shift);
      assert.equal(words[at + field.ports], ports);
    }
  });
