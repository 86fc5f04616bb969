import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  msix,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSIX,
  pciExpress,
  powerManagement,
} from './capabilities.ts';
import { type ConfigHooks, ConfigSpace, type ConfigSpaceSpec } from './config-space.ts';
import type { Bar } from './function.ts';

const bar = (index: number, sizeBytes: number, is64Bit = false): Bar => ({
  index,
  sizeBytes,
  is64Bit,
  prefetchable: is64Bit,
});
const layout = { vectors: 9, tableBar: 1, tableOffset: 0, pbaBar: 1, pbaOffset: 0x1000 };
const spec: ConfigSpaceSpec = {
  vendorId: 0x1d0f,
  deviceId: 0xec20,
  revision: 1,
  classCode: 0x020000,
  subsystemVendorId: 0x1d0f,
  subsystemId: 0xec20,
  bars: [bar(0, 0x4000), bar(1, 0x2000), bar(2, 2 ** 20, true)],
  capabilities: [
    powerManagement(),
    pciExpress({ linkSpeed: 3, lanes: 8, functionLevelReset: true }),
    msix(layout, 0xb0),
  ],
};
const make = (hooks: ConfigHooks = {}, more: Partial<ConfigSpaceSpec> = {}) =>
  new ConfigSpace({ ...spec, ...more }, hooks);

test('the header shows the declared identity and ignores writes to it', () => {
  const config = make();
  config.write(0, 4, 0);
  config.write(8, 4, 0);
  assert.equal(config.read(0, 4), 0xec20_1d0f);
  assert.equal(config.read(8, 4), 0x0200_0001);
  assert.equal(config.read(0x2c, 4), 0xec20_1d0f);
  assert.equal(config.read(0x0e, 1), 0);
});

test('writing ones to a BAR shows its size and type, 64-bit ones take two registers', () => {
  const config = make();
  for (const at of [0x10, 0x14, 0x18, 0x1c, 0x20]) config.write(at, 4, 0xffff_ffff);
  assert.equal(config.read(0x10, 4), 0xffff_c000);
  assert.equal(config.read(0x14, 4), 0xffff_e000);
  assert.equal(config.read(0x18, 4), 0xfff0_000c);
  assert.equal(config.read(0x1c, 4), 0xffff_ffff);
  assert.equal(config.read(0x20, 4), 0, 'a BAR that was not declared stays zero');
  config.write(0x18, 4, 0xe000_0000);
  config.write(0x1c, 4, 0x12);
  assert.equal(config.barAddress(2), 0x12_e000_0000);
});

test('BARs of 4 GiB and more are sized in the upper register', () => {
  const config = make({}, { bars: [bar(0, 2 ** 32, true), bar(2, 2 ** 34, true)] });
  for (const at of [0x10, 0x14, 0x18, 0x1c]) config.write(at, 4, 0xffff_ffff);
  assert.equal(config.read(0x10, 4), 0xc);
  assert.equal(config.read(0x14, 4), 0xffff_ffff);
  assert.equal(config.read(0x18, 4), 0xc);
  assert.equal(config.read(0x1c, 4), 0xffff_fffc);
});

test('the capability list visits every capability once, in order', () => {
  const config = make();
  assert.equal(config.read(0x06, 2) & 0x10, 0x10);
  const seen: number[] = [];
  for (let at = config.read(0x34, 1); at !== 0; at = config.read(at + 1, 1))
    seen.push(config.read(at, 1));
  assert.deepEqual(seen, [0x01, 0x10, 0x11]);
  assert.equal(config.capabilityAt(PCI_CAP_ID_MSIX), 0xb0);
  assert.equal(config.read(0xb2, 2), 8);
  assert.equal(config.read(0xb4, 4), 0x0000_0001);
  assert.equal(config.read(0xb8, 4), 0x0000_1001);
});

test('the command hook hears changes only, whatever the size of the write', () => {
  const heard: number[][] = [];
  const config = make({ onCommand: (...call) => heard.push(call) });
  config.write(4, 2, 0x0006);
  config.write(4, 2, 0x0006);
  config.write(5, 1, 0x04);
  config.write(2, 3, 0);
  assert.deepEqual(heard, [
    [0x0006, 0],
    [0x0406, 0x0006],
    [0x0400, 0x0406],
  ]);
  config.write(4, 4, 0xffff_0007);
  assert.equal(config.command, 0x0006, 'I/O space cannot be enabled');
  assert.equal(config.busMaster && config.memoryEnabled, true);
});

test('the reset bit of the device control register asks for a reset and reads as zero', () => {
  let resets = 0;
  const config = make({ onFunctionReset: () => resets++ });
  const devctl = config.capabilityAt(PCI_CAP_ID_EXP) + 8;
  config.write(devctl, 2, 0x8000);
  assert.equal(resets, 1);
  assert.equal(config.read(devctl, 2) & 0x8000, 0);
  config.write(devctl, 1, 0x80);
  assert.equal(resets, 1, 'bit 7 of the lower byte is another bit');
  config.write(devctl + 1, 1, 0x80);
  assert.equal(resets, 2);
});

test('without function level reset the bit does nothing', () => {
  let resets = 0;
  const express = pciExpress({ linkSpeed: 1, lanes: 1, functionLevelReset: false });
  const config = make({ onFunctionReset: () => resets++ }, { capabilities: [express] });
  const at = config.capabilityAt(PCI_CAP_ID_EXP);
  config.write(at + 8, 2, 0x8000);
  assert.equal(resets, 0);
  assert.equal(config.read(at + 4, 4) & 0x1000_0000, 0);
});

test('MSI-X enable and function mask are writable, the table size is not', () => {
  const heard: number[] = [];
  const config = make({ onMsixControl: (value) => heard.push(value) });
  config.write(0xb2, 2, 0xffff);
  assert.equal(config.msixControl, 0xc008);
  config.write(0xb0, 4, 0x8000_0000);
  assert.deepEqual(heard, [0xc008, 0x8008]);
});

test('status bits are cleared by writing one and never set', () => {
  const config = make();
  config.poke(0x06, 2, 0x2010);
  config.write(0x06, 2, 0x0000);
  assert.equal(config.read(0x06, 2), 0x2010);
  config.write(0x06, 2, 0xffff);
  assert.equal(config.read(0x06, 2), 0x0010);
});

test('accesses past the end read ones and write nothing', () => {
  const config = make();
  config.write(0xfe, 4, 0x1234_5678);
  assert.equal(config.read(0xfe, 4), 0xffff_0000);
  assert.equal(config.read(0x400, 4), 0xffff_ffff);
});

test('reset restores every register and runs no hook', () => {
  let heard = 0;
  const config = make({ onCommand: () => heard++, onMsixControl: () => heard++ });
  config.write(4, 2, 6);
  config.write(0x10, 4, 0xfe00_0000);
  config.write(0xb2, 2, 0x8000);
  config.reset();
  assert.equal(heard, 2);
  assert.deepEqual([config.command, config.barAddress(0), config.msixControl], [0, 0, 8]);
});

test('a declaration that contradicts itself is refused', () => {
  const capabilities = [powerManagement(0x40), msix(layout, 0x44)];
  assert.throws(() => make({}, { capabilities }), /MSIX does not fit/);
  assert.throws(() => make({}, { bars: [bar(5, 4096, true)] }), /BAR 5/);
  assert.throws(() => make({}, { bars: [bar(0, 5000)] }), /power of two/);
});
