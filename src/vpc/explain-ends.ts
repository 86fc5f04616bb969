/** Who is meant by a word on the command line: an instance, an interface, or an address anywhere. */
import { publicAddressOf } from './evaluate.ts';
import { same, versionOf } from './evaluate-address.ts';
import { owns } from './evaluate-rules.ts';
import type { NetworkInterface, VpcModel } from './model.ts';

export type End = {
  /** As it was asked for. */
  readonly name: string;
  /** Null: outside of all VPCs. */
  readonly interface: NetworkInterface | null;
  /** What packets carry: private, or public when the end was named by its public address. */
  readonly address: string;
};

/** Something that cannot be answered as it was asked: one sentence for a person. */
export class QuestionError extends Error {}

/** `version`: which address of an instance or interface is meant; IPv4 unless told. */
export function findEnd(model: VpcModel, name: string, version: 4 | 6): End {
  if (isAddress(name)) return endOfAddress(model, name);
  const at = interfaceByName(model, name);
  if (at === undefined) throw new QuestionError(unknown(model, name));
  const address = version === 4 ? at.addresses[0]?.address : at.ipv6Addresses?.[0];
  if (address === undefined) throw new QuestionError(`${name} has no IPv${version} address`);
  return { name, interface: at, address };
}

/** The primary interface of an instance, or the one with that id. */
function interfaceByName(model: VpcModel, name: string): NetworkInterface | undefined {
  const instance = model.instances.find((one) => one.name === name || one.id === name);
  const id = instance?.id ?? name;
  return (
    model.interfaces.find((at) => at.id === name) ??
    model.interfaces
      .filter((at) => at.instance === id)
      .sort((a, b) => (a.deviceIndex ?? 0) - (b.deviceIndex ?? 0))[0]
  );
}

function endOfAddress(model: VpcModel, address: string): End {
  const owners = model.interfaces.filter((at) => owns(at, address));
  if (owners.length > 1) {
    const ids = owners.map(({ id }) => id).join(', ');
    throw new QuestionError(`several interfaces have ${address}: name one of ${ids}`);
  }
  const owner = owners[0] ?? ownerOfPublic(model, address) ?? null;
  return { name: address, interface: owner, address };
}

/** Who an internet gateway gives packets for a public address to. */
export const ownerOfPublic = (model: VpcModel, address: string): NetworkInterface | undefined =>
  model.interfaces.find((at) =>
    at.addresses.some(
      ({ publicAddress }) => publicAddress !== undefined && same(publicAddress, address),
    ),
  );

/** The private address behind a public one of the interface. */
export const privateOf = (at: NetworkInterface, address: string): string =>
  at.addresses.find((own) => publicAddressOf(at, own.address) === address)?.address ?? address;

export function isAddress(text: string): boolean {
  try {
    versionOf(text);
    return true;
  } catch {
    return false;
  }
}

function unknown(model: VpcModel, name: string): string {
  const names = model.instances.map((instance) => instance.name);
  const known = names.length === 0 ? 'none are there' : `there are ${names.join(', ')}`;
  return `there is no instance, interface or address '${name}'; of instances ${known}`;
}
