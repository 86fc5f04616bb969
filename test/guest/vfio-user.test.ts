// The real client: QEMU without a running processor, whose own test protocol (`-qtest`) reads and
// writes ports and memory as a guest would. No guest is booted, so this takes a second.
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { ensureTools, type Tools } from '../../src/host/guest/tools.ts';
import { SetupError } from '../../src/host/packages/errors.ts';
import { Diagnostics } from '../../src/lib/diagnostics.ts';
import { PCI_CAP_ID_MSIX } from '../../src/pci/capabilities.ts';
import { Poller } from '../../src/sys/poller.ts';
import { StreamSocket } from '../../src/sys/socket.ts';
import { VfioUserEndpoint } from '../../src/vfio-user/endpoint.ts';
import { createServer, type VfioUserServer } from '../../src/vfio-user/server.ts';
import { mappedArea, TestFunction } from '../../src/vfio-user/testing-function.ts';

const slot = 5;
const bars = [0xfe00_0000, 0xfe01_0000, 0xfe02_0000];
const memoryBytes = 256 * 2 ** 20;

async function toolsOrSkip(t: TestContext): Promise<Tools | null> {
  try {
    return await ensureTools({ kernels: [] });
  } catch (error) {
    if (!(error instanceof SetupError) || process.env['CI'] !== undefined) throw error;
    t.skip(error.message);
    return null;
  }
}

/** A function that is served, and a QEMU that has it in a slot of its PCI bus. */
class Machine {
  readonly poller = new Poller();
  readonly diagnostics = new Diagnostics();
  readonly endpoint = new VfioUserEndpoint({ diagnostics: this.diagnostics });
  readonly fn: TestFunction;
  readonly qemu: ChildProcessWithoutNullStreams;
  readonly #server: VfioUserServer;
  readonly #folder = mkdtempSync(join(tmpdir(), 'virtfn-qtest-'));
  readonly #answers: string[] = [];
  #running = true;
  readonly #loop: Promise<void>;

