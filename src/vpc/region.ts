/**
 * A region: its VPCs on one switch, made from a model that can be exchanged while frames flow.
 *
 * An interface of the model is a port of `network` by its MAC: `region.network.addPort({ mac })`.
 */
import type { Clock } from '../lib/clock.ts';
import { Prng } from '../lib/prng.ts';
import type { Delivery } from '../switch/forwarder.ts';
import type { Responder } from '../switch/responder.ts';
import { Switch } from '../switch/switch.ts';
import type { VpcRouterOptions } from '../switch/vpc/router-options.ts';
import { VpcRouter } from '../switch/vpc-router.ts';
import { compilePolicy } from './compile.ts';
import type { VpcModel } from './model.ts';
import { shareModel } from './share-model.ts';

export type RegionOptions = {
  readonly clock: Clock;
  /** `checkVpcModel` has nothing against it. */
  readonly model: VpcModel;
  /** For the secrets of the flow tables; another one each time unless told. */
  readonly seed?: number;
} & Omit<VpcRouterOptions, 'policy' | 'random'>;

/** What the network itself answers, told when the model is another one. */
export interface VpcService extends Responder {
  update(model: VpcModel): void;
}

export class Region {
  readonly network: Switch;
  readonly router: VpcRouter;
  #model: VpcModel;
  readonly #services: VpcService[] = [];

  constructor({ clock, model, seed = randomSeed(), ...limits }: RegionOptions) {
    this.#model = model;
    const random = new Prng(seed);
    const policy = compilePolicy(model, 1);
    let router: VpcRouter | null = null;
    const forwarder = (delivery: Delivery): VpcRouter => {
      router = new VpcRouter(delivery, { policy, random, ...limits });
      return router;
    };
    this.network = new Switch({ clock, forwarder });
    if (router === null) throw new Error('the switch made no forwarder');
    this.router = router;
  }

  get model(): VpcModel {
    return this.#model;
  }

  /** From the next frame on this model counts. Tracked connections live on, by EC2's rules. */
  update(changed: VpcModel): void {
    const model = shareModel(this.#model, changed);
    const before = this.router.policy;
    this.router.apply(compilePolicy(model, before.version + 1, before));
    this.#model = model;
    for (const service of this.#services) service.update(model);
  }

  /** Adds what the network answers; services are asked in their order. */
  addService(service: VpcService): void {
    this.#services.push(service);
    this.network.addResponder(service);
  }
}

const randomSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
