/** The data path without guests: by the size of frames, by flows, by functions; beside copies and C. */

import { mpps, type Native, nativeContender, programOf } from './native.ts';
import { copyContender, oneThreadContender, pathContender, switchContender } from './own.ts';
import { type Group, startAll } from './parts.ts';
import { engines, type PathSpec, type SwitchSpec } from './path-spec.ts';

/** A TCP frame of 64 KiB, and its segments at the MTUs of 1500 and 9001. */
export const tsoBytes = 65_054;
const mss = { usual: 1448, jumbo: 8949 };

const own = (id: string, what: string, spec: Partial<PathSpec>) => ({
  what,
  start: () => oneThreadContender(id, what, spec),
});

const memcpy = (native: Native, bytes: number) => {
  const title = `memcpy, ${bytes} B`;
  const figure = { id: `limit.copy.${bytes}`, title, unit: 'Mpps', bytes } as const;
  return {
    what: title,
    start: async () =>
      nativeContender([programOf(native, 'limits'), ['copy', `${bytes}`]], figure, mpps),
  };
};

const yardstick = (native: Native, bytes: number, flows: number) => {
  const title = `the same loop in C, ${bytes} B, ${flows} flows`;
  const figure = { id: `yardstick.${bytes}.${flows}`, title, unit: 'Mpps', bytes } as const;
  return {
    what: title,
    start: async () =>
      nativeContender([programOf(native, 'yardstick'), [`${bytes}`, `${flows}`]], figure, mpps),
  };
};

/** Guests on a thread of their own: what the product's own choice carries, then others beside it. */
const path = (id: string, what: string, spec: Partial<PathSpec>) =>
  engines.map((engine, i) => {
    const title = i === 0 ? what : `${what}, ${engine}`;
    const figure = i === 0 ? `path.${id}` : `path.${id}.${engine}`;
    return { what: title, start: () => pathContender(figure, title, { ...spec, engine }) };
  });

const sizes: Group = {
  name: 'sizes',
  start: ({ native }, absent) =>
    startAll(
      [
        ...[64, 1500, 9001].flatMap((bytes) => [
          ...path(`bridge.${bytes}`, `Ethernet, ${bytes} B`, { fabric: 'bridge', bytes }),
          ...path(`vpc.${bytes}`, `VPC, ${bytes} B`, { bytes }),
          memcpy(native, bytes),
        ]),
        ...path('tso', 'VPC, 64 KiB cut into 1448', { bytes: tsoBytes, mss: mss.usual }),
        ...path('tso.jumbo', 'VPC, 64 KiB cut into 8949', { bytes: tsoBytes, mss: mss.jumbo }),
        ...path('tso.whole', 'Ethernet, 64 KiB together (large-receive)', {
          ...{ fabric: 'bridge', bytes: tsoBytes, mss: mss.usual, profile: 'large-receive' },
        }),
        memcpy(native, tsoBytes),
      ],
      absent,
    ),
};

const flows: Group = {
  name: 'flows',
  start: (_, absent) =>
    startAll(
      [1, 256, 1000, 100_000, 1_000_000].flatMap((count) =>
        path(`flows.${count}`, `VPC, 64 B, ${count === 1 ? '1 flow' : `${count} flows`}`, {
          flows: count,
        }),
      ),
      absent,
    ),
};

const functions: Group = {
  name: 'functions',
  start: (_, absent) =>
    startAll(
      [1, 4, 32].flatMap((pairs) =>
        path(`functions.${2 * pairs}`, `VPC, 64 B, ${2 * pairs} functions`, { pairs }),
      ),
      absent,
    ),
};

const copyContenderOf = (bytes: number) => ({
  what: `copy in TypeScript, ${bytes} B`,
  start: () => copyContender(bytes),
});

/** Drivers, functions and switch in one thread, beside what else one thread does. */
const oneThread: Group = {
  name: 'one thread, with its drivers',
  start: ({ native }, absent) =>
    startAll(
      [
        ...[64, 1500, 9001].flatMap((bytes) => [
          own(`bridge.${bytes}`, `Ethernet, ${bytes} B`, { fabric: 'bridge', bytes }),
          own(`vpc.${bytes}`, `VPC, ${bytes} B`, { bytes }),
          ...(bytes > 2048 ? [] : [yardstick(native, bytes, 256)]),
          copyContenderOf(bytes),
        ]),
        ...[100_000, 1_000_000].flatMap((count) => [
          own(`flows.${count}`, `VPC, 64 B, ${count} flows`, { flows: count }),
          yardstick(native, 64, count),
        ]),
        ...[64, 1500].flatMap((bytes) => [
          own(`llq.${bytes}`, `ENA with LLQ, Ethernet, ${bytes} B`, {
            ...{ fabric: 'bridge', llq: true, bytes },
          }),
          own(`82599vf.${bytes}`, `82599 VF, Ethernet, ${bytes} B`, {
            ...{ nic: '82599vf', fabric: 'bridge', bytes },
          }),
        ]),
      ],
      absent,
    ),
};

const alone = (id: string, what: string, spec: Partial<SwitchSpec>) => ({
  what,
  start: () => switchContender(id, what, spec),
});

/** The switch without devices: what is left is what those cost. */
const theSwitch: Group = {
  name: 'switch alone',
  start: (_, absent) =>
    startAll(
      [
        ...[64, 1500].flatMap((bytes) => [
          alone(`switch.bridge.${bytes}`, `Ethernet, ${bytes} B`, { fabric: 'bridge', bytes }),
          alone(`switch.vpc.${bytes}`, `VPC, ${bytes} B`, { bytes }),
          alone(`switch.made.${bytes}`, `Ethernet, ${bytes} B, sums made`, {
            ...{ fabric: 'bridge', bytes, sums: 'made' },
          }),
          alone(`switch.verified.${bytes}`, `Ethernet, ${bytes} B, sums made and verified`, {
            ...{ fabric: 'bridge', bytes, sums: 'verified' },
          }),
        ]),
      ],
      absent,
    ),
};

export const pathGroups: readonly Group[] = [...[sizes, flows, functions, oneThread, theSwitch]];
