import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceTypes } from '../instance-types.ts';
import { guestView } from './guest-view.ts';
import { notesOn } from './notes.ts';

const types = InstanceTypes.load();
const view = (name: string) => guestView(types.get(name));
const topics = (name: string) => notesOn(types.get(name), types.all()).map(({ topic }) => topic);
const note = (name: string, topic: string) => {
  const type = types.get(name);
  const relatives = types.all().filter((other) => other.name.split('.')[0] === name.split('.')[0]);
  return notesOn(type, relatives).find((found) => found.topic === topic)?.text ?? '';
};

test('who needs ENA finds an ENA card of its generation', () => {
  assert.deepEqual(view('c6in.large'), {
    drivers: ['ena'],
    requiredDriver: 'ena',
    attribute: 'enaSupport',
    linkMbps: 25_000,
    ...{ queuePairs: 2, maxQueuePairs: 2, msixVectors: 3, mtu: 9001, enaProfile: 'nitro-v4' },
  });
});

test('on Xen the guest falls back to the stock adapter', () => {
  const { drivers, requiredDriver, enaProfile } = view('m4.16xlarge');
  assert.deepEqual([drivers, requiredDriver, enaProfile], [['ena', 'vif'], null, null]);
  assert.deepEqual(view('t2.micro').drivers, ['vif']);
  assert.equal(view('m1.small').mtu, null);
});

test('an 82599 VF has 10 Gbit/s and two queue pairs, whatever the API says of ENA', () => {
  const { drivers, attribute, linkMbps, queuePairs, msixVectors } = view('c3.large');
  assert.deepEqual([drivers, attribute], [['ixgbevf', 'vif'], 'sriovNetSupport']);
  assert.deepEqual([linkMbps, queuePairs, msixVectors], [10_000, 2, 3]);
});

test('the link is that of one card', () => {
  for (const [name, mbps] of [
    ['c6in.32xlarge', 170_000],
    ['p4d.24xlarge', 100_000],
    ['p6-b200.48xlarge', 200_000],
    ['t3.micro', 5000],
    ['vt1.3xlarge', 3125],
  ] as const)
    assert.equal(view(name).linkMbps, mbps, name);
});

test('notes are about what a type has', () => {
  assert.ok(topics('c5.large').includes('credits'));
  assert.ok(!topics('c5.9xlarge').includes('credits'));
  assert.ok(topics('c6in.32xlarge').includes('cards'));
  assert.ok(!topics('c5.large').includes('cards'));
  assert.match(note('c6in.large', 'EFA'), /^Not on this size: c6in has EFA from c6in\.32xlarge on/);
  assert.match(note('p5.48xlarge', 'EFA'), /^Up to 32, .* Nitro v4 has EFA v2\.$/);
  assert.equal(note('t3.micro', 'EFA'), '');
  assert.match(note('c7gn.16xlarge', 'driver'), /before 2\.2\.9 interfaces fail to attach/);
  assert.match(note('m8i.large', 'tracking'), /350 seconds/);
  assert.match(note('c6g.large', 'boot'), /UEFI/);
  assert.match(note('p3.16xlarge', 'figures'), /25 Gigabit, and 10 Gbps as its peak/);
  assert.match(note('t3.micro', 'credits'), /holds 241 GB .* 6\.5 minutes of it \(assumed\)/);
  assert.match(note('m5.large', 'internet'), /5 Gbps at most, as it has less than 32 vCPUs/);
  assert.match(note('m5.16xlarge', 'internet'), /10 Gbps at most, half of the bandwidth/);
  assert.match(note('m4.large', 'image'), /sriovNetSupport=simple/);
});

test('every type has notes with sources, and says something of the image', () => {
  for (const type of types.all()) {
    const notes = notesOn(type, []);
    assert.equal(notes[0]?.topic, 'image', type.name);
    for (const { text, source } of notes) {
      assert.ok(source.length > 5 && text.length > 20, type.name);
      assert.doesNotMatch(text, /NaN|undefined|Infinity|null/, type.name);
    }
  }
});
