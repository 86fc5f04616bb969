/** The allowances of a worker's instances: each one's functions share one, and it may change. */
import type { Clock } from '../../lib/clock.ts';
import { Allowance, type AllowanceLimits } from '../../switch/allowance/allowance.ts';
import type { SwitchPort } from '../../switch/port.ts';
import type { FunctionSpec } from './nic-model.ts';

/** Where limits apply that are not the switch's own. */
type LimitPort = (port: SwitchPort, limits: AllowanceLimits) => void;

export class InstanceAllowances {
  readonly #clock: Clock;
  readonly #limitPort: LimitPort;
  readonly #ports = new Map<string, SwitchPort[]>();
  readonly #allowances = new Map<string, Allowance>();

  constructor(clock: Clock, limitPort: LimitPort) {
    this.#clock = clock;
    this.#limitPort = limitPort;
  }

  /** A function's port comes under the limits of its instance, if there are any. */
  join(spec: FunctionSpec, port: SwitchPort): void {
    const instance = instanceOf(spec);
    const ports = this.#ports.get(instance) ?? [];
    this.#ports.set(instance, [...ports, port]);
    const known = this.#allowances.get(instance);
    if (known !== undefined) this.#apply(port, known);
    else if (spec.limits !== undefined) this.change(spec, spec.limits);
  }

  /** Other limits for the instance of a function; null: none. What was spent stays spent. */
  change(spec: FunctionSpec, limits: AllowanceLimits | null): void {
    const instance = instanceOf(spec);
    const ports = this.#ports.get(instance) ?? [];
    if (limits === null) {
      this.#allowances.delete(instance);
      for (const port of ports) port.setAllowance(null);
      return;
    }
    const before = this.#allowances.get(instance) ?? null;
    const allowance = new Allowance(limits, this.#clock.now(), before);
    this.#allowances.set(instance, allowance);
    for (const port of ports) this.#apply(port, allowance);
  }

  #apply(port: SwitchPort, allowance: Allowance): void {
    port.setAllowance(allowance);
    this.#limitPort(port, allowance.limits);
  }
}

const instanceOf = ({ instance, name }: FunctionSpec): string => instance ?? name;
