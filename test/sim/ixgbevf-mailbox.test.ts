/**
 * Conversations over the mailbox, replayed word by word: what a stock driver says in each version
 * of the API and what ixgbe answers on an 82599; what it refuses; and the handshake's bits.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_VERSION, type ApiVersion, MAILBOX, VF_MSG } from '../../src/defs/ixgbevf-mbx.ts';
import { SimLab } from './ena-lab.ts';
import { VfGuest, type VfOptions, vfPair } from './ixgbevf-lab.ts';
import { plainFrame } from './naive-packets.ts';

const SUCCESS = 0x8000_0000;
const FAILURE = 0x4000_0000;
const CTS = 0x2000_0000;

/** A question's words, and the answer's as far as they are said here. */
type Exchange = readonly [question: readonly number[], answer: readonly number[]];

function replay(guest: VfGuest, exchanges: readonly Exchange[]): void {
  for (const [question, answer] of exchanges) {
    const got = guest.driver.mailbox.ask(question);
    const shown = Array.from((got ?? new Uint32Array()).subarray(0, answer.length), hex);
    assert.deepEqual(shown, answer.map(hex), `question ${question.map(hex)}`);
  }
}

const hex = (word: number): string => `0x${(word >>> 0).toString(16)}`;
const ok = (message: number): number => message | SUCCESS | CTS;
const no = (message: number): number => message | FAILURE | CTS;

function guestWith(options: VfOptions = {}): VfGuest {
  return new VfGuest(new SimLab(), 1, { profile: 'datasheet', ...options });
}

/** 02:00:00:00:00:01, as a message carries it. */
const macWords = [0x0000_0002, 0x0000_0100];
const macIsSet = { device: { parent: { macIsSet: true } } };

test('RESET is answered by address and kind of multicast hash, without CTS', () => {
  replay(guestWith(macIsSet), [[[1], [1 | SUCCESS, ...macWords, 0]]]);
  replay(guestWith(), [[[1], [1 | FAILURE, 0, 0, 0]]]);
});

test('nothing is done for a function that has not said RESET', () => {
  const guest = guestWith();
  replay(guest, [[[VF_MSG.SET_LPE, 1518], [VF_MSG.SET_LPE | FAILURE]]]);
  assert.match(guest.refusals[0] ?? '', /mailbox-before-reset/);
});

/** What differs from version to version: the first that has a message, and what it says then. */
const order: ApiVersion[] = ['1.0', '1.1', '1.2', '1.3', '1.4', '1.5', '1.6', '1.7'];
const has = (version: ApiVersion, needed: ApiVersion): boolean =>
  order.indexOf(version) >= order.indexOf(needed);

for (const version of order)
  test(`a conversation in API ${version} is as ixgbe holds it`, () => {
    const guest = guestWith(macIsSet);
    const wire = API_VERSION[version];
    const since = (needed: ApiVersion, type: number, ...words: number[]): number[] =>
      has(version, needed) ? [ok(type), ...words] : [no(type)];
    const reta = Array.from({ length: 8 }, () => 0xe4e4_e4e4);
    replay(guest, [
      [[1], [1 | SUCCESS, ...macWords, 0]],
      [
        [8, 99],
        [no(8), 99],
      ],
      [[8, API_VERSION['2.0']], [no(8)]],
      [
        [8, wire],
        [ok(8), wire],
      ],
      [[VF_MSG.GET_QUEUES], since('1.1', 9, 4, 4, 0, 0)],
      [
        [VF_MSG.SET_MAC_ADDR, ...macWords],
        [ok(2), ...macWords],
      ],
      [[0x0002_0003, 0x0123_0456], [ok(0x0002_0003)]],
      [
        [0x0001_0004, 5],
        [ok(0x0001_0004), 5],
      ],
      [
        [0x0000_0004, 5],
        [ok(0x0000_0004), 5],
      ],
      [
        [0x0001_0004, 0],
        [ok(0x0001_0004), 0],
      ],
      [[0x0000_0006, 0, 0], [ok(0x0000_0006)]],
      [[VF_MSG.SET_LPE, 1518], has(version, '1.1') ? [ok(5), 1518] : [no(5)]],
      [[VF_MSG.SET_LPE, 9728], has(version, '1.1') ? [ok(5), 9728] : [no(5)]],
      [[VF_MSG.GET_RETA], since('1.2', 0xa, ...reta)],
      [[VF_MSG.GET_RSS_KEY], since('1.2', 0xb, 0xda56_5a6d, 0xc20e_5b25)],
      [[VF_MSG.UPDATE_XCAST_MODE, 1], since('1.2', 0xc, 1)],
      [[VF_MSG.GET_LINK_STATE], since('1.2', 0x10, 1)],
      [[VF_MSG.IPSEC_ADD, 1], [no(0xd)]],
      [[VF_MSG.IPSEC_DEL, 1], [no(0xe)]],
      [[VF_MSG.GET_PF_LINK_STATE], [no(0x11)]],
      [[VF_MSG.FEATURES_NEGOTIATE, 3], since('1.7', 0x12, 2)],
      [[0x55], [no(0x55)]],
    ]);
  });

