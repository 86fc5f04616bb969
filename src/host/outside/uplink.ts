/** The data plane's end of an outside: what leaves goes to a device, what comes enters by gateways. */
import type { Frame } from '../../net/frame.ts';
import { connectUnix } from '../../sys/socket.ts';
import { TunDevice } from '../../sys/tun.ts';
import type { Outside } from '../../vpc/gateways/outside.ts';
import type { OutsideConfig } from './config.ts';
import { StreamOutside } from './stream-outside.ts';
import { TunOutside } from './tun-outside.ts';

export interface Uplink extends Outside {
  readonly fd: number;
  /** Called when something has to wait until the descriptor can be written. */
  onBlocked: () => void;
  /** It can be written; true when nothing waits any more. */
  unblock(): boolean;
  /** Gives what has come to `arrive`, a bounded number of frames; false: it has ended. */
  receive(arrive: (frame: Frame) => void): boolean;
  close(): void;
}

/** Throws when there is no such device, or nobody listens at the socket. */
export function openUplink(config: OutsideConfig): Uplink {
  return config.kind === 'tun'
    ? new TunOutside(new TunDevice('tun', config.name))
    : new StreamOutside(connectUnix(config.socket));
}
