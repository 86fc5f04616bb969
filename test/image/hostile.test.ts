/** Images that somebody made to harm: cut off, damaged, endless, pointing elsewhere. An answer or an error, soon. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ImageError } from '../../src/host/image/errors.ts';
import { withSeeds } from '../../src/lib/testing-seed.ts';
import { checked, fingerprint } from './checked.ts';
import { ImageMaker, insert } from './image-maker.ts';
import { debian, debianKernel } from './systems.ts';

const maker = await ImageMaker.open();
after(() => maker.close());
const kernel = await debianKernel();
const { release } = kernel;
const uuid = '7c5a1d2e-0000-4000-8000-000000000001';
const plain = maker.tree(debian(kernel));
const ext4 = maker.fileSystem('ext4', plain, 40, ['-U', uuid]);
const qcow2 = maker.convert(ext4, 'qcow2', ['-c']);
const PATIENCE_MS = 60_000;

function written(ending: string, content: Uint8Array): string {
  const path = maker.path(ending);
  writeFileSync(path, content);
  return path;
}

function head(of: string, change: (bytes: Buffer) => void): string {
  const bytes = readFileSync(of);
  change(bytes);
  return written('changed', bytes);
}

const refused: [name: string, make: () => string, says: RegExp][] = [
  ['nothing', () => join(maker.directory, 'none'), /There is no .*none/],
  ['an empty file', () => written('raw', Buffer.alloc(0)), /is empty/],
  ['zeros', () => written('raw', Buffer.alloc(1 << 20)), /no system .*is it a disk image/],
  ['noise', () => written('raw', Buffer.alloc(1 << 20, 'noise!')), /holds no system/],
  [
    'a qcow2 that is cut off',
    () => written('qcow2', readFileSync(qcow2).subarray(0, 70_000)),
    /damaged|no system|cannot be read/,
  ],
  [
    'a qcow2 with a backing file',
    () => head(qcow2, (b) => b.writeBigUInt64BE(512n, 8)),
    /backing file/,
  ],
  [
    'a qcow2 with its data elsewhere',
    () => head(qcow2, (b) => b.writeUInt32BE(4, 76)),
    /another file/,
  ],
  [
    'a qcow2 of a size that no disk has',
    () => head(qcow2, (b) => b.writeBigUInt64BE(2n ** 60n, 24)),
    /no EBS volume/,
  ],
  [
    'a VMDK that describes other files',
    () =>
      written(
        'vmdk',
        Buffer.from('# Disk DescriptorFile\nversion=1\nRW 2048 FLAT "/etc/shadow" 0\n'),
      ),
    /only describes/,
  ],
  [
    'a VMDK header that carries such a description',
    () => {
      const bytes = Buffer.alloc(4096);
      bytes.write('KDMV');
      bytes.writeUInt32LE(1, 4);
      return written('vmdk', bytes);
    },
    /only describes/,
  ],
  [
    'a tar that is cut off',
    () => {
      const tar = maker.path('tar');
      maker.run('usr/bin/tar', ['-C', plain, '-cf', tar, 'usr']);
      return written('tar', readFileSync(tar).subarray(0, 100_000));
    },
    /cut off/,
  ],
  [
    'a gzip that is none',
    () => written('gz', Buffer.concat([Buffer.from('1f8b08', 'hex'), Buffer.alloc(100, 9)])),
    /damaged/,
  ],
  [
    'a disk that LUKS has encrypted',
    () => {
      const disk = maker.disk('gpt', [{ type: 'L', sizeMib: 4 }]);
      insert(disk, 1 << 20, Buffer.from('LUKS\xba\xbe\0\x02', 'latin1'));
      return disk;
    },
    /encrypted \(LUKS\)/,
  ],
  [
    'a file system that ends too early',
    () => {
      const path = maker.copy(ext4, 'raw');
      truncateSync(path, 1 << 20);
      return path;
    },
    /cannot be read|no system/,
  ],
];

for (const [name, make, says] of refused)
  test(`${name} is an error that says so`, { timeout: PATIENCE_MS }, async () => {
    await assert.rejects(checked(make()), (error: Error) => {
      assert.ok(error instanceof ImageError, String(error));
      assert.match(error.message, says);
      return true;
    });
  });

test('links of an image lead nowhere outside of it', async () => {
  const tree = debian(kernel, { files: { 'etc/fstab': { link: '/../../../../etc/passwd' } } });
  const root = maker.tree(tree);
  symlinkSync('circle', join(root, 'etc/modprobe.d'));
  symlinkSync('/etc', join(root, 'etc/circle'));
  const { facts, report } = await checked(root);
  assert.deepEqual('value' in facts.fstab && facts.fstab.value, []);
  assert.ok(report.findings.length > 0);
  const { facts: onDisk } = await checked(maker.fileSystem('ext4', root, 40));
  assert.deepEqual('value' in onDisk.fstab && onDisk.fstab.value, []);
});

test('names with line breaks and colours do not reach the screen', async () => {
  const evil = '9.9.9-\x1b[31m\nerror: all is well';
  const root = maker.tree(
    debian(kernel, {
      files: { [`usr/lib/modules/${evil}/modules.dep`]: '', [`boot/vmlinuz-${evil}`]: 'x' },
    }),
  );
  for (const path of [root, maker.fileSystem('ext4', root, 40)]) {
    const { report } = await checked(path);
    const shown = report.findings.flatMap((f) => [
      f.text,
      f.subject ?? '',
      ...f.mend,
      ...f.evidence.map((e) => e.value),
    ]);
    assert.deepEqual(
      shown.filter((text) => /\p{Cc}/u.test(text)),
      [],
    );
  }
});

test('a module and an initramfs that unpack without end are cut off', {
  timeout: PATIENCE_MS,
}, async () => {
  const bomb = maker.run('usr/bin/xz', ['-0c'], Buffer.alloc(100 << 20));
  const files = {
    [`usr/lib/modules/${release}/kernel/drivers/net/ethernet/amazon/ena/ena.ko.xz`]: bomb,
    [`boot/initrd.img-${release}`]: gzipSync(Buffer.alloc(100 << 20), { level: 1 }),
  };
  const { unknown, errors } = await checked(maker.tree(debian(kernel, { files })));
  assert.ok(unknown.includes('image-ena-driver'), String(unknown));
  // zeros are padding: there is nothing in it
  assert.ok(errors.includes('image-nvme-in-initramfs'), String(errors));
});

test('a YAML that unfolds without end is not unfolded', { timeout: PATIENCE_MS }, async () => {
  const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 0; i < 12; i++) {
    const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
    lines.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`);
  }
  const { report } = await checked(
    maker.tree(debian(kernel, { files: { 'etc/netplan/1.yaml': lines.join('\n') } })),
  );
  assert.ok(report.findings.length > 0);
});

test(
  'damaged file systems give an answer or an error, never a hang',
  {
    timeout: 2 * PATIENCE_MS,
  },
  withSeeds(1, async (prng) => {
    const original = readFileSync(ext4);
    for (let round = 0; round < 4; round++) {
      const bytes = Buffer.from(original);
      // tables of inodes and groups are in the first megabytes
      for (let i = 0; i < 400; i++) bytes[1024 + prng.below(4 << 20)] = prng.below(256);
      const path = written('raw', bytes);
      await checked(path).catch((error: unknown) =>
        assert.ok(error instanceof ImageError, `round ${round}: ${error}`),
      );
    }
  }),
);

test('Ctrl-C ends it and leaves nothing behind', { timeout: PATIENCE_MS }, async () => {
  const big = maker.path('qcow2');
  writeFileSync(big, readFileSync(maker.convert(maker.fileSystem('xfs', plain, 300), 'qcow2')));
  const before = fingerprint(big);
  const main = new URL('../../src/cli/main.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, 'check', 'image', big], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const left = (): string[] =>
    readdirSync(tmpdir()).filter((name) => name.startsWith(`virtfn-${child.pid}-`));
  while (left().length === 0 && child.exitCode === null)
    await new Promise((r) => setTimeout(r, 10));
  child.kill('SIGINT');
  assert.equal(await code, 130);
  assert.deepEqual(left(), []);
  assert.equal(fingerprint(big), before);
});
