/** Guests with an ENA and an EFA each, for tests of the stock EFA stack. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Vm } from '../../src/host/guest/guest-vm.ts';
import { ensureRdmaImage } from '../../src/host/guest/rdma-image.ts';
import { ensureTools } from '../../src/host/guest/tools.ts';
import { HPC_KERNELS, type HpcKernel } from '../../src/host/lab/hpc.ts';
import { HpcCluster, type HpcOptions, type HpcTools } from '../../src/host/lab/hpc-cluster.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';

/** QEMU and the image, or null after the test was skipped with the reason. */
async function toolsOrSkip(t: TestContext, kernel: HpcKernel): Promise<HpcTools | null> {
  try {
    const { qemu } = await ensureTools({ kernels: [] });
    const options = { cache: cacheDirectory(), progress: noProgress };
    return { qemu, image: await ensureRdmaImage(kernel, options), accelerator: 'tcg' };
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    t.skip(error instanceof Error ? error.message : String(error));
    return null;
  }
}

export async function withCluster(
  t: TestContext,
  options: Omit<HpcOptions, 'guests'>,
  act: (cluster: HpcCluster, a: Vm, b: Vm) => Promise<void>,
  kernel: HpcKernel = HPC_KERNELS[0],
): Promise<void> {
  const tools = await toolsOrSkip(t, kernel);
  if (tools === null) return;
  const cluster = await HpcCluster.start({ guests: 2, ...options }, tools);
  try {
    const [a, b] = cluster.vms;
    assert.ok(a && b);
    await act(cluster, a, b);
  } finally {
    await cluster.close();
  }
}

/** Runs a command on `a`, and when that listens the same with its address on `b`; b's output. */
export async function both(
  cluster: HpcCluster,
  command: string,
  timeoutMs = 60_000,
): Promise<string> {
  const [a, b] = cluster.vms as readonly [Vm, Vm];
  const server = a.exec(command, { timeoutMs });
  await new Promise((resolve) => setTimeout(resolve, 1200));
  const client = await b.exec(`${command} ${cluster.address(0)}`, { timeoutMs });
  for (const { code, stdout, stderr } of [client, await server])
    assert.equal(code, 0, `${command}: ${stdout}${stderr}`);
  return client.stdout;
}

/** Runs a command of a guest in the background; `OUTPUT` gets what it says, and `exit N` at last. */
export const inBackground = (vm: Vm, command: string, output: string): Promise<string> =>
  vm.run(`rm -f ${output}; { ${command}; echo exit $?; } > ${output} 2>&1 < /dev/null &`);

/** Waits until a file of a guest has what is looked for: the file, and after how many milliseconds. */
export async function waitFor(
  vm: Vm,
  file: string,
  pattern: RegExp,
  limitMs: number,
): Promise<{ text: string; ms: number }> {
  const start = performance.now();
  for (;;) {
    const { stdout: text } = await vm.exec(`cat ${file}`);
    const ms = performance.now() - start;
    if (pattern.test(text)) return { text, ms };
    assert.ok(ms < limitMs, `no ${pattern} after ${limitMs} ms: ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