test("EC2's parent speaks 1.0 to 1.3, gives two queues, and keeps the address and the RSS table", () => {
  const guest = guestWith({ profile: 'ec2' });
  const newest = (['1.7', '1.6', '1.5', '1.4'] as const).map(
    (version): Exchange => [[8, API_VERSION[version]], [no(8)]],
  );
  replay(guest, [
    [[1], [1 | SUCCESS, ...macWords, 0]],
    ...newest,
    [[8, API_VERSION['1.3']], [ok(8)]],
    [[9], [ok(9), 2, 2, 0, 0]],
    [[2, 0x0000_0002, 0x0000_0200], [no(2)]],
    [[2, ...macWords], [ok(2)]],
    [[0x0001_0006, 0x0000_0002, 0x0000_0200], [no(0x0001_0006)]],
    [[0xa], [no(0xa)]],
    [[0xb], [no(0xb)]],
  ]);
  assert.deepEqual(
    guest.refusals.map((text) => text.replace(/:.*/, '')),
    ['mac-set', 'mac-set', 'rss-query', 'rss-query'].map((rule) => `82599vf/mailbox-${rule}`),
  );
});

test('an address must be one, and one that nobody else has', () => {
  const [, a, b] = vfPair({ profile: 'datasheet', driver: { mac: 0x0200_0000_0001 } });
  assert.equal(a.driver.mac, a.mac, 'it was free');
  assert.ok(!b.driver.setMac(a.mac));
  assert.ok(!b.driver.setMac(0));
  assert.ok(!b.driver.setMac(0x0100_5e00_0001));
  assert.match(b.refusals.join(), /mailbox-mac-taken.*mailbox-mac:.*mailbox-mac:/);
  assert.ok(b.driver.setMac(0x0200_0000_0099));
  const frame = plainFrame(a.mac, 0x0200_0000_0099, 100, 1);
  a.send(frame);
  assert.deepEqual(b.receive(), [frame]);
});

test('further addresses are given one by one, up to the room that there is, and given back', () => {
  const [, a, b] = vfPair({ profile: 'datasheet' });
  const further = (i: number): number => 0x0200_0000_1000 + i;
  for (let i = 0; i < 49; i++) assert.ok(b.driver.setMacvlan(further(i), i + 1), `${i}`);
  assert.ok(!b.driver.setMacvlan(further(50), 50));
  assert.match(b.refusals.join(), /mailbox-macvlan-full/);
  const to = (i: number): Uint8Array => plainFrame(a.driver.mac, further(i), 80, i);
  a.send(to(48));
  assert.deepEqual(b.receive(), [to(48)]);
  assert.ok(b.send(plainFrame(further(7), a.driver.mac, 80, 1)), 'and it may send from them');
  assert.equal(a.receive().length, 1);
  assert.ok(b.driver.setMacvlan(further(60), 1), 'a first one forgets the others');
  a.send(to(48));
  assert.deepEqual(b.receive(), []);
  assert.ok(b.driver.setMacvlan(0, 0));
  assert.ok(!b.driver.setMacvlan(0, 1));
  a.send(to(60));
  assert.deepEqual(b.receive(), []);
});

