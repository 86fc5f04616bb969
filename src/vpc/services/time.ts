/**
 * The time service at 169.254.169.123 and fd00:ec2::123: an NTP server (RFC 5905) that says what
 * EC2's was seen to say: stratum 3, reference 169.254.169.122, precision 2^-18 s, root delay
 * 167 us. The time is this host's, which is known to a millisecond: that is the root dispersion.
 * Only clients are answered; control and private modes, which amplify, do not exist.
 */
import { type Clock, nsPerSecond } from '../../lib/clock.ts';
import { write32 } from '../../net/bytes.ts';
import type { Frame } from '../../net/frame.ts';
import { parseIpv4 } from '../../net/ipv4.ts';
import { ntp, ntpMode, ntpPort, ntpVersions, writeNtpShort, writeNtpTime } from '../../net/ntp.ts';
import type { Headers } from '../../net/parse.ts';
import { R } from '../../net/reasons.ts';
import { udpPayloadAt } from '../../net/udp.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import { serviceAddresses } from '../well-known.ts';
import {
  Datagrams,
  hasDestination6,
  isUdpTo,
  payloadAt,
  returnWay,
  sendBack,
} from './datagrams.ts';
import type { DirectorySource } from './directory.ts';

const stratum = 3;
const precision = -18;
const rootDelaySeconds = 167e-6;
const rootDispersionSeconds = 1e-3;
const reference = parseIpv4('169.254.169.122');
/** The service's own clock is set this often, as far as a client can tell. */
const referenceSeconds = 16;

export class TimeService implements Responder {
  readonly #source: DirectorySource;
  readonly #clock: Clock;
  readonly #datagrams = new Datagrams();
  readonly #out = new Uint8Array(udpPayloadAt[6] + ntp.bytes);
  /** The clock's start since 1970. */
  readonly #startSeconds: number;
  readonly #startNs: number;

  constructor(source: DirectorySource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    const second = BigInt(nsPerSecond);
    this.#startSeconds = Number(clock.epochNs / second);
    this.#startNs = Number(clock.epochNs % second);
  }

  respond(frame: Frame, reply: Frame, from: SwitchPort): number {
    const h = frame.headers;
    if (!isUdpTo(h, ntpPort) || !isForTime(h)) return notMine;
    const here = this.#source.directory.at(from);
    if (here === undefined) return notMine;
    if (!this.#datagrams.take(frame)) return R.badRequest;
    const way = returnWay(h, here);
    const at = payloadAt(way);
    if (!this.#answer(at)) return R.badRequest;
    sendBack(this.#out, at + ntp.bytes, way, reply);
    return R.answered;
  }

  /** Writes the answer at `to`; false when none is due. */
  #answer(to: number): boolean {
    const { bytes, at, end } = this.#datagrams;
    if (end - at < ntp.bytes) return false;
    const flags = bytes[at] as number;
    const version = (flags >>> 3) & 7;
    if ((flags & 7) !== ntpMode.client) return false;
    if (version < ntpVersions.oldest || version > ntpVersions.newest) return false;
    const out = this.#out;
    out[to] = (version << 3) | ntpMode.server;
    out[to + ntp.stratum] = stratum;
    out[to + ntp.poll] = bytes[at + ntp.poll] as number;
    out[to + ntp.precision] = precision;
    writeNtpShort(out, to + ntp.rootDelay, rootDelaySeconds);
    writeNtpShort(out, to + ntp.rootDispersion, rootDispersionSeconds);
    write32(out, to + ntp.referenceId, reference);
    for (let i = 0; i < 8; i++)
      out[to + ntp.originTime + i] = bytes[at + ntp.transmitTime + i] as number;
    const now = this.#startNs + this.#clock.now();
    const seconds = this.#startSeconds + Math.floor(now / nsPerSecond);
    const nanoseconds = now % nsPerSecond;
    writeNtpTime(out, to + ntp.referenceTime, seconds - (seconds % referenceSeconds), 0);
    writeNtpTime(out, to + ntp.receiveTime, seconds, nanoseconds);
    writeNtpTime(out, to + ntp.transmitTime, seconds, nanoseconds);
    return true;
  }
}

const isForTime = (h: Headers): boolean =>
  h.ipVersion === 4 ? h.dst === serviceAddresses.time : hasDestination6(h, serviceAddresses.time6);
