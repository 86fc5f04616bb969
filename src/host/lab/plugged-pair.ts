/**
 * A pair of other NICs, plugged into two running guests: QEMU's own, joined by a UNIX socket, or
 * functions of another model, on a switch of their own.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dataplane } from '../dataplane/dataplane.ts';
import { type ModelName, modelOf } from '../dataplane/models.ts';
import type { Vm } from '../guest/guest-vm.ts';
import { chooseFunctions, dataplaneConfig } from '../nic/functions.ts';
import type { NetdevNic } from '../qemu/args.ts';
import type { LabContext } from './context.ts';
import type { GuestPair } from './guest-bench.ts';
import type { Comparable } from './topology.ts';

type OwnNic = 'ena' | 'ena-whole' | '82599vf';
type QemuNic = Exclude<Comparable, OwnNic>;

type QemuModel = { model: NetdevNic['model']; driver: string; datagrams?: boolean };

const QEMUS: Record<QemuNic, QemuModel> = {
  e1000e: { model: 'e1000e', driver: 'e1000e' },
  igb: { model: 'igb', driver: 'igb' },
  virtio: { model: 'virtio-net-pci', driver: 'virtio_net' },
  'virtio-dgram': { model: 'virtio-net-pci', driver: 'virtio_net', datagrams: true },
};

/** `profile`: the model's default if absent. */
const OWN: Record<OwnNic, { model: ModelName; profile?: string }> = {
  ena: { model: 'ena' },
  'ena-whole': { model: 'ena', profile: 'large-receive' },
  '82599vf': { model: '82599vf' },
};

export const isOfQemu = (nic: Comparable): nic is QemuNic => Object.hasOwn(QEMUS, nic);

const DEFAULT_MTU = 1500;
const REACH_MS = 10_000;
/** Hosts of each pair's network. */
const HOST = { from: 1, to: 2, router: 254 } as const;
const PREFIX = 24;

export type PairRequest = {
  readonly from: Vm;
  readonly to: Vm;
  /** Where sockets may be. */
  readonly directory: string;
  /** Tells its networks apart from those of other pairs. */
  readonly index: number;
  readonly mtu: number;
};

/** Resolves when the one guest reaches the other. @throws GuestError */
export async function plugPair(
  nic: Comparable,
  request: PairRequest,
  context: LabContext,
): Promise<GuestPair> {
  const { from, to, index, mtu } = request;
  const driver = isOfQemu(nic) ? QEMUS[nic].driver : modelOf(OWN[nic].model).driver;
  if (isOfQemu(nic)) await plugQemuNics(nic, request);
  else await plugFunctions(nic, request, context);
  const ends = [
    { vm: from, host: HOST.from },
    { vm: to, host: HOST.to },
  ];
  await Promise.all(
    ends.map(async ({ vm, host }) => {
      const name = await nameOf(vm, driver, macOf(index, host));
      await vm.configure(name, `${addressOf(index, host)}/${PREFIX}`, mtu);
    }),
  );
  const address = addressOf(index, HOST.to);
  await from.run(
    `for try in $(seq 40); do ping -q -c 1 -W 1 ${address} && exit 0; sleep 0.1; done; exit 1`,
    { timeoutMs: REACH_MS },
  );
  const mac = macOf(index, HOST.from);
  const found = (await from.interfaces()).find((one) => one.mac === mac);
  const linkMbps = found !== undefined && found.speedMbps > 0 ? found.speedMbps : null;
  return { nic, driver, linkMbps, from, to, address };
}

const macOf = (index: number, host: number): string => `02:00:00:01:0${index}:0${host}`;

/** Of the interface with this MAC, once its driver has it: others may have the same driver. */
async function nameOf(vm: Vm, driver: string, mac: string): Promise<string> {
  const first = await vm.waitForDriver(driver);
  for (let left = 50; left > 0; left--) {
    const found = (await vm.interfaces()).find((one) => one.mac === mac);
    if (found !== undefined) return found.name;
    await sleep(100);
  }
  return first;
}

/** RFC 2544: benchmarks. */
const addressOf = (index: number, host: number): string => `198.18.${index}.${host}`;

async function plugQemuNics(nic: QemuNic, request: PairRequest): Promise<void> {
  const { from, to, directory, index, mtu } = request;
  const { model, datagrams = false } = QEMUS[nic];
  const path = join(directory, `${nic}.sock`);
  const properties = nic === 'virtio' && mtu > DEFAULT_MTU ? { host_mtu: mtu } : {};
  for (const { vm, server, host } of [
    { vm: to, server: true, host: HOST.to },
    { vm: from, server: false, host: HOST.from },
  ]) {
    const mac = macOf(index, host);
    const link = { path, server, datagrams };
    await vm.plug({ kind: 'netdev', model, mac, link, properties }, nic);
  }
}

/** Guests answer ARP for all of their addresses on all of their NICs, so these are on another switch. */
async function plugFunctions(
  nic: OwnNic,
  { from, to, directory, index, mtu }: PairRequest,
  { cleanup, fail, observer }: LabContext,
): Promise<void> {
  const network = { router: addressOf(index, HOST.router), prefix: PREFIX, mtu };
  const ends = [
    { vm: from, host: HOST.from },
    { vm: to, host: HOST.to },
  ];
  const own = OWN[nic];
  const requests = ends.map(({ vm, host }) => ({
    ...{ ...own, name: `${vm.name}-${nic}`, linkMbps: modelOf(own.model).defaultLinkMbps },
    socket: join(directory, `${vm.name}-${nic}.sock`),
    ...{ mac: macOf(index, host), address: addressOf(index, host) },
  }));
  const functions = chooseFunctions(requests, network);
  const dataplane = await Dataplane.start(dataplaneConfig(functions, { network }), (event) => {
    if (event.kind === 'refusal')
      observer.note(`${event.function}: refused ${event.rule}: ${event.detail}`);
  });
  cleanup.defer(() => dataplane.close());
  dataplane.ended().catch(fail);
  for (const [i, { vm }] of ends.entries())
    await vm.plug({ kind: 'vfio-user', socket: functions[i]?.socket ?? '' }, `other-${nic}`);
}
