// The documented behaviours (test/vpc-behaviours.ts), judged by the evaluator.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Behaviour, behaviours } from '../../test/vpc-behaviours.ts';
import { Packets } from '../../test/vpc-steps.ts';
import { reasonNames } from '../net/reasons.ts';
import { evaluate } from './evaluate.ts';
import { newHistory } from './evaluate-tracking.ts';

for (const behaviour of behaviours)
  test(`${behaviour.claim} (${behaviour.source})`, () => run(behaviour));

function run({ model: first, steps }: Behaviour): void {
  const history = newHistory();
  const packets = new Packets();
  let model = first;
  let now = 0;
  for (const [i, step] of steps.entries()) {
    if ('wait' in step) now += step.wait;
    if ('change' in step) model = step.change;
    if ('service' in step) {
      const { service, gates } = evaluate(model, history, step.packet, now);
      assert.equal(service, step.service);
      assert.deepEqual(
        gates.map(({ gate }) => gate),
        ['source check'],
      );
    }
    for (const { packet, is } of packets.of(step)) {
      const judgement = evaluate(model, history, packet, now);
      assert.equal(
        reasonNames[judgement.reason],
        is,
        `step ${i + 1}: ${JSON.stringify(judgement)}`,
      );
    }
  }
}
