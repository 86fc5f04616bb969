/**
 * Boots an image as an instance would: an overlay that is thrown away in front of it, its disk on NVMe, a card of
 * ours, a VPC with DHCP and metadata behind. What it does is seen from outside only: what its driver asked of the
 * card, and the frames that it sent. The image is not changed and nothing runs in it but itself.
 */
import { join } from 'node:path';
import type { BootedCard } from '../../check/image/facts.ts';
import { Dataplane } from '../dataplane/dataplane.ts';
import { type ModelName, modelOf } from '../dataplane/models.ts';
import { ensureQemu } from '../guest/tools.ts';
import { ensureSet, type SetOptions } from '../packages/sets.ts';
import type { Accelerator, DiskSpec } from '../qemu/args.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../qemu/process.ts';
import { type QemuVm, startQemu } from '../qemu/vm.ts';
import { BootWatch } from './boot-watch.ts';

export interface BootRequest {
  disk: DiskSpec;
  /** What starts it. */
  by: 'bios' | 'uefi';
  model: ModelName;
  profile?: string;
  accelerator: Accelerator;
  /** How long it may take until all has been seen. */
  timeoutMs: number;
  memoryMb: number;
  options: SetOptions;
  /** What has been seen so far, in words. */
  onSeen: (text: string) => void;
}

const INSTANCE = 'i-0c4ec4ed1a9e00001';
/** On Nitro instances the first card is in slot 5: its interface is called ens5. */
const FIRST_SLOT = 5;

/** Resolves when all has been seen, the time is over or the machine has ended. */
export async function bootImage(request: BootRequest): Promise<BootedCard> {
  const { model, options, timeoutMs } = request;
  const qemu = await ensureQemu(options);
  const firmware = request.by === 'uefi' ? await uefi(options) : undefined;
  const directory = temporaryDirectory();
  const watched = new BootWatch(request, directory);
  let dataplane: Dataplane | undefined;
  let vm: QemuVm | undefined;
  try {
    dataplane = await Dataplane.start(watched.config, (event) => watched.hear(event));
    const type = modelOf(model).defaultType;
    vm = await startQemu(qemu, {
      name: 'checked',
      accelerator: request.accelerator,
      memoryMb: request.memoryMb,
      cpus: 1,
      boot: { kind: 'disk', disks: [{ ...request.disk, bus: 'nvme', mode: 'snapshot' }] },
      nics: watched.config.functions.map(({ socket }) => ({ kind: 'vfio-user', socket })),
      hotplugPorts: 0,
      firstSlot: FIRST_SLOT,
      ...(firmware !== undefined && { firmware }),
      ec2: { instance: INSTANCE, type },
      ...(request.accelerator === 'tcg' && { cpuModel: 'Haswell-noTSX,-erms,+rdrand' }),
    });
    const seconds = await watched.wait(vm, timeoutMs, options.signal);
    return watched.result(vm.console(), seconds);
  } finally {
    await vm?.kill();
    await dataplane?.close();
    removeTemporaryDirectory(directory);
  }
}

async function uefi(options: SetOptions): Promise<{ code: string; variables: string }> {
  const { root } = await ensureSet('uefi', ({ sets }) => sets.uefi, options);
  const file = (name: string): string => join(root, 'usr/share/OVMF', name);
  return { code: file('OVMF_CODE_4M.fd'), variables: file('OVMF_VARS_4M.fd') };
}
