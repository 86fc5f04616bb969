import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { valueIn } from '../../check/fact.ts';
import { Tree } from './tree.ts';

const outside = mkdtempSync(join(tmpdir(), 'virtfn-tree-'));
after(() => rmSync(outside, { recursive: true }));
const root = join(outside, 'root');
mkdirSync(join(root, 'sys/class'), { recursive: true });
mkdirSync(join(root, 'many'));
writeFileSync(join(outside, 'secret'), 'secret');
writeFileSync(join(root, 'sys/mtu'), '9001\n');
writeFileSync(join(root, 'big'), Buffer.alloc(2 << 20));
symlinkSync('../../sys', join(root, 'sys/class/up'));
symlinkSync('/sys/mtu', join(root, 'absolute'));
symlinkSync('../../../../secret', join(root, 'escape'));
symlinkSync(join(outside, 'secret'), join(root, 'escape2'));
symlinkSync('loop', join(root, 'loop'));
symlinkSync('../bus/pci/drivers/ena', join(root, 'sys/driver'));
execFileSync('mkfifo', [join(root, 'fifo')]);
for (let i = 0; i < 4097; i++) writeFileSync(join(root, 'many', `${i}`), '');
const tree = new Tree(root);

test('links are followed inside the root, and nowhere else', () => {
  assert.equal(valueIn(tree.line('/sys/class/up/mtu')), '9001');
  assert.equal(valueIn(tree.line('/absolute')), '9001');
  assert.equal(valueIn(tree.line('/../../sys/mtu')), '9001');
  for (const path of ['/escape', '/escape2', '/../secret'])
    assert.deepEqual(tree.text(path), { value: null, at: { file: path } });
});

test('what would block, never end, or fill the memory is not read, and says so', () => {
  assert.match(JSON.stringify(tree.text('/fifo')), /no regular file/);
  assert.match(JSON.stringify(tree.text('/sys')), /no regular file/);
  assert.match(JSON.stringify(tree.text('/loop')), /lead nowhere/);
  assert.match(JSON.stringify(tree.text('/big')), /more than 1048576 bytes/);
  assert.match(JSON.stringify(tree.names('/many')), /more than 4096 entries/);
});

test('what is not there is known to be absent', () => {
  assert.equal(valueIn(tree.text('/none/at/all')), null);
  assert.deepEqual(tree.names('/sys/mtu'), { value: null, at: { file: '/sys/mtu' } });
  assert.equal(valueIn(tree.exists('/none')), false);
  assert.equal(valueIn(tree.exists('/sys')), true);
});

test('a driver is the last part of its link, which need not lead anywhere', () => {
  assert.equal(valueIn(tree.linkName('/sys/driver')), 'ena');
  assert.equal(valueIn(tree.linkName('/sys/none')), null);
});
