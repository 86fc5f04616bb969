/**
 * An endpoint that speaks EC2's Query protocol, for tests: it records each request, answers from plain data in
 * pages, and fails where it is told to. Answers are written by this file, not by the SDK that reads them.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Xml = string | number | boolean | readonly Xml[] | { readonly [name: string]: Xml };

export type Trouble =
  | { readonly code: string; readonly status: number; readonly times: number }
  /** What is sent in place of an answer. */
  | { readonly raw: string };

export type Request = { readonly action: string; readonly body: string; readonly host: string };

export class Ec2Endpoint {
  readonly requests: Request[] = [];
  /** Action -> name of its set, and items. */
  readonly sets = new Map<string, { readonly name: string; readonly items: readonly Xml[] }>();
  readonly troubles = new Map<string, Trouble>();
  pageSize = 1000;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const { status, text } = this.#answer(body, request.headers.host ?? '');
        response.writeHead(status, { 'content-type': 'text/xml' });
        response.end(text);
      });
    });
  }

  static async start(): Promise<Ec2Endpoint> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Ec2Endpoint(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(body: string, host: string): { status: number; text: string } {
    const query = new URLSearchParams(body);
    const action = query.get('Action') ?? '';
    this.requests.push({ action, body, host });
    const trouble = this.troubles.get(action);
    if (trouble !== undefined && 'raw' in trouble) return { status: 200, text: trouble.raw };
    if (trouble !== undefined && trouble.times > 0) {
      this.troubles.set(action, { ...trouble, times: trouble.times - 1 });
      const error = `<Error><Code>${trouble.code}</Code><Message>a test</Message></Error>`;
      const text = `<Response><Errors>${error}</Errors><RequestID>r</RequestID></Response>`;
      return { status: trouble.status, text };
    }
    const { name, items } = this.sets.get(action) ?? { name: 'none', items: [] };
    const start = Number(query.get('NextToken') ?? 0);
    const end = start + this.pageSize;
    const token = end < items.length ? `<nextToken>${end}</nextToken>` : '';
    const page = `<${name}>${toXml(items.slice(start, end))}</${name}>`;
    const text = `<?xml version="1.0"?><${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>${page}${token}</${action}Response>`;
    return { status: 200, text };
  }
}

function toXml(value: Xml): string {
  if (Array.isArray(value)) return value.map((one: Xml) => `<item>${toXml(one)}</item>`).join('');
  if (typeof value !== 'object')
    return String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return Object.entries(value as { [name: string]: Xml })
    .map(([name, inner]) => `<${name}>${toXml(inner)}</${name}>`)
    .join('');
}
