/** How fast the first instance's NIC is to the second, and other NICs in the same guests. */

import { GuestError } from '../guest/agent.ts';
import type { Vm } from '../guest/guest-vm.ts';
import type { LabContext } from './context.ts';
import { type GuestPair, guestBench, startServer } from './guest-bench.ts';
import { waitUntilQuiet } from './machine.ts';
import { measureAll } from './measure.ts';
import { isOfQemu, plugPair } from './plugged-pair.ts';
import type { InstanceFacts, LabReport } from './report.ts';

/** A guest that is on the network. */
export type Member = {
  readonly vm: Vm;
  readonly interface: string;
  readonly facts: InstanceFacts;
};

type Speed = Pick<LabReport, 'measured' | 'comparison' | 'notes'>;

/** @param meter CPU seconds of all guests and of this process */
export async function measureSpeed(
  context: LabContext,
  members: readonly Member[],
  directory: string,
  meter: () => number,
): Promise<Speed> {
  const { topology, observer, signal } = context;
  const pairs = await preparePairs(context, members, directory);
  observer.step('Measuring');
  const notes = await settle(context, meter);
  if (context.measurer !== undefined) {
    await context.measurer(pairs, meter);
    return { measured: null, comparison: [], notes };
  }
  const benches = pairs.map((pair) => guestBench(pair, meter));
  const comparison = await measureAll(benches, topology.measure, {
    isFailure: (error) => error instanceof GuestError && !signal.aborted,
    onRun: (text, fraction) => observer.detail(text, fraction),
  });
  observer.detail(comparison.map(({ nic }) => nic).join(', '));
  const [from, to] = members as [Member, Member];
  const { mtu, rounds, seconds, pings } = topology.measure;
  const ends = { from: from.facts.name, to: to.facts.name };
  return {
    measured: { ...ends, transport: 'tcp', rounds, seconds, pings, mtu },
    comparison,
    notes,
  };
}

/** The function's own pair, and one of each NIC to compare it with. */
async function preparePairs(
  context: LabContext,
  members: readonly Member[],
  directory: string,
): Promise<GuestPair[]> {
  const { topology, observer, signal } = context;
  const { mtu, compare } = topology.measure;
  const [from, to] = members as [Member, Member];
  const measured = [from, to];
  await startServer(to.vm);
  for (const { vm, interface: name } of measured)
    await vm.run(`ip link set dev ${name} mtu ${mtu}`);
  const { nic, driver, link_mbps: linkMbps } = from.facts;
  const own = {
    ...{ nic, driver, linkMbps, from: from.vm, to: to.vm, address: to.facts.address },
  };
  const pairs: GuestPair[] = [own];
  for (const [index, model] of compare.entries()) {
    const whose = isOfQemu(model) ? "QEMU's " : '';
    observer.step(`Plugging ${whose}${model} into ${from.vm.name} and ${to.vm.name}`);
    const request = { from: from.vm, to: to.vm, directory, index, mtu };
    pairs.push(await plugPair(model, request, context));
    signal.throwIfAborted();
  }
  return pairs;
}

/** Waits until the guests are idle; tells when the machine is not. */
async function settle({ observer, signal }: LabContext, meter: () => number): Promise<string[]> {
  observer.detail('waiting until the guests are idle');
  const { own, others } = await waitUntilQuiet(meter, 4000, signal);
  const notes: string[] = [];
  if (others > 0.15)
    notes.push(
      `Other programs used ${Math.round(others * 100)} % of this machine before the measurement: the numbers are lower than they could be.`,
    );
  if (own > 0.5) notes.push('The guests were not idle before the measurement.');
  for (const note of notes) observer.note(note);
  return notes;
}
