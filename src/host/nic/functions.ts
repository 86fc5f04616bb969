/**
 * From what a person says about functions to what a data plane is started with: names, addresses
 * and MACs where none are given, a DHCP lease for each, and checks that fail before any socket is
 * made. Also the VMM's side: the arguments that attach a function to QEMU.
 */
import { isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import { formatMac, isGroupMac, parseMac } from '../../net/ethernet.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { defaultPlan, type NetworkPlan } from '../../vpc/plan.ts';
import type { DataplaneConfig, FastPathChoice, FunctionConfig } from '../dataplane/config.ts';
import { type ModelName, modelOf } from '../dataplane/models.ts';
import type { Access, FunctionSpec } from '../dataplane/nic-model.ts';
import type { OutsideConfig } from '../outside/config.ts';
import { deviceOf } from '../qemu/args.ts';
import { type AccessChoice, accessOf, type Cores, unknownCores } from './access.ts';

/** One function as it was asked for; what is absent is chosen. */
export type FunctionRequest = Omit<FunctionSpec, 'mac' | 'access'> & {
  /** `ena` when absent. */
  readonly model?: ModelName;
  /** `auto` when absent. */
  readonly access?: AccessChoice;
  readonly mac?: string;
  /** IPv4 address that its guest is leased. */
  readonly address?: string;
};

export type NetworkRequest = {
  readonly router: string;
  /** Bits of the prefix. */
  readonly prefix: number;
  /** What DHCP says. */
  readonly mtu: number;
};

/** A function with everything chosen. */
export type ChosenFunction = FunctionConfig & {
  readonly address: string;
  readonly access: Access;
};

/** What cannot be served as it was asked for: one sentence. */
export class FunctionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FunctionError';
  }
}

export const defaultNetwork: NetworkRequest = {
  router: defaultPlan.router.address,
  prefix: defaultPlan.prefix,
  mtu: defaultPlan.mtu,
};

/** sun_path of sockaddr_un(7), with its NUL. */
const maxSocketPath = 107;
/** EC2 reserves the first four addresses; the lab starts at a round number. */
const firstHost = 10;
const firstMac = 0x02_00_00_00_00_01;

/**
 * Chooses what is missing; throws a FunctionError for what clashes or cannot be. `network` is null
 * in a VPC, where every interface has its MAC and address already. `cores` decide about `auto`.
 */
export function chooseFunctions(
  requests: readonly FunctionRequest[],
  network: NetworkRequest | null = defaultNetwork,
  cores: Cores = unknownCores,
): ChosenFunction[] {
  const macs = new Set(requests.flatMap(({ mac }) => (mac === undefined ? [] : [parsedMac(mac)])));
  const given = requests.flatMap(({ address }) => address ?? []);
  const addresses = new Set(network === null ? given : [network.router, ...given]);
  const chosen = requests.map((request): ChosenFunction => {
    const { model = 'ena' } = request;
    const socket = resolve(request.socket);
    checkSocket(socket);
    checkModel(model, request);
    const mac = request.mac === undefined ? freeMac(macs) : parsedMac(request.mac);
    const address = request.address ?? freeAddress(network ?? defaultNetwork, addresses);
    if (network !== null) checkAddress(address, network);
    const access = accessOf(model, request.access ?? 'auto', cores);
    return { ...request, model, socket, mac: formatMac(mac), address, access };
  });
  for (const key of ['name', 'socket', 'mac', 'address'] as const) checkUnique(chosen, key);
  return chosen;
}

/** The data plane for these functions: in a VPC, or on one switch that learns, with DHCP. */
export function dataplaneConfig(
  functions: readonly ChosenFunction[],
  options: {
    network?: NetworkRequest;
    vpc?: VpcModel;
    outside?: OutsideConfig;
    resolver?: string;
    pcap?: string;
    trace?: boolean;
    workers?: number;
    fastPath?: FastPathChoice;
  } = {},
): DataplaneConfig {
  const { network = defaultNetwork, vpc, pcap, trace = false, workers = 1 } = options;
  const { fastPath = 'auto' } = options;
  const rest = { functions, trace, workers, fastPath, ...(pcap !== undefined && { pcap }) };
  if (vpc !== undefined) {
    const { outside, resolver } = options;
    return {
      ...rest,
      vpc,
      ...(outside !== undefined && { outside }),
      ...(resolver !== undefined && { resolver }),
    };
  }
  const plan: NetworkPlan = {
    ...defaultPlan,
    router: { ...defaultPlan.router, address: network.router },
    prefix: network.prefix,
    mtu: network.mtu,
    leases: functions.map(({ name, mac, address }) => {
      return { mac: parseMac(mac), address, hostname: name };
    }),
  };
  return { ...rest, plan };
}

