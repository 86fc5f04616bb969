/** EFA between two functions on one switch: every operation, with its data and its completions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QP_TYPE } from '../../src/defs/efa-admin.ts';
import { COMP_STATUS, OP } from '../../src/defs/efa-io.ts';
import { efaProfiles } from '../../src/devices/efa/profile.ts';
import { part } from '../../src/drivers/efa/provider.ts';
import { connect, EfaLab, type Node } from './efa-lab.ts';

const fill = ({ arena }: Node, dma: number, length: number, seed: number): void => {
  const at = arena.offset(dma);
  for (let i = 0; i < length; i++) arena.bytes[at + i] = (i * 31 + seed) & 0xff;
};
const bytes = ({ arena }: Node, dma: number, length: number): Uint8Array =>
  arena.bytes.subarray(arena.offset(dma), arena.offset(dma) + length);

for (const access of ['llq', 'polled', 'posted'] as const)
  for (const profile of efaProfiles)
    test(`${profile.name}, ${access}: a message arrives with its bytes and its immediate`, () => {
      const lab = new EfaLab(2, { access, profile });
      const pair = connect(lab);
      const from = lab.a.provider.buffer(8192, 1);
      const to = lab.b.provider.buffer(8192, 1);
      fill(lab.a, from.dma, 8000, 1);
      pair.b.receive(7, [part(to)]);
      lab.settle();
      pair.a.send(pair.toB, 3, [part(from, 0, 5000), part(from, 5000, 3000)], 0xcafe);
      lab.settle();
      const [sent] = pair.cqA.drain();
      const [got] = pair.cqB.drain();
      assert.equal(sent?.status, 0);
      assert.equal(sent?.requestId, 3);
      assert.equal(got?.status, 0);
      assert.equal(got?.requestId, 7);
      assert.equal(got?.length, 8000);
      assert.equal(got?.imm, 0xcafe);
      assert.equal(got?.sourceQp, pair.a.number);
      assert.equal(got?.ah, pair.toA.ah);
      assert.deepEqual(bytes(lab.b, to.dma, 8000), bytes(lab.a, from.dma, 8000));
      assert.deepEqual([...lab.a.refusals, ...lab.b.refusals], []);
    });

for (const [name, type, prefix] of [
  ['SRD', QP_TYPE.SRD, 0],
  ['UD', QP_TYPE.UD, 40],
] as const)
  test(`an inline message over ${name} arrives behind ${prefix} bytes`, () => {
    const lab = new EfaLab();
    const pair = connect(lab, { type });
    const to = lab.b.provider.buffer(4096);
    pair.b.receive(1, [part(to)]);
    pair.a.send(pair.toB, 2, Uint8Array.of(1, 2, 3, 4, 5));
    assert.equal(pair.cqA.drain()[0]?.status, 0);
    assert.equal(pair.cqB.drain()[0]?.length, prefix + 5);
    assert.deepEqual(bytes(lab.b, to.dma + prefix, 5), Uint8Array.of(1, 2, 3, 4, 5));
    assert.equal(lab.b.provider.stats('MESSAGES')['recv_bytes'], 5);
  });

test('the prefix of a datagram may take up a buffer of its own, or a part of the next one', () => {
  for (const first of [39, 40, 41]) {
    const lab = new EfaLab();
    const pair = connect(lab, { type: QP_TYPE.UD });
    const to = lab.b.provider.buffer(4096);
    pair.b.receive(1, [part(to, 0, first), part(to, 1000, 43 - first)]);
    pair.a.send(pair.toB, 2, Uint8Array.of(1, 2, 3));
    assert.equal(pair.cqB.drain()[0]?.status, 0);
    const [head, tail] = [bytes(lab.b, to.dma, first), bytes(lab.b, to.dma + 1000, 43 - first)];
    assert.deepEqual([...head, ...tail].slice(40), [1, 2, 3]);
  }
});

test('a datagram that has no room behind the prefix ends its receive request with BAD_LENGTH', () => {
  const lab = new EfaLab();
  const pair = connect(lab, { type: QP_TYPE.UD });
  pair.b.receive(1, [part(lab.b.provider.buffer(4096), 0, 42)]);
  pair.a.send(pair.toB, 2, Uint8Array.of(1, 2, 3));
  assert.equal(pair.cqB.drain()[0]?.status, COMP_STATUS.LOCAL_ERROR_BAD_LENGTH);
  assert.equal(pair.cqA.drain()[0]?.status, COMP_STATUS.OK);
  assert.equal(lab.b.provider.stats('BASIC')['rx_drops'], 1);
});

for (const length of [0, 1, 4096, 8928, 8929, 1_000_000]) {
  test(`RDMA read of ${length} bytes`, () => {
    const lab = new EfaLab();
    const pair = connect(lab);
    const local = lab.a.provider.buffer(1 << 20);
    const remote = lab.b.provider.buffer(1 << 20);
    fill(lab.b, remote.dma, length, 5);
    const at = { rkey: remote.rkey, address: remote.address, length };
    pair.a.rdma(OP.RDMA_READ, pair.toB, 9, part(local, 0, length), at);
    lab.settle();
    const [done] = pair.cqA.drain();
    assert.deepEqual([done?.status, done?.requestId], [0, 9]);
    assert.deepEqual(bytes(lab.a, local.dma, length), bytes(lab.b, remote.dma, length));
    assert.equal(lab.a.provider.stats('RDMA_READ')['read_bytes'], length);
    assert.equal(lab.b.provider.stats('RDMA_READ')['read_resp_bytes'], length);
  });

  test(`RDMA write of ${length} bytes, with immediate`, () => {
    const lab = new EfaLab();
    const pair = connect(lab);
    const local = lab.a.provider.buffer(1 << 20);
    const remote = lab.b.provider.buffer(1 << 20);
    fill(lab.a, local.dma, length, 6);
    pair.b.receive(4, []);
    pair.b.receive(4, [part(remote, 0, 0)]);
    const at = { rkey: remote.rkey, address: remote.address, length };
    pair.a.rdma(OP.RDMA_WRITE, pair.toB, 8, part(local, 0, length), at, 77);
    lab.settle();
    assert.equal(pair.cqA.drain()[0]?.status, 0);
    const [got] = pair.cqB.drain();
    assert.deepEqual(
      [got?.op, got?.imm, got?.length, got?.requestId],
      [OP.RDMA_WRITE, 77, length, 4],
    );
    assert.deepEqual(bytes(lab.b, remote.dma, length), bytes(lab.a, local.dma, length));
    assert.equal(lab.b.provider.stats('RDMA_WRITE')['write_recv_bytes'], length);
  });
}

test('unsolicited writes with immediate take no receive request', () => {
  const lab = new EfaLab();
  const pair = connect(lab, { unsolicited: true });
  const local = lab.a.provider.buffer(4096);
  const remote = lab.b.provider.buffer(4096);
  const at = { rkey: remote.rkey, address: remote.address, length: 64 };
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 8, part(local, 0, 64), at, 5);
  assert.equal(pair.cqA.drain()[0]?.status, 0);
  const [got] = pair.cqB.drain();
  assert.deepEqual([got?.isUnsolicited, got?.imm, got?.length], [true, 5, 64]);
});

test('a function talks to itself', () => {
  const lab = new EfaLab(1);
  const { provider } = lab.a;
  const cq = provider.createCq();
  const qp = provider.createQp(cq, { qkey: 1 });
  const buffer = provider.buffer(8192);
  const to = { ah: provider.createAh(provider.gid), qp: qp.number, qkey: 1 };
  fill(lab.a, buffer.dma, 100, 1);
  qp.receive(1, [part(buffer, 4096)]);
  qp.send(to, 2, [part(buffer, 0, 100)]);
  assert.deepEqual(
    cq.drain().map(({ status }) => status),
    [0, 0],
  );
  assert.deepEqual(bytes(lab.a, buffer.dma + 4096, 100), bytes(lab.a, buffer.dma, 100));
  qp.rdma(OP.RDMA_READ, to, 3, part(buffer, 0, 50), {
    ...buffer,
    address: buffer.address + 4100,
    length: 50,
  });
  assert.equal(cq.drain()[0]?.status, 0);
});

test('an unknown sender is named by its address', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const stranger = lab.add();
  lab.nodes.push(stranger);
  const cq = stranger.provider.createCq();
  const qp = stranger.provider.createQp(cq, {});
  const to = lab.b.provider.buffer(4096);
  pair.b.receive(1, [part(to)]);
  const ah = stranger.provider.createAh(lab.b.provider.gid);
  qp.send({ ...pair.toB, ah }, 1, Uint8Array.of(1));
  const [got] = pair.cqB.drain();
  assert.deepEqual([got?.ah, got?.source], [-1, stranger.provider.gid[0]]);
});
