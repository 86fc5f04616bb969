/**
 * Progress for a person, on stderr: a line per step with its seconds. On a terminal the step under
 * way is one live line; elsewhere each step is a plain line when it begins and when it has ended.
 */
import { fit, isLive, type Output, type Paint, paintFor, widthOf, wrap } from './terminal.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
/** As wide as what stands before the title of a step that has ended. */
const BEGUN = '  ..'.padEnd(17);
/** How often a step that takes long says something where there is no live line. */
const PLAIN_MS = 10_000;

export class Steps {
  readonly #output: Output;
  readonly #paint: Paint;
  readonly #live: boolean;
  #title: string | null = null;
  #detail = '';
  #fraction: number | undefined;
  #began = 0;
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: Output = process.stderr) {
    this.#output = output;
    this.#paint = paintFor(output);
    this.#live = isLive(output);
  }

  /** Ends the step under way, well, and begins another. */
  step(title: string): void {
    this.done();
    this.#title = title;
    this.#detail = '';
    this.#fraction = undefined;
    this.#began = performance.now();
    if (this.#live) {
      this.#timer = setInterval(() => this.#draw(), FRAME_MS);
      this.#timer.unref();
      this.#draw();
    } else {
      this.#output.write(`${BEGUN}${title}\n`);
      this.#timer = setInterval(() => this.#tell(), PLAIN_MS);
      this.#timer.unref();
    }
  }

  /** @param fraction 0..1 where it can be told */
  detail(text: string, fraction?: number): void {
    this.#detail = text;
    this.#fraction = fraction;
  }

  /** A line of its own. */
  note(text: string): void {
    const [first = '', ...rest] = wrap(text, widthOf(this.#output) - 6);
    this.#line(`  ${this.#paint.yellow('!')}  ${[first, ...rest].join('\n     ')}`);
  }

  done(): void {
    this.#end(this.#paint.green('✓'), 'ok');
  }

  /** The step under way will not be ended: the person does not want it any more. */
  stopped(): void {
    this.#end(this.#paint.yellow('-'), 'stopped');
  }

  failed(): void {
    this.#end(this.#paint.red('✗'), 'failed');
  }

  #end(mark: string, word: string): void {
    const title = this.#title;
    if (title === null) return;
    clearInterval(this.#timer);
    this.#title = null;
    const detail = this.#detail === '' ? '' : `: ${this.#detail}`;
    const start = this.#live ? `  ${mark} ` : `  ${word.padEnd(7)}`;
    const room = widthOf(this.#output) - 12;
    const text = this.#live ? fit(`${title}${detail}`, room) : `${title}${detail}`;
    this.#line(`${start}${this.#paint.dim(this.#seconds())} ${text}`);
  }

  #line(text: string): void {
    this.#output.write(`${this.#live ? '\r\x1b[K' : ''}${text}\n`);
    if (this.#title !== null && this.#live) this.#draw();
  }

  #tell(): void {
    const detail = this.#detail === '' ? '' : `: ${this.#progress()}`;
    this.#output.write(`${BEGUN}${this.#title ?? ''}${detail}\n`);
  }

  #draw(): void {
    const frame = FRAMES[this.#frame++ % FRAMES.length] ?? '';
    const detail = this.#detail === '' ? '' : `: ${this.#progress()}`;
    const text = fit(`${this.#title ?? ''}${detail}`, widthOf(this.#output) - 12);
    this.#output.write(`\r\x1b[K  ${frame} ${this.#paint.dim(this.#seconds())} ${text}`);
  }

  #progress(): string {
    const percent =
      this.#fraction === undefined
        ? ''
        : `${String(Math.floor(this.#fraction * 100)).padStart(2)} % `;
    return `${percent}${this.#detail}`;
  }

  #seconds(): string {
    return `${((performance.now() - this.#began) / 1000).toFixed(1)} s`.padStart(7);
  }
}
