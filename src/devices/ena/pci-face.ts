/** What an ENA function looks like on the bus: its ids, BARs, capabilities and MSI-X tables. */
import { msix, pciExpress, powerManagement } from '../../pci/capabilities.ts';
import { ConfigSpace } from '../../pci/config-space.ts';
import type { Bar, FunctionHost } from '../../pci/function.ts';
import { GuestMemory } from '../../pci/guest-memory.ts';
import { MsixTable } from '../../pci/msix.ts';
import {
  bar0,
  llqSliceBytes,
  memoryBarIndex,
  msixPbaOffset,
  msixTableOffset,
  withMappedDoorbells,
} from './bar.ts';
import { Doorbells } from './doorbells.ts';

export const AMAZON = 0x1d0f;
/** The function that EC2 guests see. */
export const ENA_VF = 0xec20;
const ethernetController = 0x02_0000;

/**
 * How the guest reaches the card's memory. `posted`: every access is a message that the guest does
 * not wait for; low-latency queues, which would cost many, are offered but none is available, and
 * drivers use host memory. `llq`: their memory is mapped; QEMU then waits for every doorbell.
 * `polled`: the doorbells of the queues are mapped as well, and the host has to poll them.
 */
export type BarAccess = 'posted' | 'llq' | 'polled';

export type PciFaceSpec = {
  readonly access: BarAccess;
  readonly queuePairs: number;
  /** Whether the card has low-latency queues at all. */
  readonly hasLlq: boolean;
  readonly onFunctionReset: () => void;
  readonly onMsixControl: (value: number) => void;
};

export class PciFace {
  readonly config: ConfigSpace;
  readonly bars: readonly Bar[];
  readonly vectors: number;
  readonly msix: MsixTable;
  /** Low-latency queues that there is memory for. */
  readonly llqs: number;
  /** That memory, as the device reads it. */
  readonly deviceMemory = new GuestMemory();
  /** Doorbells that the guest stores into mapped memory; null: they are trapped. */
  readonly doorbells: Doorbells | null;

  constructor(spec: PciFaceSpec, host: FunctionHost) {
    const { access, queuePairs, hasLlq, onFunctionReset, onMsixControl } = spec;
    const registers =
      access === 'polled' ? withMappedDoorbells(host.deviceMemory(bar0.sizeBytes)) : bar0;
    this.doorbells =
      registers.memory === undefined ? null : new Doorbells(registers.memory.bytes, 2 * queuePairs);
    this.llqs = access === 'posted' || !hasLlq ? 0 : queuePairs;
    const memoryBar = hasLlq ? makeMemoryBar(this.llqs, host) : null;
    const bytes = memoryBar?.memory?.bytes;
    if (bytes !== undefined)
      this.deviceMemory.add({ iova: 0, memory: bytes, readable: true, writable: false });
    this.bars = memoryBar === null ? [registers] : [registers, memoryBar];
    this.vectors = queuePairs + 1;
    const layout = {
      vectors: this.vectors,
      tableBar: bar0.index,
      tableOffset: msixTableOffset,
      pbaBar: bar0.index,
      pbaOffset: msixPbaOffset,
    };
    this.msix = new MsixTable(layout);
    this.config = new ConfigSpace(
      {
        vendorId: AMAZON,
        deviceId: ENA_VF,
        revision: 0,
        classCode: ethernetController,
        subsystemVendorId: AMAZON,
        subsystemId: ENA_VF,
        bars: this.bars,
        capabilities: [
          powerManagement(0x40),
          pciExpress({ linkSpeed: 3, lanes: 8, functionLevelReset: true }, 0x70),
          msix(layout, 0xb0),
        ],
      },
      { onFunctionReset, onMsixControl },
    );
  }

  reset(): void {
    this.msix.reset();
    this.config.reset();
  }
}

/** The BAR that low-latency queues live in. Drivers expect one even when there is no such queue. */
function makeMemoryBar(llqs: number, host: FunctionHost): Bar {
  if (llqs === 0)
    return { index: memoryBarIndex, sizeBytes: 4096, is64Bit: false, prefetchable: true };
  const sizeBytes = llqSliceBytes * 2 ** Math.ceil(Math.log2(llqs));
  const memory = { ...host.deviceMemory(sizeBytes), areas: [{ offset: 0, sizeBytes }] };
  return { index: memoryBarIndex, sizeBytes, is64Bit: false, prefetchable: true, memory };
}
