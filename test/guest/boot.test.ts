import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseAccelerator } from '../../src/host/guest/accelerator.ts';
import { startVm, type Vm, type VmOptions } from '../../src/host/guest/guest-vm.ts';
import { ensureTools, type Tools } from '../../src/host/guest/tools.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { SetupError } from '../../src/host/packages/errors.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import type { Accelerator, NetdevNic } from '../../src/host/qemu/args.ts';
import { atOnce } from './pair.ts';

const KERNELS = ['6.12', '7'];
const child = process.argv[2] === 'start-and-wait';

let tools: Tools | undefined;
let accelerator: Accelerator = 'tcg';
let missing: string | undefined;
const scratch = child ? '' : mkdtempSync(join(tmpdir(), 'virtfn-boot-test-'));

async function prepare(): Promise<void> {
  try {
    tools = await ensureTools({ kernels: KERNELS });
  } catch (error) {
    if (!(error instanceof SetupError) || process.env['CI'] !== undefined) throw error;
    missing = error.message;
    return;
  }
  const [image] = tools.guestImages;
  assert.ok(image);
  const options = { qemu: tools.qemu, image, cache: cacheDirectory(), progress: noProgress };
  ({ accelerator } = await chooseAccelerator('auto', options));
}

function start(index: number, change: Partial<VmOptions> = {}): Promise<Vm> {
  const image = tools?.guestImages[index];
  assert.ok(tools && image);
  return startVm({ qemu: tools.qemu, image, accelerator, name: `guest${index}`, ...change });
}

/** A process that is there and has not ended: a zombie waits only for whoever reaps it. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** What a run of ours could leave: sockets of QEMU, directories. */
function leftovers(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`virtfn-${process.pid}-`));
}

if (child) {
  // the test below kills this process and looks what becomes of its guest
  await prepare();
  const vm = await start(0);
  process.send?.(vm.pid);
  setInterval(() => {}, 1000);
} else {
  describe('guests', () => {
    before(prepare, { timeout: 900_000 });
    after(() => rmSync(scratch, { recursive: true }));

    for (const [index, series] of KERNELS.entries()) {
      test(`kernel ${series} boots, runs commands side by side, reboots and powers off`, async (t) => {
        if (missing !== undefined) return t.skip(missing);
        const vm = await start(index);
        t.after(() => vm.close());
        assert.match(vm.kernelVersion, new RegExp(`^${series.replace('.', '\\.')}\\.`));
        const long = vm.exec('sleep 1; echo late');
        const fast = await vm.exec('printf "\\001\\377" ; echo oops >&2; exit 7');
        assert.equal(fast.code, 7);
        assert.deepEqual([...fast.stdoutBytes], [1, 255]);
        assert.equal(fast.stderr, 'oops\n');
        assert.equal((await long).stdout, 'late\n');
        const big = await vm.exec('head -c 300000 /dev/zero', { timeoutMs: 20_000 });
        assert.equal(big.stdoutBytes.length, 300_000);
        await assert.rejects(vm.exec('sleep 99', { timeoutMs: 300 }), /no end within 0.3 s/);
        assert.equal((await vm.exec('pidof sleep')).code, 1, 'a command over its time is killed');
        assert.match(await vm.run('ping -V'), /iputils/);
        await vm.run('echo @vf 00000000 1 end 0 0 0 > /dev/console; touch /tmp/before');
        await vm.reboot();
        assert.equal((await vm.exec('test -e /tmp/before')).code, 1);
        assert.doesNotMatch(await vm.dmesg(), /BUG|Oops|Call Trace/);
        await vm.powerdown();
        assert.equal(await vm.exited, 'exit code 0');
        await assert.rejects(vm.exec('true'), /the guest has ended/);
      });
    }

    test('emulated NICs are plugged into running guests, reach each other, and are unplugged', async (t) => {
      if (missing !== undefined) return t.skip(missing);
      const vms = await Promise.all(KERNELS.map((_, index) => start(index)));
      t.after(() => Promise.all(vms.map((vm) => vm.close())));
      for (const [model, driver] of [
        ['e1000e', 'e1000e'],
        ['virtio-net-pci', 'virtio_net'],
      ] as const) {
        const nic = (index: number): NetdevNic => {
          const mac = `02:00:00:00:00:0${index + 1}`;
          const link = { path: join(scratch, `${model}.sock`), server: index === 0 };
          return { kind: 'netdev', model, mac, link };
        };
        for (const [index, vm] of vms.entries()) await vm.plug(nic(index), 'plugged');
        await Promise.all(
          vms.map(async (vm, index) =>
            vm.configure(await vm.waitForDriver(driver), `10.9.0.${index + 1}/24`),
          ),
        );
        const [first] = vms;
        assert.match((await first?.run(`ping ${atOnce(5)} 10.9.0.2`)) ?? '', / 0% packet loss/);
        await Promise.all(vms.map((vm) => vm.unplug('plugged')));
        for (const vm of vms) assert.deepEqual(await vm.interfaces(), []);
      }
    });

    test('a killed guest leaves nothing', async (t) => {
      if (missing !== undefined) return t.skip(missing);
      const vm = await start(0);
      await vm.kill();
      assert.equal(runs(vm.pid), false);
      assert.deepEqual(leftovers(), []);
    });

    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      test(`a guest ends with the process that started it, by ${signal}`, async (t) => {
        if (missing !== undefined) return t.skip(missing);
        const parent = fork(new URL(import.meta.url), ['start-and-wait']);
        t.after(() => parent.kill('SIGKILL'));
        const pid = await new Promise<number>((resolve, reject) => {
          parent.once('message', (message) => resolve(Number(message)));
          parent.once('exit', () => reject(new Error('it ended before its guest had booted')));
        });
        assert.ok(existsSync(`/proc/${pid}`));
        parent.kill(signal);
        for (let tries = 0; tries < 50 && runs(pid); tries++) await sleep(100);
        assert.equal(runs(pid), false);
      });
    }
  });
}
