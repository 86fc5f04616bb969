/** The VPC of a lab that runs: its model now, the guests in it, and how both are asked and changed. */
import type { VpcModel } from '../../vpc/model.ts';
import type { ControlledOptions } from '../control/controlled.ts';
import { objectionsTo } from '../vpc/members.ts';
import { servicesOf } from './reach.ts';
import type { Reachability } from './report.ts';
import { probeVpc, serveInVpc, settleInVpc, type VpcGuest } from './vpc-guests.ts';

export class LiveVpc {
  #model: VpcModel;
  #guests: readonly VpcGuest[] = [];
  /** Ports that guests answer on already. */
  readonly #served = new Set<number>();
  /** What the guests were settled by; null: nothing yet. */
  #settled: VpcModel | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(model: VpcModel) {
    this.#model = model;
  }

  /** Guests that have their first address get what else the model gives them. */
  async enter(guests: readonly VpcGuest[]): Promise<void> {
    this.#guests = guests;
    await this.#inTurn(() => this.#settle());
  }

  async #settle(): Promise<void> {
    const model = this.#model;
    await Promise.all(this.#guests.map((guest) => settleInVpc(guest, model, this.#settled)));
    this.#settled = model;
  }

  /** Everybody asks everybody else. */
  reach(): Promise<Reachability> {
    return this.#inTurn(() => this.#ask());
  }

  /** Guests do one thing at a time: questions of two askers would be in each other's way. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {}); // whoever asked hears it
    return turn;
  }

  async #ask(): Promise<Reachability> {
    const model = this.#model;
    if (this.#guests.length === 0) throw new Error('the guests are not on the network yet');
    const services = servicesOf(model);
    const more = services.filter(({ port }) => port !== null && !this.#served.has(port));
    await Promise.all(this.#guests.map((guest) => serveInVpc(guest, more)));
    for (const { port } of more) if (port !== null) this.#served.add(port);
    return { services, probes: await probeVpc(this.#guests, model, services) };
  }

  /** How another process may ask and change it. */
  control(note: (text: string) => void): Omit<ControlledOptions, 'kind' | 'functions'> {
    return {
      vpc: this.#model,
      objections: (next) => objectionsTo(this.#model, next),
      onApplied: (next) => {
        this.#model = next;
        note('The VPC has another model.');
        if (this.#guests.length > 0)
          this.#inTurn(() => this.#settle()).catch((error: Error) =>
            note(`A guest does not follow: ${error.message}`),
          );
      },
      reach: () => this.reach(),
    };
  }
}
