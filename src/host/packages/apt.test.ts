import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSimulation, sourceText } from './apt.ts';
import { RECIPES } from './recipes.ts';

test('a simulated installation names packages, versions and architectures', () => {
  const text = [
    'Reading package lists...',
    'Inst libc6 (2.41-12 Debian:13.7/stable [amd64]) []',
    'Inst libcap2 [1:2.66] (1:2.75-10+b3 Debian:13.7/stable, Other:1 [amd64])',
    'Inst seabios (1.17.0-1~bpo13+1 Debian Backports:stable-backports [all])',
    'Conf libc6 (2.41-12 Debian:13.7/stable [amd64])',
  ].join('\n');
  assert.deepEqual(parseSimulation(text), [
    { name: 'libc6', version: '2.41-12', architecture: 'amd64' },
    { name: 'libcap2', version: '1:2.75-10+b3', architecture: 'amd64' },
    { name: 'seabios', version: '1.17.0-1~bpo13+1', architecture: 'all' },
  ]);
});

test('the private source keeps the keys of the machine and takes nothing but package lists', () => {
  const [recipe] = RECIPES;
  assert.ok(recipe);
  const options = new Map([['signed-by', '/usr/share/keyrings/a.gpg']]);
  const text = sourceText({ uri: 'http://mirror.test/debian', options }, ['trixie'], recipe);
  assert.match(text, /^URIs: http:\/\/mirror\.test\/debian$/m);
  assert.match(text, /^signed-by: \/usr\/share\/keyrings\/a\.gpg$/m);
  assert.match(text, /^Targets: Packages$/m);
});

test('a recipe which nobody saw work says so in the table', () => {
  assert.deepEqual(
    RECIPES.map(({ distribution, seenToWork }) => [distribution, seenToWork]),
    [
      ['debian', true],
      ['ubuntu', false],
    ],
  );
});
