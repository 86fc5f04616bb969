import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Frame } from '../../net/frame.ts';
import { buildPacket, frameBytes, naiveSum } from '../../net/testing-packets.ts';
import { type StreamSocket, socketPair } from '../../sys/socket.ts';
import { StreamOutside } from './stream-outside.ts';

const open: StreamSocket[] = [];
after(() => {
  for (const socket of open) socket.close();
});

function lab() {
  const [ours, theirs] = socketPair();
  open.push(ours, theirs);
  const outside = new StreamOutside(ours);
  const arrived: Uint8Array[] = [];
  return {
    outside,
    arrived,
    take: () => outside.receive((frame) => arrived.push(frameBytes(frame))),
    say: (bytes: ArrayLike<number>) => theirs.send(Uint8Array.from(bytes), 0, bytes.length, []),
    hear: () => {
      const into = new Uint8Array(300_000);
      const count = theirs.receive(into, 0, into.length, []);
      return into.slice(0, Math.max(0, count));
    },
  };
}

function frameOf(bytes: Uint8Array): Frame {
  const frame = new Frame();
  frame.load(bytes, 0, bytes.length);
  frame.parse();
  return frame;
}

const framed = (bytes: Uint8Array): number[] => [
  0,
  0,
  bytes.length >>> 8,
  bytes.length & 255,
  ...bytes,
];

test('a packet goes out behind its length, with the MACs of both ends and without padding', () => {
  const { outside, hear } = lab();
  const packet = buildPacket({ protocol: 'udp', payload: Uint8Array.of(1, 2) });
  assert.ok(outside.send(frameOf(Uint8Array.from([...packet, 0, 0, 0]))));
  const said = hear();
  assert.deepEqual([...said.subarray(0, 4)], [0, 0, 0, packet.length]);
  assert.deepEqual([...said.subarray(4, 16)], [2, 0, 0, 0, 0, 255, 2, 0, 0, 0, 0, 254]);
  assert.deepEqual([...said.subarray(16)], [...packet.subarray(12)]);
});

test('frames come in whatever pieces they come; what is no IP packet is let go', () => {
  const { take, say, arrived } = lab();
  const one = buildPacket({ payload: new Uint8Array(900) });
  const two = buildPacket({ version: 6, protocol: 'udp' });
  const arp = Uint8Array.from([...Array(12).fill(2), 8, 6, ...Array(28).fill(0)]);
  const stream = [...framed(one), ...framed(arp), ...framed(two)];
  for (let at = 0; at < stream.length; at += 7) {
    say(stream.slice(at, at + 7));
    assert.ok(take());
  }
  assert.deepEqual(arrived, [one, two]);
});

test('a SYN names an MSS that fits into 1500 bytes, wherever the option stands; sums stay right', () => {
  const { outside, hear } = lab();
  for (const version of [4, 6] as const)
    for (const tcpOptions of [
      [2, 4, 35, 1],
      [1, 2, 4, 35, 1, 1, 1, 1],
    ]) {
      outside.send(frameOf(buildPacket({ version, tcpFlags: 2, tcpOptions })));
      const said = hear();
      const l4 = 4 + 14 + (version === 4 ? 20 : 40);
      const at = l4 + 20 + tcpOptions.indexOf(2) + 2;
      assert.equal(
        ((said[at] as number) << 8) | (said[at + 1] as number),
        version === 4 ? 1460 : 1440,
      );
      const tcp = said.subarray(l4);
      const addresses = version === 4 ? said.subarray(30, 38) : said.subarray(26, 58);
      assert.equal(naiveSum([...addresses, 0, 0, 0, tcp.length, 0, 0, 0, 6, ...tcp]), 0xffff);
    }
  outside.send(frameOf(buildPacket({ tcpFlags: 2, tcpOptions: [2, 4, 2, 24] })));
  assert.deepEqual([...hear().subarray(58, 62)], [2, 4, 2, 24], 'a smaller one stays');
});

test('a length that no frame has ends it, and so does the end of the stream', () => {
  const { take, say } = lab();
  say([0, 1, 0, 1]);
  assert.equal(take(), false);
  const other = lab();
  open.pop()?.close();
  assert.equal(other.take(), false);
});

test('what waits for a peer that is gone waits no longer', () => {
  const { outside, take } = lab();
  const frame = frameOf(buildPacket({ payload: new Uint8Array(1400) }));
  while (outside.send(frame)) assert.ok(true);
  open.pop()?.close();
  assert.equal(outside.unblock(), true);
  assert.equal(take(), false);
});

test('a peer that does not read is waited for within bounds, then packets are lost', () => {
  const { outside, hear } = lab();
  let blocked = 0;
  outside.onBlocked = () => blocked++;
  const frame = frameOf(buildPacket({ payload: new Uint8Array(1400) }));
  let sent = 0;
  while (outside.send(frame) && sent < 100_000) sent++;
  assert.ok(sent > 2000 && sent < 10_000, `${sent}`);
  assert.equal(blocked, 1, 'whoever polls is told once');
  let heard = 0;
  while (!outside.unblock()) heard += hear().length;
  heard += hear().length;
  assert.equal(heard, sent * (4 + frame.length), 'what was taken came whole');
  assert.ok(outside.send(frame));
});
