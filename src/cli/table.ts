/** Tables for people: aligned columns, and a block per row where the terminal is too narrow. */

export type Column = { readonly title: string; readonly align: 'left' | 'right' };

const gap = '  ';

/**
 * Lines of a table, the heading first. Where the rows do not fit into `width` each becomes a
 * block: its first cell, then a line per column.
 *
 * @param heading is given the heading line, to make it bold
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
  heading: (text: string) => string = (text) => text,
): string[] {
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  const total = widths.reduce((sum, w) => sum + w, gap.length * (columns.length - 1));
  if (total > width) return renderBlocks(columns, rows, heading);
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, i) => {
        const cell = cells[i] ?? '';
        const room = widths[i] ?? 0;
        return align === 'left' ? cell.padEnd(room) : cell.padStart(room);
      })
      .join(gap)
      .trimEnd();
  return [heading(line(columns.map(({ title }) => title))), ...rows.map(line)];
}

function renderBlocks(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  heading: (text: string) => string,
): string[] {
  const room = Math.max(...columns.slice(1).map(({ title }) => title.length));
  return rows.flatMap(([first = '', ...cells]) => [
    heading(`${columns[0]?.title ?? ''} ${first}`.trim()),
    ...cells.map((cell, i) => `${gap}${(columns[i + 1]?.title ?? '').padEnd(room)}${gap}${cell}`),
  ]);
}
