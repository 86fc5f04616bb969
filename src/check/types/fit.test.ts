import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { known, unread } from '../fact.ts';
import type { ImageFacts } from '../image/facts.ts';
import {
  absent,
  boot,
  imageFacts,
  initramfs,
  module,
  mount,
  withDrivers,
} from '../image/testing-image.ts';
import { testRules } from '../testing-rules.ts';
import { abilitiesOf } from './abilities.ts';
import type { TypeFacts } from './facts.ts';
import { fitOf } from './fit.ts';
import { typeRules } from './rules.ts';

const at = { file: '/test' };
const catalogue = InstanceTypes.load();
const on = (type: string, facts: ImageFacts = imageFacts()): TypeFacts => {
  return { type: catalogue.get(type), image: abilitiesOf(facts) };
};
const uefiOnly = imageFacts({
  boot: boot({ biosLoader: known(false, at), efiLoader: known('/EFI/BOOT/BOOTX64.EFI', at) }),
});
const noEna = withDrivers({ ena: absent });

testRules('types', typeRules, [
  { rule: 'types-architecture', outcome: 'pass', given: 'x86 on x86', facts: on('c6i.large') },
  { rule: 'types-architecture', outcome: 'fail', given: 'x86 on ARM', facts: on('c6g.large') },
  {
    rule: 'types-architecture',
    outcome: 'unknown',
    given: 'an image that does not say',
    facts: on('c6i.large', imageFacts({ architecture: unread('no program was found') })),
  },
  {
    rule: 'types-boot-mode',
    outcome: 'pass',
    given: 'a BIOS image on Nitro',
    facts: on('c6i.large'),
  },
  {
    rule: 'types-boot-mode',
    outcome: 'pass',
    given: 'a UEFI image on Nitro',
    facts: on('c6i.large', uefiOnly),
  },
  {
    rule: 'types-boot-mode',
    outcome: 'fail',
    given: 'a UEFI image on Xen',
    facts: on('c4.large', uefiOnly),
    says: /a BIOS$/,
  },
  {
    rule: 'types-boot-mode',
    outcome: 'unknown',
    given: 'a directory',
    facts: on('c6i.large', imageFacts({ disk: null })),
  },
  {
    rule: 'types-root-disk',
    outcome: 'pass',
    given: 'nvme in the initramfs',
    facts: on('c6i.large'),
  },
  {
    rule: 'types-root-disk',
    outcome: 'fail',
    given: 'no nvme in the initramfs',
    facts: on('c6i.large', withDrivers({}, { initramfs: initramfs({ drivers: [] }) })),
  },
  {
    rule: 'types-root-disk',
    outcome: 'fail',
    given: 'a root by name on Nitro',
    facts: on('c6i.large', imageFacts({ fstab: known([mount('/dev/xvda1')], at) })),
  },
  {
    rule: 'types-root-disk',
    outcome: 'pass',
    given: 'a root by name on Xen',
    facts: on('c4.large', imageFacts({ fstab: known([mount('/dev/xvda1')], at) })),
  },
  { rule: 'types-network-card', outcome: 'pass', given: 'ena on Nitro', facts: on('c6i.large') },
  {
    rule: 'types-network-card',
    outcome: 'fail',
    given: 'no ena on Nitro',
    facts: on('c6i.large', noEna),
  },
  {
    rule: 'types-network-card',
    outcome: 'pass',
    given: 'no ena on Xen',
    facts: on('r4.large', noEna),
  },
  {
    rule: 'types-network-card',
    outcome: 'fail',
    given: "a Xen type without Xen's network",
    facts: on('c4.large', withDrivers({ xen_netfront: absent })),
  },
  { rule: 'types-address', outcome: 'pass', given: 'cloud-init', facts: on('c6i.large') },
  {
    rule: 'types-address',
    outcome: 'fail',
    given: 'a stale rule',
    facts: on(
      'c6i.large',
      imageFacts({
        network: {
          ...imageFacts().network,
          pinnedNames: known([{ name: 'eth0', mac: '02:00:00:00:00:01', at }], at),
        },
      }),
    ),
  },
  {
    rule: 'types-enhanced-networking',
    outcome: 'pass',
    given: 'ixgbevf on C4',
    facts: on('c4.large'),
  },
  {
    rule: 'types-enhanced-networking',
    outcome: 'fail',
    given: 'no ena on R4',
    facts: on('r4.large', noEna),
  },
  {
    rule: 'types-efa',
    outcome: 'pass',
    given: 'efa on a type with EFA',
    facts: on('c5n.18xlarge', withDrivers({ efa: module('efa') })),
  },
  { rule: 'types-efa', outcome: 'fail', given: 'no efa on it', facts: on('c5n.18xlarge') },
]);

const types = catalogue.all();

test('each type is in one list, and in no reason if it runs', () => {
  const fit = fitOf(noEna, types, '');
  const all = [...fit.runs, ...fit.slower, ...fit.no, ...fit.unknown].sort();
  assert.deepEqual(all, catalogue.names().sort());
  const named = new Set(fit.reasons.flatMap((reason) => reason.types));
  assert.deepEqual(
    fit.runs.filter((name) => named.has(name)),
    [],
  );
});

test('without ena only Xen types are left, the newer ones slower', () => {
  const fit = fitOf(noEna, types, '');
  assert.ok(fit.runs.includes('c4.large'));
  assert.ok(fit.slower.includes('r4.large'));
  assert.ok(fit.no.includes('c6i.large') && fit.no.includes('h1.2xlarge') === false);
  assert.ok(
    fit.reasons.some(
      ({ text, types: names }) => /no driver for ENA/.test(text) && names.includes('m5.large'),
    ),
  );
});

test('an image that is well runs on all x86 types, and on no ARM or Mac', () => {
  const fit = fitOf(imageFacts(), types, '');
  const x86 = types.filter(({ architectures }) => architectures.includes('x86_64'));
  assert.deepEqual([...fit.runs].sort(), x86.map(({ name }) => name).sort());
  assert.equal(fit.reasons[0]?.rule, 'types-architecture');
});
