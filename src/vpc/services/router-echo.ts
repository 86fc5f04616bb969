/**
 * A subnet's router answers pings to its own addresses, base + 1 and its link-local one. What is
 * sent to it to be routed is not its business here.
 */
import { isEchoRequest, turnEcho } from '../../net/echo.ts';
import type { Frame } from '../../net/frame.ts';
import type { Headers } from '../../net/parse.ts';
import { R } from '../../net/reasons.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import type { DirectorySource, SubnetEntry } from './directory.ts';
import { Request } from './request.ts';

/** An IP packet of 9216 bytes. */
const maxEchoBytes = 9216 + 14;

export class RouterEcho implements Responder {
  readonly #source: DirectorySource;
  readonly #request = new Request(maxEchoBytes);

  constructor(source: DirectorySource) {
    this.#source = source;
  }

  respond(frame: Frame, reply: Frame, from: SwitchPort): number {
    const h = frame.headers;
    if (h.ipVersion === 0 || h.vlan >= 0) return notMine;
    const here = this.#source.directory.at(from);
    if (here === undefined || !isForRouter(here.subnet, h)) return notMine;
    // Its other ports are those of services, which were asked before.
    if (!isEchoRequest(h)) return R.badRequest;
    if (!this.#request.take(frame)) return R.badRequest;
    turnEcho(this.#request.bytes, h, here.subnet.router.mac);
    reply.load(this.#request.bytes, 0, frame.length);
    return R.answered;
  }
}

function isForRouter({ router }: SubnetEntry, h: Headers): boolean {
  if (h.ipVersion === 4) return h.dst === router.address;
  const [a, b, c, d] = router.address6;
  return h.dst === d && h.dst2 === c && h.dst1 === b && h.dst0 === a;
}