test('VLANs are limited too, and VLAN 0 cannot be left', () => {
  const guest = guestWith(macIsSet);
  guest.driver.reset();
  for (let id = 1; id < 64; id++) assert.ok(guest.driver.setVlan(id, true));
  assert.ok(!guest.driver.setVlan(64, true));
  assert.ok(guest.driver.setVlan(5, true), 'one that it has already');
  assert.ok(guest.driver.setVlan(5, false));
  assert.ok(guest.driver.setVlan(0, false));
  assert.ok(guest.driver.setVlan(64, true));
  assert.ok(!guest.driver.setVlan(65, true));
});

test('multicast modes are those of an 82599; who is not trusted is given less than he asks', () => {
  const plain = guestWith(macIsSet);
  const trusted = guestWith({ device: { parent: { macIsSet: true, trusted: true } } });
  const agree: Exchange[] = [
    [[1], [1 | SUCCESS]],
    [[8, API_VERSION['1.3']], [ok(8)]],
  ];
  replay(plain, [
    ...agree,
    [
      [0xc, 0],
      [ok(0xc), 0],
    ],
    [
      [0xc, 2],
      [ok(0xc), 1],
    ],
    [
      [0xc, 3],
      [ok(0xc), 1],
    ],
  ]);
  replay(trusted, [
    ...agree,
    [
      [0xc, 2],
      [ok(0xc), 2],
    ],
    [[0xc, 3], [no(0xc)]],
    [[0xc, 4], [no(0xc)]],
    [[8, API_VERSION['1.2']], [ok(8)]],
    [[0xc, 3], [no(0xc)]],
  ]);
  assert.equal(trusted.refusals.length, 3);
});

test('the memory changes hands as the bits say, and status bits vanish when they are read', () => {
  const guest = guestWith(macIsSet);
  const { registers } = guest.driver;
  registers.write('VFMAILBOX', MAILBOX.VFU);
  assert.equal(registers.read('VFMAILBOX'), MAILBOX.VFU);
  registers.write('VFMBMEM', VF_MSG.RESET, 0);
  registers.write('VFMAILBOX', MAILBOX.REQ | MAILBOX.VFU);
  assert.equal(registers.read('VFMAILBOX'), MAILBOX.VFU | MAILBOX.PFACK);
  assert.equal(registers.read('VFMBMEM', 0), VF_MSG.RESET, 'the answer waits for the memory');
  registers.write('VFMAILBOX', 0);
  assert.equal(registers.read('VFMAILBOX'), MAILBOX.PFSTS);
  assert.equal(registers.read('VFMAILBOX'), 0);
  assert.equal(registers.read('VFMBMEM', 0), (1 | SUCCESS) >>> 0);
  registers.write('VFMAILBOX', 0xff & ~(MAILBOX.REQ | MAILBOX.VFU));
  assert.equal(registers.read('VFMAILBOX'), 0, "the parent's bits are not the function's to set");
});

test('an old answer that is sent back is read and not answered', () => {
  const guest = guestWith(macIsSet);
  assert.ok(guest.driver.mailbox.send([1 | SUCCESS]));
  assert.equal(guest.driver.mailbox.check(MAILBOX.PFSTS), false);
});

test('a parent that resets itself hears nothing, then wants RESET, and a driver waits for it', () => {
  const [lab, a, b] = vfPair({ driver: { maxPolls: 3 } });
  a.device.resetParent();
  assert.throws(() => a.driver.start(), /does not end its reset/);
  const raised = a.interrupts[2];
  lab.clock.advance(1e9);
  assert.equal(a.interrupts[2], (raised ?? 0) + 0, 'interrupts are off since the failed start');
  a.driver.start();
  const frame = plainFrame(b.mac, a.mac, 100, 1);
  b.send(frame);
  assert.deepEqual(a.receive(), [frame]);
});

test('the driver of a function whose parent restarts it learns so by a message without CTS', () => {
  const [, a] = vfPair();
  assert.ok(a.device.requestReset());
  assert.equal(a.interrupts[2], 1);
  assert.equal(a.driver.notice(), 0x100);
  assert.equal(a.driver.notice(), FAILURE, 'having read that, it is told again');
  assert.ok(!a.driver.setVlan(3, true));
  a.driver.start();
  assert.ok(a.driver.setVlan(3, true));
  a.device.setWire(false);
  assert.equal(a.driver.notice(), 0x100 | CTS);
  assert.equal(a.driver.linkSpeedMbps(), 0);
});
