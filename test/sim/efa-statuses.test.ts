/** Every completion status of EFA, produced by the situation that it names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QP_STATE, QP_TYPE } from '../../src/defs/efa-admin.ts';
import { OP, COMP_STATUS as S } from '../../src/defs/efa-io.ts';
import { efaProfiles } from '../../src/devices/efa/profile.ts';
import { part } from '../../src/drivers/efa/provider.ts';
import { connect, EfaLab, type Pair } from './efa-lab.ts';

const hello = Uint8Array.of(1, 2, 3);
/** All that were seen on the sender's side. */
const produced = new Set<number>();
const statuses = (pair: Pair): number[] => {
  const done = pair.cqA.drain().map(({ status }) => status);
  for (const status of done) produced.add(status);
  return done;
};
const profileOf = (name: string) => {
  const profile = efaProfiles.find((one) => one.name === name);
  assert.ok(profile);
  return profile;
};

test('FLUSHED: a queue pair goes to the error state with work under way and posted', () => {
  const lab = new EfaLab();
  const pair = connect(lab, { rnrRetry: 7 });
  const to = lab.a.provider.buffer(4096);
  pair.a.receive(5, [part(to)]);
  pair.a.send(pair.toB, 1, hello); // the receiver is not ready, and is asked again and again
  lab.settle(1);
  lab.a.provider.modify(pair.a.handle, QP_STATE.ERR);
  const done = pair.cqA.drain();
  assert.deepEqual(
    done.map(({ requestId, status }) => [requestId, status]),
    [
      [1, S.FLUSHED],
      [5, S.FLUSHED],
    ],
  );
  pair.a.send(pair.toB, 2, hello);
  assert.deepEqual(statuses(pair), [S.FLUSHED]);
  pair.a.receive(6, [part(to)]);
  assert.deepEqual(statuses(pair), [S.FLUSHED]);
});

test('FLUSHED: the address handle is destroyed under way', () => {
  const lab = new EfaLab();
  const pair = connect(lab, { rnrRetry: 7 });
  pair.a.send(pair.toB, 1, hello);
  lab.a.provider.destroyAh(pair.toB.ah);
  assert.deepEqual(statuses(pair), [S.FLUSHED]);
});

test('LOCAL_ERROR_QP_INTERNAL_ERROR: a request that makes no sense ends the queue pair', () => {
  for (const [word, bits] of [
    [0, 1 << 24], // the phase of another turn
    [0, 1 << 26], // not the first descriptor
    [0, 1 << 23], // no meta descriptor
    [0, 1 << 25], // a reserved bit
  ] as const) {
    const lab = new EfaLab();
    const pair = connect(lab);
    const words = new Int32Array(16);
    words[0] = 1 | (1 << 23) | (1 << 26) | (1 << 27) | (1 << 28);
    words[word] = (words[word] as number) ^ bits;
    pair.a.post(words);
    assert.deepEqual(statuses(pair), [S.LOCAL_ERROR_QP_INTERNAL_ERROR]);
    assert.equal(lab.a.provider.query(pair.a.handle).qp_state, QP_STATE.ERR);
  }
});

test('LOCAL_ERROR_UNSUPPORTED_OP: what the generation, or the queue pair, has not', () => {
  const lab = new EfaLab(2, { profile: profileOf('efa0') });
  const pair = connect(lab);
  const local = lab.a.provider.buffer(4096, 1);
  const at = { rkey: 0, address: 0, length: 10 };
  for (const op of [OP.RDMA_READ, OP.RDMA_WRITE] as const)
    pair.a.rdma(op, pair.toB, 1, part(local, 0, 10), at);
  assert.deepEqual(statuses(pair), [3, 3]);
  const ud = new EfaLab();
  const datagrams = connect(ud, { type: QP_TYPE.UD });
  const buffer = ud.a.provider.buffer(4096);
  datagrams.a.rdma(OP.RDMA_READ, datagrams.toB, 1, part(buffer, 0, 10), at);
  assert.deepEqual(statuses(datagrams), [S.LOCAL_ERROR_UNSUPPORTED_OP]);
});

test('LOCAL_ERROR_INVALID_AH: no such handle, or one of another protection domain', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const { provider } = lab.a;
  const other = provider.createAh(lab.b.provider.gid, provider.allocate(14));
  pair.a.send({ ...pair.toB, ah: 999 }, 1, hello);
  pair.a.send({ ...pair.toB, ah: other }, 1, hello);
  assert.deepEqual(statuses(pair), [S.LOCAL_ERROR_INVALID_AH, S.LOCAL_ERROR_INVALID_AH]);
});

