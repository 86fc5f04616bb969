/** Finds the running lab or `virtfn nic` that a command is about. */
import { Control, findControls } from '../host/control/client.ts';
import { UsageError } from './usage-error.ts';

/** @param socket its control socket; the only one that runs if absent. @throws UsageError */
export async function attach(socket: string | undefined): Promise<Control> {
  if (socket !== undefined) {
    const control = await Control.connect(socket).catch(() => null);
    if (control === null) throw new UsageError(`${socket}: nothing listens there`);
    return control;
  }
  const found = (await Promise.all(findControls().map(connect))).flatMap((one) => one ?? []);
  const [only, ...more] = found;
  if (only === undefined)
    throw new UsageError('no lab and no virtfn nic is running; start one: virtfn lab --keep');
  if (more.length === 0) return only.control;
  for (const { control } of found) control.close();
  const sockets = found.map((one) => one.socket).join(', ');
  throw new UsageError(`${found.length} are running; choose one by --at: ${sockets}`);
}

async function connect(socket: string): Promise<{ socket: string; control: Control } | null> {
  const control = await Control.connect(socket).catch(() => null);
  return control === null ? null : { socket, control };
}
