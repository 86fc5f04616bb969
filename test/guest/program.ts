/** The real program, as a person runs it, and whether it leaves anything behind. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** With what it has said so far. */
export class Program {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly code: Promise<number | null>;
  /** Every process that was seen below it. */
  readonly children = new Set<number>();

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, ['dist/src/cli/main.js', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (data: Buffer) => {
      this.stdout += data.toString();
    });
    this.child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data.toString();
    });
    this.code = new Promise((resolve) => this.child.once('close', resolve));
  }

  /** Waits until it has said something, on whichever stream. */
  async says(what: RegExp): Promise<void> {
    while (!what.test(this.stderr) && !what.test(this.stdout)) {
      assert.equal(this.child.exitCode, null, `it has ended: ${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.look();
  }

  look(): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      if (parentOf(pid) === this.child.pid) this.children.add(Number(pid));
  }

  /** The directory of its sockets, while it runs. */
  get directory(): string {
    const found = readdirSync(tmpdir()).find((name) =>
      name.startsWith(`virtfn-${this.child.pid}-`),
    );
    assert.ok(found, 'it has no directory');
    return join(tmpdir(), found);
  }

  assertNothingLeft(): void {
    const alive = [...this.children].filter((pid) => existsSync(`/proc/${pid}`));
    assert.deepEqual(alive, [], 'processes');
    const directories = readdirSync(tmpdir()).filter((name) =>
      name.startsWith(`virtfn-${this.child.pid}-`),
    );
    assert.deepEqual(directories, [], 'directories with sockets');
  }
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined; // it has ended meanwhile
  }
}
