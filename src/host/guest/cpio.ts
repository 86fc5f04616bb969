/**
 * Writes a cpio archive in the "newc" format, as the kernel's initramfs wants it
 * (Documentation/driver-api/early-userspace/buffer-format.rst). The same entries give the same
 * bytes: no times, no owners, numbers in order.
 */

export type CpioEntry =
  | { kind: 'directory'; path: string }
  | { kind: 'file'; path: string; content: Uint8Array; executable: boolean }
  | { kind: 'link'; path: string; target: string }
  | { kind: 'device'; path: string; major: number; minor: number };

const MODE = {
  directory: 0o040755,
  file: 0o100644,
  executable: 0o100755,
  link: 0o120777,
  device: 0o020600,
};

/** Paths are relative ('usr/bin/sh'). Missing parent directories are added before what needs them. */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  const seen = new Set<string>();
  let inode = 1;
  const add = (entry: CpioEntry): void => {
    if (seen.has(entry.path)) return;
    const slash = entry.path.lastIndexOf('/');
    if (slash > 0) add({ kind: 'directory', path: entry.path.slice(0, slash) });
    seen.add(entry.path);
    parts.push(...record(entry, inode++));
  };
  for (const entry of entries) add(entry);
  parts.push(...record({ kind: 'file', path: 'TRAILER!!!', content: EMPTY, executable: false }, 0));
  return Buffer.concat(parts);
}

const EMPTY = new Uint8Array(0);

function record(entry: CpioEntry, inode: number): Buffer[] {
  const content = contentOf(entry);
  const name = Buffer.from(`${entry.path}\0`);
  const device = entry.kind === 'device' ? entry : { major: 0, minor: 0 };
  const fields = [
    ...[inode, modeOf(entry), 0, 0, entry.kind === 'directory' ? 2 : 1, 0, content.length],
    ...[0, 0, device.major, device.minor, name.length, 0],
  ];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  const head = padTo4(Buffer.concat([Buffer.from(header), name]));
  return [head, padTo4(content)];
}

function modeOf(entry: CpioEntry): number {
  return entry.kind === 'file' && entry.executable ? MODE.executable : MODE[entry.kind];
}

function contentOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.content;
  return entry.kind === 'link' ? Buffer.from(entry.target) : EMPTY;
}

function padTo4(data: Uint8Array): Buffer {
  return Buffer.concat([data, Buffer.alloc(-data.length & 3)]);
}
