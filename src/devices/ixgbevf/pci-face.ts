/** What the function looks like on the bus: its ids, BARs, capabilities and MSI-X tables. */
import { msix, pciExpress } from '../../pci/capabilities.ts';
import { ConfigSpace } from '../../pci/config-space.ts';
import type { Bar, FunctionHost } from '../../pci/function.ts';
import { MsixTable } from '../../pci/msix.ts';

export const INTEL = 0x8086;
export const IXGBE_DEV_ID_82599_VF = 0x10ed;
const ethernetController = 0x02_0000;
const revision = 1;

const barBytes = 0x4000;
/** BAR 0: registers; BAR 3: MSI-X (82599 datasheet, 9.4.4 and 8.3.1). */
export const registerBar = 0;
const msixBar = 3;
const pbaOffset = 0x2000;
/** The registers of all rings, and nothing that carries a request, are in these two pages. */
export const ringPages = { offset: 0x1000, sizeBytes: 0x2000 } as const;

/**
 * How the guest reaches the registers. `posted`: every access is a message that the guest does not
 * wait for. `polled`: the registers of the rings are mapped, and the host has to look at them.
 */
export type BarAccess = 'posted' | 'polled';

export type PciFaceSpec = {
  readonly access: BarAccess;
  readonly vectors: number;
  readonly subsystemId: number;
  readonly onFunctionReset: () => void;
};

export class PciFace {
  readonly config: ConfigSpace;
  readonly bars: readonly Bar[];
  readonly msix: MsixTable;
  /** BAR 0 as the guest maps it; null: every access is trapped. */
  readonly mapped: Uint8Array | null;

  constructor({ access, vectors, subsystemId, onFunctionReset }: PciFaceSpec, host: FunctionHost) {
    const bar = { sizeBytes: barBytes, is64Bit: true, prefetchable: false };
    const memory = access === 'polled' ? host.deviceMemory(barBytes) : null;
    this.mapped = memory?.bytes ?? null;
    this.bars = [
      {
        ...{ index: registerBar, ...bar },
        ...(memory !== null && { memory: { ...memory, areas: [ringPages] } }),
      },
      { index: msixBar, ...bar },
    ];
    const layout = {
      ...{ vectors, tableBar: msixBar, tableOffset: 0 },
      ...{ pbaBar: msixBar, pbaOffset },
    };
    this.msix = new MsixTable(layout);
    this.config = new ConfigSpace(
      {
        vendorId: INTEL,
        deviceId: IXGBE_DEV_ID_82599_VF,
        revision,
        classCode: ethernetController,
        subsystemVendorId: INTEL,
        subsystemId,
        bars: this.bars,
        capabilities: [
          msix(layout, 0x70),
          pciExpress({ linkSpeed: 2, lanes: 8, functionLevelReset: true }, 0xa0),
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
