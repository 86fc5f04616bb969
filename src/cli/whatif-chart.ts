/**
 * A run of `virtfn whatif` as a picture: one SVG that needs nothing else, legible on light and dark.
 * A panel per direction with what was offered, what passed and the limits, its credits below; packets
 * of both directions together, as their limit is.
 */
import type { LimitValues } from '../vpc/limits.ts';
import type { PieceDocument, WhatIfDocument } from '../vpc/whatif/summary.ts';

const width = 960;
const left = 64;
const right = 24;
const plot = width - left - right;
const heights = { rates: 190, credits: 70, packets: 130, gap: 46, top: 88, bottom: 40 } as const;

const style = `
  svg { font: 12px system-ui, sans-serif; --ink: #1c2330; --soft: #5b6577; --line: #d5dae3;
        --paper: #ffffff; --offered: #b9c4d6; --passed: #1f6feb; --limit: #b35900;
        --credit: #2e8b57; --bad: #c62f3b; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e7ebf2; --soft: #a3adbd; --line: #38404e; --paper: #14181f; --offered: #4a566b;
          --passed: #6cb0ff; --limit: #ffb169; --credit: #63d297; --bad: #ff7d86; } }
  .paper { fill: var(--paper); } text { fill: var(--soft); } .title { fill: var(--ink); font-size: 16px; font-weight: 600; }
  .head { fill: var(--ink); font-weight: 600; } .grid { stroke: var(--line); stroke-width: 1; }
  .offered { fill: var(--offered); } .passed { fill: none; stroke: var(--passed); stroke-width: 2; }
  .limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 6 4; } .limit-text { fill: var(--limit); }
  .credit { fill: var(--credit); fill-opacity: .35; stroke: var(--credit); stroke-width: 1.5; }
  .mark { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 2 3; } .mark-text { fill: var(--bad); }
`;

type Line = { readonly value: number; readonly text: string };
type Mark = { readonly at: number; readonly text: string };

/** `values`: the limits, for the lines. */
export function renderChart(document: WhatIfDocument, values: LimitValues, title: string): string {
  const parts: string[] = [];
  let y: number = heights.top;
  const seconds = Math.max(document.seconds, 1e-9);
  const { series } = document;
  for (const way of ['out', 'in'] as const) {
    const summary = document[way];
    if (summary.offered_packets === 0) continue;
    const lines = bandwidthLines(values, way);
    const isOut = way === 'out';
    parts.push(
      panel({
        ...{ y, height: heights.rates, seconds, pieceSeconds: series.piece_s, lines },
        title: isOut ? 'sent, Gbit/s' : 'received, Gbit/s',
        offered: series[way].map((piece) => piece.offered_gbps),
        passed: series[way].map((piece) => piece.passed_gbps),
        marks: marksOf(document, way),
      }),
    );
    y += heights.rates + heights.gap;
    if (summary.credits.full_gbit === 0) continue;
    parts.push(creditPanel(series[way], y, seconds, series.piece_s, summary.credits.full_gbit));
    y += heights.credits + heights.gap;
  }
  const packets = together(series.out, series.in);
  const limit = values.packetsPerSecond;
  parts.push(
    panel({
      ...{ y, height: heights.packets, seconds, pieceSeconds: series.piece_s },
      title: 'packets a second, both ways',
      lines:
        limit === undefined || limit === null
          ? []
          : [{ value: limit, text: `limit ${short(limit)}` }],
      offered: packets.map(({ offered }) => offered),
      passed: packets.map(({ passed }) => passed),
      marks: document.limits
        .filter(({ limit: name }) => name === 'packetsPerSecond')
        .flatMap((met) => markOf(met.first_queued_s ?? met.first_dropped_s, 'packets')),
    }),
  );
  y += heights.packets + heights.bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" role="img" aria-label="${escapeText(title)}">`,
    `<style>${style}</style><rect class="paper" width="${width}" height="${y}"/>`,
    `<text class="title" x="${left}" y="28">${escapeText(title)}</text>`,
    legend(),
    ...parts,
    '</svg>',
  ].join('\n');
}

