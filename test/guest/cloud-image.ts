/**
 * A guest with the distribution's own cloud-init: its packages, unpacked, in an initramfs behind the
 * one of our guest, as `/cloud`. Packages' scripts have not run, so what they would have made is
 * made here: accounts, and settings that an image's builder writes.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CpioEntry, writeCpio } from '../../src/host/guest/cpio.ts';
import type { GuestImage } from '../../src/host/guest/guest-image.ts';

/** Nothing that cloud-init reads. */
const leftOut =
  /^usr\/(share\/(i18n|zoneinfo|info|lintian|common-licenses|perl5)|lib\/locale|lib\/[^/]+\/(gconv|perl))(\/|$)/;

/** What an image's builder writes: where metadata come from; there is no disk, and no archive. */
const settings = `datasource_list: [Ec2]
datasource: { Ec2: { max_wait: 60, timeout: 10 } }
resize_rootfs: false
growpart: { mode: off }
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts-user, final-message]
`;

/** The image with everything below `root` in `/cloud`, in files of `directory`. */
export function cloudImage(image: GuestImage, root: string, directory: string): GuestImage {
  const text = (path: string): Uint8Array => readFileSync(join(root, path));
  const made: [path: string, content: Uint8Array][] = [
    ['etc/passwd', text('usr/share/base-passwd/passwd.master')],
    ['etc/group', text('usr/share/base-passwd/group.master')],
    ['etc/shadow', Buffer.from('root:*:20000:0:99999:7:::\n')],
    ['etc/gshadow', new Uint8Array(0)],
    ['etc/ssl/certs/ca-certificates.crt', certificates(root)],
    ['etc/network/interfaces', Buffer.from('source /etc/network/interfaces.d/*\n')],
    ['etc/cloud/cloud.cfg.d/90-image.cfg', Buffer.from(settings)],
  ];
  const entries: CpioEntry[] = made.map(([path, content]) => {
    return { kind: 'file', path: `cloud/${path}`, content, executable: false };
  });
  for (const path of [
    'proc',
    'sys',
    'dev',
    'run',
    'tmp',
    'home',
    'root',
    'var/log',
    'var/lib/cloud',
  ])
    entries.push({ kind: 'directory', path: `cloud/${path}` });
  const archive = writeCpio([...entries, ...below(root)]);
  const initramfs = join(directory, 'initramfs');
  writeFileSync(initramfs, Buffer.concat([readFileSync(image.initramfs), archive]));
  return { ...image, initramfs };
}

function certificates(root: string): Uint8Array {
  const folder = join(root, 'usr/share/ca-certificates/mozilla');
  return Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
}

function below(root: string): CpioEntry[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !leftOut.test(path),
  );
  return paths.flatMap((path): CpioEntry[] => {
    const source = join(root, path);
    const stat = lstatSync(source);
    const at = `cloud/${path}`;
    if (stat.isSymbolicLink()) return [{ kind: 'link', path: at, target: readlinkSync(source) }];
    if (stat.isDirectory()) return [{ kind: 'directory', path: at }];
    const executable = (stat.mode & 0o111) !== 0;
    return [{ kind: 'file', path: at, content: readFileSync(source), executable }];
  });
}
