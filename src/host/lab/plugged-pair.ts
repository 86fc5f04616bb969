/** A pair of QEMU's own NICs, plugged into two running guests and joined by a UNIX socket. */
import type { Vm } from '../guest/guest-vm.ts';
import type { NetdevNic } from '../qemu/args.ts';
import type { GuestPair } from './guest-bench.ts';
import type { Comparable } from './topology.ts';

const MODELS: Record<Comparable, { model: NetdevNic['model']; driver: string }> = {
  e1000e: { model: 'e1000e', driver: 'e1000e' },
  virtio: { model: 'virtio-net-pci', driver: 'virtio_net' },
};

const DEFAULT_MTU = 1500;
const REACH_MS = 10_000;

export type PairRequest = {
  readonly from: Vm;
  readonly to: Vm;
  /** Of the socket between both. */
  readonly path: string;
  /** Tells its networks apart from those of other pairs. */
  readonly index: number;
  readonly mtu: number;
};

/** Resolves when the one guest reaches the other. @throws GuestError */
export async function plugPair(nic: Comparable, request: PairRequest): Promise<GuestPair> {
  const { from, to, path, index, mtu } = request;
  const { model, driver } = MODELS[nic];
  const properties = nic === 'virtio' && mtu > DEFAULT_MTU ? { host_mtu: mtu } : {};
  const ends = [
    { vm: to, server: true, host: 2 },
    { vm: from, server: false, host: 1 },
  ];
  const addressOf = (host: number): string => `198.18.${index}.${host}`; // RFC 2544: benchmarks
  for (const { vm, server, host } of ends) {
    const mac = `02:00:00:01:0${index}:0${host}`;
    const link = { path, server };
    await vm.plug({ kind: 'netdev', model, mac, link, properties }, nic);
  }
  await Promise.all(
    ends.map(async ({ vm, host }) => {
      const name = await vm.waitForDriver(driver);
      await vm.configure(name, `${addressOf(host)}/24`, mtu);
    }),
  );
  const address = addressOf(2);
  await from.run(
    `for try in $(seq 40); do ping -q -c 1 -W 1 ${address} && exit 0; sleep 0.1; done; exit 1`,
    { timeoutMs: REACH_MS },
  );
  const found = (await from.interfaces()).find((one) => one.driver === driver);
  const linkMbps = found !== undefined && found.speedMbps > 0 ? found.speedMbps : null;
  return { nic, driver, linkMbps, from, to, address };
}
