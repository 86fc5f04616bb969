/**
 * Address handles: which peer a request goes to. The driver may create one for the same peer again and
 * again; it is one handle per protection domain, which lives as long as it was created more often
 * than destroyed.
 */
import { createAhCmd, createAhResp, destroyAhCmd, STATUS } from '../../defs/efa-admin.ts';
import { INVALID_AH } from '../../defs/efa-io.ts';
import { type GidWords, macOf } from './gid.ts';
import type { Numbers } from './numbers.ts';
import type { Refusals } from './refusals.ts';
import { efaRules } from './rules.ts';

export const maxHandles = 1024;

export type AddressHandle = {
  readonly index: number;
  readonly pd: number;
  readonly gid: GidWords;
  /** 0: that is no address of this network, and nobody answers. */
  readonly mac: number;
  users: number;
};

export class AddressHandles {
  readonly #handles: (AddressHandle | null)[] = new Array<AddressHandle | null>(maxHandles).fill(
    null,
  );
  /** By MAC: the handles that there are. */
  readonly #known = new Map<number, AddressHandle[]>();
  readonly #pds: Numbers;
  readonly #refusals: Refusals;
  readonly #create = createAhCmd.create();
  readonly #answer = createAhResp.create();
  readonly #destroy = destroyAhCmd.create();

  constructor(pds: Numbers, refusals: Refusals) {
    this.#pds = pds;
    this.#refusals = refusals;
  }

  reset(): void {
    this.#handles.fill(null);
    this.#known.clear();
  }

  get(index: number, pd: number): AddressHandle | null {
    const handle = this.#handles[index] ?? null;
    return handle !== null && handle.pd === pd ? handle : null;
  }

  /** The handle that a domain has for a peer, or INVALID_AH. */
  find(mac: number, pd: number): number {
    const known = this.#known.get(mac);
    if (known === undefined) return INVALID_AH;
    for (let i = 0; i < known.length; i++)
      if (known[i]?.pd === pd) return (known[i] as AddressHandle).index;
    return INVALID_AH;
  }

  /** Whether there is any handle for a peer. */
  knows(mac: number): boolean {
    return this.#known.has(mac);
  }

  create(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#create;
    cmd.load(command, 0);
    const { pd } = cmd;
    if (!this.#pds.has(pd)) return this.#refusals.illegal(efaRules['pd-unknown'], () => `${pd}`);
    const gid = [cmd.dest_addr_0, cmd.dest_addr_1, cmd.dest_addr_2, cmd.dest_addr_3] as const;
    let handle = this.#handles.find((one) => one?.pd === pd && isSame(one.gid, gid)) ?? null;
    if (handle === null) {
      const index = this.#handles.indexOf(null);
      if (index < 0) return this.#refusals.full(efaRules['ah-limit'], () => `${maxHandles} exist`);
      handle = { index, pd, gid, mac: macOf(gid), users: 0 };
      this.#handles[index] = handle;
      this.#known.set(handle.mac, [...(this.#known.get(handle.mac) ?? []), handle]);
      this.#pds.use(pd);
    }
    handle.users++;
    const made = this.#answer;
    made.clear();
    made.ah = handle.index;
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  /** `onLast`: the handle is gone. */
  destroy(command: Int32Array, onLast: (handle: AddressHandle) => void): number {
    const cmd = this.#destroy;
    cmd.load(command, 0);
    const { ah, pd } = cmd;
    const handle = this.get(ah, pd);
    if (handle === null)
      return this.#refusals.illegal(efaRules['ah-unknown'], () => `${ah} of domain ${pd}`);
    if (--handle.users > 0) return STATUS.SUCCESS;
    this.#handles[ah] = null;
    const others = (this.#known.get(handle.mac) ?? []).filter((one) => one !== handle);
    if (others.length > 0) this.#known.set(handle.mac, others);
    else this.#known.delete(handle.mac);
    this.#pds.release(pd);
    onLast(handle);
    return STATUS.SUCCESS;
  }
}

const isSame = (a: GidWords, b: GidWords): boolean => a.every((word, i) => word === b[i]);
