// What EC2 documents (test/vpc-behaviours.ts), shown by real guests, one of them an appliance: TCP by
// their kernels, UDP and ICMP with programs, on stock drivers, while rules are exchanged under them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { behaviours } from '../vpc-behaviours.ts';
import { pair } from '../vpc-pair.ts';
import { toolsOrSkip } from './pair.ts';
import { VpcGuests } from './vpc-guests.ts';

test('real guests see what EC2 documents', { timeout: 12 * 60_000 }, async (t) => {
  const tools = await toolsOrSkip(t, '6.12');
  if (tools === null) return;
  const guests = await VpcGuests.start(tools, pair());
  try {
    const shown = behaviours.filter(({ notInGuests }) => notInGuests === undefined);
    assert.ok(shown.length > 30, `only ${shown.length}`);
    for (const behaviour of shown)
      await t.test(`${behaviour.claim} (${behaviour.source})`, () => guests.play(behaviour));
  } finally {
    await guests.close();
  }
});
