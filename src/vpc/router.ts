/**
 * The router's own presence on a network: it answers pings (RFC 792), and swallows what is sent to
 * its MAC to be routed, so that such frames are not flooded. Routes come with the VPC.
 */
import { read32, write16, write32 } from '../net/bytes.ts';
import { internetChecksum } from '../net/checksum.ts';
import { ethernet, macHi, macLo, readMac, writeMac } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { icmp } from '../net/icmp.ts';
import { ipProtocol, ipv4, parseIpv4 } from '../net/ipv4.ts';
import { writeIpv4Checksum } from '../net/offload.ts';
import { fragment } from '../net/parse.ts';
import { R } from '../net/reasons.ts';
import { notMine, type Responder } from '../switch/responder.ts';
import type { NetworkPlan } from './plan.ts';

const echoRequest = 8;
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
    const isEcho =
      h.ipVersion === 4 &&
      h.l4Protocol === ipProtocol.icmp &&
      h.icmpType === echoRequest &&
      h.dst === this.#address;
    if (!isEcho) return R.noReceiver;
    if (h.fragment !== fragment.none || request.length > maxEchoBytes) return R.badRequest;
    this.#echo(request, reply);
    return R.answered;
  }

  #echo(request: Frame, reply: Frame): void {
    const out = this.#bytes;
    const { l3Offset, l4Offset, ipEnd } = request.headers;
    request.copyTo(out, 0);
    writeMac(out, ethernet.destination, readMac(out, ethernet.source));
    writeMac(out, ethernet.source, this.#mac);
    write32(out, l3Offset + ipv4.destination, read32(out, l3Offset + ipv4.source));
    write32(out, l3Offset + ipv4.source, this.#address);
    out[l3Offset + ipv4.timeToLive] = 64;
    writeIpv4Checksum(out, l3Offset);
    out[l4Offset + icmp.type] = 0;
    write16(out, l4Offset + icmp.checksum, 0);
    const sum = internetChecksum(out, l4Offset, ipEnd - l4Offset);
    write16(out, l4Offset + icmp.checksum, sum);
    reply.load(out, 0, request.length);
  }
}
