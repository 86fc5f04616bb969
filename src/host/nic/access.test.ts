import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelName } from '../dataplane/models.ts';
import type { Access } from '../dataplane/nic-model.ts';
import { type AccessChoice, accessOf, accessReason, type Cores, unknownCores } from './access.ts';

const machine = (cores: number, guestCpus: number, workers = 1): Cores => {
  return { cores, guestCpus, workers };
};

type Case = [claim: string, model: ModelName, choice: AccessChoice, cores: Cores, access: Access];

const cases: readonly Case[] = [
  ['two small guests on two cores', 'ena', 'auto', machine(2, 2), 'posted'],
  ['the same on three', 'ena', 'auto', machine(3, 2), 'posted'],
  [
    'a core for each vCPU, one that polls, one for the rest',
    'ena',
    'auto',
    machine(4, 2),
    'polled',
  ],
  ['two workers want two cores', 'ena', 'auto', machine(4, 2, 2), 'posted'],
  ['and have them', '82599vf', 'auto', machine(5, 2, 2), 'polled'],
  ['guests that are larger than the machine', '82599vf', 'auto', machine(16, 32), 'posted'],
  ['an EFA whose work is mapped anyway', 'efa', 'auto', machine(2, 4), 'llq'],
  ['an EFA on a large machine', 'efa', 'auto', machine(64, 8), 'polled'],
  ['nobody has counted', 'ena', 'auto', unknownCores, 'posted'],
  ['somebody says so, on a small machine', 'ena', 'polled', machine(1, 8), 'polled'],
  ['somebody says so, on a large one', 'ena', 'posted', machine(64, 2), 'posted'],
  ['somebody wants low-latency queues', 'ena', 'llq', machine(64, 2), 'llq'],
];
for (const [claim, model, choice, cores, access] of cases)
  test(`access, ${claim}: ${access}`, () => {
    assert.equal(accessOf(model, choice, cores), access);
  });

test('the reason has the numbers that it went by', () => {
  assert.equal(
    accessReason(machine(2, 4)),
    '2 cores are not enough to poll beside 4 virtual CPUs, a data-plane thread and the rest',
  );
  assert.equal(
    accessReason(machine(16, 4, 2)),
    '16 cores are enough for 4 virtual CPUs, 2 data-plane threads and the rest',
  );
});