/** QEMU's arguments, one option with its value a line, quoted for a shell. */
export function qemuArguments(fn: FunctionConfig, memory = '1G'): string[] {
  const { bus: _, ...device } = deviceOf({ kind: 'vfio-user', socket: fn.socket }, fn.name, '');
  return [
    `-m ${memory} -object memory-backend-memfd,id=mem,size=${memory},share=on`,
    '-machine q35,memory-backend=mem -nic none',
    `-device '${JSON.stringify(device).replaceAll("'", "'\\''")}'`,
  ];
}

function checkSocket(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > maxSocketPath)
    throw new FunctionError(
      `The socket path ${path} has ${bytes} bytes, and UNIX sockets take at most ${maxSocketPath}: choose a shorter one.`,
    );
}

/** A profile and a way of access that the model has. */
function checkModel(name: ModelName, request: FunctionRequest): void {
  const { profile, access, linkMbps, parent, fabric, express } = request;
  const model = modelOf(name);
  if (profile !== undefined && !model.profiles.includes(profile))
    throw new FunctionError(
      `There is no ${model.title} profile '${profile}': choose one of ${model.profiles.join(', ')}.`,
    );
  if (access !== undefined && access !== 'auto' && !model.access.includes(access))
    throw new FunctionError(
      `There is no access '${access}' to ${model.title}: choose one of auto, ${model.access.join(', ')}.`,
    );
  if (model.linksMbps !== null && !model.linksMbps.includes(linkMbps))
    throw new FunctionError(
      `The link of ${model.title} cannot have ${linkMbps} Mbit/s: choose one of ${model.linksMbps.join(', ')}.`,
    );
  if (fabric !== undefined && name !== 'efa')
    throw new FunctionError(`${model.title} has no fabric that goes wrong: only EFA has.`);
  if (express !== undefined && name !== 'ena')
    throw new FunctionError(`${model.title} has no ENA Express: only ENA has.`);
  if (parent !== undefined && !model.hasParent)
    throw new FunctionError(
      `${model.title} has no parent function: VLAN, trust and the like are not for it.`,
    );
}

function parsedMac(text: string): number {
  let mac: number;
  try {
    mac = parseMac(text);
  } catch (error) {
    throw new FunctionError(`${(error as Error).message}.`);
  }
  if (isGroupMac(mac) || mac === 0)
    throw new FunctionError(
      `The MAC ${text} is ${mac === 0 ? 'all zero' : 'a group address'}: an interface needs one whose first byte is even, like 02:00:00:00:00:01.`,
    );
  return mac;
}

function checkAddress(address: string, network: NetworkRequest): void {
  const shift = 2 ** (32 - network.prefix);
  const within = isIPv4(address) && inNumber(address, shift) === inNumber(network.router, shift);
  if (!within)
    throw new FunctionError(
      `The address ${address} is not in the network of ${network.router}/${network.prefix}.`,
    );
}

function checkUnique(chosen: readonly ChosenFunction[], key: keyof ChosenFunction): void {
  const seen = new Map<unknown, string>();
  for (const fn of chosen) {
    const other = seen.get(fn[key]);
    if (other !== undefined)
      throw new FunctionError(`${other} and ${fn.name} both have the ${key} ${fn[key]}.`);
    seen.set(fn[key], fn.name);
  }
}

function freeMac(taken: Set<number>): number {
  let mac = firstMac;
  while (taken.has(mac)) mac++;
  taken.add(mac);
  return mac;
}

function freeAddress(network: NetworkRequest, taken: Set<string>): string {
  const size = 2 ** (32 - network.prefix);
  const base = inNumber(network.router, size) * size;
  for (let host = Math.min(firstHost, size - 2); host < size - 1; host++) {
    const n = base + host;
    const address = [24, 16, 8, 0].map((bits) => (n >>> bits) & 0xff).join('.');
    if (taken.has(address)) continue;
    taken.add(address);
    return address;
  }
  throw new FunctionError(
    `The network of ${network.router}/${network.prefix} has no address left.`,
  );
}

/** A dotted address as a number, divided by the size of the network. */
function inNumber(address: string, divisor: number): number {
  const n = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return Math.floor(n / divisor);
}
