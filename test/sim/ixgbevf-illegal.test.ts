/** What no driver should do to an 82599 VF: each rule broken once, named, and survived. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ixgbevfRules } from '../../src/devices/ixgbevf/rules.ts';
import type { TxQueue } from '../../src/drivers/ixgbevf/tx-queue.ts';
import { SimLab } from './ena-lab.ts';
import { VfGuest, type VfOptions, vfPair } from './ixgbevf-lab.ts';
import { packet, plainFrame } from './naive-packets.ts';

/** Rules that some test here, or of the mailbox and registers, has broken. */
const elsewhere = ['bad-register', 'register-access-size'];
const broken = new Set<string>(elsewhere);

const EOP = 1 << 24;
const RS = 1 << 27;
const DEXT = 1 << 29;
const DATA = 3 << 20;
const CONTEXT = 2 << 20;
const TSE = 2 ** 31;
const paylen = (bytes: number): number => bytes * 2 ** 14;

type Case = {
  readonly rule: keyof typeof ixgbevfRules;
  /** Posts descriptors; `buffer` is a DMA address with bytes behind it. */
  readonly post: (tx: TxQueue, lo: number, hi: number, guest: VfGuest) => void;
  /** Only the packet is lost. */
  readonly goesOn?: boolean;
};

/** A data descriptor of `bytes` bytes. */
const data = (
  lo: number,
  hi: number,
  bytes: number,
  command = EOP | RS,
  olinfo = paylen(bytes),
) => [lo, hi, bytes | DATA | DEXT | command, olinfo];
const context = (maclen: number, iplen: number, l4: number, mss: number, tucmd = 1 << 10) => [
  iplen | (maclen << 9),
  0,
  tucmd | CONTEXT | DEXT,
  (l4 << 8) | (mss << 16),
];

const cases: Case[] = [
  { rule: 'tx-type', post: (tx, lo, hi) => tx.put([lo, hi, 60 | DEXT | EOP, paylen(60)]) },
  {
    rule: 'tx-type',
    post: (tx, lo, hi) => {
      tx.put(data(lo, hi, 60, 0, paylen(120)));
      tx.put([lo, hi, 60 | DEXT | EOP | (1 << 20), paylen(120)]);
    },
  },
  {
    rule: 'tx-context-inside',
    post: (tx, lo, hi) => {
      tx.put(data(lo, hi, 60, 0, paylen(120)));
      tx.put(context(14, 20, 20, 1000));
    },
  },
  {
    rule: 'tx-mixed-types',
    post: (tx, lo, hi) => {
      tx.put(data(lo, hi, 60, 0, paylen(120)));
      tx.put([lo, hi, 60 | EOP, 0]);
    },
  },
  {
    rule: 'tx-too-many-descs',
    post: (tx, lo, hi) => {
      for (let i = 0; i < 41; i++) tx.put(data(lo, hi, 60, i === 40 ? EOP : 0, paylen(41 * 60)));
    },
  },
  { rule: 'tx-bad-address', post: (tx) => tx.put(data(0x1000, 0xff, 60)) },
  {
    rule: 'tx-too-long',
    post: (tx, lo, hi) => {
      for (let i = 0; i < 5; i++) tx.put(data(lo, hi, 16_000, i === 4 ? EOP : 0));
    },
  },
  { rule: 'tx-paylen', post: (tx, lo, hi) => tx.put(data(lo, hi, 60, EOP, paylen(61))) },
  {
    rule: 'tx-paylen',
    post: (tx, lo, hi) => {
      tx.put(context(14, 20, 20, 1000));
      tx.put(data(lo, hi, 60, EOP + TSE, paylen(60)));
    },
  },
  {
    rule: 'tx-ipsec',
    post: (tx, lo, hi) => tx.put(data(lo, hi, 60, EOP, paylen(60) | (1 << 10))),
  },
  {
    rule: 'tx-context-mismatch',
    goesOn: true,
    post: (tx, lo, hi) => {
      tx.put(context(14, 24, 20, 1000, (1 << 10) | (1 << 11)));
      tx.put(data(lo, hi, 60, EOP + TSE, paylen(2)));
    },
  },
  {
    rule: 'tx-context-mismatch',
    goesOn: true,
    post: (tx, lo, hi) => {
      tx.put(context(14, 20, 0, 0, 0));
      tx.put(data(lo, hi, 60, EOP, paylen(60) | (1 << 8)));
    },
  },
  {
    rule: 'tx-context-mismatch',
    goesOn: true,
    post: (tx, lo, hi) => {
      tx.put(context(14, 20, 0, 0, 3 << 11));
      tx.put(data(lo, hi, 60, EOP, paylen(60) | (1 << 9)));
    },
  },
  {
    rule: 'tx-checksum-place',
    goesOn: true,
    post: (tx, lo, hi) => {
      tx.put(context(127, 400, 0, 0, 1 << 11));
      tx.put(data(lo, hi, 1000, EOP, paylen(1000) | (1 << 9)));
    },
  },
  {
    rule: 'tx-checksum-place',
    goesOn: true,
    post: (tx, lo, hi) => {
      tx.put(context(100, 400, 0, 0, 1 << 10));
      tx.put(data(lo, hi, 1000, EOP, paylen(1000) | (1 << 8)));
    },
  },
  {
    rule: 'tx-checksum-place',
    goesOn: true,
    post: (tx, lo, hi) => {
      tx.put(context(100, 400, 0, 0, 2 << 11));
      tx.put(data(lo, hi, 1000, EOP, paylen(1000) | (1 << 9)));
    },
  },
  {
    rule: 'tx-checksum-place',
    goesOn: true,
    post: (tx, lo, hi) => tx.put([lo, hi, 60 | EOP | (1 << 26) | (59 << 16), 14 << 8]),
  },
  {
    rule: 'tx-vlan-spoof',
    goesOn: true,
    post: (tx, lo, hi) => {
      tx.put(
        [14 << 9, 0, CONTEXT | DEXT, 0].map((word, i) => (i === 0 ? word | (77 << 16) : word)),
      );
      tx.put(data(lo, hi, 60, EOP | (1 << 30)));
    },
  },
  {
    rule: 'tx-head-memory',
    goesOn: true,
    post: (tx, lo, hi, { driver }) => {
      driver.registers.write('VFTDWBAL', 0x1001);
      driver.registers.write('VFTDWBAH', 0xff);
      tx.put(data(lo, hi, 60));
    },
  },
];

