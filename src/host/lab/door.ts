/**
 * A way into the running guests of a lab that is kept: a UNIX socket per guest, in the lab's own
 * directory, that takes shell commands. One JSON object a line each way:
 *
 *     -> {"command":"ip addr"}      <- {"code":0,"stdout":"...","stderr":""}
 */
import { readdirSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Vm } from '../guest/guest-vm.ts';

export type DoorAnswer = {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
};

const ENDING = '.shell';
/** A person's command may run for long; it ends when they hang up. */
const COMMAND_MS = 24 * 3600 * 1000;

/** Opens the door of a guest in `directory`. */
export async function openDoor(
  vm: Vm,
  directory: string,
): Promise<{ socket: string; close: () => void }> {
  const socket = join(directory, `${vm.name}${ENDING}`);
  const connections = new Set<Socket>();
  const server: Server = createServer((connection) => {
    connections.add(connection);
    connection.on('error', () => {}); // hung up in the middle of an answer
    connection.on('close', () => connections.delete(connection));
    createInterface({ input: connection }).on('line', (line) => {
      void answer(vm, line).then((reply) => connection.write(`${JSON.stringify(reply)}\n`));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  const close = (): void => {
    for (const connection of connections) connection.destroy();
    server.close();
  };
  return { socket, close };
}

async function answer(vm: Vm, line: string): Promise<DoorAnswer> {
  try {
    const { command } = JSON.parse(line) as { command?: unknown };
    if (typeof command !== 'string') throw new Error('expected {"command":"..."}');
    const { code, stdout, stderr } = await vm.exec(command, { timeoutMs: COMMAND_MS });
    return { code, stdout, stderr };
  } catch (error) {
    return { code: 255, stdout: '', stderr: `${(error as Error).message}\n` };
  }
}

/** Sockets of running labs for the guest with this name. */
export function findDoors(name: string): string[] {
  return readdirSync(tmpdir())
    .filter((entry) => /^virtfn-\d+-/.test(entry))
    .flatMap((entry) => {
      try {
        const found = readdirSync(join(tmpdir(), entry)).includes(`${name}${ENDING}`);
        return found ? [join(tmpdir(), entry, `${name}${ENDING}`)] : [];
      } catch {
        return []; // somebody else's, or gone meanwhile
      }
    });
}

/** The caller's side: runs commands one after the other until it is closed. */
export async function knock(
  socket: string,
): Promise<{ run: (command: string) => Promise<DoorAnswer>; close: () => void }> {
  const connection = createConnection(socket);
  await new Promise<void>((resolve, reject) => {
    connection.once('connect', resolve);
    connection.once('error', reject);
  });
  const waiting: { resolve: (answer: DoorAnswer) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: connection }).on('line', (line) =>
    waiting.shift()?.resolve(JSON.parse(line) as DoorAnswer),
  );
  connection.on('error', () => {}); // told by 'close'
  connection.on('close', () => {
    for (const { reject } of waiting.splice(0)) reject(new Error('The lab has ended.'));
  });
  return {
    run: (command) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        connection.write(`${JSON.stringify({ command })}\n`);
      }),
    close: () => connection.destroy(),
  };
}
