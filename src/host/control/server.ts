/** Lets other processes of the same person ask and change what runs here: see protocol.ts. */
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { VerdictFilter, VerdictListener } from '../../switch/tap-verdicts.ts';
import type { VpcModel } from '../../vpc/model.ts';
import type { Reachability } from '../lab/report.ts';
import { type Answer, CONTROL_SOCKET, type Facts, parseRequest } from './protocol.ts';

/** What is controlled. */
export interface Controlled {
  describe(): Facts;
  /** Tells verdicts until what it returns is called. */
  trace(filter: VerdictFilter, perSecond: number, listener: VerdictListener): () => void;
  /** What is wrong with the model, a sentence each; with none it counts from now on. */
  apply(model: VpcModel): Promise<readonly string[]>;
  /** Asks the guests what they reach. */
  reach(): Promise<Reachability>;
}

/** A reader that is so far behind hears no more until it has caught up; it is told how much. */
const maxBacklogBytes = 1 << 20;

/** Listens in `directory`; resolves with what ends it. */
export async function openControl(of: Controlled, directory: string): Promise<() => void> {
  const connections = new Set<Socket>();
  const server: Server = createServer((connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    serve(connection, of);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(join(directory, CONTROL_SOCKET), resolve);
  });
  return () => {
    for (const connection of connections) connection.destroy();
    server.close();
  };
}

function serve(connection: Socket, of: Controlled): void {
  const stops: (() => void)[] = [];
  connection.on('error', () => {}); // hung up in the middle of an answer
  connection.on('close', () => {
    for (const stop of stops) stop();
  });
  const answer = (value: Answer): void => void connection.write(`${JSON.stringify(value)}\n`);
  createInterface({ input: connection }).on('line', (line) => {
    obey(line, of, answer, () => connection.writableLength > maxBacklogBytes)
      .then((stop) => {
        if (connection.destroyed) stop();
        else stops.push(stop);
      })
      .catch((error: Error) => answer({ error: error.message }));
  });
}

async function obey(
  line: string,
  of: Controlled,
  answer: (value: Answer) => void,
  isBehind: () => boolean,
): Promise<() => void> {
  const request = parseRequest(line);
  switch (request.do) {
    case 'describe':
      answer({ facts: of.describe() });
      return () => {};
    case 'apply':
      answer({ problems: await of.apply(request.model) });
      return () => {};
    case 'reach':
      answer({ reachability: await of.reach() });
      return () => {};
    case 'trace': {
      let missed = 0;
      return of.trace(request.filter, request.perSecond, (verdicts, leftOut) => {
        missed += leftOut;
        if (isBehind()) missed += verdicts.length;
        else {
          answer({ verdicts, leftOut: missed });
          missed = 0;
        }
      });
    }
  }
}
