// Cost of the switch alone: two endpoints in one process, frames gathered from one memory and
// copied into another as devices do it, without descriptors. Prints CPU time per frame (median,
// least, most), next to the same gathering and copying without a switch in the same run.
//
//     npm run build && node bench/switch.mjs [--json] [NAME-PART]
import { MonotonicClock } from '../dist/src/lib/clock.js';
import { copyBytes } from '../dist/src/net/copy.js';
import { checksum, Frame } from '../dist/src/net/frame.js';
import { verifySums } from '../dist/src/net/offload.js';
import { R } from '../dist/src/net/reasons.js';
import { buildPacket } from '../dist/src/net/testing-packets.js';
import { Switch } from '../dist/src/switch/switch.js';
import { attachNetwork } from '../dist/src/vpc/network.js';
import { defaultPlan } from '../dist/src/vpc/plan.js';

const burst = 32;
const slots = 256;
const memoryBytes = 64 * 1024 * 1024;
const headBytes = 192;
const repetitions = 9;
const msPerRepetition = 40;

/** Receives into a ring of buffers in its own memory. */
class Receiver {
  memory = new Uint8Array(memoryBytes);
  slotBytes = 0;
  frames = 0;
  verify = false;
  #slot = 0;

  receive(frame) {
    if (this.verify) verifySums(frame);
    frame.copyTo(this.memory, this.#slot * this.slotBytes);
    this.#slot = (this.#slot + 1) % slots;
    this.frames++;
    return R.delivered;
  }

  flush() {}
}

/** The peer: a port that hands every frame to the receiver. */
const directly = {
  transmit: (frame) => receiver.receive(frame),
  flush: () => receiver.flush(),
};

/** Sends what lies in a ring of buffers in its own memory. */
class Sender {
  memory = new Uint8Array(memoryBytes);
  #frame = new Frame();
  #slot = 0;
  slotBytes = 0;
  port = directly;

  send(length, offload, mss) {
    for (let n = 0; n < burst; n++) {
      const frame = this.#frame;
      const start = this.#slot * this.slotBytes;
      this.#slot = (this.#slot + 1) % slots;
      frame.clear();
      const inHead = Math.min(length, headBytes);
      copyBytes(this.memory, start, frame.head, 0, inHead);
      frame.headLength = inHead;
      frame.length = inHead;
      if (length > inHead) frame.add(this.memory, start + inHead, length - inHead);
      frame.offload = offload;
      frame.mss = mss;
      this.port.transmit(frame);
    }
    this.port.flush();
  }
}

const fabric = new Switch({ clock: new MonotonicClock() });
attachNetwork(fabric, defaultPlan);
const [from, to, idle] = [10, 11, 12].map((n) =>
  fabric.addPort({ name: `port${n}`, mac: 0x02_00_00_00_00_00 + n }),
);
const sender = new Sender();
const receiver = new Receiver();
from.connect(new Receiver());
to.connect(receiver);
idle.connect(new Receiver());

const cpuMs = () => process.cpuUsage().user / 1000;

/** Median, least and most ns per transmitted frame. */
function measure({ length, protocol = 'tcp', offload = 0, mss = 0, verify = false }, port) {
  sender.port = port;
  const header = protocol === 'tcp' ? 54 : 42;
  const packet = buildPacket({ protocol, payload: new Uint8Array(length - header).fill(7) });
  sender.slotBytes = (length + 63) & ~63;
  receiver.slotBytes = mss > 0 ? 9216 : sender.slotBytes;
  receiver.verify = verify;
  for (let i = 0; i < slots; i++) sender.memory.set(packet, i * sender.slotBytes);
  const samples = [];
  for (let r = -2; r < repetitions; r++) {
    let frames = 0;
    const received = receiver.frames;
    const start = cpuMs();
    let now = start;
    do {
      for (let i = 0; i < 16; i++) sender.send(length, offload, mss);
      frames += 16 * burst;
      now = cpuMs();
    } while (now - start < msPerRepetition);
    const perFrame = mss > 0 ? Math.ceil((length - header) / mss) : 1;
    if (receiver.frames - received !== frames * perFrame) throw new Error('frames were lost');
    if (r >= 0) samples.push(((now - start) * 1e6) / frames);
  }
  samples.sort((a, b) => a - b);
  return { median: samples[repetitions >> 1], min: samples[0], max: samples.at(-1) };
}

const cases = {
  '64 B': { length: 64, protocol: 'udp' },
  '256 B': { length: 256, protocol: 'udp' },
  '1500 B': { length: 1500 },
  '9001 B': { length: 9001 },
  '64 B, checksums made': { length: 64, protocol: 'udp', offload: checksum.ipv4 | checksum.l4 },
  '1500 B, checksums made': { length: 1500, offload: checksum.ipv4 | checksum.l4 },
  '1500 B, checksums verified': { length: 1500, verify: true },
  '64 KiB TCP, cut into 1448': { length: 65_216, mss: 1448 },
  '64 KiB TCP, cut into 8948': { length: 65_216, mss: 8948 },
};

const results = {};
const part = process.argv.slice(2).find((word) => !word.startsWith('--')) ?? '';
for (const [name, options] of Object.entries(cases)) {
  if (!name.includes(part)) continue;
  const result = measure(options, from);
  // What a switch does to cut a frame up or to sum it has no counterpart in a plain copy.
  const plain =
    options.mss || options.offload || options.verify ? null : measure(options, directly);
  results[name] = { ...result, plainCopy: plain?.median ?? null };
  if (process.argv.includes('--json')) continue;
  const gbps = (options.length * 8) / result.median;
  const columns = [result.median, result.min, result.max].map((v) => v.toFixed(1).padStart(9));
  const peer = plain === null ? '' : `  (plain copy ${plain.median.toFixed(1)})`;
  console.log(
    `${name.padEnd(28)}${columns.join('')} ns  ${gbps.toFixed(1).padStart(7)} Gbit/s${peer}`,
  );
}
if (process.argv.includes('--json')) console.log(JSON.stringify(results, null, 2));
