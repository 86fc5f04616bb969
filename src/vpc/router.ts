/**
 * The router's own presence on a network: it answers pings (RFC 792), and swallows what is sent to
 * its MAC to be routed, so that such frames are not flooded. Routes come with the VPC.
 */
import { isEchoRequest, turnEcho } from '../net/echo.ts';
import { macHi, macLo } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { fragment } from '../net/parse.ts';
import { R } from '../net/reasons.ts';
import { notMine, type Responder } from '../switch/responder.ts';
import type { NetworkPlan } from './plan.ts';

const maxEchoBytes = 9216 + 22;

export class RouterResponder implements Responder {
  readonly #mac: number;
  readonly #macHi: number;
  readonly #macLo: number;
  readonly #address: number;
  readonly #bytes = new Uint8Array(maxEchoBytes);

  constructor(plan: NetworkPlan) {
    this.#mac = plan.router.mac;
    this.#macHi = macHi(this.#mac);
    this.#macLo = macLo(this.#mac);
    this.#address = parseIpv4(plan.router.address);
  }

  respond(request: Frame, reply: Frame): number {
    const h = request.headers;
    if (h.dstMacLo !== this.#macLo || h.dstMacHi !== this.#macHi) return notMine;
    if (h.ipVersion !== 4 || h.dst !== this.#address || !isEchoRequest(h)) return R.noReceiver;
    if (h.fragment !== fragment.none || request.length > maxEchoBytes) return R.badRequest;
    this.#echo(request, reply);
    return R.answered;
  }

  #echo(request: Frame, reply: Frame): void {
    request.copyTo(this.#bytes, 0);
    turnEcho(this.#bytes, request.headers, this.#mac);
    reply.load(this.#bytes, 0, request.length);
  }
}
