/** EFA under an instance's allowance: SRD's packets wait like all others, and none is lost for good. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OP } from '../../src/defs/efa-io.ts';
import { part } from '../../src/drivers/efa/provider.ts';
import { Allowance, type AllowanceLimits } from '../../src/switch/allowance/allowance.ts';
import { connect, EfaLab } from './efa-lab.ts';

const bytes = 1 << 20;

/** Milliseconds that an RDMA write of 1 MiB takes. */
function write(limits: AllowanceLimits): number {
  const lab = new EfaLab();
  const pair = connect(lab);
  const [from, to] = [lab.a.provider.buffer(bytes), lab.b.provider.buffer(bytes)];
  for (let i = 0; i < bytes; i++) lab.a.arena.bytes[lab.a.arena.offset(from.dma) + i] = i * 7;
  lab.network.ports[0]?.setAllowance(new Allowance(limits, lab.clock.now()));
  const at = { rkey: to.rkey, address: to.address, length: bytes };
  pair.a.rdma(OP.RDMA_WRITE, pair.toB, 1, part(from), at);
  let done = pair.cqA.poll();
  let ms = 0;
  for (; done === null && ms < 5000; ms++) {
    lab.settle(1);
    done = pair.cqA.poll();
  }
  assert.equal(done?.status, 0);
  const view = ({ arena }: typeof lab.a, dma: number): Buffer =>
    Buffer.from(arena.bytes.buffer, arena.bytes.byteOffset + arena.offset(dma), bytes);
  assert.ok(view(lab.a, from.dma).equals(view(lab.b, to.dma)));
  return ms;
}

test('bandwidth of an instance counts for its EFA', () => {
  const bps = 200e6;
  const ms = write({ out: { baselineBps: bps, burstBps: bps, creditBits: 0 } });
  const ideal = (bytes * 8 * 1e3) / bps;
  assert.ok(ms > ideal * 0.8 && ms < ideal * 2, `${ms} ms instead of ${ideal}`);
});

test('so does its packet rate', () => {
  const ms = write({ packetsPerSecond: 2000 });
  // 118 packets, and their answers, which the same instance receives
  assert.ok(ms > 50 && ms < 600, `${ms} ms`);
});

test('a limit of one flow does not: SRD has no addresses and ports', () => {
  assert.ok(write({ flowBps: 1e6 }) < 100);
});
