/** What a worker's functions are plugged into: an Ethernet, or a region's VPCs. */
import type { Arena } from '../../lib/arena.ts';
import type { Clock } from '../../lib/clock.ts';
import type { AllowanceLimits } from '../../switch/allowance/allowance.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { Switch } from '../../switch/switch.ts';
import type { Trunk } from '../../switch/trunk/trunk.ts';
import type { Poller } from '../../sys/poller.ts';
import { checkVpcModel } from '../../vpc/check-model.ts';
import { Gateways } from '../../vpc/gateways/gateways.ts';
import { MetadataResponder } from '../../vpc/imds/responder.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { attachNetwork } from '../../vpc/network.ts';
import { Region } from '../../vpc/region.ts';
import { NetworkServices } from '../../vpc/services/services.ts';
import type { OutsideConfig } from '../outside/config.ts';
import { openUplink } from '../outside/uplink.ts';
import type { EthernetNetwork, VpcNetwork } from './config.ts';
import { NameServer } from './name-server.ts';
import type { FunctionSpec } from './nic-model.ts';

export type ServedNetwork = {
  readonly switch: Switch;
  /** Says what is wrong with the model, a sentence each; a model that has no fault counts from now on. */
  readonly setVpc: (model: VpcModel) => readonly string[];
  /** Limits what is the network's own matter: tracked connections, packets to its services. */
  readonly limit: (port: SwitchPort, limits: AllowanceLimits) => void;
  /** Opens what lies outside, if anything is to; returns how to close it. Throws when it is not there. */
  readonly openOutside: (poller: Poller) => () => void;
};

/** A network, with the functions that will be plugged into it, if they are known. */
type NetworkConfig = (EthernetNetwork | VpcNetwork) & {
  readonly functions?: readonly FunctionSpec[];
};

/** What of a network is somebody else's matter; all of it may be absent. */
export type NetworkPlace = {
  /** Where the tables of flows and connections are kept. */
  readonly arena?: Arena;
  /** To other workers, by their numbers; null: it is this one's. Gateways are the first one's. */
  readonly trunks?: readonly (Trunk | null)[];
};

/** Throws for a model that contradicts itself. */
export function createNetwork(
  config: NetworkConfig,
  clock: Clock,
  place: NetworkPlace = {},
): ServedNetwork {
  const network =
    'vpc' in config ? createRegion(config, clock, place) : createEthernet(config, clock);
  network.switch.trunks.push(...(place.trunks ?? []).filter((trunk) => trunk !== null));
  return network;
}

const nothing = (): void => {};

function createEthernet({ plan }: EthernetNetwork, clock: Clock): ServedNetwork {
  const ethernet = new Switch({ clock });
  attachNetwork(ethernet, plan);
  const setVpc = (): string[] => ['this network is an Ethernet, not a VPC'];
  return { switch: ethernet, setVpc, limit: nothing, openOutside: () => nothing };
}

/** Connections that are tracked at most: as many as the instances' limits need, up to a million. */
const trackedAtMost = { usually: 2 ** 18, ever: 2 ** 20 } as const;

function trackedIn(functions: readonly FunctionSpec[]): number {
  const wanted = functions.reduce((sum, { limits }) => sum + (limits?.connections ?? 0), 0);
  return wanted > trackedAtMost.usually ? trackedAtMost.ever : trackedAtMost.usually;
}

function createRegion(
  config: VpcNetwork & { readonly functions?: readonly FunctionSpec[] },
  clock: Clock,
  { arena, trunks: [toFirst = null] = [] }: NetworkPlace,
): ServedNetwork {
  const { vpc: model, outside, resolver, functions = [] } = config;
  const tracked = trackedIn(functions);
  /** Of one instance: no guest may take what another one is to have. */
  const share = Math.floor(tracked / Math.max(1, functions.length));
  const [problem] = checkVpcModel(model);
  if (problem !== undefined) throw new Error(problem);
  const region = new Region({
    ...{ clock, model, connections: tracked },
    ...(arena !== undefined && { arena }),
  });
  const upstream = resolver === undefined ? null : new NameServer(resolver);
  const sender = region.network;
  region.addService(
    new NetworkServices(model, { clock, sender, ...(upstream !== null && { upstream }) }),
  );
  region.addService(new MetadataResponder(model, { clock, outlet: region.network }));
  const gateways = new Gateways(model, { clock, router: region.router });
  if (toFirst === null) region.router.connect(gateways);
  else region.router.connectBy(toFirst);
  return {
    switch: region.network,
    setVpc: (next) => {
      const problems = checkVpcModel(next);
      if (problems.length > 0) return problems;
      region.update(next);
      gateways.update(next);
      return [];
    },
    limit: (port, { connections, linkLocalPps }) => {
      if (connections !== undefined)
        region.router.limitConnectionsAt(port, Math.min(connections, share));
      if (linkLocalPps !== undefined) region.router.limitLinkLocalAt(port, linkLocalPps);
    },
    openOutside: (poller) => {
      const close =
        outside === undefined || toFirst !== null
          ? nothing
          : connect(gateways, region, outside, poller);
      return () => {
        close();
        upstream?.close();
      };
    },
  };
}

/** Joins gateways to what lies outside; returns how to part them. One that ends is there no more. */
function connect(
  gateways: Gateways,
  { network }: Region,
  outside: OutsideConfig,
  poller: Poller,
): () => void {
  const uplink = openUplink(outside);
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    gateways.connect(null);
    poller.remove(uplink.fd);
    uplink.close();
  };
  poller.add(uplink.fd, () => {
    const goesOn = uplink.receive((frame) => gateways.arrive(frame));
    network.flush();
    if (!goesOn) close();
  });
  uplink.onBlocked = () =>
    poller.awaitWritable(uplink.fd, () => {
      if (uplink.unblock()) poller.awaitWritable(uplink.fd, null);
    });
  gateways.connect(uplink);
  return close;
}
