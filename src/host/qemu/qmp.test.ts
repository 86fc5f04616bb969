import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { atLeast } from './binary.ts';
import { connectQmp, lineSplitter, QmpError } from './qmp.ts';

interface Command {
  execute: string;
  id: number;
}

/** A monitor that greets, and answers each command with what `answer` gives (undefined: never). */
function fakeMonitor(answer: (command: Command) => object | undefined): {
  stream: Duplex;
  say: (text: string) => void;
} {
  const stream = new Duplex({
    read() {},
    write(chunk, _, done) {
      const command = JSON.parse(String(chunk)) as Command;
      const reply = command.execute === 'qmp_capabilities' ? { return: {} } : answer(command);
      if (reply !== undefined) stream.push(`${JSON.stringify({ ...reply, id: command.id })}\r\n`);
      done();
    },
  });
  stream.push('{"QMP": {"version": {}, "capabilities": []}}\r\n');
  return { stream, say: (text) => void stream.push(text) };
}

test('lines are found across chunks and several in one', () => {
  const lines: string[] = [];
  const feed = lineSplitter((line) => lines.push(line));
  for (const chunk of ['{"a"', ':1}\n{}\n{"', 'b":"\u00e9"}\n']) feed(Buffer.from(chunk));
  assert.deepEqual(lines, ['{"a":1}', '{}', '{"b":"\u00e9"}']);
});

test('commands are answered by id, whatever comes between', async () => {
  const { stream, say } = fakeMonitor(({ execute }) =>
    execute === 'bad' ? { error: { class: 'GenericError', desc: 'no such thing' } } : undefined,
  );
  const qmp = await connectQmp(stream);
  const [first, second] = [qmp.execute('one'), qmp.execute('two')];
  say('{"event": "RESET"}\nnot json\n{"return": 22, "id": 3}\n{"return": 0, "id": 99}\n');
  say('{"return": 11, "id": 2}\n');
  assert.deepEqual(await Promise.all([first, second]), [11, 22]);
  await assert.rejects(qmp.execute('bad'), /QEMU's bad failed: no such thing/);
});

test('an event is waited for by what it says', async () => {
  const { stream, say } = fakeMonitor(() => ({ return: {} }));
  const qmp = await connectQmp(stream);
  const wait = qmp.waitEvent(({ data }) => data['device'] === 'nic1', 1000);
  say('{"event": "DEVICE_DELETED", "data": {"device": "nic0"}}\n');
  say('{"event": "DEVICE_DELETED", "data": {"device": "nic1"}}\n');
  assert.equal((await wait).event, 'DEVICE_DELETED');
  await assert.rejects(
    qmp.waitEvent(() => true, 5),
    /did not come within 5 ms/,
  );
});

test('a silent monitor and one that is gone are errors', async () => {
  const { stream } = fakeMonitor(() => undefined);
  const qmp = await connectQmp(stream);
  await assert.rejects(qmp.execute('stop', undefined, 5), /no answer within 5 ms/);
  const pending = assert.rejects(qmp.execute('quit'), QmpError);
  stream.destroy();
  await pending;
  await assert.rejects(qmp.execute('more'), /QEMU has exited/);
});

test('versions compare by their numbers', () => {
  assert.ok(atLeast('11.1.3', '10.1'));
  assert.ok(atLeast('10.1', '10.1'));
  assert.equal(atLeast('10.0.13', '10.1'), false);
  assert.equal(atLeast('9.2', '10.1'), false);
});
