import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Begun } from './begun.ts';
import { account, someNics } from './testing-nics.ts';

test("interfaces count the connections that begin at them, and a slot's next owner begins anew", () => {
  const [a, b] = someNics(account(), account());
  a?.connectionBegins();
  a?.connectionBegins();
  b?.connectionBegins();
  assert.deepEqual([a?.begun, b?.begun], [2, 1]);
});

test('counts survive when there are more slots than there was room for', () => {
  const begun = new Begun(undefined, 2);
  begun.reset(1);
  begun.words[1] = 7;
  for (let slot = 2; slot < 9; slot++) begun.reset(slot);
  assert.equal(begun.words[1], 7);
  assert.equal(begun.words.length, 16);
  begun.reset(1);
  assert.equal(begun.words[1], 0);
});
