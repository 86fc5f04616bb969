import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { boundedLines, connectAgent, parseAgentLine } from './agent.ts';

/** A guest made of its two streams: what the host sent, and a way to answer. */
function fakeGuest(): { stream: Duplex; sent: string[]; say: (text: string) => void } {
  const sent: string[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk, _, done) {
      sent.push(
        ...String(chunk)
          .split('\n')
          .filter((line) => line !== ''),
      );
      done();
    },
  });
  return { stream, sent, say: (text) => void stream.push(Buffer.from(text)) };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const BOOT = '@vf 0a1b2c3d';

test('only whole messages of the agent are messages', () => {
  assert.deepEqual(parseAgentLine(`${BOOT} 7 end 0 1 2\r`), {
    boot: '0a1b2c3d',
    id: 7,
    verb: 'end',
    rest: '0 1 2',
  });
  for (const line of ['', '@vf', `x${BOOT} 7 end 0`, `${BOOT} -1 end 0`, `${BOOT} 7 rm 0`])
    assert.equal(parseAgentLine(line), undefined, line);
});

test('lines are found across chunks, and an endless one is dropped', () => {
  const lines: string[] = [];
  const feed = boundedLines(10, (line) => lines.push(line));
  for (const chunk of ['ab', 'c\nde', '\n', 'x'.repeat(11), 'yy\nf\n']) feed(Buffer.from(chunk));
  assert.deepEqual(lines, ['abc', 'de', 'yy', 'f']);
});

test('commands run side by side and garbage between their answers changes nothing', async () => {
  const { stream, sent, say } = fakeGuest();
  const agent = connectAgent('a', stream);
  say(`\xff\x00 boot noise ${BOOT} 0 ready no\n${BOOT} 0 ready 6.12.1\n`);
  assert.deepEqual(await agent.ready(1000), { boot: '0a1b2c3d', kernel: '6.12.1' });
  const [first, second] = [agent.exec('one'), agent.exec('two')];
  await settled();
  assert.deepEqual(
    sent.filter((line) => line.includes(' run ')),
    [`${BOOT} 1 run ${base64('one')}`, `${BOOT} 2 run ${base64('two')}`],
  );
  say(
    `${BOOT} 2 out ${base64('hel')}\nrubbish\n${BOOT} 9 end 0 0 0\n${BOOT} 2 out ${base64('lo')}\n`,
  );
  say(`${BOOT} 2 err ${base64('!')}\n${BOOT} 2 end 3 5 1\n${BOOT} 1 end 0 0 0\n`);
  const { code, stdout, stderr } = await second;
  assert.deepEqual({ code, stdout, stderr }, { code: 3, stdout: 'hello', stderr: '!' });
  assert.equal((await first).code, 0);
});

test('output that came in part is an error, not a short result', async () => {
  const { stream, say } = fakeGuest();
  const agent = connectAgent('a', stream);
  say(`${BOOT} 0 ready 6.12.1\n`);
  await agent.ready(1000);
  const result = assert.rejects(agent.exec('one'), /part of its output was lost/);
  await settled();
  say(`${BOOT} 1 out ${base64('hel')}\n${BOOT} 1 end 0 5 0\n`);
  await result;
});

test('a reboot fails what was running, and answers of the old boot are not believed', async () => {
  const { stream, say } = fakeGuest();
  const agent = connectAgent('a', stream);
  say(`${BOOT} 0 ready 6.12.1\n`);
  await agent.ready(1000);
  const result = assert.rejects(agent.exec('sleep 9'), /the guest rebooted/);
  await settled();
  const again = agent.ready(1000, agent.boot());
  say('@vf ffffffff 0 ready 6.12.1\n');
  await result;
  assert.equal((await again).boot, 'ffffffff');
  const next = agent.exec('next', { timeoutMs: 1000 });
  await settled();
  say(`${BOOT} 2 end 1 0 0\n@vf ffffffff 2 end 0 0 0\n`);
  assert.equal((await next).code, 0);
});

test('a command over its time is killed, and says what it had said', async () => {
  const { stream, sent, say } = fakeGuest();
  const agent = connectAgent('a', stream);
  say(`${BOOT} 0 ready 6.12.1\n`);
  await agent.ready(1000);
  const result = assert.rejects(
    agent.exec('sleep 9', { timeoutMs: 20 }),
    /a: 'sleep 9' failed: no end within 0.02 s; it had said: half/,
  );
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.ok(sent.includes(`${BOOT} 1 kill`));
  say(`${BOOT} 1 out ${base64('half')}\n${BOOT} 1 end 137 4 0\n`);
  await result;
});

test('the end of the guest ends every wait', async () => {
  const { stream, say } = fakeGuest();
  const agent = connectAgent('a', stream);
  const early = assert.rejects(agent.ready(1000, '0a1b2c3d'), /a ended before its agent answered/);
  say(`${BOOT} 0 ready 6.12.1\n`);
  await settled();
  const result = assert.rejects(agent.exec('one'), /the guest has ended/);
  await settled();
  stream.destroy();
  await Promise.all([early, result]);
  await assert.rejects(agent.exec('two'), /the guest has ended/);
});
