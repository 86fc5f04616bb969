/**
 * PCI capabilities as data: what each register holds after reset and which of its bits may be
 * written. Follows PCI Local Bus 3.0 chapter 6.8.2 (MSI-X), PCI Bus Power Management 1.2 chapter 3
 * and PCI Express Base 3.0 chapter 7.8; names as in Linux's `pci_regs.h`.
 */

/** One register of a capability; `at` counts from the capability's first byte. */
export type ConfigRegister = {
  readonly name: string;
  readonly at: number;
  readonly size: 1 | 2 | 4;
  /** After reset. */
  readonly value: number;
  /** Bits that software may set and clear. */
  readonly writable?: number;
  /** Bits that software clears by writing 1. */
  readonly writeOneToClear?: number;
};

export type Capability = {
  readonly id: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly registers: readonly ConfigRegister[];
  /** Where in config space; packed from 0x40 on when absent. A multiple of 4. */
  readonly at?: number;
  /** Writing 1 to bit `mask` of byte `byte` resets the function. The bit reads as 0. */
  readonly resetBit?: { readonly byte: number; readonly mask: number };
};

export const PCI_CAP_ID_PM = 0x01;
export const PCI_CAP_ID_EXP = 0x10;
export const PCI_CAP_ID_MSIX = 0x11;

/** D0 and D3hot, no power management events, state is kept in D3hot. */
export function powerManagement(at?: number): Capability {
  return placed(at, {
    id: PCI_CAP_ID_PM,
    name: 'PM',
    sizeBytes: 8,
    registers: [
      { name: 'PM_PMC', at: 2, size: 2, value: 0x0003 },
      { name: 'PM_CTRL', at: 4, size: 2, value: 0x0008, writable: 0x0003 },
    ],
  });
}

export type PcieSpec = {
  /** 1: 2.5 GT/s, 2: 5, 3: 8, 4: 16. */
  readonly linkSpeed: 1 | 2 | 3 | 4;
  readonly lanes: 1 | 2 | 4 | 8 | 16;
  /** Whether software may reset the function through its device control register. */
  readonly functionLevelReset: boolean;
};

/** A PCI Express endpoint's capability, version 2. */
export function pciExpress(spec: PcieSpec, at?: number): Capability {
  const link = (spec.lanes << 4) | spec.linkSpeed;
  const flr = spec.functionLevelReset;
  return placed(at, {
    id: PCI_CAP_ID_EXP,
    name: 'EXP',
    sizeBytes: 0x3c,
    registers: [
      { name: 'EXP_FLAGS', at: 0x2, size: 2, value: 0x0002 },
      // 256 byte payloads, extended tags, role-based error reporting, FLR.
      { name: 'EXP_DEVCAP', at: 0x4, size: 4, value: 0x0000_8021 | (flr ? 0x1000_0000 : 0) },
      { name: 'EXP_DEVCTL', at: 0x8, size: 2, value: 0x2810, writable: 0x79ff },
      { name: 'EXP_DEVSTA', at: 0xa, size: 2, value: 0, writeOneToClear: 0x000f },
      { name: 'EXP_LNKCAP', at: 0xc, size: 4, value: link },
      { name: 'EXP_LNKCTL', at: 0x10, size: 2, value: 0, writable: 0x01cb },
      { name: 'EXP_LNKSTA', at: 0x12, size: 2, value: link },
      { name: 'EXP_DEVCAP2', at: 0x24, size: 4, value: 0x0000_0010 },
      { name: 'EXP_DEVCTL2', at: 0x28, size: 2, value: 0, writable: 0x001f },
      { name: 'EXP_LNKCAP2', at: 0x2c, size: 4, value: ((1 << spec.linkSpeed) - 1) << 1 },
      { name: 'EXP_LNKCTL2', at: 0x30, size: 2, value: spec.linkSpeed, writable: 0x000f },
    ],
    ...(flr ? { resetBit: { byte: 0x9, mask: 0x80 } } : {}),
  });
}

/** Where a function keeps its MSI-X table and pending bits; offsets are multiples of 8. */
export type MsixLayout = {
  readonly vectors: number;
  readonly tableBar: number;
  readonly tableOffset: number;
  readonly pbaBar: number;
  readonly pbaOffset: number;
};

export function msix(layout: MsixLayout, at?: number): Capability {
  const { vectors, tableBar, tableOffset, pbaBar, pbaOffset } = layout;
  if (vectors < 1 || vectors > 2048) throw new Error(`MSI-X: ${vectors} vectors`);
  if (tableOffset % 8 !== 0 || pbaOffset % 8 !== 0) throw new Error('MSI-X: offset not aligned');
  return placed(at, {
    id: PCI_CAP_ID_MSIX,
    name: 'MSIX',
    sizeBytes: 12,
    registers: [
      { name: 'MSIX_FLAGS', at: 2, size: 2, value: vectors - 1, writable: 0xc000 },
      { name: 'MSIX_TABLE', at: 4, size: 4, value: tableOffset + tableBar },
      { name: 'MSIX_PBA', at: 8, size: 4, value: pbaOffset + pbaBar },
    ],
  });
}

function placed(at: number | undefined, capability: Capability): Capability {
  return at === undefined ? capability : { ...capability, at };
}
