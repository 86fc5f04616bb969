import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Diagnostics, type Refusal, rules } from './diagnostics.ts';

const sample = rules('sample', { 'bad-length': ['a length is at most 9', 'nowhere'] });

test('a refusal carries its rule and its detail, and is counted', () => {
  const heard: Refusal[] = [];
  const diagnostics = new Diagnostics((refusal) => heard.push(refusal));
  diagnostics.refuse(sample['bad-length'], () => 'length 10');
  assert.equal(sample['bad-length'].id, 'sample/bad-length');
  assert.deepEqual(heard, [{ rule: sample['bad-length'], detail: 'length 10', count: 1 }]);
});

test('a flood of refusals reaches the listener a bounded number of times', () => {
  let heard = 0;
  const diagnostics = new Diagnostics(() => heard++);
  for (let i = 0; i < 100_000; i++) diagnostics.refuse(sample['bad-length'], () => 'x');
  assert.equal(diagnostics.count(sample['bad-length']), 100_000);
  assert.ok(heard < 25, String(heard));
});
