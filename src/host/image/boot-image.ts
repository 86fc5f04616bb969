/**
 * Boots an image as an instance would: an overlay that is thrown away in front of it, its disk on NVMe, a card of
 * ours, a VPC with DHCP and metadata behind. What it does is seen from outside only: what its driver asked of the
 * card, and the frames that it sent. The image is not changed and nothing runs in it but itself.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { known } from '../../check/fact.ts';
import type { BootedCard } from '../../check/image/facts.ts';
import type { DataplaneEvent, FunctionConfig } from '../dataplane/config.ts';
import { Dataplane } from '../dataplane/dataplane.ts';
import { type ModelName, modelOf } from '../dataplane/models.ts';
import { ensureQemu } from '../guest/tools.ts';
import type { SetOptions } from '../packages/sets.ts';
import type { Accelerator, DiskSpec } from '../qemu/args.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../qemu/process.ts';
import { type QemuVm, startQemu } from '../qemu/vm.ts';
import { parseVpc } from '../vpc/load.ts';
import { type CaptureFindings, MAX_CAPTURE_BYTES, readCapture } from './capture-reader.ts';

export interface BootRequest {
  disk: DiskSpec;
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
const POLL_MS = 500;
/** On Nitro instances the first card is in slot 5: its interface is called ens5. */
const FIRST_SLOT = 5;
const CONSOLE_LINES = 3;

/** Resolves when all has been seen, the time is over or the machine has ended. */
export async function bootImage(request: BootRequest): Promise<BootedCard> {
  const { model, options, timeoutMs } = request;
  const qemu = await ensureQemu(options);
  const directory = temporaryDirectory();
  const watched = watch(request, directory);
  let dataplane: Dataplane | undefined;
  let vm: QemuVm | undefined;
  try {
    dataplane = await Dataplane.start(watched.config, watched.hear);
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
      ec2: { instance: INSTANCE, type },
      ...(request.accelerator === 'tcg' && { cpuModel: 'Haswell-noTSX,-erms,+rdrand' }),
    });
    const seconds = await watched.wait(vm, timeoutMs);
    return watched.result(vm, seconds);
  } finally {
    await vm?.kill();
    await dataplane?.close();
    removeTemporaryDirectory(directory);
  }
}

/** The network of the one instance, and everything that is seen of it. */
function watch(request: BootRequest, directory: string) {
  const { model, profile, onSeen, options } = request;
  const vpc = parseVpc(TOPOLOGY, 'boot.yaml');
  const [own] = vpc.interfaces;
  if (own === undefined) throw new Error('unreachable: the instance has an interface');
  const function_ = (
    name: string,
    of: ModelName,
    mac: string,
    chosen?: string,
  ): FunctionConfig => ({
    name,
    model: of,
    socket: join(directory, `${name}.sock`),
    mac,
    linkMbps: modelOf(of).defaultLinkMbps,
    ...(chosen !== undefined && { profile: chosen }),
  });
  const isFabric = modelOf(model).isFabric;
  const first = function_(
    'card',
    isFabric ? 'ena' : model,
    own.mac,
    isFabric ? undefined : profile,
  );
  const fabric = isFabric ? [function_('fabric', model, FABRIC_MAC, profile)] : [];
  const pcap = join(directory, 'boot.pcapng');
  const config = { vpc, functions: [first, ...fabric], pcap, trace: true };
  const asked = isFabric ? 'fabric' : 'card';
  let bound = false;
  const hear = (event: DataplaneEvent): void => {
    if (event.kind !== 'trace' || event.function !== asked) return;
    if (/^(admin|mailbox) .*SUCCESS$/.test(event.line)) bound = true;
  };
  let found: CaptureFindings = readCapture(Buffer.alloc(0));
  const look = (): boolean => {
    const size = statSync(pcap, { throwIfNoEntry: false })?.size ?? 0;
    if (size > 0 && size <= MAX_CAPTURE_BYTES) found = readCapture(readFileSync(pcap));
    return bound && found.usesLease && found.metadataStatus !== null && found.mtu !== null;
  };
  const wait = async (vm: QemuVm, timeoutMs: number): Promise<number> => {
    const begin = performance.now();
    let ended = false;
    void vm.exited.then(() => {
      ended = true;
    });
    const spent = (): number => performance.now() - begin;
    while (!look() && !ended && spent() < timeoutMs) {
      onSeen(words({ bound, found }));
      await sleep(POLL_MS, undefined, options.signal && { signal: options.signal });
    }
    return spent() / 1000;
  };
  const result = (vm: QemuVm, seconds: number): BootedCard => {
    const place = {
      call: `${model}${profile === undefined ? '' : ` ${profile}`}, booted for ${seconds.toFixed(0)} s`,
    };
    return {
      card: profile === undefined ? model : `${model} ${profile}`,
      seconds,
      driver: known(bound, place),
      address: known(found.usesLease ? found.leased : null, place),
      asked: known(found.dhcpAsked, place),
      metadata: known(found.metadataStatus, place),
      mtu: known(found.mtu, place),
      console: vm
        .console()
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '')
        .slice(-CONSOLE_LINES),
    };
  };
  return { config, hear, wait, result };
}

function words({ bound, found }: { bound: boolean; found: CaptureFindings }): string {
  const seen = [
    ...(bound ? ['driver'] : []),
    ...(found.dhcpAsked ? ['DHCP'] : []),
    ...(found.usesLease ? [found.leased ?? ''] : []),
    ...(found.metadataAsked ? ['metadata'] : []),
  ];
  return seen.length === 0 ? 'nothing seen yet' : `seen: ${seen.join(', ')}`;
}

const FABRIC_MAC = '02:00:00:00:0e:fa';
/** What an EC2 instance with everything on by default has around it. */
const TOPOLOGY = `
vpc: { cidr: 10.0.0.0/16 }
instances:
  checked: { address: 10.0.0.10 }
  other: {}
`;