test('LOCAL_ERROR_INVALID_LKEY: wrong key, bounds, domain or permission', () => {
  const lab = new EfaLab();
  const { provider } = lab.a;
  const pair = connect(lab);
  const mine = provider.buffer(4096);
  const readOnly = provider.buffer(4096, 0);
  const foreign = provider.register(provider.arena.alloc(4096), 4096, 7, {
    pd: provider.allocate(14),
  });
  const remote = { rkey: 0, address: 0, length: 8 };
  pair.a.send(pair.toB, 1, [{ ...part(mine), lkey: mine.lkey ^ 1 }]);
  pair.a.send(pair.toB, 1, [{ ...part(mine), length: 4097 }]);
  pair.a.send(pair.toB, 1, [{ ...part(mine), address: mine.address - 1 }]);
  pair.a.send(pair.toB, 1, [part(foreign)]);
  pair.a.rdma(OP.RDMA_READ, pair.toB, 1, part(readOnly, 0, 8), remote);
  provider.deregister(mine.lkey);
  pair.a.send(pair.toB, 1, [part(mine)]);
  assert.deepEqual(statuses(pair), new Array(6).fill(S.LOCAL_ERROR_INVALID_LKEY));
});

test('LOCAL_ERROR_BAD_LENGTH: longer than the MTU, too many buffers, or lengths that differ', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const local = lab.a.provider.buffer(16_384);
  pair.a.send(pair.toB, 1, [part(local, 0, 8929)]);
  pair.a.send(pair.toB, 1, new Uint8Array(33));
  pair.a.send(pair.toB, 1, [part(local, 0, 1), part(local, 0, 1), part(local, 0, 1)]);
  pair.a.rdma(OP.RDMA_READ, pair.toB, 1, part(local, 0, 8), { rkey: 0, address: 0, length: 9 });
  assert.deepEqual(statuses(pair), new Array(4).fill(S.LOCAL_ERROR_BAD_LENGTH));
});

test('REMOTE_ERROR_BAD_ADDRESS: wrong key, bounds or permission at the peer', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const local = lab.a.provider.buffer(4096);
  const remote = lab.b.provider.buffer(4096);
  const writeOnly = lab.b.provider.buffer(4096, 3);
  const at = (region: { rkey: number; address: number }, change: object = {}) => {
    return { rkey: region.rkey, address: region.address, length: 8, ...change };
  };
  const read = (where: { rkey: number; address: number; length: number }) =>
    pair.a.rdma(OP.RDMA_READ, pair.toB, 1, part(local, 0, 8), where);
  read(at(remote, { rkey: remote.rkey ^ 0x8000_0000 }));
  read(at(remote, { address: remote.address + 4089 }));
  read(at(writeOnly));
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 1, part(local, 0, 8), at(remote, { rkey: remote.lkey }));
  lab.settle();
  assert.deepEqual(statuses(pair), new Array(4).fill(S.REMOTE_ERROR_BAD_ADDRESS));
});

test('REMOTE_ERROR_ABORT: the peer was reset while a message was under way', () => {
  const lab = new EfaLab();
  const pair = connect(lab, { rnrRetry: 7 });
  pair.a.send(pair.toB, 1, hello);
  lab.settle(1);
  lab.b.provider.start();
  lab.settle(10);
  assert.deepEqual(statuses(pair), [S.REMOTE_ERROR_ABORT]);
});

test('REMOTE_ERROR_BAD_DEST_QPN: no such queue pair, of another type, not ready, or another key', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const ud = lab.b.provider.createQp(pair.cqB, { type: QP_TYPE.UD });
  const early = lab.b.provider.createQp(pair.cqB, { upTo: QP_STATE.INIT });
  for (const qp of [200, ud.number, early.number]) pair.a.send({ ...pair.toB, qp }, 1, hello);
  pair.a.send({ ...pair.toB, qkey: 99 }, 1, hello);
  assert.deepEqual(statuses(pair), new Array(4).fill(S.REMOTE_ERROR_BAD_DEST_QPN));
  assert.equal(lab.b.provider.stats('BASIC')['qkey_viol'], 1);
  lab.b.provider.destroyQp(pair.b.handle);
  pair.a.send(pair.toB, 1, hello);
  assert.deepEqual(statuses(pair), [S.REMOTE_ERROR_BAD_DEST_QPN]);
});

