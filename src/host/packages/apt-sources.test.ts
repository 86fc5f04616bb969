import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findArchive, parseDeb822Sources, parseOneLineSources } from './apt-sources.ts';
import { RECIPES } from './recipes.ts';

const debian = RECIPES.find(({ distribution }) => distribution === 'debian');
assert.ok(debian);

test('a one-line source gives type, address, suite, components and options', () => {
  const [source] = parseOneLineSources(
    'deb [ arch=amd64,i386 signed-by=/usr/share/keyrings/a.gpg trusted=yes ] http://mirror.test/debian trixie main contrib # ours\n',
  );
  assert.deepEqual(source?.types, ['deb']);
  assert.deepEqual(source?.uris, ['http://mirror.test/debian']);
  assert.deepEqual(source?.suites, ['trixie']);
  assert.deepEqual(source?.components, ['main', 'contrib']);
  assert.equal(source?.options.get('architectures'), 'amd64 i386');
  assert.equal(source?.options.get('signed-by'), '/usr/share/keyrings/a.gpg');
});

test('comments, empty lines, discs and half lines are no one-line sources', () => {
  const text = [
    '# deb http://mirror.test/debian trixie main',
    '',
    'deb cdrom:[Debian GNU/Linux 13 _Trixie_]/ trixie main',
    'deb http://mirror.test/debian',
    'nonsense',
  ].join('\n');
  assert.deepEqual(parseOneLineSources(text), []);
});

test('deb822 paragraphs give a source each, with lists, comments within and embedded keys', () => {
  const text = [
    'Types: deb deb-src',
    '# a comment between fields',
    'URIs: http://one.test/debian',
    ' http://two.test/debian',
    'Suites: trixie trixie-updates',
    'Components: main',
    'Signed-By:',
    ' -----BEGIN PGP PUBLIC KEY BLOCK-----',
    ' .',
    ' abc=',
    '   ',
    '',
    'types: deb',
    'uris: http://three.test/debian-security',
    'suites: trixie-security',
    'components: main',
  ].join('\n');
  const [first, second, ...rest] = parseDeb822Sources(text);
  assert.equal(rest.length, 0);
  assert.deepEqual(first?.types, ['deb', 'deb-src']);
  assert.deepEqual(first?.uris, ['http://one.test/debian', 'http://two.test/debian']);
  assert.match(first?.options.get('signed-by') ?? '', /^\n -----BEGIN.*\n \.\n abc=$/);
  assert.deepEqual(second?.suites, ['trixie-security']);
});

test('a disabled deb822 source is none', () => {
  assert.deepEqual(
    parseDeb822Sources('Enabled: no\nTypes: deb\nURIs: http://a.test/debian\nSuites: trixie\n'),
    [],
  );
});

test('the archive of the distribution is found among those of others', () => {
  const sources = parseOneLineSources(
    [
      'deb https://download.vendor.test/linux/debian bookworm stable',
      'deb https://apt.vendor.test bookworm main',
      'deb http://mirror.test/debian-security bookworm-security main',
      'deb-src http://mirror.test/sources/debian bookworm main',
      'deb [check-valid-until=no arch=amd64] http://mirror.test/debian/ bookworm main',
    ].join('\n'),
  );
  const archive = findArchive(sources, debian.archive);
  assert.equal(archive?.uri, 'http://mirror.test/debian/');
  assert.deepEqual([...(archive?.options ?? [])], [['check-valid-until', 'no']]);
});

test('an archive under another name is known by its updates', () => {
  const sources = parseOneLineSources(
    'deb http://cache.test/remote-1 trixie main\ndeb http://cache.test/remote-1 trixie-updates main\n',
  );
  assert.equal(findArchive(sources, debian.archive)?.uri, 'http://cache.test/remote-1');
});

test('a machine with nothing but other archives has none', () => {
  const sources = parseOneLineSources('deb https://apt.vendor.test bookworm main\n');
  assert.equal(findArchive(sources, debian.archive), undefined);
});
