/** A running data plane as other processes may ask and change it. */
import type { VpcModel } from '../../vpc/model.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import type { Reachability } from '../lab/report.ts';
import type { Facts } from './protocol.ts';
import type { Controlled } from './server.ts';

/** A function's name, with the addresses that it has when the VPC does not say. */
export type NamedFunction = { readonly name: string; readonly address: string };

export type ControlledOptions = {
  readonly kind: Facts['kind'];
  readonly functions: readonly NamedFunction[];
  /** Absent: an Ethernet, which has no model to be changed. */
  readonly vpc?: VpcModel;
  /** What keeps a model from being applied here, beside what is wrong with it. */
  readonly objections?: (next: VpcModel) => readonly string[];
  /** A model counts now. */
  readonly onApplied?: (model: VpcModel) => void;
  /** Asks the guests what they reach. */
  readonly reach?: () => Promise<Reachability>;
};

export function controlled(dataplane: Dataplane, options: ControlledOptions): Controlled {
  const { kind, functions, objections, onApplied, reach } = options;
  let vpc = options.vpc ?? null;
  return {
    describe: () => {
      const { epochNs } = dataplane;
      const ends = vpc === null ? functions.map(endOf) : endsOf(vpc);
      return { kind, pid: process.pid, epochNs: `${epochNs}`, ends, vpc };
    },
    trace: (filter, perSecond, listener) => dataplane.trace(filter, perSecond, listener),
    reach: async () => {
      if (reach === undefined) throw new Error('there are no guests in a VPC here');
      return reach();
    },
    apply: async (model) => {
      if (vpc === null) return ['there is no VPC here: it is an Ethernet'];
      const objected = objections?.(model) ?? [];
      if (objected.length > 0) return objected;
      const problems = await dataplane.setVpc(model);
      if (problems.length > 0) return problems;
      vpc = model;
      onApplied?.(model);
      return [];
    },
  };
}

const endOf = ({ name, address }: NamedFunction): Facts['ends'][number] => {
  return { name, addresses: [address] };
};

/** Interfaces go by the names of their instances. */
export function endsOf({ interfaces, instances }: VpcModel): Facts['ends'] {
  return interfaces.map(({ id, instance, addresses, ipv6Addresses = [] }) => {
    const name = instances.find((one) => one.id === instance)?.name ?? id;
    return { name, addresses: [...addresses.map(({ address }) => address), ...ipv6Addresses] };
  });
}
