// CPU time of EFA's data path, provider to provider over the switch, one thread: small messages, and
// RDMA by bytes. Next to it a plain copy of the same memory. Run after `npm run build`.

import { part } from '../dist/src/drivers/efa/provider.js';
import { connect, EfaLab } from '../dist/test/sim/efa-lab.js';

const seconds = Number(process.argv[2] ?? 1);
const lab = new EfaLab(2, { access: 'llq' });
const pair = connect(lab, { sqDepth: 64, rqDepth: 64 });
const size = 1 << 20;
const local = lab.a.provider.buffer(size);
const remote = lab.b.provider.buffer(size);

function measure(name, perRound, bytesPerRound, round) {
  for (let i = 0; i < 200; i++) round();
  const start = process.cpuUsage();
  let rounds = 0;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    round();
    rounds++;
  }
  const { user, system } = process.cpuUsage(start);
  const ns = ((user + system) * 1000) / rounds / perRound;
  const rate =
    bytesPerRound === 0
      ? ''
      : `  ${((bytesPerRound * perRound) / (ns * perRound)).toFixed(2)} GB/s`;
  console.log(`${name.padEnd(28)} ${ns.toFixed(0).padStart(8)} ns each${rate}`);
}

const drain = () => {
  while (pair.cqA.poll() !== null);
  while (pair.cqB.poll() !== null);
};
for (const bytes of [32, 8192])
  measure(`send of ${bytes} B, 32 at once`, 32, bytes, () => {
    for (let i = 0; i < 32; i++) pair.b.receive(i, [part(remote, i * 8192, 8192)], i === 31);
    for (let i = 0; i < 32; i++)
      pair.a.send(pair.toB, i, [part(local, 0, bytes)], undefined, i === 31);
    drain();
  });
const at = { rkey: remote.rkey, address: remote.address, length: size };
for (const [name, op] of [
  ['RDMA read of 1 MiB', 1],
  ['RDMA write of 1 MiB', 2],
])
  measure(name, 1, size, () => {
    pair.a.rdma(op, pair.toB, 1, part(local), at);
    drain();
  });
const [from, to] = [lab.a, lab.b].map(({ arena }, i) => {
  const start = arena.offset((i === 0 ? local : remote).dma);
  return arena.bytes.subarray(start, start + size);
});
measure('a copy of 1 MiB', 1, size, () => to.set(from));
