/**
 * KVM or TCG: a machine's /dev/kvm can be opened and still not run a stock kernel (nested and
 * software implementations), so that `auto` believes only a guest that has booted. The verdict is
 * kept per boot of the machine.
 */

import { accessSync, constants, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { readJson, replaceFile } from '../packages/cache.ts';
import type { Progress } from '../packages/progress.ts';
import type { Accelerator } from '../qemu/args.ts';
import type { QemuBinary } from '../qemu/binary.ts';
import type { GuestImage } from './guest-image.ts';
import { startVm } from './guest-vm.ts';

export interface AcceleratorChoice {
  accelerator: Accelerator;
  /** Why, in a few words for a person. */
  reason: string;
}

/** A guest under a working KVM needs about one second. */
const PROBE_MS = 6_000;

/** @param wish 'kvm' and 'tcg' are taken as they are */
export async function chooseAccelerator(
  wish: 'auto' | Accelerator,
  options: { qemu: QemuBinary; image: GuestImage; cache: string; progress: Progress },
): Promise<AcceleratorChoice> {
  if (wish !== 'auto') return { accelerator: wish, reason: 'as asked for' };
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return { accelerator: 'tcg', reason: '/dev/kvm is missing or not for this user' };
  }
  const { qemu, image, cache, progress } = options;
  const file = join(cache, 'accelerator.json');
  const key = `${bootId()} ${release()} ${qemu.version} ${image.kernelVersion}`;
  const known = readJson(file) as { key: string; choice: AcceleratorChoice } | undefined;
  if (known?.key === key) return known.choice;
  progress('accelerator', undefined, 'trying whether /dev/kvm runs a guest');
  const choice = await probe(qemu, image);
  await replaceFile(file, JSON.stringify({ key, choice }));
  progress('accelerator', 1, `${choice.accelerator}: ${choice.reason}`);
  return choice;
}

async function probe(qemu: QemuBinary, image: GuestImage): Promise<AcceleratorChoice> {
  try {
    const vm = await startVm({
      qemu,
      image,
      name: 'kvm-probe',
      accelerator: 'kvm',
      hotplugPorts: 0,
      bootTimeoutMs: PROBE_MS,
    });
    await vm.close();
    return { accelerator: 'kvm', reason: '/dev/kvm runs a guest' };
  } catch {
    return { accelerator: 'tcg', reason: '/dev/kvm is there but a guest does not boot on it' };
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
