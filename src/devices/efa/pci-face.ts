/** What an EFA function looks like on the bus: its ids, BARs, capabilities and MSI-X tables. */
import { msix, pciExpress, powerManagement } from '../../pci/capabilities.ts';
import { ConfigSpace } from '../../pci/config-space.ts';
import type { Bar, FunctionHost } from '../../pci/function.ts';
import { MsixTable } from '../../pci/msix.ts';
import {
  doorbellBarBytes,
  doorbellBarIndex,
  mappedDoorbells,
  memoryBarBytes,
  memoryBarIndex,
  msixPbaOffset,
  msixTableOffset,
  registerBar,
  vectors,
} from './bar.ts';

const AMAZON = 0x1d0f;
/** As Linux's `lspci` shows it: 02 00, Ethernet controller. */
const ethernetController = 0x02_0000;

/**
 * How the guest reaches send queues and doorbells. `posted`: every access is a message that the guest
 * does not wait for. `llq`: send queues are mapped, and the guest waits for the answer to each
 * doorbell. `polled`: their doorbells are mapped as well, and the host has to poll them: then a guest's
 * application works without a system call and without a trap.
 */
export type EfaAccess = 'posted' | 'llq' | 'polled';

export class PciFace {
  readonly config: ConfigSpace;
  readonly bars: readonly Bar[];
  readonly msix: MsixTable;
  /** The send queues, and the doorbells, as the device reads them. */
  readonly queueMemory: Uint8Array;
  readonly doorbellMemory: Uint8Array;

  constructor(
    deviceId: number,
    access: EfaAccess,
    host: FunctionHost,
    onFunctionReset: () => void,
  ) {
    const queues =
      access === 'posted'
        ? { fd: -1, bytes: new Uint8Array(memoryBarBytes) }
        : host.deviceMemory(memoryBarBytes);
    this.queueMemory = queues.bytes;
    const doorbells =
      access === 'polled'
        ? host.deviceMemory(doorbellBarBytes)
        : { fd: -1, bytes: new Uint8Array(0) };
    this.doorbellMemory = doorbells.bytes;
    const plain = { is64Bit: false, prefetchable: false };
    const queueAreas = [{ offset: 0, sizeBytes: memoryBarBytes }];
    this.bars = [
      registerBar,
      {
        ...{ index: memoryBarIndex, sizeBytes: memoryBarBytes, is64Bit: false, prefetchable: true },
        ...(access !== 'posted' && { memory: { ...queues, areas: queueAreas } }),
      },
      {
        ...{ index: doorbellBarIndex, sizeBytes: doorbellBarBytes, ...plain },
        ...(access === 'polled' && { memory: { ...doorbells, areas: [mappedDoorbells] } }),
      },
    ];
    const layout = {
      vectors,
      tableBar: registerBar.index,
      tableOffset: msixTableOffset,
      pbaBar: registerBar.index,
      pbaOffset: msixPbaOffset,
    };
    this.msix = new MsixTable(layout);
    this.config = new ConfigSpace(
      {
        vendorId: AMAZON,
        deviceId,
        revision: 0,
        classCode: ethernetController,
        subsystemVendorId: AMAZON,
        subsystemId: deviceId,
        bars: this.bars,
        capabilities: [
          powerManagement(0x40),
          pciExpress({ linkSpeed: 3, lanes: 8, functionLevelReset: true }, 0x70),
          msix(layout, 0xb0),
        ],
      },
      { onFunctionReset },
    );
  }

  reset(): void {
    this.msix.reset();
    this.config.reset();
  }
}
