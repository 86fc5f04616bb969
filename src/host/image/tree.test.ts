import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DirectoryTree } from './directory-tree.ts';
import { type FileTree, MountedTree, type Node, resolvePath, TreeError } from './tree.ts';

const scratch = mkdtempSync(join(tmpdir(), 'virtfn-tree-'));
after(() => rmSync(scratch, { recursive: true }));
const root = join(scratch, 'root');
mkdirSync(join(root, 'etc'), { recursive: true });
writeFileSync(join(scratch, 'secret'), 'outside');
writeFileSync(join(root, 'etc/a'), 'inside');
const links: Record<string, string> = {
  absolute: '/etc/a',
  out: '../../../../../secret',
  circle: 'circle',
  etcetera: '../etc',
};
for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, 'etc', name));
const tree = new DirectoryTree(root);
const read = async (path: string): Promise<string | undefined> =>
  (await tree.read(path, 100))?.toString();

test('links are followed below the root', async () => {
  assert.equal(await read('/etc/absolute'), 'inside');
  assert.equal(await read('/etc/etcetera/etcetera/a'), 'inside');
});

test('links that lead out of the root lead nowhere', async () => {
  assert.equal(await read('/etc/out'), undefined);
  assert.equal(await read('/../../secret'), undefined);
});

test('a circle of links is an error, not a hang', async () => {
  await assert.rejects(tree.read('/etc/circle', 100), TreeError);
});

test('a file that is too large is not read', async () => {
  await assert.rejects(tree.read('/etc/a', 3), /more than the 3/);
});

test('names with zeros, dots and nothing are names of nothing', async () => {
  assert.equal(await read('/etc/a\0b'), undefined);
  assert.equal(await read('/etc/a/b'), undefined);
  assert.equal(await tree.list('/nothing'), null);
});

test('a link is resolved against its own directory, and .. stops at the root', () => {
  const nodes: Record<string, Node> = {
    '/a': { kind: 'directory' },
    '/a/l': { kind: 'link', target: '../../../b/./c' },
    '/b': { kind: 'directory' },
    '/b/c': { kind: 'file' },
  };
  assert.equal(
    resolvePath('/a/l', (path) => nodes[path] ?? null),
    '/b/c',
  );
});

test('the longest mount point counts', async () => {
  const named = (name: string): FileTree => ({
    list: async (path) => [{ name: `${name}:${path}`, kind: 'file', size: 0 }],
    read: async () => null,
    exists: async () => false,
  });
  const mounted = new MountedTree(
    new Map([
      ['/', named('root')],
      ['/boot', named('boot')],
      ['/boot/efi', named('efi')],
    ]),
  );
  const at = async (path: string): Promise<string | undefined> =>
    (await mounted.list(path))?.[0]?.name;
  assert.equal(await at('/bootstrap'), 'root:/bootstrap');
  assert.equal(await at('/boot'), 'boot:/');
  assert.equal(await at('/boot/efi/EFI'), 'efi:/EFI');
});
