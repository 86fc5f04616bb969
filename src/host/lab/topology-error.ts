/** What is wrong in a topology file, and where: `FILE:LINE:COLUMN: found X, expected Y`. */
import {
  type Document,
  isCollection,
  isMap,
  isNode,
  isScalar,
  type LineCounter,
  type YAMLError,
} from 'yaml';
import type { z } from 'zod';
import { nearest } from './nearest.ts';

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
  const node = document.getIn(issue.path, true);
  const offset =
    (isNode(node) ? node.range?.[0] : undefined) ?? nearestOffset(document, issue.path);
  const what =
    node === undefined || node === null
      ? `there is no ${nameOf(issue.path)}, ${issue.message}`
      : `${nameOf(issue.path)} is ${shown(node)}, ${issue.message}`;
  return { offset, what };
}

function nameOf(path: Path): string {
  return path.length === 0 ? 'the file' : path.map(String).join('.');
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
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === path.at(-1));
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
