/** A VPC's flows and interfaces, as a fast path goes by them. */
import type { RouteTables } from '../../net/loans.ts';
import type { BurstRoutes } from '../forwarder.ts';
import type { SwitchPort } from '../port.ts';
import type { FlowTable } from './flow-table.ts';
import type { NicTable } from './nic-table.ts';
import type { Tracker } from './tracker.ts';

export class VpcBurstRoutes implements BurstRoutes {
  #tables: RouteTables;
  readonly #nics: NicTable;
  readonly #flows: FlowTable;
  readonly #tracker: Tracker;

  /** `flows`: of IPv4. */
  constructor(nics: NicTable, flows: FlowTable, tracker: Tracker) {
    this.#nics = nics;
    this.#flows = flows;
    this.#tracker = tracker;
    this.#tables = this.#read(0);
  }

  get tables(): RouteTables {
    return this.#tables;
  }

  /** Flows of other epochs do not count any more, and tables may have moved. */
  changed(epoch: number): void {
    this.#tables = this.#read(epoch);
  }

  #read(epoch: number): RouteTables {
    const { words: flows, shift, seeds } = this.#flows.describe();
    const { records: connections } = this.#tracker;
    return { flows, shift, seeds, connections, marks: this.#nics.begun.words, epoch };
  }

  keyOf(port: SwitchPort): number {
    return this.#nics.byPort[port.index]?.slot ?? -1;
  }

  portOf(key: number): SwitchPort | null {
    return this.#nics.bySlot[key]?.port ?? null;
  }

  macsOf(key: number, into: Int32Array): void {
    this.#nics.bySlot[key]?.macs(into);
  }
}
