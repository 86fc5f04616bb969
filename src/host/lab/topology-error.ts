/** What is wrong in a topology file, and where: `FILE:LINE:COLUMN: found X, expected Y`. */
import {
  type Document,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type LineCounter,
  type Pair,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import type { z } from 'zod';
import { nearest } from '../../lib/nearest.ts';

/** The file as it was found. */
export type Found = {
  readonly file: string;
  readonly document: Document;
  readonly lines: LineCounter;
};

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

export class TopologyError extends Error {
  readonly line: number;
  readonly column: number;

  constructor(file: string, at: { line: number; col: number }, what: string) {
    super(`${file}:${at.line}:${at.col}: ${what}`);
    this.name = 'TopologyError';
    this.line = at.line;
    this.column = at.col;
  }

  static ofSyntax({ file, lines }: Found, error: YAMLError): TopologyError {
    return new TopologyError(
      file,
      lines.linePos(error.pos[0]),
      `this is no YAML: ${error.message}; expected a file like examples/two-instances.yaml`,
    );
  }

  /** Something else that is wrong with what stands at a path. */
  static at({ file, document, lines }: Found, path: Path, what: string): TopologyError {
    return new TopologyError(file, lines.linePos(nearestOffset(document, path)), what);
  }

  /** Of the issue that comes first in the file. */
  static ofIssues(found: Found, issues: readonly Issue[]): TopologyError {
    const [first] = issues
      .map((issue) => describe(found, issue))
      .sort((a, b) => a.offset - b.offset);
    if (first === undefined) throw new Error('unreachable: it was wrong without an issue');
    return new TopologyError(found.file, found.lines.linePos(first.offset), first.what);
  }
}

function describe(found: Found, issue: Issue): { offset: number; what: string } {
  const { document } = found;
  if (issue.code === 'unrecognized_keys') {
    const key = String(issue.keys[0]);
    const path = [...issue.path, key];
    const list = issue.message.replace(/^.*?: /, '');
    const near = nearest(key, list.split(', '));
    const hint = near.length === 0 ? '' : `; did you mean ${near.join(', ')}?`;
    return {
      offset: keyOffset(document, path) ?? 0,
      what: `${nameOf(path)} is unknown, ${issue.message}${hint}`,
    };
  }
  if (issue.code === 'invalid_key') {
    const message = issue.issues[0]?.message ?? issue.message;
    return {
      offset: keyOffset(document, issue.path) ?? 0,
      what: `the name '${String(issue.path.at(-1))}' does not do, ${message}`,
    };
  }
  const { node, path } = locate(document, issue.path);
  const offset =
    (isNode(node) ? node.range?.[0] : undefined) ?? nearestOffset(document, issue.path);
  const what =
    node === undefined || node === null
      ? `${issue.path.length === 0 ? 'it is empty' : `there is no ${nameOf(issue.path)}`}, ${issue.message}`
      : `${nameOf(path)} is ${shown(node)}, ${issue.message}`;
  return { offset, what };
}

/**
 * The node at a path, or what stands for it: where a short form was written, `web: 10.0.0.0/24`
 * for `web: { cidr: ... }`, the path goes further than the file.
 */
function locate(document: Document, path: Path): { node: unknown; path: Path } {
  let node: unknown = document.contents;
  for (const [depth, part] of path.entries()) {
    if (isScalar(node) && node.value !== null) return { node, path: path.slice(0, depth) };
    if (isSeq(node) && typeof part === 'string') continue; // `[...]` for `{ in: [...] }`
    const next = childOf(node, part);
    if (next === undefined && part === 0 && isNode(node) && !isSeq(node))
      return { node, path: path.slice(0, depth) };
    node = next;
  }
  return { node, path };
}

function childOf(node: unknown, part: PropertyKey): unknown {
  if (isSeq(node)) return node.items[Number(part)];
  return isMap(node) ? (pairOf(node, part)?.value ?? undefined) : undefined;
}

/** Keys are compared as they are written: `100:` is the number 100 to YAML. */
function pairOf(map: YAMLMap, key: unknown): Pair | undefined {
  return map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key));
}

function nameOf(path: Path): string {
  return path.length === 0 ? 'it' : path.map(String).join('.');
}

function shown(node: unknown): string {
  if (isMap(node)) return node.items.length === 0 ? 'an empty table' : 'a table';
  if (isCollection(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'empty';
  return typeof node.value === 'string'
    ? `'${node.value}'`
    : `the ${typeof node.value} ${node.value}`;
}

/** Where the key of a path's last part begins. */
function keyOffset(document: Document, path: Path): number | undefined {
  const { node: parent, path: found } = locate(document, path.slice(0, -1));
  if (found.length !== path.length - 1 || !isMap(parent)) return undefined;
  const pair = pairOf(parent, path.at(-1));
  return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
}

/** The beginning of the innermost part of a path that is in the file. */
function nearestOffset(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const offset = keyOffset(document, path.slice(0, length));
    if (offset !== undefined) return offset;
  }
  return 0;
}
