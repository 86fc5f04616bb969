// The whole data path in one thread: reference driver -> ENA function -> switch -> ENA function ->
// reference driver. Prints the CPU time per frame, one number per frame size: the median of some
// repetitions, the least, and that as a multiple of a plain copy of the frame. Every 1009th frame is compared byte by byte.
//
//     npm run build && node bench/ena-path.mjs [--json] [--llq]
import { EnaFunction } from '../dist/src/devices/ena/ena-function.js';
import { DmaArena } from '../dist/src/drivers/dma-arena.js';
import { EnaDriver } from '../dist/src/drivers/ena/driver.js';
import { inlineWholePath } from '../dist/src/host/dataplane/engine.js';
import { VirtualClock } from '../dist/src/lib/clock.js';
import { Diagnostics } from '../dist/src/lib/diagnostics.js';
import { copyBytes } from '../dist/src/net/copy.js';
import { Switch } from '../dist/src/switch/switch.js';

inlineWholePath();
const isJson = process.argv.includes('--json');
const placement = process.argv.includes('--llq') ? 'device' : 'host';
const repetitions = 11;
const msPerRepetition = 100;
const burst = 32;
const templates = 256;
const checkEvery = 1009;

const clock = new VirtualClock();
const fabric = new Switch({ clock });

function guest(index) {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, index);
  const arena = new DmaArena(16 << 20, index * 2 ** 33);
  const port = fabric.addPort({ name: `${index}`, mac: 0x0200_0000_0000 + index });
  const diagnostics = new Diagnostics(({ rule, detail }) => {
    throw new Error(`${rule.id}: ${detail}`);
  });
  const deviceMemory = (sizeBytes) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) });
  const interrupts = { raise() {} };
  const host = { memory: arena.memory, interrupts, clock, diagnostics, deviceMemory };
  const device = new EnaFunction({ mac, linkMbps: 100_000, access: 'llq' }, host, port);
  const driver = new EnaDriver(device, arena, { placement });
  driver.start();
  return { mac, arena, driver };
}

/** UDP over IPv4 without a checksum, so that the switch and the hash have something to parse. */
function buildTemplates(from, to, size) {
  const stride = 2048;
  const address = from.arena.alloc(templates * stride);
  for (let i = 0; i < templates; i++) {
    const start = from.arena.offset(address) + i * stride;
    const frame = from.arena.bytes.subarray(start, start + size);
    for (let j = 0; j < size; j++) frame[j] = i * 37 + j * 11;
    const ip = size - 14;
    const udp = ip - 20;
    frame.set([...to.mac, ...from.mac, 8, 0]);
    frame.set(
      [0x45, 0, ip >> 8, ip & 255, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
      14,
    );
    let sum = 0;
    for (let j = 14; j < 34; j += 2) sum += (frame[j] << 8) | frame[j + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    frame.set([(~sum >> 8) & 255, ~sum & 255], 24);
    frame.set([0x10, i, 0x20, 0, udp >> 8, udp & 255, 0, 0], 34);
  }
  return { address, stride };
}

function check(to, rx, from, template, size) {
  const want = from.arena.bytes;
  const got = to.arena.bytes;
  const at = from.arena.offset(template);
  if (rx.length !== size || rx.pieces !== 1) throw new Error(`${rx.length} bytes arrived`);
  for (let i = 0; i < size; i++)
    if (got[rx.starts[0] + i] !== want[at + i]) throw new Error(`byte ${i} differs`);
}

const cpuMs = () => process.cpuUsage().user / 1000;

/** Sends bursts for as long as told; returns nanoseconds of CPU time per frame. */
function run(from, to, { address, stride }, size) {
  const tx = from.driver.tx[0];
  const rx = to.driver.rx[0];
  const start = cpuMs();
  const end = start + msPerRepetition;
  let sent = 0;
  let arrived = 0;
  for (let round = 0; (round & 511) !== 0 || cpuMs() < end; round++) {
    for (let i = 0; i < burst; i++)
      if (tx.sendFrom(address + (sent & (templates - 1)) * stride, size)) sent++;
    tx.kick();
    tx.reap();
    while (rx.next()) {
      if (arrived % checkEvery === 0)
        check(to, rx, from, address + (arrived & (templates - 1)) * stride, size);
      arrived++;
    }
    rx.replenish();
  }
  if (arrived !== sent) throw new Error(`${sent} frames sent, ${arrived} arrived`);
  return ((cpuMs() - start) * 1e6) / arrived;
}

/** The peer: the same frames, copied from one memory into the other and nothing else. */
function copyOnly(from, to, { address, stride }, size) {
  const first = from.arena.offset(address);
  const start = cpuMs();
  const end = start + msPerRepetition;
  let copied = 0;
  do {
    for (let i = 0; i < 16_384; i++, copied++) {
      const at = first + (copied & (templates - 1)) * stride;
      copyBytes(from.arena.bytes, at, to.arena.bytes, at, size);
    }
  } while (cpuMs() < end);
  return ((cpuMs() - start) * 1e6) / copied;
}

function median(measure) {
  measure();
  const all = Array.from({ length: repetitions }, measure).sort((x, y) => x - y);
  return { ns: all[repetitions >> 1], least: all[0] };
}

const [a, b] = [guest(1), guest(2)];
const results = [];
for (const size of [64, 1500]) {
  const frames = buildTemplates(a, b, size);
  const path = median(() => run(a, b, frames, size));
  // Where the copies go must be nobody's: the templates lie behind both drivers' queues.
  const copy = median(() => copyOnly(a, b, frames, size));
  const ratio = path.least / copy.least;
  results.push({ bench: 'ena-path', placement, bytes: size, ...path, copy: copy.least, ratio });
  const numbers = `${path.ns.toFixed(1)} ns/frame (least ${path.least.toFixed(1)})`;
  if (!isJson) console.log(`ena-path ${size} B: ${numbers}, ${ratio.toFixed(1)} plain copies`);
}
if (isJson) console.log(JSON.stringify(results));
