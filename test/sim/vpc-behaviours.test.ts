// What EC2 documents (test/vpc-behaviours.ts), on the real path: reference drivers, ENA functions and
// the switch of a region, in virtual time. Days of idle connections pass in no time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond, VirtualClock } from '../../src/lib/clock.ts';
import type { Packet } from '../../src/vpc/evaluate-packet.ts';
import type { VpcModel } from '../../src/vpc/model.ts';
import { Region } from '../../src/vpc/region.ts';
import { type Behaviour, behaviours, type Step } from '../vpc-behaviours.ts';
import { frameOf } from '../vpc-frames.ts';
import { Packets } from '../vpc-steps.ts';
import { type SimGuest, SimLab } from './ena-lab.ts';

for (const behaviour of behaviours)
  test(`${behaviour.claim} (${behaviour.source})`, () => run(behaviour));

function run({ model, steps }: Behaviour): void {
  const stage = new Stage(model);
  const packets = new Packets();
  for (const [i, step] of steps.entries()) {
    stage.prepare(step);
    for (const { packet, is } of packets.of(step))
      assert.equal(stage.send(packet), is, `step ${i + 1}: ${JSON.stringify(packet)}`);
  }
  stage.assertDrivenWell();
}

class Stage {
  readonly #clock = new VirtualClock();
  readonly #region: Region;
  readonly #guests: ReadonlyMap<string, SimGuest>;

  constructor(model: VpcModel) {
    this.#region = new Region({ clock: this.#clock, model, seed: 1 });
    const lab = new SimLab(this.#clock, this.#region.network);
    this.#guests = new Map(model.interfaces.map(({ id }) => [id, lab.add()]));
    for (const guest of this.#guests.values()) guest.driver.start();
  }

  /** What a step is besides packets. */
  prepare(step: Step): void {
    if ('wait' in step) this.#clock.advance(step.wait * nsPerSecond);
    if ('change' in step) this.#region.update(step.change);
    if ('service' in step) {
      const verdict = this.send(step.packet);
      // None of them is plugged in here: it went to where they would be, past all gates.
      assert.match(verdict, /^(notCarried|answered)$/, step.service);
    }
  }

  /** `delivered`, or the one reason that a port has counted. */
  send(packet: Packet): string {
    const before = this.#reasons();
    const from = this.#guests.get(packet.from) as SimGuest;
    const frame = frameOf(this.#region.model, packet);
    assert.ok(from.send(frame), 'no room to send');
    from.driver.poll();
    const arrived = [...this.#guests.values()].flatMap((guest) => guest.receive());
    const after = this.#reasons();
    const counted = [...after].filter(([name, n]) => n > (before.get(name) ?? 0));
    if (arrived.length === 0) return counted.map(([name]) => name).join(', ');
    assert.deepEqual(counted, [], 'delivered and refused');
    // All behind the MAC addresses, as it was sent.
    assert.deepEqual(
      arrived.map((bytes) => Buffer.from(bytes).toString('hex', 12)),
      [Buffer.from(frame).toString('hex', 12)],
    );
    return 'delivered';
  }

  /** Frames that ports have refused, by reason. */
  #reasons(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const guest of this.#guests.values())
      for (const [name, n] of Object.entries(guest.counters())) {
        const [, reason = ''] = /^[rt]x_(?!frames|bytes)(\w+)$/.exec(name) ?? [];
        if (reason !== '') sums.set(reason, (sums.get(reason) ?? 0) + n);
      }
    return sums;
  }

  assertDrivenWell(): void {
    for (const { refusals } of this.#guests.values()) assert.deepEqual(refusals, []);
  }
}
