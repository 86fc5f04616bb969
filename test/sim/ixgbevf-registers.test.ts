/**
 * The register map against a second public transcription of it: offsets as `regs.h` of Linux's
 * ixgbevf has them, and numbers of copies as Barrelfish's `e10k_vf.dev` has them; and what the
 * registers do when they are written and read.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ixgbevfRegisters, type VfRegister } from '../../src/defs/ixgbevf-regs.ts';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { SimLab } from './ena-lab.ts';
import { VfGuest, vfPair } from './ixgbevf-lab.ts';
import { plainFrame } from './naive-packets.ts';

/** Offset, copies (0: not said there), bytes between them, and the datasheet's name where it differs. */
const secondTranscription: Record<string, [offset: number, count: number, stride?: number]> = {
  VFCTRL: [0x00000, 1],
  VFSTATUS: [0x00008, 1],
  VFLINKS: [0x00010, 1],
  VFFRTIMER: [0x00048, 0],
  VFMAILBOX: [0x002fc, 0],
  VFMBMEM: [0x00200, 16, 4],
  VFRXMEMWRAP: [0x03190, 1],
  VFEICR: [0x00100, 1],
  VFEICS: [0x00104, 1],
  VFEIMS: [0x00108, 1],
  VFEIMC: [0x0010c, 1],
  VFEIAC: [0x00110, 0],
  VFEIAM: [0x00114, 1],
  VFEITR: [0x00820, 2, 4],
  VFIVAR: [0x00120, 4, 4],
  VFIVAR_MISC: [0x00140, 1],
  VFRSCINT: [0x00180, 2, 4],
  VFPBACL: [0x00148, 1],
  VFPSRTYPE: [0x00300, 1],
  VFRDBAL: [0x01000, 8, 0x40],
  VFRDBAH: [0x01004, 8, 0x40],
  VFRDLEN: [0x01008, 8, 0x40],
  VFDCA_RXCTRL: [0x0100c, 8, 0x40],
  VFRDH: [0x01010, 8, 0x40],
  VFSRRCTL: [0x01014, 8, 0x40],
  VFRDT: [0x01018, 8, 0x40],
  VFRXDCTL: [0x01028, 8, 0x40],
  VFRSCCTL: [0x0102c, 8, 0x40],
  VFTDBAL: [0x02000, 0, 0x40],
  VFTDBAH: [0x02004, 0, 0x40],
  VFTDLEN: [0x02008, 0, 0x40],
  VFDCA_TXCTRL: [0x0200c, 8, 0x40],
  VFTDH: [0x02010, 0, 0x40],
  VFTDT: [0x02018, 0, 0x40],
  VFTXDCTL: [0x02028, 0, 0x40],
  VFTDWBAL: [0x02038, 0, 0x40],
  VFTDWBAH: [0x0203c, 0, 0x40],
  VFGPRC: [0x0101c, 1],
  VFGPTC: [0x0201c, 1],
  VFGORC_LSB: [0x01020, 1],
  VFGORC_MSB: [0x01024, 1],
  VFGOTC_LSB: [0x02020, 1],
  VFGOTC_MSB: [0x02024, 1],
  VFMPRC: [0x01034, 1],
};

test('every register is where a second transcription has it, and there is none that it has not', () => {
  const { registers } = ixgbevfRegisters;
  assert.deepEqual(Object.keys(registers).sort(), Object.keys(secondTranscription).sort());
  for (const [name, [offset, count, stride]] of Object.entries(secondTranscription)) {
    const declared = registers[name as VfRegister];
    assert.equal(declared.offset, offset, name);
    if (count > 0) assert.equal(declared.count, count, name);
    if (stride !== undefined) assert.equal(declared.stride, stride, name);
  }
});

/** What `ethtool -t` of the stock driver does: patterns in, what the mask leaves of them out. */
const patterns = [0x5a5a_5a5a, 0xa5a5_a5a5, 0, 0xffff_ffff];
const selfTest: [name: VfRegister, mask: number, write: number][] = [
  ['VFRDBAL', 0xffff_ff80, 0xffff_ff80],
  ['VFRDBAH', 0xffff_ffff, 0xffff_ffff],
  ['VFRDLEN', 0x000f_ff80, 0x000f_ffff],
  ['VFRDT', 0x0000_ffff, 0x0000_ffff],
  ['VFTDBAL', 0xffff_ff80, 0xffff_ffff],
  ['VFTDBAH', 0xffff_ffff, 0xffff_ffff],
  ['VFTDLEN', 0x000f_ff80, 0x000f_ff80],
];

