import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BenchReport } from '../host/bench/bench.ts';
import type { Figure } from '../host/bench/figures.ts';
import { entryOf } from '../host/bench/history.ts';
import { historyOf, markdownOf } from '../host/bench/markdown.ts';
import { ratiosOf } from '../host/bench/ratios.ts';
import { judge } from '../host/bench/targets.ts';
import { renderBench, show } from './bench-report.ts';

const figure = (id: string, median: number): Figure => ({
  ...{ id, title: id, unit: 'Mpps', bytes: 64, group: 'flows', samples: [median, median] },
  ...{ median, min: median, max: median },
});
const figures = [figure('path.flows.1', 10), figure('path.flows.100000', 6)];
const byId = new Map(figures.map((one) => [one.id, one]));
const report: BenchReport = {
  when: '2026-01-02T03:04:05.000Z',
  machine: { cpu: 'CPU', cores: 2, kernel: '6.1', node: '20.20.2' },
  request: {
    ...{ parts: ['path'], rounds: 2, sliceMs: 10, latencySeconds: 1, offline: true },
  },
  ...{ figures, ratios: ratiosOf(byId), targets: judge(byId) },
  absent: [{ what: 'Linux', why: 'there is none' }],
  notes: ['It was noisy.'],
};
const plain = (text: string): string => text;
const paint = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };

test('a report has figures as rates, times and bits, ratios, goals, and what is missing', () => {
  const text = renderBench(report, Number.POSITIVE_INFINITY, paint).join('\n');
  assert.match(text, /^path\.flows\.1 +10\.0 Mpps +10\.0 \.\. 10\.0 +100 ns, 5\.12 Gbit\/s$/m);
  assert.match(text, /^100000 flows to one +0\.600x +0\.600 \.\. 0\.600$/m);
  assert.match(text, /^100,000 flows +our 1 flow +0\.5x +0\.8x +0\.600x .* must$/m);
  assert.match(text, /^two workers .* not measured: workers\.2 was not measured$/m);
  assert.match(text, /^Not measured: Linux: there is none$/m);
  assert.match(text, /^Note: It was noisy\.$/m);
});

test('the page has the same as tables', () => {
  const text = markdownOf(report).join('\n');
  assert.match(text, /^2026-01-02, on CPU, 2 cores/);
  assert.match(
    text,
    /^\| 100,000 flows \| our 1 flow \| 0\.5 \| 0\.8 \| 0\.6 \(0\.6 \.\. 0\.6\) \| must \|$/m,
  );
  assert.match(text, /^\| path\.flows\.1 \| 10 \(10 \.\. 10\) \| Mpps \|$/m);
});

test('a run is one line of the history, by ids', () => {
  const entry = JSON.parse(JSON.stringify(entryOf(report, 'abc')));
  assert.equal(entry.commit, 'abc');
  assert.deepEqual(entry.figures['path.flows.1'], [10, 10, 10, 'Mpps']);
  assert.deepEqual(entry.ratios['path.flows.100000/path.flows.1'], [0.6, 0.6, 0.6]);
  const rows = historyOf([JSON.stringify(entry)]);
  assert.match(rows[0] ?? '', /^\| run \| commit \| machine \| .* \| path\.flows\/1 \| /);
  assert.match(rows[2] ?? '', /^\| 2026-01-02 03:04 \| abc \| CPU \| .* \| 0\.6 must \| /);
});

test('numbers have three digits that count', () => {
  assert.deepEqual([0, 0.01234, 1.234, 12.34, 1234.5].map(show), [
    '0',
    '0.0123',
    '1.23',
    '12.3',
    '1235',
  ]);
});
