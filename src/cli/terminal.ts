/** What the person's terminal can show: colour, a live line, how wide. Follows no-color.org. */
import type { WriteStream } from 'node:tty';

/** stdout or stderr: whether it is a terminal is asked each time, for tests and redirections. */
export type Output = Pick<WriteStream, 'write'> & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

export type Paint = {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly red: (text: string) => string;
};

/** Colours for a terminal; plain text for anything else, and where NO_COLOR is set. */
export function paintFor(output: Output, environment: NodeJS.ProcessEnv = process.env): Paint {
  const plain = environment['NO_COLOR'] || environment['TERM'] === 'dumb';
  const colour = output.isTTY === true && !plain;
  const style =
    (on: number, off: number) =>
    (text: string): string =>
      colour && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    green: style(32, 39),
    yellow: style(33, 39),
    red: style(31, 39),
  };
}

/** True where a line can be rewritten. */
export function isLive(output: Output, environment: NodeJS.ProcessEnv = process.env): boolean {
  return output.isTTY === true && environment['TERM'] !== 'dumb' && !environment['CI'];
}

/** Columns of a terminal; what is no terminal is as wide as it takes. */
export function widthOf(output: Output): number {
  return output.isTTY === true && output.columns ? output.columns : Number.POSITIVE_INFINITY;
}

/** Cuts plain text to a width, with an ellipsis. */
export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Breaks text between words; a word that is too long for a line keeps its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && longer.length > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
