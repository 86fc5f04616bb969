import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Steps } from './steps.ts';

function recorder(more: object = {}): {
  output: { write: (s: string) => boolean };
  text: string[];
} {
  const text: string[] = [];
  return { text, output: { write: (line: string) => text.push(line) > 0, ...more } };
}

test('without a terminal a step is a line when it begins and one when it has ended', () => {
  const { output, text } = recorder();
  const steps = new Steps(output);
  steps.step('Booting a');
  steps.detail('half of it', 0.5);
  steps.detail('Linux 6.12');
  steps.step('Measuring');
  steps.failed();
  assert.match(
    text.join(''),
    /^ {2}\.\. {13}Booting a\n {2}ok {7}\d\.\d s Booting a: Linux 6\.12\n/,
  );
  assert.match(text.join(''), /failed +\d\.\d s Measuring\n$/);
  assert.ok(!text.join('').includes('\x1b'), 'no control characters');
});

test('on a terminal no live line is wider than it', () => {
  const { output, text } = recorder({ isTTY: true, columns: 40 });
  const environment = { ...process.env };
  delete process.env['CI'];
  process.env['TERM'] = 'xterm';
  process.env['NO_COLOR'] = '1';
  try {
    const steps = new Steps(output);
    steps.step('Getting ready');
    steps.detail('x'.repeat(200), 0.3);
    steps.done();
  } finally {
    process.env = environment;
  }
  for (const line of text) assert.ok(line.replaceAll('\r\x1b[K', '').trimEnd().length <= 40, line);
});
