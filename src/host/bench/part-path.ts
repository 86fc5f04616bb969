/** The data path without guests: by the size of frames, by flows, by functions; beside copies and C. */

import { mpps, type Native, nativeContender, programOf } from './native.ts';
import { copyContender, pathContender, switchContender } from './own.ts';
import { type Group, startAll } from './parts.ts';
import type { PathSpec, SwitchSpec } from './path-spec.ts';

/** A TCP frame of 64 KiB, and its segments at the MTUs of 1500 and 9001. */
export const tsoBytes = 65_054;
const mss = { usual: 1448, jumbo: 8949 };

const own = (id: string, what: string, spec: Partial<PathSpec>) => ({
  what,
  start: () => pathContender(id, what, spec),
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

const sizes: Group = {
  name: 'sizes',
  start: ({ native }, absent) =>
    startAll(
      [
        ...[64, 1500, 9001].flatMap((bytes) => [
          own(`bridge.${bytes}`, `Ethernet, ${bytes} B`, { fabric: 'bridge', bytes }),
          own(`vpc.${bytes}`, `VPC, ${bytes} B`, { bytes }),
          ...(bytes > 2048 ? [] : [yardstick(native, bytes, 256)]),
          memcpy(native, bytes),
          copyContenderOf(bytes),
        ]),
        own('tso', 'VPC, 64 KiB cut into 1448', { bytes: tsoBytes, mss: mss.usual }),
        own('tso.jumbo', 'VPC, 64 KiB cut into 8949', { bytes: tsoBytes, mss: mss.jumbo }),
        own('tso.whole', 'VPC, 64 KiB together (large-receive)', {
          ...{ bytes: tsoBytes, mss: mss.jumbo, profile: 'large-receive' },
        }),
        memcpy(native, tsoBytes),
      ],
      absent,
    ),
};

const copyContenderOf = (bytes: number) => ({
  what: `copy in TypeScript, ${bytes} B`,
  start: () => copyContender(bytes),
});

const flows: Group = {
  name: 'flows',
  start: ({ native }, absent) =>
    startAll(
      [
        ...[1, 256, 1000, 100_000, 1_000_000].map((count) =>
          own(`flows.${count}`, `VPC, 64 B, ${count === 1 ? '1 flow' : `${count} flows`}`, {
            flows: count,
          }),
        ),
        yardstick(native, 64, 100_000),
        yardstick(native, 64, 1_000_000),
      ],
      absent,
    ),
};

const functions: Group = {
  name: 'functions',
  start: (_, absent) =>
    startAll(
      [
        ...[1, 4, 32].map((pairs) =>
          own(`functions.${2 * pairs}`, `VPC, 64 B, ${2 * pairs} functions`, { pairs }),
        ),
        ...[64, 1500].flatMap((bytes) => [
          own(`llq.${bytes}`, `ENA with LLQ, Ethernet, ${bytes} B`, {
            ...{ fabric: 'bridge', llq: true, bytes },
          }),
          own(`ena.${bytes}`, `ENA, Ethernet, ${bytes} B`, { fabric: 'bridge', bytes }),
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

export const pathGroups: readonly Group[] = [sizes, flows, functions, theSwitch];
