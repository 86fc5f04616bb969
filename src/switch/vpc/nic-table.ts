/**
 * The interfaces that a router knows, from one policy to the next: by slot (their number for as long
 * as they exist), by port, and in the policy's order.
 */
import type { Arena } from '../../lib/arena.ts';
import type { SwitchPort } from '../port.ts';
import { Begun } from './begun.ts';
import { Nic, TrackingAccount } from './nic.ts';
import type { Packet } from './packet.ts';
import type { NicTables, Policy, SubnetTables } from './policy.ts';

const nothing: Policy = {
  version: 0,
  vpcs: [],
  subnets: [],
  nics: [],
  groups: [],
  acls: [],
  routes: [],
  gateways: [],
};

/** The number of the port that owns a MAC, or -1. */
type PortLookup = (macHi: number, macLo: number) => number;

export class NicTable {
  policy: Policy = nothing;
  /** In the policy's order. */
  nics: readonly Nic[] = [];
  readonly bySlot: (Nic | null)[] = [];
  readonly byPort: (Nic | null)[] = [];
  /** Connections that began at each, by slot. */
  readonly begun: Begun;
  #byId = new Map<string, Nic>();
  #byMac = new Map<number, Nic>();
  /** Slots of interfaces that are gone. */
  readonly #free: number[] = [];
  readonly #accounts = new Map<string, TrackingAccount>();
  readonly #connectionsPerAccount: number;
  readonly #ports: readonly (SwitchPort | null)[];
  readonly #portOf: PortLookup;
  readonly #fabricPortOf: PortLookup;

  constructor(
    connectionsPerAccount: number,
    ports: readonly (SwitchPort | null)[],
    portOf: PortLookup,
    fabricPortOf: PortLookup,
    arena?: Arena,
  ) {
    this.begun = new Begun(arena);
    this.#connectionsPerAccount = connectionsPerAccount;
    this.#ports = ports;
    this.#portOf = portOf;
    this.#fabricPortOf = fabricPortOf;
  }

  /**
   * Makes `policy` the one that counts. `end`: an interface's connections end, because it is gone
   * or somebody else's. Returns the interfaces that are gone.
   */
  apply(policy: Policy, end: (nic: Nic) => void): readonly Nic[] {
    const old = this.policy;
    this.policy = policy;
    if (policy.nics === old.nics && policy.subnets === old.subnets) return [];
    const before = this.#byId;
    this.#byId = new Map();
    this.#byMac = new Map();
    this.nics = policy.nics.map((tables, index) => {
      const subnet = policy.subnets[tables.subnet] as SubnetTables;
      const nic = this.#keep(before.get(tables.id), tables, subnet, end);
      nic.index = index;
      this.#byId.set(tables.id, nic);
      this.#byMac.set(tables.mac, nic);
      return nic;
    });
    const gone = [...before.values()].filter((nic) => this.#byId.get(nic.tables.id) !== nic);
    for (const nic of gone) {
      end(nic);
      nic.port = null;
      nic.fabricPort = null;
      this.bySlot[nic.slot] = null;
      this.#free.push(nic.slot);
    }
    this.#dropAccounts();
    for (const nic of this.nics) {
      nic.port = null;
      nic.fabricPort = null;
    }
    this.byPort.fill(null);
    for (const port of this.#ports) if (port !== null) this.plug(port);
    return gone;
  }

  /** An interface is the port that has its MAC; with an EFA two ports, or the EFA's alone. */
  plug(port: SwitchPort): void {
    const found = (port.mac !== null && this.#byMac.get(port.mac)) || null;
    const { type } = found?.tables ?? {};
    const nic = type === (port.isFabric ? 'interface' : 'efa-only') ? null : found;
    while (this.byPort.length <= port.index) this.byPort.push(null);
    this.byPort[port.index] = nic;
    port.sendsOn = nic !== null && !nic.tables.sourceDestCheck;
    if (nic === null) return;
    if (port.isFabric) nic.fabricPort = port;
    else nic.port = port;
  }

  unplug(port: SwitchPort): void {
    const nic = this.byPort[port.index] ?? null;
    this.byPort[port.index] = null;
    if (nic === null) return;
    if (port.isFabric) nic.fabricPort = null;
    else nic.port = null;
  }

  /** The interface that is plugged in and has this MAC, or null. */
  nicOf(hi: number, lo: number): Nic | null {
    const nic = this.byPort[this.#portOf(hi, lo)] ?? null;
    return nic !== null && nic.macLo === lo && nic.macHi === hi ? nic : null;
  }

  /** The interface whose EFA is plugged in and has this MAC, or null. */
  fabricNicOf(hi: number, lo: number): Nic | null {
    return this.byPort[this.#fabricPortOf(hi, lo)] ?? null;
  }

  /** Who has a packet's destination address in the VPC with this id, or null. */
  ownerIn(vpc: string, { version, d0, d1, d2, d3 }: Packet): Nic | null {
    const tables = this.policy.vpcs.find(({ id }) => id === vpc);
    return this.nics[tables?.addresses.find(version, d0, d1, d2, d3) ?? -1] ?? null;
  }

  accountOf(id: string): TrackingAccount {
    let account = this.#accounts.get(id);
    if (account === undefined) {
      account = new TrackingAccount(this.#connectionsPerAccount);
      this.#accounts.set(id, account);
    }
    return account;
  }

  #keep(
    known: Nic | undefined,
    tables: NicTables,
    subnet: SubnetTables,
    end: (nic: Nic) => void,
  ): Nic {
    const account = this.accountOf(tables.account);
    if (known === undefined) {
      const slot = this.#free.pop() ?? this.bySlot.length;
      const nic = new Nic(slot, tables, subnet, account, this.begun);
      this.bySlot[slot] = nic;
      return nic;
    }
    if (known.account !== account) {
      end(known);
      known.account = account;
    }
    known.change(tables, subnet);
    return known;
  }

  /** Accounts that nobody has, unless somebody has set their limit. */
  #dropAccounts(): void {
    const used = new Set(this.nics.map(({ account }) => account));
    for (const [id, account] of this.#accounts)
      if (!used.has(account) && account.maximum === this.#connectionsPerAccount)
        this.#accounts.delete(id);
  }
}
