import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, ratioOf, spreadOf } from './figures.ts';
import { Histogram } from './histogram.ts';
import { between } from './history.ts';
import { limitedByGuests } from './own.ts';
import { CopyBed, PathBed } from './path-bed.ts';
import { SwitchBed } from './switch-bed.ts';
import { judge, verdictOn } from './targets.ts';
import { type Contender, measureByTurns } from './turns.ts';

const figure = (id: string, samples: number[], more: Partial<Figure> = {}): Figure => ({
  ...{ id, title: id, unit: 'Mpps', group: 'g', samples, ...spreadOf(samples) },
  ...more,
});

test('a ratio is taken round by round: what slows a round down slows both', () => {
  const ratio = ratioOf(figure('a', [2, 20, 6]), figure('b', [1, 10, 2]));
  assert.deepEqual(ratio, { of: 'a', to: 'b', median: 2, min: 2, max: 3 });
});

test('of times the smaller one is the better one', () => {
  const ratio = ratioOf(figure('a', [5, 5], { unit: 'ns' }), figure('b', [10, 20], { unit: 'ns' }));
  assert.deepEqual([ratio?.min, ratio?.max], [2, 4]);
});

test('figures that did not take turns are not compared', () => {
  assert.equal(ratioOf(figure('a', [1]), figure('b', [1], { group: 'h' })), null);
  assert.equal(ratioOf(figure('a', [1]), figure('b', [1], { unit: 'ns' })), null);
  assert.equal(ratioOf(figure('a', [1]), undefined), null);
});

test('everybody has a turn in each round, the first does not count, and who fails is named', async () => {
  const turns: string[] = [];
  const contender = (id: string, value: () => number): Contender => ({
    figures: [{ id, title: id, unit: 'Mpps' }],
    measure: async () => {
      turns.push(id);
      return [value()];
    },
    close: async () => {},
  });
  let asked = 0;
  const outcome = await measureByTurns(
    'group',
    [
      contender('a', () => ++asked),
      contender('b', () => {
        throw new Error('b is gone');
      }),
      contender('c', () => 7),
    ],
    { rounds: 2, ms: 1 },
    () => {},
    new AbortController().signal,
  );
  assert.deepEqual(turns, ['a', 'b', 'c', 'a', 'c', 'a', 'c']);
  assert.deepEqual(
    outcome.figures.map(({ id, samples }) => [id, samples]),
    [
      ['a', [2, 3]],
      ['c', [7, 7]],
    ],
  );
  assert.deepEqual(outcome.absent, [{ what: 'b', why: 'b is gone' }]);
});

test('a goal is reached, aimed at or missed by the median; what was not measured says what is missing', () => {
  const more = { must: 2, aim: 4, by: 'more' } as const;
  assert.deepEqual(
    [1.9, 2, 4].map((value) => verdictOn(more, value)),
    ['missed', 'must', 'aim'],
  );
  const less = { must: 3, aim: 1.5, by: 'less' } as const;
  assert.deepEqual(
    [3.1, 3, 1.5].map((value) => verdictOn(less, value)),
    ['missed', 'must', 'aim'],
  );
  const words = { must: 3, aim: 'no collection', by: 'less' } as const;
  assert.deepEqual(
    [verdictOn(words, 3, true), verdictOn(words, 1, false), verdictOn(words, 4, true)],
    ['aim', 'must', 'missed'],
  );
  const figures = [figure('path.flows.1', [1, 1]), figure('path.flows.100000', [0.6, 0.6])];
  const results = judge(new Map(figures.map((one) => [one.id, one])));
  const flows = results.find(({ goal }) => goal === '100,000 flows');
  assert.deepEqual([flows?.verdict, flows?.ratio?.median], ['must', 0.6]);
  const others = results.filter((result) => result !== flows);
  assert.ok(others.every(({ verdict, why }) => verdict === 'not measured' && why !== null));
});

