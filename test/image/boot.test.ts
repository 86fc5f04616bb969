/** Images that start: what is seen from outside is what their files say, and where it is not, that is found. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { bootedRules } from '../../src/check/image/booted-rules.ts';
import type { BootedCard } from '../../src/check/image/facts.ts';
import { check } from '../../src/check/report.ts';
import { bootImage } from '../../src/host/image/boot-image.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import { type BootableOptions, bootableDisk } from './bootable.ts';
import { checked, fingerprint } from './checked.ts';
import { ImageMaker } from './image-maker.ts';

const maker = await ImageMaker.open();
after(() => maker.close());

async function boot(given: BootableOptions, timeoutMs: number, model: 'ena' | '82599vf' = 'ena') {
  const path = await bootableDisk(maker, given);
  const { facts, errors } = await checked(path);
  const before = fingerprint(path);
  const card: BootedCard = await bootImage({
    ...{
      disk: { path, format: 'raw', mode: 'snapshot' },
      by: given.by ?? 'bios',
      model,
      accelerator: 'tcg',
      timeoutMs,
    },
    ...{ memoryMb: 512, onSeen: () => {} },
    options: { cache: cacheDirectory(), progress: noProgress },
  });
  assert.equal(fingerprint(path), before, 'the image was written to');
  const target = { kind: 'image', name: path, detail: '' } as const;
  const { findings } = check(target, bootedRules, { ...facts, boots: [card] }, '');
  const failed = findings.filter(({ outcome }) => outcome === 'fail').map(({ rule }) => rule.id);
  return { errors, failed, card };
}

for (const model of ['ena', '82599vf'] as const)
  test(`a good image on ${model}: driver, address, metadata and MTU, as its files say`, async () => {
    const { errors, failed, card } = await boot({}, 120_000, model);
    assert.deepEqual([errors, failed], [[], []], JSON.stringify(card));
    assert.deepEqual('value' in card.mtu && card.mtu.value, 9001);
  });

test('an image that starts by UEFI is started by it', async () => {
  const { errors, failed, card } = await boot({ by: 'uefi' }, 150_000);
  assert.deepEqual([errors, failed], [[], []], JSON.stringify(card));
});

// Both wait in vain until their time is over: they can do that together.
test('images that do not work', { concurrency: 2 }, async (t) => {
  const withoutEna = t.test(
    'without ena its files say that it does not, and it does not',
    async () => {
      const { errors, failed } = await boot({ drivers: ['ixgbevf'] }, 25_000);
      assert.deepEqual(errors, ['image-ena-driver']);
      assert.ok(
        failed.includes('image-boots-with-driver') && failed.includes('image-boots-with-address'),
      );
      assert.ok(!failed.includes('image-boots-as-files-say'), String(failed));
    },
  );
  const idle = t.test('where nothing does what the files say, that is found', async () => {
    const files = {
      'usr/bin/init': '#!/bin/busybox sh\nwhile :; do /bin/busybox sleep 60; done\n',
    };
    const { errors, failed } = await boot({ files }, 25_000);
    assert.deepEqual(errors, []);
    assert.ok(failed.includes('image-boots-as-files-say'), String(failed));
  });
  await Promise.all([withoutEna, idle]);
});
