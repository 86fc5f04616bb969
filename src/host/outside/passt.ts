/**
 * passt: a connection to the host's network for whoever has no privileges (passt(1)). It translates
 * what a guest sends into sockets of its own, as the user who runs it. Taken from PATH, else from
 * the distribution's packages.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SetupError } from '../packages/errors.ts';
import { ensureSet, type SetOptions } from '../packages/sets.ts';
import { commandInRoot } from '../qemu/binary.ts';
import { type Child, spawnChild, temporaryDirectory } from '../qemu/process.ts';

export type PasstOptions = SetOptions & {
  /**
   * The address, seen from inside, that stands for the host's own loopback; nobody reaches the
   * host's loopback unless told.
   */
  readonly hostLoopback?: string;
};

export type Passt = {
  /** Where the data plane connects. */
  readonly socket: string;
  close(): Promise<void>;
};

const patienceMs = 5000;

/** Starts it; resolves when it listens. @throws SetupError with what it says */
export async function startPasst(options: PasstOptions): Promise<Passt> {
  const [command = '', ...prefix] = await findPasst(options);
  const socket = join(temporaryDirectory(), 'passt.sock');
  const { hostLoopback } = options;
  const child = await spawnChild(
    command,
    [
      ...prefix,
      ...['--foreground', '--one-off', '--socket', socket],
      ...['--no-dhcp', '--no-dhcpv6', '--no-ra', '--no-ndp', '--mtu', '1500'],
      ...['--tcp-ports', 'none', '--udp-ports', 'none'],
      ...(hostLoopback === undefined
        ? ['--no-map-gw']
        : ['--map-host-loopback', hostLoopback, '--map-guest-addr', 'none']),
    ],
    0,
  );
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => said.push(data.toString()));
  await listening(child, socket, said);
  return {
    socket,
    close: async () => {
      child.kill();
      await child.exited;
    },
  };
}

async function findPasst(options: SetOptions): Promise<string[]> {
  const own = (process.env['PATH'] ?? '')
    .split(':')
    .map((directory) => join(directory, 'passt'))
    .find((path) => existsSync(path));
  if (own !== undefined) return [own];
  const { root } = await ensureSet('passt', ({ sets }) => sets.passt, options);
  return commandInRoot(root, 'usr/bin/passt');
}

async function listening(child: Child, socket: string, said: readonly string[]): Promise<void> {
  let ended: string | undefined;
  void child.exited.then((how) => {
    ended = how;
  });
  for (let waited = 0; waited < patienceMs; waited += 20) {
    if (existsSync(socket)) return;
    if (ended !== undefined) break;
    await sleep(20);
  }
  child.kill();
  throw new SetupError(
    'broken-package',
    `passt did not start (${ended ?? 'in time'}): ${said.join('').trim()}`,
  );
}
