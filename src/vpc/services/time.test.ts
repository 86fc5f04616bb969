import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../lib/clock.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { writeNtpShort, writeNtpTime } from '../../net/ntp.ts';
import { R } from '../../net/reasons.ts';
import { datagram, readDatagram, ServicesLab } from './testing-vpc.ts';

const transmitted = [0xe1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
/** A client's message (RFC 5905, figure 8): version 4, mode 3, poll 6, the rest 0. */
const request = (flags = 0x23): number[] => [
  flags,
  0,
  6,
  0xe9,
  ...Array(36).fill(0),
  ...transmitted,
];
const ask = (lab: ServicesLab, payload: number[], to = '169.254.169.123') =>
  lab.ask('a', datagram({ to, port: 123, fromPort: 123, payload }));

test('a client is told the time by a server of stratum 3, in exactly these bytes', () => {
  const lab = new ServicesLab();
  lab.clock.advance(100.25 * nsPerSecond);
  for (const to of ['169.254.169.123', 'fd00:ec2::123']) {
    const { from, ports, payload } = readDatagram(ask(lab, request(), to));
    assert.deepEqual([from, ports], [to, [123, 123]]);
    // The clock began in 1970, which is 0x83aa7e80 s after 1900.
    assert.deepEqual(
      [...payload],
      [
        ...[0x24, 3, 6, 0xee],
        ...[0, 0, 0, 11, 0, 0, 0, 66, 169, 254, 169, 122],
        ...[0x83, 0xaa, 0x7e, 0xe0, 0, 0, 0, 0],
        ...transmitted,
        ...[0x83, 0xaa, 0x7e, 0xe4, 0x40, 0, 0, 0],
        ...[0x83, 0xaa, 0x7e, 0xe4, 0x40, 0, 0, 0],
      ],
    );
  }
});

test('each version of a client is answered in its own; what is no client is not', () => {
  const lab = new ServicesLab();
  for (const version of [1, 2, 3, 4])
    assert.equal(
      readDatagram(ask(lab, request((version << 3) | 3))).payload[0],
      (version << 3) | 4,
    );
  for (const flags of [0x03, 0x2b, 0x21, 0x24, 0x25, 0x26, 0x27])
    assert.equal(ask(lab, request(flags)), R.badRequest, `flags ${flags.toString(16)}`);
  assert.equal(ask(lab, request().slice(1)), R.badRequest, 'too short');
  assert.equal(ask(lab, request(), '10.0.0.2'), R.notCarried, 'the resolver has no clock');
  assert.equal(readDatagram(ask(lab, [...request(), ...Array(20).fill(1)])).payload.length, 48);
});

test('times beyond 2036 are in the next era, and short ones are rounded', () => {
  const bytes = new Uint8Array(8);
  const era = 2 ** 32 - 2_208_988_800;
  writeNtpTime(bytes, 0, era + 5, 999_999_999);
  assert.deepEqual([...bytes], [0, 0, 0, 5, 0xff, 0xff, 0xff, 0xfb]);
  writeNtpShort(bytes, 0, 1.5);
  assert.deepEqual([...bytes.subarray(0, 4)], [0, 1, 0x80, 0]);
});

seeded('any bytes are a request of 48 bytes from a client, or get no answer', (random) => {
  const lab = new ServicesLab();
  for (let n = 0; n < 800; n++) {
    const payload = Array.from({ length: random.below(90) }, () => random.below(256));
    const isClient = payload.length >= 48 && ((payload[0] as number) & 7) === 3;
    const version = ((payload[0] ?? 0) >>> 3) & 7;
    const answer = ask(lab, payload);
    const expected = isClient && version >= 1 && version <= 4;
    assert.equal(typeof answer === 'object', expected);
  }
});
