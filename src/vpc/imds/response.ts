/** What the metadata service answers, in the form in which EC2's is known to answer. */

export type HttpResponse = {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** EC2's own words: it says "Not Allowed" for 405. */
const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Not Allowed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported',
};

export const plain = (body: string): HttpResponse => ({ status: 200, type: 'text/plain', body });

/** The page that EC2 shows with an error. */
export function errorPage(status: number): HttpResponse {
  const title = `${status} - ${reasons[status]}`;
  const body = [
    '<?xml version="1.0" encoding="iso-8859-1"?>',
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"',
    '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">',
    '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">',
    ` <head>\n  <title>${title}</title>\n </head>`,
    ` <body>\n  <h1>${title}</h1>\n </body>`,
    '</html>\n',
  ].join('\n');
  return { status, type: 'text/html', body };
}

/** No page, and what would be allowed. */
export const notAllowed = (allow: string): HttpResponse => ({
  status: 405,
  type: 'text/plain',
  body: '',
  headers: { Allow: allow },
});

/** The bytes; without the body for HEAD, whose length is said all the same. */
export function writeResponse(
  response: HttpResponse,
  times: { readonly nowMs: number; readonly changedMs: number },
  withBody: boolean,
): Uint8Array {
  const { status, type, headers = {} } = response;
  const body = new TextEncoder().encode(response.body);
  const ok = status === 200;
  const lines = [
    `HTTP/1.1 ${status} ${reasons[status]}`,
    `Content-Type: ${type}`,
    ...(ok ? ['Accept-Ranges: none'] : []),
    ...(ok ? [`Last-Modified: ${new Date(times.changedMs).toUTCString()}`] : []),
    `Content-Length: ${body.length}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Date: ${new Date(times.nowMs).toUTCString()}`,
    'Server: EC2ws',
    'Connection: close',
  ];
  const head = new TextEncoder().encode(`${lines.join('\r\n')}\r\n\r\n`);
  const bytes = new Uint8Array(head.length + (withBody ? body.length : 0));
  bytes.set(head);
  if (withBody) bytes.set(body, head.length);
  return bytes;
}
