/**
 * Filters as the switch compares them: one row of integers per rule or entry, in their order; the
 * first row that matches decides. Security groups and network ACLs are both made of these.
 *
 * A row is: protocol (-1: any), the lowest and the highest value, the number of a security group
 * (-1: none), then base and mask of a prefix. The value is the destination port, or ICMP's type and
 * code as one number, or 0 for protocols that have neither.
 */

/** Words of a row, by IP version. */
const rowWords = { 4: 6, 6: 12 } as const;

/** Of a row: what comes before the prefix. */
const column = { protocol: 0, low: 1, high: 2, group: 3, base: 4 } as const;

/** Whoever is in none of the groups that rules name. */
export const noGroups = new Int32Array(0);

export class FilterTable {
  readonly rows: Int32Array;
  /** What each row is, for people. */
  readonly names: readonly string[];

  constructor(rows: Int32Array, names: readonly string[]) {
    this.rows = rows;
    this.names = names;
  }

  /**
   * The number of the first row that matches, or -1. `memberships`: the groups of whoever has the
   * address, or `noGroups`.
   */
  find4(protocol: number, value: number, address: number, memberships: Int32Array): number {
    const { rows } = this;
    for (let at = 0; at < rows.length; at += rowWords[4]) {
      const wanted = rows[at] as number;
      if (wanted !== protocol && wanted !== -1) continue;
      if (value < (rows[at + column.low] as number)) continue;
      if (value > (rows[at + column.high] as number)) continue;
      const group = rows[at + column.group] as number;
      if (group >= 0) {
        if (!includes(memberships, group)) continue;
      } else if ((address & (rows[at + 5] as number)) !== rows[at + column.base]) continue;
      return at / rowWords[4];
    }
    return -1;
  }

  find6(
    protocol: number,
    value: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    memberships: Int32Array,
  ): number {
    const { rows } = this;
    for (let at = 0; at < rows.length; at += rowWords[6]) {
      const wanted = rows[at] as number;
      if (wanted !== protocol && wanted !== -1) continue;
      if (value < (rows[at + column.low] as number)) continue;
      if (value > (rows[at + column.high] as number)) continue;
      const group = rows[at + column.group] as number;
      if (group >= 0) {
        if (!includes(memberships, group)) continue;
      } else if (
        (a0 & (rows[at + 8] as number)) !== rows[at + column.base] ||
        (a1 & (rows[at + 9] as number)) !== rows[at + 5] ||
        (a2 & (rows[at + 10] as number)) !== rows[at + 6] ||
        (a3 & (rows[at + 11] as number)) !== rows[at + 7]
      )
        continue;
      return at / rowWords[6];
    }
    return -1;
  }

  /** The first row of all traffic with one of these groups, named by the group; or -1. */
  findAllTraffic(memberships: Int32Array): number {
    const { rows } = this;
    for (let at = 0; at < rows.length; at += rowWords[4]) {
      const group = rows[at + column.group] as number;
      if (rows[at] === -1 && group >= 0 && includes(memberships, group)) return at / rowWords[4];
    }
    return -1;
  }
}

/** A security group's rules in one direction and one IP version. */
export class RuleTable extends FilterTable {
  /** Protocol, lowest and highest port of each rule that is for all addresses. */
  readonly #open: Int32Array;

  constructor(rows: Int32Array, names: readonly string[], open: Int32Array) {
    super(rows, names);
    this.#open = open;
  }

  /** Whether a rule for all addresses has this port. */
  opens(protocol: number, port: number): boolean {
    return this.#hasOpen(protocol, port, port);
  }

  /** Whether a rule for all addresses has all ports. */
  opensAll(protocol: number): boolean {
    return this.#hasOpen(protocol, 0, 0xffff);
  }

  #hasOpen(protocol: number, low: number, high: number): boolean {
    const open = this.#open;
    for (let at = 0; at < open.length; at += 3)
      if (
        (open[at] === protocol || open[at] === -1) &&
        low >= (open[at + 1] as number) &&
        high <= (open[at + 2] as number)
      )
        return true;
    return false;
  }
}

/** A network ACL's entries in one direction and one IP version. */
export class EntryTable extends FilterTable {
  /** By row: 1 when it allows. */
  readonly allow: Uint8Array;

  constructor(rows: Int32Array, names: readonly string[], allow: Uint8Array) {
    super(rows, names);
    this.allow = allow;
  }
}

function includes(groups: Int32Array, group: number): boolean {
  for (let i = 0; i < groups.length; i++) if (groups[i] === group) return true;
  return false;
}
