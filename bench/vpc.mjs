// Cost of a VPC: 64-byte UDP frames from one interface to another, through groups, ACLs and routes,
// next to the same frames through the learning bridge in the same run. Prints CPU time per frame
// (median, least, most) as a multiple of the bridge's; for new flows, how many a second that is; and
// the time that it takes to exchange the policy of a large region for one in which a rule is another.
// What an allowance costs is a multiple of the same VPC without one, by turns too.
//
//     npm run build && node bench/vpc.mjs [--json] [NAME-PART]
import { MonotonicClock } from '../dist/src/lib/clock.js';
import { write16 } from '../dist/src/net/bytes.js';
import { copyBytes } from '../dist/src/net/copy.js';
import { parseMac } from '../dist/src/net/ethernet.js';
import { Frame } from '../dist/src/net/frame.js';
import { R } from '../dist/src/net/reasons.js';
import { buildPacket } from '../dist/src/net/testing-packets.js';
import { Allowance } from '../dist/src/switch/allowance/allowance.js';
import { Switch } from '../dist/src/switch/switch.js';
import { Region } from '../dist/src/vpc/region.js';
import { everything, nic, testModel } from '../dist/src/vpc/testing-model.js';
import { routerMac } from '../dist/src/vpc/well-known.js';

const burst = 32;
const repetitions = 15;
const msPerSlice = 20;
const bytes = 64;

/** Time that passes as the bench says, so that connections end. */
class BenchClock extends MonotonicClock {
  ns = 0;
  now() {
    return this.ns;
  }
}

const memory = new Uint8Array(1 << 20);
const receiver = {
  frames: 0,
  receive(frame) {
    frame.copyTo(memory, 0);
    this.frames++;
    return R.delivered;
  },
  flush() {},
  laneOf: () => 0,
};

const macBytes = (mac) => [40, 32, 24, 16, 8, 0].map((s) => Math.floor(mac / 2 ** s) & 255);

function frameTo(dstMac, dst, src = [10, 0, 0, 11]) {
  const version = dst.length === 4 ? 4 : 6;
  return buildPacket({
    version,
    protocol: 'udp',
    srcMac: macBytes(parseMac('02:00:00:00:00:01')),
    dstMac: macBytes(dstMac),
    src,
    dst,
    payload: new Uint8Array(version === 4 ? bytes - 42 : 0),
  });
}

function bridge() {
  const fabric = new Switch({ clock: new BenchClock() });
  const mac = parseMac('02:00:00:00:00:03');
  const from = fabric.addPort({ name: 'a', mac: parseMac('02:00:00:00:00:01') });
  fabric.addPort({ name: 'c', mac }).connect(receiver);
  return { from, packet: frameTo(mac, [10, 0, 1, 13]), tick: () => {} };
}

/** Two interfaces in two subnets, and a group of `count` rules of which the last one matches. */
function vpc(count, open, options = {}, more = []) {
  const clock = new BenchClock();
  const rule = (i, cidr, port) => ({
    id: `sgr-${i}`,
    protocol: 17,
    fromPort: port,
    toPort: port === 0 ? 65_535 : port,
    peer: { cidr },
  });
  const rules = Array.from({ length: count - 1 }, (_, i) => rule(i, `192.168.${i >> 8}.0/24`, i));
  rules.push(rule(count, open ? '0.0.0.0/0' : '10.0.0.0/16', 0));
  const all = [...rules, ...more];
  const group = { id: 'sg-1', vpc: 'vpc-1', name: 'all', inbound: all, outbound: all };
  const model = testModel({ interfaces: [nic('a', 0), nic('c', 1)], securityGroups: [group] });
  const region = new Region({ clock, model, seed: 1, ...options });
  const from = region.network.addPort({ name: 'a', mac: parseMac('02:00:00:00:00:01') });
  const to = region.network.addPort({ name: 'c', mac: parseMac('02:00:00:00:00:03') });
  to.connect(receiver);
  const packet = frameTo(routerMac('subnet-0'), [10, 0, 1, 13]);
  return { from, to, packet, tick: (frames) => (clock.ns += frames * 1e6) };
}

