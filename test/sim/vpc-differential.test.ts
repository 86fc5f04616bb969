// The switch's compiled tables and the evaluator that follows EC2's documents decide alike, whatever
// the rules and the packets are. VIRTFN_CASES=1000000 for the full number; a disagreement is printed
// with as few events as it needs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededTimes } from '../../src/lib/testing-seed.ts';
import { checkVpcModel } from '../../src/vpc/check-model.ts';
import { describe, packetsPerWorld, playWorld } from './vpc-differential.ts';

const enough = 40_000;
const cases = Number(process.env['VIRTFN_CASES'] ?? enough);

/** What must have been met, or the worlds are too tame to show anything. */
const verdicts = [
  ...['delivered', 'answered', 'spoofedSource', 'sgEgressNone', 'sgIngressNone', 'aclOutDenied'],
  ...['aclInDenied', 'noRoute', 'blackhole', 'wrongDestination', 'trackingFull', 'fragmentUnknown'],
  ...['noSuchAddress', 'notCarried', 'noPublicAddress', 'noGateway', 'otherSubnet', 'reflected'],
  ...['noReceiver', 'rule', 'tracked', 'related', 'untracked'],
];

const met = new Map<string, number>();
let worlds = 0;

seededTimes(Math.ceil(cases / packetsPerWorld), 'the switch and the evaluator agree', (_, seed) => {
  const world = playWorld(seed);
  worlds++;
  const models = [
    world.model,
    ...world.events.flatMap((event) => ('model' in event ? [event.model] : [])),
  ];
  assert.deepEqual(checkVpcModel(models.at(-1) ?? world.model), []);
  for (const [verdict, n] of world.outcomes) met.set(verdict, (met.get(verdict) ?? 0) + n);
  if (world.disagreement !== null) assert.fail(describe(world));
});

test('they met every verdict', (t) => {
  t.diagnostic([...met].map(([verdict, n]) => `${verdict} ${n}`).join(', '));
  const missed = verdicts.filter((verdict) => !met.has(verdict));
  if (worlds * packetsPerWorld >= enough) assert.deepEqual(missed, []);
});