test('REMOTE_ERROR_RNR: no receive request, after as many retries as were asked for', () => {
  for (const rnrRetry of [0, 3]) {
    const lab = new EfaLab();
    const pair = connect(lab, { rnrRetry });
    pair.a.send(pair.toB, 1, hello);
    lab.settle(10);
    assert.deepEqual(statuses(pair), [S.REMOTE_ERROR_RNR]);
  }
  const lab = new EfaLab();
  const pair = connect(lab, { rnrRetry: 7 });
  pair.a.send(pair.toB, 1, hello);
  lab.settle(50);
  assert.deepEqual(statuses(pair), []);
  pair.b.receive(1, [part(lab.b.provider.buffer(4096))]);
  lab.settle(10);
  assert.deepEqual(statuses(pair), [S.OK]);
});

test('REMOTE_ERROR_BAD_LENGTH: the receiver has too little room', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  pair.b.receive(4, [part(lab.b.provider.buffer(4096), 0, 2)]);
  pair.a.send(pair.toB, 1, hello);
  assert.deepEqual(statuses(pair), [S.REMOTE_ERROR_BAD_LENGTH]);
  assert.equal(pair.cqB.drain()[0]?.status, S.LOCAL_ERROR_BAD_LENGTH);
});

test('REMOTE_ERROR_BAD_STATUS: the receive request is malformed, or its key is wrong', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const to = lab.b.provider.buffer(4096);
  pair.b.receive(4, [{ ...part(to), lkey: to.lkey ^ 0x10_0000 }]);
  pair.a.send(pair.toB, 1, hello);
  pair.b.receive(5, [part(to), part(to), part(to)]);
  pair.a.send(pair.toB, 1, hello);
  assert.deepEqual(statuses(pair), [S.REMOTE_ERROR_BAD_STATUS, S.REMOTE_ERROR_BAD_STATUS]);
  const [badKey, malformed] = pair.cqB.drain();
  assert.equal(badKey?.status, S.LOCAL_ERROR_INVALID_LKEY);
  assert.equal(malformed?.status, S.LOCAL_ERROR_QP_INTERNAL_ERROR);
});

test('LOCAL_ERROR_UNRESP_REMOTE: the peer answered before, and does not any more', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  pair.b.receive(1, [part(lab.b.provider.buffer(4096))]);
  pair.a.send(pair.toB, 1, hello);
  assert.deepEqual(statuses(pair), [S.OK]);
  lab.b.device.reset('detach');
  pair.a.send(pair.toB, 2, hello);
  lab.clock.advance(3.9e9);
  assert.deepEqual(statuses(pair), []);
  lab.clock.advance(0.5e9);
  assert.deepEqual(statuses(pair), [S.LOCAL_ERROR_UNRESP_REMOTE]);
  const network = lab.a.provider.stats('NETWORK');
  assert.equal(network['unresponsive_remote_events'], 1);
  assert.ok((network['retrans_pkts'] ?? 0) > 2);
});

test('LOCAL_ERROR_UNREACH_REMOTE: nobody has ever answered there', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const nowhere = [...lab.b.provider.gid];
  nowhere[3] = (nowhere[3] as number) ^ 0x1000_0000;
  const noMac = [1, 2, 3, 4];
  for (const gid of [nowhere, noMac])
    pair.a.send({ ...pair.toB, ah: lab.a.provider.createAh(gid) }, 1, hello);
  lab.clock.advance(5e9);
  assert.deepEqual(statuses(pair), [S.LOCAL_ERROR_UNREACH_REMOTE, S.LOCAL_ERROR_UNREACH_REMOTE]);
});

test('REMOTE_ERROR_UNKNOWN_PEER: the peer has no address handle for us', () => {
  const lab = new EfaLab();
  const pair = connect(lab);
  const local = lab.a.provider.buffer(4096);
  const remote = lab.b.provider.buffer(4096);
  lab.b.provider.destroyAh(pair.toA.ah);
  const at = { rkey: remote.rkey, address: remote.address, length: 8 };
  pair.a.rdma(OP.RDMA_READ, pair.toB, 1, part(local, 0, 8), at);
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 1, part(local, 0, 8), at);
  lab.settle();
  assert.deepEqual(statuses(pair), [14, 14]);
});

test('REMOTE_ERROR_FEATURE_MISMATCH: the peer is of a generation that does not have it', () => {
  const lab = new EfaLab(1);
  lab.nodes.push(lab.add({ profile: profileOf('efa0') }));
  const pair = connect(lab);
  const local = lab.a.provider.buffer(4096);
  const at = { rkey: 1, address: 0, length: 8 };
  pair.a.rdma(OP.RDMA_READ, pair.toB, 1, part(local, 0, 8), at);
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 1, part(local, 0, 8), at);
  lab.settle();
  assert.deepEqual(statuses(pair), [18, 18]);
});

test('there is no status of the header that no situation here has produced', () => {
  for (const [name, status] of Object.entries(S)) assert.ok(produced.has(status), name);
});