/** As c5.large; both ends. Nothing is above it, unless a flow may have less than all together have. */
const large = { baselineBps: 0.75e9, burstBps: 10e9, creditBits: 9.25e9 * 420 };
const limits = { in: large, out: large, packetsPerSecond: 1e9, gatewayBps: 5e9, flowBps: 5e9 };

function limited(more = {}) {
  const bed = vpc(60, false);
  for (const port of [bed.from, bed.to])
    port.setAllowance(new Allowance({ ...limits, ...more }, 0));
  return bed;
}

/** A flood of new flows against a full table: time stands still, and all are refused. */
function full() {
  const bed = {
    ...vpc(60, false, { connectionsPerInstance: 16_384 }),
    tick: () => {},
    lossy: true,
  };
  for (let sent = 0; sent < 16_384; sent += burst) send(bed, many);
  return bed;
}

/** The same with IPv6, all of it allowed from within. */
function vpc6() {
  const bed = vpc(60, false, {}, [{ id: 'sgr-6', protocol: -1, peer: { cidr: '2600::/16' } }]);
  const address = (subnet, last) => [
    0x26,
    0,
    0x1f,
    0x14,
    0,
    0,
    0,
    subnet,
    ...Array(7).fill(0),
    last,
  ];
  return { ...bed, packet: frameTo(routerMac('subnet-0'), address(1, 0x13), address(0, 0x11)) };
}

const cpuMs = () => process.cpuUsage().user / 1000;
const frame = new Frame();
/** The flow of the last frame, by bed. */
const lastFlow = new Map();

/** Sends a burst; each frame of the next flow of `flows`. */
function send(bed, flows) {
  const { from, packet } = bed;
  let next = lastFlow.get(bed) ?? 0;
  for (let n = 0; n < burst; n++) {
    next = (next + 1) % flows;
    const ports = packet[12] === 0x08 ? 34 : 54;
    write16(packet, ports, next & 0xffff);
    write16(packet, ports + 2, 1024 + (next >>> 16));
    frame.clear();
    copyBytes(packet, 0, frame.head, 0, packet.length);
    frame.headLength = packet.length;
    frame.length = packet.length;
    from.transmit(frame);
  }
  lastFlow.set(bed, next);
  from.flush();
}

/** Nanoseconds per frame, for a while. */
function slice(bed, flows) {
  const received = receiver.frames;
  const start = cpuMs();
  let frames = 0;
  let now = start;
  do {
    for (let i = 0; i < 32; i++) send(bed, flows);
    frames += 32 * burst;
    bed.tick(32 * burst);
    now = cpuMs();
  } while (now - start < msPerSlice);
  if (!bed.lossy && receiver.frames - received !== frames) throw new Error('frames were lost');
  return ((now - start) * 1e6) / frames;
}

const middle = (samples) => samples.sort((a, b) => a - b)[samples.length >> 1];

/** The peer and `bed` by turns, so that a machine that is busy is so for both. */
function measure(bed, flows, than) {
  const samples = [];
  const ratios = [];
  for (let r = -3; r < repetitions; r++) {
    const peer = slice(than, 256);
    const own = slice(bed, flows);
    if (r < 0) continue;
    samples.push(own);
    ratios.push(own / peer);
  }
  const median = middle(samples);
  return { median, min: samples[0], max: samples.at(-1), ratio: middle(ratios) };
}

