/** SRD on a bad fabric, in virtual time: everything arrives once, or ends with a status. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMP_STATUS, OP } from '../../src/defs/efa-io.ts';
import { part } from '../../src/drivers/efa/provider.ts';
import { seededTimes } from '../../src/lib/testing-seed.ts';
import { type FaultSpec, noFaults } from '../../src/srd/faults.ts';
import { connect, EfaLab } from './efa-lab.ts';

const fabrics: [string, Partial<FaultSpec>][] = [
  ['1 % loss', { lossPpm: 10_000 }],
  ['20 % loss', { lossPpm: 200_000 }],
  ['delay and reordering', { delayNs: 20_000, jitterNs: 200_000 }],
  ['1 % loss with reordering', { lossPpm: 10_000, delayNs: 5_000, jitterNs: 50_000 }],
  ['paths that fail', { pathFailurePpm: 2_000, pathDownNs: 50e6, delayNs: 1_000 }],
];

for (const [name, faults] of fabrics)
  seededTimes(3, `${name}: every message arrives exactly once, with its bytes`, (prng, seed) => {
    const lab = new EfaLab(2, { faults: { ...noFaults, ...faults, seed } });
    const pair = connect(lab, { rnrRetry: 7 });
    const count = 400;
    const bytes = 512;
    const from = lab.a.provider.buffer(count * bytes);
    const to = lab.b.provider.buffer(count * bytes);
    const source = lab.a.arena.offset(from.dma);
    for (let i = 0; i < count * bytes; i++) lab.a.arena.bytes[source + i] = prng.next();
    const sent: number[] = [];
    const got: { slot: number; imm: number }[] = [];
    let posted = 0;
    let next = 0;
    for (let round = 0; round < 2000 && (sent.length < count || got.length < count); round++) {
      while (posted < count && posted - got.length < 32) {
        pair.b.receive(posted, [part(to, posted * bytes, bytes)]);
        posted++;
      }
      while (next < count && next - sent.length < 48) {
        pair.a.send(pair.toB, next, [part(from, next * bytes, bytes)], next);
        next++;
      }
      lab.settle(1);
      for (const { status, requestId } of pair.cqA.drain()) {
        assert.equal(status, COMP_STATUS.OK);
        sent.push(requestId);
      }
      for (const { requestId, imm } of pair.cqB.drain())
        got.push({ slot: requestId, imm: imm ?? -1 });
    }
    assert.deepEqual(
      sent.sort((a, b) => a - b),
      Array.from({ length: count }, (_, i) => i),
    );
    assert.deepEqual(
      got.map(({ imm }) => imm).sort((a, b) => a - b),
      Array.from({ length: count }, (_, i) => i),
    );
    const target = lab.b.arena.offset(to.dma);
    for (const { slot, imm } of got)
      for (let i = 0; i < bytes; i += 37)
        assert.equal(
          lab.b.arena.bytes[target + slot * bytes + i],
          lab.a.arena.bytes[source + imm * bytes + i],
        );
  });

for (const [name, faults] of fabrics)
  test(`${name}: a megabyte is read and written intact`, () => {
    const lab = new EfaLab(2, { faults: { ...noFaults, ...faults, seed: 7 } });
    const pair = connect(lab, { rnrRetry: 7 });
    const length = 1 << 20;
    const [local, remote] = [lab.a.provider.buffer(length), lab.b.provider.buffer(length)];
    const [l, r] = [lab.a.arena.offset(local.dma), lab.b.arena.offset(remote.dma)];
    for (let i = 0; i < length; i++) lab.b.arena.bytes[r + i] = i * 7;
    const at = { rkey: remote.rkey, address: remote.address, length };
    pair.a.rdma(OP.RDMA_READ, pair.toB, 1, part(local), at);
    lab.settle(3000);
    assert.equal(pair.cqA.drain()[0]?.status, COMP_STATUS.OK);
    const want = lab.b.arena.bytes.slice(r, r + length);
    assert.ok(Buffer.from(want).equals(lab.a.arena.bytes.subarray(l, l + length)));
    lab.a.arena.bytes.fill(0x5a, l, l + length);
    pair.b.receive(3, [part(remote, 0, 0)]);
    pair.a.rdma(OP.RDMA_WRITE, pair.toB, 2, part(local), at, 9);
    lab.settle(3000);
    assert.equal(pair.cqA.drain()[0]?.status, COMP_STATUS.OK);
    assert.equal(pair.cqB.drain()[0]?.length, length);
    const written = lab.b.arena.bytes.subarray(r, r + length);
    assert.ok(written.every((byte) => byte === 0x5a));
  });

test('the same seed gives the same run', () => {
  const run = (seed: number) => {
    const faults = { ...noFaults, lossPpm: 100_000, jitterNs: 100_000, seed };
    const lab = new EfaLab(2, { faults });
    const pair = connect(lab, { rnrRetry: 7 });
    const to = lab.b.provider.buffer(4096);
    for (let i = 0; i < 50; i++) {
      pair.b.receive(i, [part(to)]);
      pair.a.send(pair.toB, i, Uint8Array.of(i));
    }
    lab.settle(500);
    return JSON.stringify([pair.cqA.drain(), pair.cqB.drain(), lab.a.device.srd.counts]);
  };
  assert.equal(run(11), run(11));
  assert.notEqual(run(11), run(12));
});

test('a message that is lost does not hold up the others', () => {
  const lab = new EfaLab(2, { faults: { ...noFaults, lossPpm: 30_000, delayNs: 1000, seed: 4 } });
  const pair = connect(lab, { rnrRetry: 7 });
  const to = lab.b.provider.buffer(4096);
  for (let i = 0; i < 60; i++) pair.b.receive(i, [part(to, 0, 64)]);
  for (let i = 0; i < 60; i++) pair.a.send(pair.toB, i, Uint8Array.of(i), i);
  lab.settle(50);
  const order = pair.cqB.drain().map(({ imm }) => imm ?? -1);
  assert.equal(order.length, 60);
  assert.notDeepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
});

test('a slow peer does not hold up a fast one', () => {
  const lab = new EfaLab(2);
  lab.nodes.push(lab.add());
  const pair = connect(lab, { rnrRetry: 7 });
  const third = lab.nodes[2];
  assert.ok(third);
  const cq = third.provider.createCq();
  const qp = third.provider.createQp(cq, {});
  const ah = lab.a.provider.createAh(third.provider.gid);
  qp.receive(1, [part(third.provider.buffer(4096))]);
  pair.a.send(pair.toB, 1, Uint8Array.of(1)); // not ready, for ever
  pair.a.send({ ah, qp: qp.number, qkey: 0x11 }, 2, Uint8Array.of(2));
  assert.deepEqual(
    pair.cqA.drain().map(({ requestId }) => requestId),
    [2],
  );
});

test('a rate is kept', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const length = 1 << 20;
  const [local, remote] = [lab.a.provider.buffer(length), lab.b.provider.buffer(length)];
  lab.a.device.setRate(1e9);
  const start = lab.clock.now();
  const at = { rkey: remote.rkey, address: remote.address, length };
  for (let i = 0; i < 8; i++) pair.a.rdma(OP.RDMA_WRITE, pair.toB, i, part(local), at);
  let done = 0;
  for (let i = 0; i < 2000 && done < 8; i++) {
    lab.settle(1);
    done += pair.cqA.drain().length;
  }
  const seconds = (lab.clock.now() - start) / 1e9;
  const bps = (8 * 8 * length) / seconds;
  assert.ok(bps > 0.8e9 && bps < 1.2e9, `${bps}`);
});
