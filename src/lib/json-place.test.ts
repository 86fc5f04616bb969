import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeAt, placeOfMistake } from './json-place.ts';

const text = `{
  "a": [ 1, {"b\\u0063": "x"}, [] ],
  "d": { "e": null, "f": -1.5e3 }
}
`;

test('a path leads to the line and column of its value', () => {
  assert.deepEqual(placeAt(text, []), { line: 1, column: 1 });
  assert.deepEqual(placeAt(text, ['a', 1]), { line: 2, column: 13 });
  assert.deepEqual(placeAt(text, ['a', 1, 'bc']), { line: 2, column: 25 });
  assert.deepEqual(placeAt(text, ['d', 'f']), { line: 3, column: 26 });
});

test('where a path ends early its last value that is there is meant', () => {
  assert.deepEqual(placeAt(text, ['a', 7]), { line: 2, column: 8 });
  assert.deepEqual(placeAt(text, ['d', 'nothing', 'at', 'all']), { line: 3, column: 8 });
  assert.deepEqual(placeAt('[{"x": 1}, {"y": 2}]', [1, 'x']), { line: 1, column: 12 });
});

test('a mistake is where reading stops', () => {
  assert.equal(placeOfMistake(text), null);
  for (const [wrong, line, column] of [
    ['', 1, 1],
    ['{"a": 1,}', 1, 9],
    ['{"a": 1\n "b": 2}', 2, 2],
    ['[1, 2', 1, 6],
    ['{"a": tru}', 1, 7],
    ['{"a": "x\ny"}', 1, 9],
    ['{"a": "x', 1, 9],
    ['"\\x"', 1, 2],
    ['[01]', 1, 3],
    ['{} {}', 1, 4],
    ["{'a': 1}", 1, 2],
  ] as const)
    assert.deepEqual(placeOfMistake(wrong), { line, column }, wrong);
});

test('it takes what JSON.parse takes, and refuses what that refuses', () => {
  const pieces = ['{', '}', '[', ']', ',', ':', '"a"', '1', '-', '.5', 'null', ' ', '"\\n"', '0'];
  let state = 42;
  const next = (n: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * n);
  };
  for (let i = 0; i < 5000; i++) {
    const length = 1 + next(7);
    const candidate = Array.from({ length }, () => pieces[next(pieces.length)]).join('');
    let isJson = true;
    try {
      JSON.parse(candidate);
    } catch {
      isJson = false;
    }
    assert.equal(placeOfMistake(candidate) === null, isJson, candidate);
  }
});

test('nesting without end ends', () => {
  assert.notEqual(placeOfMistake('['.repeat(100_000)), null);
});