/** For text between tags and in attributes. */
export const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function legend(): string {
  return [
    `<rect class="offered" x="${left}" y="38" width="14" height="10"/><text x="${left + 20}" y="47">offered</text>`,
    `<line class="passed" x1="${left + 80}" y1="43" x2="${left + 98}" y2="43"/><text x="${left + 104}" y="47">passed</text>`,
    `<line class="limit" x1="${left + 164}" y1="43" x2="${left + 186}" y2="43"/><text x="${left + 192}" y="47">limit</text>`,
  ].join('');
}

function bandwidthLines(values: LimitValues, way: 'in' | 'out'): Line[] {
  const [baseline, burst] =
    way === 'in'
      ? [values.baselineInGbps, values.burstInGbps]
      : [values.baselineOutGbps, values.burstOutGbps];
  const lines: Line[] = [];
  if (typeof baseline === 'number') lines.push({ value: baseline, text: `baseline ${baseline}` });
  if (typeof burst === 'number' && burst !== baseline)
    lines.push({ value: burst, text: `burst ${burst}` });
  return lines;
}

const markOf = (at: number | null, text: string): Mark[] => (at === null ? [] : [{ at, text }]);

/** When credits ran out, and when the first packet was lost. */
function marksOf(document: WhatIfDocument, way: 'in' | 'out'): Mark[] {
  const own = way === 'in' ? /In/ : /Out|singleFlow|gateway|card/;
  const [first] = document.limits
    .filter(({ limit, first_dropped_s }) => own.test(limit) && first_dropped_s !== null)
    .sort((a, b) => (a.first_dropped_s ?? 0) - (b.first_dropped_s ?? 0));
  const dry = document[way].credits.dry_at_s;
  return [
    ...markOf(dry, 'credits gone'),
    ...(dry === null ? markOf(first?.first_dropped_s ?? null, 'first loss') : []),
  ];
}

function together(a: readonly PieceDocument[], b: readonly PieceDocument[]) {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => ({
    offered: (a[i]?.offered_pps ?? 0) + (b[i]?.offered_pps ?? 0),
    passed: (a[i]?.passed_pps ?? 0) + (b[i]?.passed_pps ?? 0),
  }));
}

type Panel = {
  readonly y: number;
  readonly height: number;
  readonly title: string;
  readonly seconds: number;
  readonly pieceSeconds: number;
  readonly offered: readonly number[];
  readonly passed: readonly number[];
  readonly lines: readonly Line[];
  readonly marks: readonly Mark[];
};

function panel(of: Panel): string {
  const { y, height, title, seconds, pieceSeconds, offered, passed, lines, marks } = of;
  const highest = Math.max(...offered, 1e-9);
  // A limit far above everything would make the rest a line at the bottom.
  const near = lines.filter(({ value }) => value <= 3 * highest).map(({ value }) => value);
  const step = niceStep(Math.max(highest, ...near) * 1.08, 4);
  const top = Math.ceil((Math.max(highest, ...near) * 1.02) / step) * step;
  const yOf = (value: number): number => y + height - (Math.min(value, top) / top) * height;
  const xOf = (piece: number): number => xAt(Math.min(piece * pieceSeconds, seconds), seconds);
  const grid: string[] = [];
  for (let value = 0; value <= top + step / 2; value += step)
    grid.push(
      `<line class="grid" x1="${left}" x2="${left + plot}" y1="${n(yOf(value))}" y2="${n(yOf(value))}"/>`,
      `<text x="${left - 8}" y="${n(yOf(value) + 4)}" text-anchor="end">${short(value)}</text>`,
    );
  const bars = offered.map((value, i) =>
    value <= 0 ? '' : `M${n(xOf(i))} ${n(yOf(0))}V${n(yOf(value))}H${n(xOf(i + 1))}V${n(yOf(0))}Z`,
  );
  const steps = passed.map(
    (value, i) => `${i === 0 ? 'M' : 'L'}${n(xOf(i))} ${n(yOf(value))}H${n(xOf(i + 1))}`,
  );
  const far = lines.filter(({ value }) => value > top).map(({ text }) => text);
  return [
    `<text class="head" x="${left}" y="${y - 10}">${escapeText(title)}</text>`,
    far.length === 0
      ? ''
      : `<text class="limit-text" x="${left + plot}" y="${y - 10}" text-anchor="end">higher: ${escapeText(far.join(', '))}</text>`,
    ...grid,
    `<path class="offered" d="${bars.join('')}"/>`,
    `<path class="passed" d="${steps.join('')}"/>`,
    ...lines
      .filter(({ value }) => value <= top)
      .map(({ value, text }) => limitLine(yOf(value), text)),
    ...marks.map(({ at, text }) => markLine(xAt(at, seconds), y, height, text)),
    timeAxis(y + height, seconds),
  ].join('\n');
}