test("the stock driver's self-test of registers passes, and leaves the function whole", () => {
  const [, a, b] = vfPair();
  const { registers } = a.driver;
  a.driver.stop();
  registers.write('VFRXDCTL', 1 << 25);
  for (const [name, mask, write] of selfTest)
    for (const index of [0, 1])
      for (const pattern of patterns) {
        const before = registers.read(name, index);
        registers.write(name, pattern & write, index);
        assert.equal(registers.read(name, index), (pattern & write & mask) >>> 0, name);
        registers.write(name, before, index);
      }
  a.driver.start();
  const frame = plainFrame(b.mac, a.mac, 100, 1);
  b.send(frame);
  assert.deepEqual(a.receive(), [frame]);
});

test('what the map has not is refused, and so are accesses of other sizes', () => {
  const { device, refusals } = new VfGuest(new SimLab(), 1);
  assert.equal(device.read(0, 0x4c, 4), 0);
  device.write(0, 0x3ffc, 4, 1);
  assert.equal(device.read(0, 0x8, 2), 0);
  device.write(0, 0x108, 1, 7);
  assert.equal(device.read(1, 0, 4), 0, 'the upper half of BAR 0 is no BAR');
  assert.deepEqual(
    refusals.map((text) => text.replace(/:.*/, '')),
    [
      ...['82599vf/bad-register', '82599vf/bad-register'],
      ...['82599vf/register-access-size', '82599vf/register-access-size'],
    ],
  );
});

test('status, link and timer say what the parent and the clock say', () => {
  const lab = new SimLab();
  const guest = new VfGuest(lab, 1);
  const { registers } = guest.driver;
  assert.equal(registers.read('VFSTATUS'), 0x80 | (63 << 10) | (1 << 18) | (1 << 19));
  assert.equal(registers.read('VFLINKS'), 0x7000_0000);
  lab.clock.advance(5000 * nsPerSecond + 123_456_789);
  const timer = registers.read('VFFRTIMER');
  assert.deepEqual([timer & 0x3ff, (timer >>> 10) & 0x3ff, timer >>> 20], [456, 123, 5000 % 4096]);
  for (const [linkMbps, bits] of [
    [1000, 0x6000_0000],
    [100, 0x5000_0000],
  ] as const) {
    const slow = new VfGuest(new SimLab(), 1, { device: { linkMbps } });
    assert.equal(slow.driver.registers.read('VFLINKS'), bits);
    assert.equal(slow.driver.linkSpeedMbps(), linkMbps);
  }
});

test('MSI-X table and pending bits are in BAR 3, and a function level reset masks all vectors', () => {
  const { device, driver } = new VfGuest(new SimLab(), 1);
  assert.equal(device.config.read(0, 4), 0x10ed_8086);
  device.write(3, 0x1c, 4, 0);
  assert.equal(device.read(3, 0x1c, 4), 0);
  assert.equal(device.read(3, 0x2000, 4), 0);
  driver.registers.write('VFRDBAH', 7, 3);
  const express = device.config.capabilityAt(0x10);
  device.config.write(express + 8, 2, 0x8000);
  assert.equal(device.read(3, 0x1c, 4), 1);
  assert.equal(driver.registers.read('VFRDBAH', 3), 0);
  assert.equal(driver.registers.read('VFSRRCTL', 3), 0x402);
});

test('options that no card can have are refused', () => {
  const lab = new SimLab();
  const make = (device: object) => () => new VfGuest(lab, lab.switch.ports.length + 1, { device });
  assert.throws(make({ linkMbps: 25_000 }), /no link of 25000/);
  assert.throws(make({ queuePairs: 3 }), /from 1 to 2 are possible/);
  assert.throws(make({ mac: new Uint8Array(5) }), /6 bytes/);
  assert.throws(make({ mac: Uint8Array.of(1, 0, 0, 0, 0, 1) }), /group address/);
});
