/** How commands say no: the rule is told, and the driver gets a status. */
import { STATUS } from '../../defs/efa-admin.ts';
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';

export class Refusals {
  readonly #diagnostics: Diagnostics;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  /** ILLEGAL_PARAMETER. */
  illegal(rule: Rule, detail: () => string): number {
    this.#diagnostics.refuse(rule, detail);
    return STATUS.ILLEGAL_PARAMETER;
  }

  full(rule: Rule, detail: () => string): number {
    this.#diagnostics.refuse(rule, detail);
    return STATUS.RESOURCE_ALLOCATION_FAILURE;
  }

  busy(rule: Rule, detail: () => string): number {
    this.#diagnostics.refuse(rule, detail);
    return STATUS.RESOURCE_BUSY;
  }
}