/** A region of 2500 groups with 60 rules each and 5000 interfaces; exchanges one rule. */
function update() {
  const hex = (n) => n.toString(16).padStart(2, '0');
  const rule = (i) => ({ id: `sgr-${i}`, protocol: 6, fromPort: i, toPort: i });
  const rules = Array.from({ length: 60 }, (_, i) => ({
    ...rule(i),
    peer: { cidr: '10.0.0.0/8' },
  }));
  const groups = Array.from({ length: 2500 }, (_, i) => ({
    ...everything(`sg-${i}`),
    inbound: rules,
  }));
  const interfaces = Array.from({ length: 5000 }, (_, i) => ({
    ...nic('a', 0),
    id: `eni-${i}`,
    mac: `02:00:00:01:${hex(i >> 8)}:${hex(i & 255)}`,
    addresses: [{ address: `10.0.${i >> 8}.${i & 255}` }],
    ipv6Addresses: [],
    groups: [`sg-${i % 2500}`],
  }));
  const model = testModel({ interfaces, securityGroups: groups });
  const region = new Region({ clock: new BenchClock(), model, seed: 1 });
  const samples = [];
  for (let i = 0; i < 200; i++) {
    const changed = { ...groups[7], inbound: [{ ...rule(i), peer: { cidr: '0.0.0.0/0' } }] };
    const next = { ...region.model, securityGroups: groups.with(7, changed) };
    const start = performance.now();
    region.update(next);
    samples.push((performance.now() - start) * 1e3);
  }
  samples.sort((a, b) => a - b);
  return { median: samples[100], min: samples[0], max: samples.at(-1) };
}

const many = 2 ** 24;
/** A flow table that never knows any of 1024 flows. */
const forgetful = { flows: 8 };
const ethernet = bridge();
const cases = { 'bridge, 256 flows': [() => ethernet, 256] };
for (const count of [1, 60, 1000]) {
  cases[`hit, tracked, ${count} rules, 256 flows`] = [() => vpc(count, false), 256];
  cases[`hit, untracked, ${count} rules, 256 flows`] = [() => vpc(count, true), 256];
  cases[`miss, tracked, ${count} rules`] = [() => vpc(count, false, forgetful), 1024];
  cases[`miss, untracked, ${count} rules`] = [() => vpc(count, true, forgetful), 1024];
  cases[`new flows, tracked, ${count} rules`] = [() => vpc(count, false), many];
}
cases['hit, tracked, 60 rules, 16384 flows'] = [() => vpc(60, false), 16_384];
cases['hit, tracked, IPv6, 256 flows'] = [vpc6, 256];
cases['refused, full table, 60 rules'] = [full, many];
const without = () => vpc(60, false);
cases['no allowance, 256 flows'] = [without, 256, without];
cases['below its allowance, 256 flows'] = [() => limited(), 256, without];
cases['allowance, each flow looked up'] = [() => limited({ flowBps: 1e5 }), 256, without];
cases['allowance exceeded: dropped'] = [
  () => ({ ...limited({ packetsPerSecond: 1, queueMs: 0 }), lossy: true }),
  256,
  without,
];

const results = {};
const json = process.argv.includes('--json');
const part = process.argv.slice(2).find((word) => !word.startsWith('--')) ?? '';
for (const [name, [make, flows, than]] of Object.entries(cases)) {
  if (!name.includes(part)) continue;
  const result = measure(make(), flows, than === undefined ? ethernet : than());
  results[name] = result;
  if (json) continue;
  const columns = [result.median, result.min, result.max].map((v) => v.toFixed(1).padStart(9));
  const peer = than === undefined ? 'bridge' : 'without';
  const ratio = `${result.ratio.toFixed(2).padStart(7)} x ${peer}`;
  const rate = flows === many ? `  ${(1e3 / result.median).toFixed(2)} million flows/s` : '';
  console.log(`${name.padEnd(38)}${columns.join('')} ns ${ratio}${rate}`);
}
if ('one rule of 2500 groups'.includes(part)) {
  const result = update();
  results['update'] = result;
  const columns = [result.median, result.min, result.max].map((v) => v.toFixed(0).padStart(9));
  if (!json) console.log(`${'update: one rule of 2500 groups'.padEnd(38)}${columns.join('')} us`);
}
if (json) console.log(JSON.stringify(results, null, 2));
