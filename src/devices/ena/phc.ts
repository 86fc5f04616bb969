/**
 * The PTP hardware clock: a driver writes a request id to the doorbell, the card writes that id
 * with the time and its error bound to a page that both share. Readings are limited to 125 a
 * second per function; one too many comes back with its error flags set (README of the driver).
 */
import { FEATURE, phcReading, phcResp, STATUS, setPhc } from '../../defs/ena-admin.ts';
import { enaRegisters } from '../../defs/ena-regs.ts';
import { type Clock, nsPerSecond } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { DmaRange, GuestMemory } from '../../pci/guest-memory.ts';
import { DeviceTime } from './device-time.ts';
import type { Feature, FeatureCall } from './feature-call.ts';
import { enaRules } from './rules.ts';

export const phcReadsPerSecond = 125;
const errorBoundNs = 10_000;
/**
 * How long a driver waits for a reading, spinning, before it stays away for as long. Drivers take
 * 10 us of their own when a card names no time: that is less than it takes to wake this process.
 */
const readingTimeoutUs = 20_000;
const noTimestamp = 1;
const noErrorBound = 2;

export class Phc {
  readonly #memory: GuestMemory;
  readonly #clock: Clock;
  readonly #diagnostics: Diagnostics;
  readonly #time: DeviceTime;
  readonly #reading = phcReading.create();
  #address = -1;
  #range: DmaRange | null = null;
  /** Readings left in the second that began at `#since`. */
  #left = phcReadsPerSecond;
  #since = 0;

  constructor(memory: GuestMemory, clock: Clock, diagnostics: Diagnostics) {
    this.#memory = memory;
    this.#clock = clock;
    this.#time = new DeviceTime(clock);
    this.#diagnostics = diagnostics;
  }

  reset(): void {
    this.#address = -1;
    this.#range = null;
  }

  feature(): [number, Feature] {
    return [
      FEATURE.PHC_CONFIG,
      {
        get: (call) => {
          const made = phcResp.create();
          made.doorbell_offset = enaRegisters.registers.PHC_DB.offset;
          made.expire_timeout_usec = readingTimeoutUs;
          made.block_timeout_usec = readingTimeoutUs;
          return call.answer(made);
        },
        set: (call) => this.#configure(call),
      },
    ];
  }

  #configure(call: FeatureCall): number {
    const cmd = call.as(setPhc.create());
    const iova = cmd.output_hi * 2 ** 32 + cmd.output_lo;
    const enough = cmd.output_length >= phcReading.sizeBytes;
    if (!enough || this.#memory.range(iova, phcReading.sizeBytes, 'write') === null)
      return call.refuse(
        enaRules['phc-memory'],
        () => `${cmd.output_length} bytes at 0x${iova.toString(16)}`,
      );
    this.#address = iova;
    this.#range = null;
    return STATUS.SUCCESS;
  }

  /** The driver's write to the doorbell. */
  doorbell(value: number): void {
    const range = this.#attach();
    if (range === null) {
      this.#diagnostics.refuse(enaRules['phc-not-configured'], () => `request ${value & 0xffff}`);
      return;
    }
    const now = this.#clock.now();
    if (now - this.#since >= nsPerSecond) {
      this.#since = now;
      this.#left = phcReadsPerSecond;
    }
    const reading = this.#reading;
    reading.clear();
    reading.req_id = value;
    if (this.#left > 0) {
      this.#left--;
      this.#time.read();
      [reading.timestamp_lo, reading.timestamp_hi] = [this.#time.lo, this.#time.hi];
      reading.error_bound = errorBoundNs;
    } else {
      reading.error_flags = noTimestamp | noErrorBound;
      this.#diagnostics.refuse(enaRules['phc-rate'], () => `request ${value & 0xffff}`);
    }
    reading.store(range.words, range.base);
    range.push(0, phcReading.sizeBytes / 4);
  }

  #attach(): DmaRange | null {
    if (this.#address < 0) return null;
    if (this.#range === null || this.#range.generation !== this.#memory.generation)
      this.#range = this.#memory.range(this.#address, phcReading.sizeBytes, 'write');
    return this.#range;
  }
}
