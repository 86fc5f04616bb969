/**
 * A person's own disk image as a guest: a cloud-init NoCloud seed starts our agent in it, and a
 * second read-only disk carries the measuring tools with their libraries, so that nothing is
 * installed in the image and nothing is written to it. Follows cloud-init's NoCloud data source.
 */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { replaceFile } from '../packages/cache.ts';
import { SetupError } from '../packages/errors.ts';
import { ensureSet, type SetOptions } from '../packages/sets.ts';
import type { DiskSpec } from '../qemu/args.ts';
import { programsWithLibraries } from './guest-image.ts';
import { type IsoFile, writeIso } from './iso9660.ts';
import { AGENT_SCRIPT, DHCP_SCRIPT, NET_SCRIPT } from './scripts.ts';

/** An image that is ready to be booted. */
export interface DiskImage {
  /** The person's disk, the seed, the tools. */
  disks: DiskSpec[];
  /** A kernel of the person's own instead of the boot loader's; with `commandLine`'s `root=`. */
  kernel?: string;
  initramfs?: string;
}

export interface DiskImageRequest {
  path: string;
  /** Host name of the guest. */
  name: string;
  kernel?: string;
  initramfs?: string;
}

/** Tools that an image may not have; its own are hidden by them. */
const PROGRAMS = [
  ...['usr/bin/iperf3', 'usr/bin/ping', 'usr/bin/ip', 'usr/bin/ss', 'usr/bin/tcpdump'],
  ...['usr/sbin/ethtool', 'usr/sbin/tc'],
];

const MOUNT = '/run/virtfn/tools';
const TOOLS_LABEL = 'VIRTFN';

/** Prepares an image; both extra disks come from the cache. @throws SetupError */
export async function prepareDiskImage(
  request: DiskImageRequest,
  options: SetOptions,
): Promise<DiskImage> {
  const { path, name, kernel, initramfs } = request;
  for (const file of [path, kernel, initramfs])
    if (file !== undefined && !existsSync(file))
      throw new SetupError('no-image', `There is no ${file}: give the path of an image or kernel.`);
  const format = await imageFormat(path);
  const { root, key } = await ensureSet('guest', ({ sets }) => sets.guest, options);
  const seed = await keep(options.cache, 'seed', () => writeIso('CIDATA', seedFiles(name)), name);
  const tools = await keep(
    options.cache,
    'tools',
    () => writeIso(TOOLS_LABEL, toolFiles(root)),
    key,
  );
  return {
    disks: [
      { path, format, mode: 'snapshot' },
      { path: seed, format: 'raw', mode: 'read-only' },
      { path: tools, format: 'raw', mode: 'read-only' },
    ],
    ...(kernel === undefined ? {} : { kernel }),
    ...(initramfs === undefined ? {} : { initramfs }),
  };
}

/** By the file's first bytes; anything unknown is taken as a raw disk. */
async function imageFormat(path: string): Promise<DiskSpec['format']> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('latin1') === 'QFI\xfb' ? 'qcow2' : 'raw';
  } finally {
    await file.close();
  }
}

/**
 * What cloud-init reads. The agent is started at every boot. The image's own network
 * configuration is off, so that no boot waits for an address: the host brings interfaces up.
 */
export function seedFiles(name: string): IsoFile[] {
  const start = [
    'mountpoint -q MOUNT && exit 0',
    'mkdir -p MOUNT && mount -o ro -t iso9660 /dev/disk/by-label/LABEL MOUNT',
    'if command -v systemd-run > /dev/null',
    // early, and not waited for: the targets that a unit waits for by default wait for cloud-init
    'then systemd-run --unit=virtfn-agent --collect --no-block -p DefaultDependencies=no sh MOUNT/start',
    'else setsid sh MOUNT/start > /dev/null 2>&1 < /dev/null &',
    'fi',
  ];
  const script = start.join('\n').replaceAll('MOUNT', MOUNT).replaceAll('LABEL', TOOLS_LABEL);
  const userData = { bootcmd: [['sh', '-c', script]] };
  const metaData = { 'instance-id': `virtfn-${name}`, 'local-hostname': name, dsmode: 'local' };
  // JSON is YAML
  return [
    text('meta-data', `${JSON.stringify(metaData)}\n`),
    text('user-data', `#cloud-config\n${JSON.stringify(userData)}\n`),
    text('network-config', '{"version": 1, "config": "disabled"}\n'),
  ];
}

/** The agent, our scripts, and each program with a wrapper which runs it by its own loader. */
function toolFiles(root: string): IsoFile[] {
  const files = new Map<string, IsoFile>();
  const add = (file: IsoFile): void => void files.set(file.name, file);
  for (const entry of programsWithLibraries(root, PROGRAMS)) {
    if (entry.kind !== 'file') continue;
    const name = basename(entry.path);
    const isProgram = PROGRAMS.includes(entry.path);
    add({ name: isProgram ? `${name}.bin` : name, content: entry.content });
    if (isProgram) add(text(name, wrapper(name)));
  }
  add({ name: 'busybox', content: readFileSync(join(root, 'usr/bin/busybox')) });
  add(text('udhcpc', `#!/bin/sh\nexec ${MOUNT}/busybox udhcpc "$@"\n`));
  add(text('agent', AGENT_SCRIPT));
  add(text('dhcp', DHCP_SCRIPT));
  add(text('virtfn-net', NET_SCRIPT));
  const path = `${MOUNT}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  const start = `export PATH=${path} VIRTFN_LIB=${MOUNT} HOME=/root\nexec sh ${MOUNT}/agent\n`;
  add(text('start', `#!/bin/sh\n${start}`));
  return [...files.values()];
}

function wrapper(name: string): string {
  const loader = `${MOUNT}/ld-linux-x86-64.so.2 --library-path ${MOUNT}`;
  return `#!/bin/sh\nexec ${loader} ${MOUNT}/${name}.bin "$@"\n`;
}

/** A disk in the cache, named by what it is made of (this file's own part included). */
async function keep(
  cache: string,
  kind: string,
  make: () => Buffer,
  input: string,
): Promise<string> {
  const scripts = [AGENT_SCRIPT, DHCP_SCRIPT, NET_SCRIPT, ...PROGRAMS];
  const parts = [input, ...seedFiles(input).map(({ content }) => content.toString()), ...scripts];
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
  const path = join(cache, 'disks', `${kind}-${key}.iso`);
  if (!existsSync(path)) await replaceFile(path, make());
  return path;
}

function text(name: string, content: string): IsoFile {
  return { name, content: Buffer.from(content) };
}
