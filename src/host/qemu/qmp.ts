/**
 * A client of QEMU's machine protocol over a connected stream: greeting, capabilities, commands
 * with ids, events, deadlines. Follows QEMU's docs/interop/qmp-spec.rst.
 */

import type { Duplex } from 'node:stream';

export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
}

/** A command that QEMU refused, or that had no answer. */
export class QmpError extends Error {
  constructor(command: string, reason: string) {
    super(`QEMU's ${command} failed: ${reason}`);
    this.name = 'QmpError';
  }
}

export interface QmpClient {
  /** @throws QmpError when QEMU refuses, is gone, or does not answer in time (default 10 s) */
  execute(command: string, args?: object, timeoutMs?: number): Promise<unknown>;
  /** The next event that fits. @throws QmpError after the deadline or when QEMU is gone */
  waitEvent(fits: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent>;
  onEvent(listener: (event: QmpEvent) => void): void;
}

/** Splits a byte stream into the JSON objects it carries, one a line; throws nothing. */
export function lineSplitter(onLine: (line: string) => void): (data: Buffer) => void {
  let pending: Buffer[] = [];
  return (data) => {
    let start = 0;
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, start)) {
      pending.push(data.subarray(start, end));
      onLine(Buffer.concat(pending).toString());
      pending = [];
      start = end + 1;
    }
    if (start < data.length) pending.push(Buffer.from(data.subarray(start)));
  };
}

interface Waiter {
  name: string;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** A client on a stream whose other end is a fresh monitor; usable when the promise resolves. */
export async function connectQmp(stream: Duplex, timeoutMs = 30_000): Promise<QmpClient> {
  const waiters = new Map<number, Waiter>();
  const listeners = new Set<(event: QmpEvent) => void>();
  const closers = new Set<() => void>();
  let nextId = 1;
  let gone = false;

  const settle = (id: number, name: string, ms: number, start: () => void): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (gone) return reject(new QmpError(name, 'QEMU has exited'));
      const timer = setTimeout(() => {
        waiters.delete(id);
        reject(new QmpError(name, `no answer within ${ms} ms`));
      }, ms);
      const done = (act: () => void): void => {
        clearTimeout(timer);
        waiters.delete(id);
        act();
      };
      waiters.set(id, {
        name,
        resolve: (value) => done(() => resolve(value)),
        reject: (error) => done(() => reject(error)),
      });
      start();
    });

  const onMessage = (line: string): void => {
    const message = parseObject(line);
    if (message === undefined) return;
    if (message['QMP'] !== undefined) {
      waiters.get(0)?.resolve(undefined);
      return;
    }
    if (typeof message['event'] === 'string') {
      const data = (message['data'] ?? {}) as Record<string, unknown>;
      for (const listener of [...listeners]) listener({ event: message['event'], data });
      return;
    }
    const waiter = waiters.get(Number(message['id']));
    if (waiter === undefined) return;
    const error = message['error'] as { desc?: string } | undefined;
    if (error === undefined) waiter.resolve(message['return']);
    else waiter.reject(new QmpError(waiter.name, error.desc ?? 'no reason given'));
  };

  const onGone = (): void => {
    gone = true;
    for (const waiter of [...waiters.values()])
      waiter.reject(new QmpError(waiter.name, 'QEMU has exited'));
    for (const close of [...closers]) close();
  };
  stream.on('data', lineSplitter(onMessage));
  stream.on('close', onGone);
  stream.on('error', onGone);

  const execute = (command: string, args?: object, ms = 10_000): Promise<unknown> => {
    const id = nextId++;
    return settle(id, command, ms, () =>
      stream.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`),
    );
  };
  const waitEvent = (fits: (event: QmpEvent) => boolean, ms: number): Promise<QmpEvent> =>
    new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        listeners.delete(listener);
        closers.delete(closed);
        act();
      };
      const fail = (reason: string): void => finish(() => reject(new QmpError('event', reason)));
      const listener = (event: QmpEvent): void => {
        if (fits(event)) finish(() => resolve(event));
      };
      const closed = (): void => fail('QEMU has exited');
      const timer = setTimeout(() => fail(`it did not come within ${ms} ms`), ms);
      listeners.add(listener);
      closers.add(closed);
      if (gone) closed();
    });

  await settle(0, 'greeting', timeoutMs, () => {});
  await execute('qmp_capabilities');
  return { execute, waitEvent, onEvent: (listener) => void listeners.add(listener) };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
