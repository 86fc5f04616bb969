/** What a worker's functions are plugged into: an Ethernet, or a region's VPCs. */
import type { Clock } from '../../lib/clock.ts';
import { Switch } from '../../switch/switch.ts';
import { checkVpcModel } from '../../vpc/check-model.ts';
import { Gateways } from '../../vpc/gateways/gateways.ts';
import { MetadataResponder } from '../../vpc/imds/responder.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { attachNetwork } from '../../vpc/network.ts';
import { Region } from '../../vpc/region.ts';
import { NetworkServices } from '../../vpc/services/services.ts';
import type { EthernetNetwork, VpcNetwork } from './config.ts';

export type ServedNetwork = {
  readonly switch: Switch;
  /** Says what is wrong with the model, a sentence each; a model that has no fault counts from now on. */
  readonly setVpc: (model: VpcModel) => readonly string[];
};

/** Throws for a model that contradicts itself. */
export function createNetwork(config: EthernetNetwork | VpcNetwork, clock: Clock): ServedNetwork {
  return 'vpc' in config ? createRegion(config.vpc, clock) : createEthernet(config, clock);
}

function createEthernet({ plan }: EthernetNetwork, clock: Clock): ServedNetwork {
  const ethernet = new Switch({ clock });
  attachNetwork(ethernet, plan);
  return { switch: ethernet, setVpc: () => ['this network is an Ethernet, not a VPC'] };
}

function createRegion(model: VpcModel, clock: Clock): ServedNetwork {
  const [problem] = checkVpcModel(model);
  if (problem !== undefined) throw new Error(problem);
  const region = new Region({ clock, model });
  region.addService(new NetworkServices(model, { clock, sender: region.network }));
  region.addService(new MetadataResponder(model, { clock, outlet: region.network }));
  const gateways = new Gateways(model, { clock, router: region.router });
  region.router.connect(gateways);
  return {
    switch: region.network,
    setVpc: (next) => {
      const problems = checkVpcModel(next);
      if (problems.length > 0) return problems;
      region.update(next);
      gateways.update(next);
      return [];
    },
  };
}