function creditPanel(
  pieces: readonly PieceDocument[],
  y: number,
  seconds: number,
  pieceSeconds: number,
  full: number,
): string {
  const yOf = (share: number): number => y + heights.credits * (1 - share);
  let last = 1;
  const points = pieces.map((piece, i) => {
    last = piece.credits ?? last;
    return `L${n(xAt(Math.min((i + 1) * pieceSeconds, seconds), seconds))} ${n(yOf(last))}`;
  });
  return [
    `<text class="head" x="${left}" y="${y - 10}">credits, full at ${short(full)} Gbit</text>`,
    ...[0, 1].map((share) => {
      const at = n(yOf(share));
      return `<line class="grid" x1="${left}" x2="${left + plot}" y1="${at}" y2="${at}"/><text x="${left - 8}" y="${n(yOf(share) + 4)}" text-anchor="end">${100 * share} %</text>`;
    }),
    `<path class="credit" d="M${left} ${n(yOf(0))}V${n(yOf(1))}${points.join('')}V${n(yOf(0))}Z"/>`,
    timeAxis(y + heights.credits, seconds),
  ].join('\n');
}

const xAt = (at: number, seconds: number): number => left + (at / seconds) * plot;

function limitLine(y: number, text: string): string {
  return `<line class="limit" x1="${left}" x2="${left + plot}" y1="${n(y)}" y2="${n(y)}"/><text class="limit-text" x="${left + plot - 4}" y="${n(y - 4)}" text-anchor="end">${escapeText(text)}</text>`;
}

function markLine(x: number, y: number, height: number, text: string): string {
  const isRight = x > left + plot / 2;
  return `<line class="mark" x1="${n(x)}" x2="${n(x)}" y1="${y}" y2="${y + height}"/><text class="mark-text" x="${n(x + (isRight ? -6 : 6))}" y="${y + 14}" text-anchor="${isRight ? 'end' : 'start'}">${escapeText(text)}</text>`;
}

function timeAxis(y: number, seconds: number): string {
  const { unit, name } = timeUnit(seconds);
  const step = niceStep(seconds / unit, 6);
  const ticks: string[] = [];
  for (let at = 0; at <= (seconds / unit) * 1.0001; at += step) {
    const anchor = at === 0 ? 'start' : 'middle';
    const label = at === 0 ? `0 ${name}` : short(at);
    ticks.push(
      `<text x="${n(xAt(at * unit, seconds))}" y="${y + 16}" text-anchor="${anchor}">${label}</text>`,
    );
  }
  return ticks.join('');
}

function timeUnit(seconds: number): { unit: number; name: string } {
  if (seconds >= 7200) return { unit: 3600, name: 'h' };
  if (seconds >= 180) return { unit: 60, name: 'min' };
  if (seconds >= 1) return { unit: 1, name: 's' };
  return seconds >= 1e-3 ? { unit: 1e-3, name: 'ms' } : { unit: 1e-6, name: 'µs' };
}

/** 1, 2 or 5 times a power of ten, so that about `count` steps make the whole. */
function niceStep(whole: number, count: number): number {
  const rough = (whole / count) * 0.999;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((one) => one * power >= rough) ?? 10;
  return factor * power;
}

function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(4))} M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(4))} k`;
  return `${Number(value.toPrecision(4))}`;
}

/** A coordinate, as short as it may be. */
const n = (value: number): string => `${Math.round(value * 10) / 10}`;
