/** Reads YAML, and JSON, which is YAML too: its values, and where each of them stands. */
import { type Document, LineCounter, parseDocument } from 'yaml';
import { type Found, TopologyError } from './topology-error.ts';

/** @throws TopologyError for what is no YAML */
export function readYaml(source: string, file: string): Found & { readonly value: unknown } {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const found: Found = { file, document: document as Document, lines };
  const [error] = document.errors;
  if (error !== undefined) throw TopologyError.ofSyntax(found, error);
  return { ...found, value: document.toJS() };
}
