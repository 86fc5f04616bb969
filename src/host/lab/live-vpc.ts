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
  /** Questions of two askers would be in each other's way. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(model: VpcModel) {
    this.#model = model;
  }

  /** Guests that have their first address get what else the model gives them. */
  async enter(guests: readonly VpcGuest[]): Promise<void> {
    await Promise.all(guests.map((guest) => settleInVpc(guest, this.#model)));
    this.#guests = guests;
  }

  /** Everybody asks everybody else. */
  async reach(): Promise<Reachability> {
    const turn = this.#turn.then(() => this.#ask());
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
  control(onApplied: () => void): Omit<ControlledOptions, 'kind' | 'functions'> {
    return {
      vpc: this.#model,
      objections: (next) => objectionsTo(this.#model, next),
      onApplied: (next) => {
        this.#model = next;
        onApplied();
      },
      reach: () => this.reach(),
    };
  }
}
