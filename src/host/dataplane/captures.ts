/** Where workers capture to: the first one where it was told, the others beside it. */
import { parse } from 'node:path';

/** `run.pcapng`, `run-1.pcapng`, ... by the number of the worker. */
export function captureOf(path: string, worker: number): string {
  if (worker === 0) return path;
  const { ext } = parse(path);
  return `${path.slice(0, path.length - ext.length)}-${worker}${ext}`;
}
