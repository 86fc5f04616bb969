/** All files of a configuration directory, in the order of their names. */
import type { FileTree } from './tree.ts';

const MAX_FILES = 200;
const MAX_BYTES = 1 << 20;

/** Those whose names match; empty where there is no such directory. */
export async function readDirectory(
  tree: FileTree,
  directory: string,
  pattern: RegExp,
): Promise<{ file: string; text: string }[]> {
  const names = ((await tree.list(directory)) ?? [])
    .filter(({ name, kind }) => kind !== 'directory' && pattern.test(name))
    .map(({ name }) => name)
    .sort();
  const files: { file: string; text: string }[] = [];
  for (const name of names.slice(0, MAX_FILES)) {
    const file = `${directory}/${name}`;
    const content = await tree.read(file, MAX_BYTES);
    if (content !== null) files.push({ file, text: content.toString() });
  }
  return files;
}
