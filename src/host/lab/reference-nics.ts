/** The reference driver of each NIC model, started: what a guest without an operating system has. */
import type { DmaArena } from '../../drivers/dma-arena.ts';
import { EnaDriver } from '../../drivers/ena/driver.ts';
import { IxgbevfDriver } from '../../drivers/ixgbevf/driver.ts';
import type { Nic } from '../../drivers/nic.ts';
import { QueuedNic } from '../../drivers/queued-nic.ts';
import type { PciFunction } from '../../pci/function.ts';
import type { EthernetName } from '../dataplane/models.ts';

export type ReferenceNic = { readonly nic: Nic; linkSpeedMbps(): number };

type Start = (fn: PciFunction, arena: DmaArena, mtu: number) => ReferenceNic;

export const referenceNics: Readonly<Record<EthernetName, Start>> = {
  ena: (fn, arena, mtu) => {
    const driver = new EnaDriver(fn, arena, { mtu });
    driver.start();
    return { nic: new QueuedNic(driver), linkSpeedMbps: () => driver.linkSpeedMbps() };
  },
  '82599vf': (fn, arena, mtu) => {
    const driver = new IxgbevfDriver(fn, arena, { mtu });
    driver.start();
    return { nic: new QueuedNic(driver), linkSpeedMbps: () => driver.linkSpeedMbps() };
  },
};
