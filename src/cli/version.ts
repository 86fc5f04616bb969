/** The version of this program, from its package. */
import { readFileSync } from 'node:fs';

export function version(): string {
  const depth = import.meta.url.endsWith('.ts') ? '../..' : '../../..';
  const text = readFileSync(new URL(`${depth}/package.json`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
