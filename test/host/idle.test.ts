// What a data plane costs whose guests do nothing: CPU time of its threads, and how often they wake.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dataplane } from '../../src/host/dataplane/dataplane.ts';
import { modelNames } from '../../src/host/dataplane/models.ts';
import type { Access } from '../../src/host/dataplane/nic-model.ts';
import { TestClient } from '../../src/vfio-user/testing-client.ts';
import { defaultPlan } from '../../src/vpc/plan.ts';

const settleMs = 2500;
const measuredMs = 1000;
/** The quietest counts: a collection or a compilation that comes once is no cost of idling. */
const windows = 4;
const ofEach = 3;
/** Percent of a core, and wake-ups in a second, of the thread that has most. */
const most: Readonly<Record<Access, { percent: number; wakeUps: number }>> = {
  posted: { percent: 1, wakeUps: 15 },
  llq: { percent: 1, wakeUps: 15 },
  polled: { percent: 1.5, wakeUps: 75 },
};

type Spent = { readonly ns: number; readonly wakeUps: number };

/** Of each thread of this process, proc(5). A thread that ends meanwhile is none that idles. */
function spent(): Map<string, Spent> {
  const all = new Map<string, Spent>();
  for (const thread of readdirSync('/proc/self/task')) {
    const from = `/proc/self/task/${thread}`;
    try {
      const status = readFileSync(`${from}/status`, 'utf8');
      all.set(thread, {
        ns: Number(readFileSync(`${from}/schedstat`, 'utf8').split(' ')[0]),
        wakeUps: Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]),
      });
    } catch {}
  }
  return all;
}

/** Of the threads that have most. */
async function measured(): Promise<{ percent: number; wakeUps: number }> {
  const before = spent();
  await sleep(measuredMs);
  const used = [...spent()].map(([thread, { ns, wakeUps }]) => {
    const was = before.get(thread) ?? { ns: 0, wakeUps: 0 };
    return { percent: (ns - was.ns) / 1e4 / measuredMs, wakeUps: wakeUps - was.wakeUps };
  });
  return {
    percent: Math.max(...used.map(({ percent }) => percent)),
    wakeUps: Math.max(...used.map(({ wakeUps }) => wakeUps)) / (measuredMs / 1000),
  };
}

/** A data plane with functions of all models, each with a client that is there and does nothing. */
async function idle(access: Access): Promise<{ percent: number; wakeUps: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'virtfn-test-'));
  const functions = modelNames.flatMap((model, m) =>
    Array.from({ length: ofEach }, (_, i) => ({
      ...{ name: `${model}-${i}`, model, socket: join(directory, `${m}${i}.sock`) },
      ...{ mac: `02:00:00:00:0${m}:0${i}`, linkMbps: 10_000 },
      ...(model === '82599vf' && access === 'llq' ? {} : { access }),
    })),
  );
  const dataplane = await Dataplane.start({ plan: defaultPlan, functions, trace: false });
  const clients = functions.map(({ socket }) => TestClient.connect(socket));
  try {
    for (const client of clients) client.version();
    await sleep(settleMs);
    let least = { percent: Infinity, wakeUps: 0 };
    for (let i = 0; i < windows; i++) {
      const used = await measured();
      if (used.percent < least.percent) least = used;
    }
    return least;
  } finally {
    for (const client of clients) client.close();
    await dataplane.close();
    rmSync(directory, { recursive: true });
  }
}

for (const access of ['posted', 'llq', 'polled'] as const)
  test(`${modelNames.length * ofEach} idle functions cost no measurable CPU: ${access}`, async (t) => {
    const { percent, wakeUps } = await idle(access);
    const found = `${percent.toFixed(2)} % of a core, ${wakeUps} wake-ups a second`;
    t.diagnostic(found);
    assert.ok(percent < most[access].percent, found);
    assert.ok(wakeUps <= most[access].wakeUps, found);
    assert.ok(wakeUps >= 2, `it breathes now and then: ${found}`);
  });
