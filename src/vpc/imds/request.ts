/**
 * An HTTP/1.1 request as the metadata service takes it (RFC 9110, RFC 9112), done strictly: what two
 * readers could read in two ways is refused. One request per connection; bodies are ignored.
 */

export type HttpRequest = {
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  /** By lower-case name; several of one name are joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
};

/** A request, the status that refuses it, or null: there is more to come. */
export type Parsed = HttpRequest | number | null;

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Visible characters, bytes above ASCII, spaces and tabs. */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const schemeAndHost = /^http:\/\/[^/?#]*/i;
const maxTargetLength = 2048;

/** `whole`: more than these bytes there will not be. */
export function parseRequest(bytes: Uint8Array, length: number, whole: boolean): Parsed {
  let start = 0;
  // Empty lines before a request are from a client that ended its last one badly (section 2.2).
  while (start + 1 < length && bytes[start] === 13 && bytes[start + 1] === 10) start += 2;
  const end = endOfHead(bytes, start, length);
  if (end < 0) return length === bytes.length ? 431 : whole ? 400 : null;
  const [requestLine = '', ...lines] = textOf(bytes, start, end).split('\r\n');
  const [method = '', target = '', version = '', ...rest] = requestLine.split(' ');
  if (rest.length > 0 || !token.test(method)) return 400;
  if (!/^HTTP\/\d\.\d$/.test(version)) return 400;
  if (!version.startsWith('HTTP/1.')) return 505;
  if (target.length > maxTargetLength) return 414;
  const path = pathOf(target);
  const headers = headersOf(lines);
  if (path === null || headers === null) return 400;
  if (version !== 'HTTP/1.0' && !isHost(headers.get('host'))) return 400;
  const missing = bodyMissing(headers, length - end - 4, bytes.length - end - 4);
  if (missing > 1) return missing;
  if (missing === 1) return whole ? 400 : null;
  return { method, path, headers };
}

/** Where the empty line begins that ends the head, or -1. */
function endOfHead(bytes: Uint8Array, start: number, length: number): number {
  for (let at = start; at + 3 < length; at++)
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10)
      return at;
  return -1;
}

/** One character per byte. */
function textOf(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] as number);
  return text;
}

/** The decoded path of a target in origin or absolute form (RFC 9112, section 3.2), or null. */
function pathOf(target: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(target) || target.includes('#')) return null;
  const origin = target.replace(schemeAndHost, '');
  const [path = ''] = origin.split('?', 1);
  if (path === '' && origin !== target) return '/';
  if (!path.startsWith('/') || /%(?![\da-f]{2})/i.test(path)) return null;
  const decoded = path.replace(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return /^[\x20-\x7e\x80-\xff]*$/.test(decoded) ? decoded : null;
}

/** Null: a line is no header field. Folded lines, and blanks before a colon, are none. */
function headersOf(lines: readonly string[]): Map<string, string> | null {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = trimBlanks(line, colon + 1);
    if (!token.test(name) || !fieldValue.test(value)) return null;
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

function trimBlanks(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

/** There is exactly one, and it is none of another header's (RFC 9112, section 3.2). */
const isHost = (host: string | undefined): boolean =>
  host !== undefined && /^[\w.:[\]-]*$/.test(host);

/** 0: the body is there; 1: some of it is still to come; else the status that refuses it. */
function bodyMissing(headers: Map<string, string>, have: number, room: number): number {
  if (headers.has('transfer-encoding')) return 501;
  const said = headers.get('content-length') ?? '0';
  if (!/^\d{1,9}$/.test(said)) return 400;
  const bytes = Number(said);
  if (bytes > room) return 413;
  return bytes > have ? 1 : 0;
}