test('TCP in guests is judged by frames that stay whole, and the default profile is told beside it', () => {
  const bits = { unit: 'Gbit/s' } as const;
  const ids = [
    ...(['ena-whole', 'ena', 'virtio', 'virtio-dgram'] as const).map((nic, i) =>
      figure(`guest.${nic}.tcp1.ab`, [[9, 4, 2, 1][i] as number], bits),
    ),
  ];
  const results = judge(new Map(ids.map((one) => [one.id, one])));
  const [tcp] = results.filter(({ ratio }) => ratio !== null);
  assert.deepEqual(
    [tcp?.id, tcp?.ratio?.median, tcp?.verdict],
    ['tcp1.ab.whole/virtio', 4.5, 'aim'],
  );
  assert.deepEqual([tcp?.beside?.who, tcp?.beside?.ratio.median], ['default profile', 2]);
});

test('where real time is far behind, the data plane was not what was measured, and that is told', () => {
  const ids = [
    ...[figure('path.a', [10]), figure('path.a.real', [8.9]), figure('path.b', [10])],
    ...[figure('path.b.real', [9.1]), figure('c', [1])],
  ];
  assert.deepEqual(limitedByGuests(new Map(ids.map((one) => [one.id, one]))), ['path.a (g)']);
});

test('a percentile of a histogram is right within 3 %, and the longest of all is kept', () => {
  const [one, all] = [new Histogram(), new Histogram()];
  for (let ns = 1; ns <= 10_000; ns++) one.add(ns);
  all.merge(one.counts, one.max);
  all.add(5e9);
  assert.equal(all.max, 5e9);
  for (const percent of [50, 99, 99.9]) {
    const found = all.percentile(percent) / (percent * 100);
    assert.ok(found >= 1 && found < 1.032, `${percent} %: ${found}`);
  }
});

test('recorded tables replace what stands between the marks, and nothing else', () => {
  const page = 'a\n<!-- x -->\nold\n<!-- y -->\nb\n';
  const marks = ['<!-- x -->', '<!-- y -->'] as const;
  assert.equal(between(page, marks, ['new']), 'a\n<!-- x -->\n\nnew\n\n<!-- y -->\nb\n');
});

const small = { nic: 'ena', fabric: 'vpc', bytes: 64, pairs: 1, flows: 3 } as const;

for (const spec of [
  small,
  { ...small, fabric: 'bridge', nic: '82599vf', bytes: 1500, pairs: 2 } as const,
  { ...small, bytes: 65_054, mss: 1448 },
  { ...small, bytes: 100, llq: true },
])
  test(`${spec.nic}, ${spec.fabric}, ${spec.bytes} B: all frames arrive, and a changed byte is found`, () => {
    const bed = new PathBed(spec, 1);
    const { frames, ns } = bed.run(1);
    assert.ok(frames > 0 && ns > 0);
    const frame = bed.pairs[0]?.nextFrame ?? new Uint8Array(0);
    const at = frame.length - 1;
    frame[at] = (frame[at] as number) ^ 1;
    assert.throws(() => bed.run(1), /byte \d+ of \d+ arrived changed/);
  });

for (const sums of [undefined, 'made', 'verified'] as const)
  test(`the switch alone, sums ${sums ?? 'left alone'}: all frames arrive, and a changed byte is found`, () => {
    const bed = new SwitchBed({ fabric: 'vpc', bytes: 300, flows: 5, ...(sums && { sums }) });
    assert.ok(bed.run(1).frames > 0);
    bed.firstFrame[299] = (bed.firstFrame[299] as number) ^ 1;
    assert.throws(() => bed.run(1), /byte 299 of 300 arrived changed/);
  });

test('the plain copy counts what it copies', () => {
  const { frames, ns } = new CopyBed({ bytes: 64 }).run(1);
  assert.ok(frames > 0 && ns >= 1e6);
});
