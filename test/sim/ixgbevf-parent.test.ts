/** What an administrator sets on the parent, before and while the function runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimLab } from './ena-lab.ts';
import { VfGuest, vfPair } from './ixgbevf-lab.ts';
import { plainFrame } from './naive-packets.ts';

const macIsSet = { device: { parent: { macIsSet: true } } } as const;

test('an address that is set anew is found at the next reset, and is the only one then', () => {
  const [, a, b] = vfPair();
  const mac = 0x0200_0000_0077;
  assert.ok(b.device.administer({ what: 'mac', mac }));
  assert.ok(!b.device.administer({ what: 'mac', mac: a.mac }), "it is another function's");
  b.device.requestReset();
  b.driver.start();
  assert.equal(b.driver.mac, mac);
  const frame = plainFrame(a.mac, mac, 80, 1);
  a.send(frame);
  a.send(plainFrame(a.mac, b.mac, 80, 2));
  assert.deepEqual(b.receive(), [frame]);
  assert.ok(b.device.administer({ what: 'mac', mac: 0 }));
  b.driver.start();
  assert.equal(b.driver.mac, 0x0200_0000_fffe, 'without one the driver makes one up');
});

test('a trusted function may have another address, an untrusted one may not', () => {
  const [, a, b] = vfPair();
  const mac = 0x0200_0000_0077;
  assert.ok(!b.driver.setMac(mac));
  assert.ok(b.device.administer({ what: 'trust', on: true }));
  assert.ok(b.device.administer({ what: 'trust', on: true }), 'twice is once');
  assert.equal(b.driver.notice(), 0x100);
  b.driver.start();
  assert.ok(b.driver.setMac(mac));
  const frame = plainFrame(a.mac, mac, 80, 1);
  a.send(frame);
  assert.deepEqual(b.receive(), [frame]);
  b.driver.start();
  assert.equal(b.driver.mac, mac, 'the parent remembers it');
});

test('a port VLAN tags what goes out, lets nothing else in, and cannot be changed by the function', () => {
  const lab = new SimLab();
  const vlan = { macIsSet: true, vlan: 5, qos: 3 };
  const a = new VfGuest(lab, 1, { device: { parent: vlan } });
  const b = new VfGuest(lab, 2, { device: { parent: vlan } });
  const outside = new VfGuest(lab, 3, macIsSet);
  for (const guest of [a, b, outside]) guest.driver.start();
  assert.ok(a.driver.transparentVlan);
  assert.match(a.refusals.join(), /mailbox-vlan-set/, 'VLAN 0 is what drivers ask for');
  const frame = plainFrame(a.mac, b.mac, 80, 1);
  a.send(frame);
  const rx = b.driver.rx[0];
  assert.ok(rx);
  assert.ok(rx.next());
  assert.equal(rx.vlan, 0x6005);
  rx.replenish();
  a.send(plainFrame(a.mac, outside.mac, 80, 1));
  outside.send(plainFrame(outside.mac, b.mac, 80, 1));
  assert.deepEqual([outside.receive(), b.receive()], [[], []]);
  for (const guest of [a, b]) guest.device.administer({ what: 'vlan', vlan: 0, qos: 0 });
  outside.send(plainFrame(outside.mac, b.mac, 80, 1));
  assert.equal(b.receive().length, 1);
  a.device.administer({ what: 'vlan', vlan: 9, qos: 0 });
  a.send(frame);
  assert.deepEqual(b.receive(), []);
});

test('sources are checked: addresses by the switch, VLANs by the parent, until it is told not to', () => {
  const [, a, b] = vfPair({ port: { spoofCheck: true } });
  const foreign = plainFrame(0x0200_0000_0099, b.mac, 80, 1);
  a.send(foreign);
  a.send(plainFrame(a.mac, b.mac, 80, 1), { vlan: 8 });
  b.driver.setVlan(8, true);
  assert.deepEqual(b.receive(), []);
  assert.equal(a.driver.registers.read('VFGPTC'), 0, 'neither was sent');
  assert.equal(a.counters()['tx_spoofedSource'], 1);
  a.device.setSpoofCheck(false);
  a.port.spoofCheck = false;
  a.send(foreign);
  a.send(plainFrame(a.mac, b.mac, 80, 1), { vlan: 8 });
  assert.equal(b.receive().length, 2);
});

test('the RSS table and key are shown when the administrator allows it', () => {
  const [, a] = vfPair();
  assert.ok(!a.driver.request(0x0a, []));
  a.device.administer({ what: 'rss-query', on: true });
  assert.ok(a.driver.request(0x0a, []));
  assert.ok(a.driver.request(0x0b, []));
});

test('jumbo frames are for functions that know them, where the parent is as strict as ixgbe', () => {
  const lab = new SimLab();
  const old = new VfGuest(lab, 1, {
    ...{ profile: 'datasheet', ...macIsSet },
    driver: { apiVersions: [] },
  });
  const young = new VfGuest(lab, 2, { profile: 'datasheet', ...macIsSet, driver: { mtu: 9001 } });
  old.driver.start();
  young.driver.start();
  assert.match(old.refusals.join(), /mailbox-frame-size/);
  young.send(plainFrame(young.mac, old.mac, 80, 1));
  assert.deepEqual(old.receive(), [], 'its receive path is shut');
  const frame = plainFrame(old.mac, young.mac, 80, 1);
  old.send(frame);
  assert.deepEqual(young.receive(), [frame]);
  assert.ok(!young.driver.setFrameSize(9729));
  assert.ok(!young.driver.setFrameSize(67));
  const ec2 = new VfGuest(lab, 3, { driver: { apiVersions: [] } });
  ec2.driver.start();
  young.send(plainFrame(young.mac, ec2.mac, 80, 1));
  assert.equal(ec2.receive().length, 1, "EC2's lets them be");
  assert.ok(!ec2.driver.setFrameSize(9018));
});