for (const [i, { rule, post, goesOn = false }] of cases.entries())
  test(`${rule} (${i}): ${goesOn ? 'the packet is lost' : 'the queue hangs until it is started again'}`, () => {
    const [, a, b] = vfPair();
    const tx = a.driver.tx[0];
    assert.ok(tx);
    const address = a.arena.alloc(65_536);
    const frame = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', payload: new Uint8Array(6) });
    a.arena.bytes.set(frame, a.arena.offset(address));
    post(tx, address % 2 ** 32, Math.floor(address / 2 ** 32), a);
    tx.kick();
    assert.match(a.refusals.join(), new RegExp(`82599vf/${rule}:`));
    broken.add(rule);
    const good = plainFrame(a.mac, b.mac, 80, 1);
    b.receive();
    a.driver.registers.write('VFTDWBAL', 0);
    a.send(good);
    assert.deepEqual(b.receive(), goesOn ? [good] : []);
    if (goesOn) return;
    const head = a.driver.registers.read('VFTDH');
    assert.notEqual(head, tx.tail, 'the head stands still, for the driver to see');
    a.driver.start();
    a.send(good);
    assert.deepEqual(b.receive(), [good]);
  });

test('rings that are none, and tails outside of them', () => {
  const breaks = (
    rule: keyof typeof ixgbevfRules,
    act: (guest: VfGuest) => void,
    o: VfOptions = {},
  ) => {
    const guest = new VfGuest(new SimLab(), 1, o);
    guest.driver.start();
    act(guest);
    assert.match(guest.refusals.join(), new RegExp(`82599vf/${rule}:`), rule);
    broken.add(rule);
    guest.driver.start();
    guest.send(plainFrame(guest.mac, 0xffff_ffff_ffff, 60, 1));
    assert.equal(guest.driver.registers.read('VFTDH'), 1, 'it works again');
  };
  const restart = (guest: VfGuest, ring: 'T' | 'R', change: () => void): void => {
    const { registers } = guest.driver;
    registers.write(`VF${ring}XDCTL`, 0);
    change();
    registers.write(`VF${ring}XDCTL`, 1 << 25);
    registers.write(`VF${ring}DT`, 1);
  };
  for (const ring of ['T', 'R'] as const) {
    breaks('ring-length', (guest) =>
      restart(guest, ring, () => guest.driver.registers.write(`VF${ring}DLEN`, 0)),
    );
    breaks('ring-tail', ({ driver }) => driver.registers.write(`VF${ring}DT`, 512));
    breaks('queue-beyond', ({ driver }) => {
      driver.registers.write(`VF${ring}XDCTL`, 1 << 25, 2);
      assert.equal(driver.registers.read(`VF${ring}XDCTL`, 2), 0);
      driver.registers.write(`VF${ring}XDCTL`, 0, 7);
    });
  }
  breaks('ring-memory', (guest) =>
    restart(guest, 'T', () => guest.driver.registers.write('VFTDBAH', 0xff)),
  );
  breaks('rx-desc-type', (guest) =>
    restart(guest, 'R', () => guest.driver.registers.write('VFSRRCTL', 2 | (3 << 25))),
  );
  for (const control of [0, 17, 2 | (2 << 25), 2 | (17 << 8) | (5 << 25)])
    breaks('rx-buffer-size', (guest) =>
      restart(guest, 'R', () => guest.driver.registers.write('VFSRRCTL', control)),
    );
});

test('receive buffers and rings outside of memory stop the queue, not the others', () => {
  for (const [rule, spoil] of [
    [
      'rx-bad-address',
      ({ arena, driver }: VfGuest) => {
        const word = driver.rx[0]?.wordOf(0) ?? 0;
        arena.words[word + 1] = 0xff;
      },
    ],
    ['ring-memory', ({ arena }: VfGuest) => arena.memory.clear()],
  ] as const) {
    const [, a, b] = vfPair();
    spoil(b);
    for (let i = 0; i < 3; i++) a.send(plainFrame(a.mac, b.mac, 80, i));
    assert.deepEqual(b.refusals.length, 1);
    assert.match(b.refusals.join(), new RegExp(`82599vf/${rule}:`));
    assert.equal(b.counters()['rx_rxBadAddress'], 1);
    broken.add(rule);
  }
});

test('every rule is one that a test has broken', async () => {
  // Those of the mailbox have their own file, where answers are compared word by word.
  const own = Object.keys(ixgbevfRules).filter((rule) => !rule.startsWith('mailbox-'));
  assert.deepEqual(
    own.filter((rule) => !broken.has(rule)),
    [],
  );
});