  constructor(tools: Tools, mappedBar: boolean) {
    const path = join(this.#folder, 'vf.sock');
    this.fn = new TestFunction({ mappedBar });
    this.endpoint.attach(this.fn);
    this.#server = createServer({ path, endpoint: this.endpoint, poller: this.poller });
    this.#loop = this.#serve();
    const device = { driver: 'vfio-user-pci', addr: `${slot}.0`, socket: { type: 'unix', path } };
    this.qemu = spawn(tools.qemu.command, [
      ...tools.qemu.prefix,
      ...['-machine', 'pc,memory-backend=mem', '-accel', 'tcg', '-S', '-qtest', 'stdio'],
      ...['-object', `memory-backend-memfd,id=mem,size=${memoryBytes},share=on`],
      ...['-m', `${memoryBytes / 2 ** 20}M`, '-nodefaults', '-display', 'none'],
      ...['-qtest-log', 'none', '-device', JSON.stringify(device)],
    ]);
    createInterface({ input: this.qemu.stdout }).on('line', (line) => this.#answers.push(line));
  }

  async #serve(): Promise<void> {
    while (this.#running) {
      this.poller.wait(1);
      await new Promise(setImmediate);
    }
  }

  /** Waits, while the server runs, until `ready` says so. */
  async until(ready: () => boolean): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!ready()) {
      assert.ok(performance.now() < deadline && this.#running, 'QEMU does not answer');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** A command of the test protocol; the number it answers, if any. */
  async ask(command: string): Promise<number> {
    this.qemu.stdin.write(`${command}\n`);
    await this.until(() => this.#answers.length > 0);
    const [verdict, value] = (this.#answers.shift() as string).split(' ');
    assert.equal(verdict, 'OK', command);
    return Number(value);
  }

  async config(at: number, value?: number): Promise<number> {
    await this.ask(`outl 0xcf8 ${0x8000_0000 + slot * 2048 + at}`);
    return this.ask(value === undefined ? 'inl 0xcfc' : `outl 0xcfc ${value}`);
  }

  /** Gives the BARs addresses and lets the function answer and reach memory. */
  async enable(): Promise<void> {
    for (const [i, address] of bars.entries()) await this.config(0x10 + 4 * i, address);
    await this.config(4, 6);
  }

  async close(): Promise<void> {
    this.qemu.kill('SIGKILL');
    await this.until(() => this.endpoint.session === null);
    this.#running = false;
    await this.#loop;
    this.#server.close();
    this.poller.close();
    rmSync(this.#folder, { recursive: true });
  }
}

test('QEMU finds the function, programs it, and shares its memory and interrupts', async (t) => {
  const tools = await toolsOrSkip(t);
  if (tools === null) return;
  const machine = new Machine(tools, false);
  const { fn, endpoint } = machine;
  assert.equal(await machine.config(0), 0xec20_1d0f);
  await machine.enable();
  assert.equal(fn.config.busMaster && fn.config.memoryEnabled, true);
  await machine.ask(`writel ${bars[0]} 0x12345678`);
  assert.equal(await machine.ask(`readw ${(bars[0] as number) + 2}`), 0x1234);

  // Guest memory, both ways.
  await machine.ask('writel 0x100000 0xcafe');
  const word = new Uint8Array(4);
  assert.equal(endpoint.memory.read(0x10_0000, 4, word, 0), true);
  assert.deepEqual([...word], [0xfe, 0xca, 0, 0]);
  assert.equal(endpoint.memory.write(memoryBytes - 4, word, 0, 4), true);
  assert.equal(await machine.ask(`readl ${memoryBytes - 4}`), 0xcafe);

  // An MSI-X message is a store: to memory as well as to an interrupt controller.
  const table = (bars[1] as number) + 3 * 16;
  for (const [i, value] of [0x20_0000, 0, 0xbeef, 0].entries())
    await machine.ask(`writel ${table + 4 * i} ${value}`);
  const at = fn.config.capabilityAt(PCI_CAP_ID_MSIX);
  await machine.config(at, (await machine.config(at)) + 0x8000_0000);
  endpoint.interrupts.raise(3);
  let seen = 0;
  for (let i = 0; i < 100 && seen === 0; i++) seen = await machine.ask('readl 0x200000');
  assert.equal(seen, 0xbeef);
  assert.equal(endpoint.droppedInterrupts, 0);

  await machine.close();
  assert.equal(fn.log.at(-1), 'reset detach');
  assert.equal(endpoint.memory.locate(0x10_0000, 4), null);
  assert.deepEqual(machine.diagnostics.counts(), {}, 'QEMU never asked for anything wrong');
});

/** How many messages the server sends while QEMU writes to BAR 0 this often. */
async function repliesToWrites(t: TestContext, machine: Machine, count: number): Promise<number> {
  const send = t.mock.method(StreamSocket.prototype, 'send');
  for (let i = 1; i <= count; i++) await machine.ask(`writel ${bars[0]} ${i}`);
  await machine.until(() => machine.fn.registers[0] === count);
  send.mock.restore();
  return send.mock.callCount();
}

test('QEMU posts trapped writes as long as nothing of the device may be mapped', async (t) => {
  const tools = await toolsOrSkip(t);
  if (tools === null) return;
  const machine = new Machine(tools, false);
  await machine.enable();
  assert.equal(await repliesToWrites(t, machine, 50), 0);
  await machine.close();
});

test('QEMU maps the pages that it may, and then waits for every trapped write', async (t) => {
  const tools = await toolsOrSkip(t);
  if (tools === null) return;
  const machine = new Machine(tools, true);
  const { fn } = machine;
  await machine.enable();
  const before = fn.log.length;
  await machine.ask(`writel ${(bars[2] as number) + mappedArea.offset + 8} 0xabcd`);
  assert.equal(fn.shared?.bytes[mappedArea.offset + 8], 0xcd);
  assert.equal(fn.log.length, before, 'a mapped page is no trap');
  assert.equal(await repliesToWrites(t, machine, 50), 50);
  await machine.close();
});
