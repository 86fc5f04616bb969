/** Metadata as a tree of texts, listed and found by path as EC2 does it. */

export type Node = string | Directory;

export class Directory {
  readonly #nodes = new Map<string, Node>();
  readonly #labels = new Map<string, string>();

  /** What is absent is left out. `label`: how a listing shows it, when not by its name. */
  add(name: string, node: Node | undefined, label?: string): this {
    if (node === undefined) return this;
    this.#nodes.set(name, node);
    this.#labels.set(name, label ?? (node instanceof Directory ? `${name}/` : name));
    return this;
  }

  get(name: string): Node | undefined {
    return this.#nodes.get(name);
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** One name per line, in order; directories end in a slash. */
  list(): string {
    return [...this.#labels.values()].sort().join('\n');
  }
}

/**
 * The text at a path below `root`, or null. A directory is its listing, with or without a slash at
 * the end of its path, and a text may have one, too (the User Guide's examples have both).
 */
export function find(root: Directory, path: string): string | null {
  const names = path.split('/').slice(1);
  if (names.at(-1) === '') names.pop();
  let node: Node | undefined = root;
  for (const name of names) {
    if (!(node instanceof Directory)) return null;
    node = node.get(name);
  }
  if (node === undefined) return null;
  return typeof node === 'string' ? node : node.list();
}
