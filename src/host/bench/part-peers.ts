/** The data path beside programs that do the same job: Open vSwitch, DPDK's drivers, Linux itself. */
import { kernelContender } from './kernel-peer.ts';
import { type OvsRules, OvsSwitch, ovsContender } from './ovs.ts';
import { oneThreadContender, pathContender, switchContender } from './own.ts';
import { type Group, type Site, startAll } from './parts.ts';
import type { PathSpec } from './path-spec.ts';
import { PeerPrograms } from './peer-programs.ts';
import { type TestpmdKind, testpmdContender } from './testpmd.ts';
import type { Contender } from './turns.ts';

const sizes = [64, 1500] as const;

/** Long enough for a process that is asked for its counters by another process. */
const patience = 2;
type Request = Parameters<NonNullable<Group['turns']>>[0];
const turns = ({ rounds, sliceMs }: Request) => ({ rounds, ms: sliceMs * patience });

const own = (id: string, what: string, spec: Partial<PathSpec>) => ({
  what,
  start: () => pathContender(id, what, spec),
});

const ovsTitles: readonly { rules: OvsRules; title: string }[] = [
  { rules: 'plain', title: 'one rule by port' },
  { rules: 'acl', title: 'L3/L4 rules' },
  { rules: 'ct', title: 'connection tracking' },
];

const openVSwitch: Group = {
  name: 'Open vSwitch with DPDK',
  turns,
  start: async (site, absent) => {
    const what = 'Open vSwitch with DPDK';
    const programs = await peers(site, (why) => absent({ what, why }));
    if (programs === null) return [];
    const contenders: Contender[] = [];
    for (const bytes of sizes) {
      contenders.push(
        ...(await startAll(
          [
            own(`ovs.path.bridge.${bytes}`, `Ethernet, ${bytes} B`, { fabric: 'bridge', bytes }),
            own(`ovs.path.vpc.${bytes}`, `VPC, ${bytes} B`, { bytes }),
            {
              what: `VPC, ${bytes} B, one thread`,
              start: () =>
                oneThreadContender(`ovs.own.vpc.${bytes}`, `VPC, ${bytes} B, one thread`, {
                  bytes,
                }),
            },
            {
              what: `VPC's switch alone, ${bytes} B`,
              start: () =>
                switchContender(`ovs.own.switch.${bytes}`, `VPC's switch alone, ${bytes} B`, {
                  bytes,
                }),
            },
          ],
          absent,
        )),
      );
      try {
        contenders.push(...(await ovsOf(programs, site.directory, bytes)));
      } catch (error) {
        absent({ what: `${what}, ${bytes} B`, why: (error as Error).message });
      }
    }
    return contenders;
  },
};

/** A contender per rule set, the first of which closes the switch. */
async function ovsOf(
  programs: PeerPrograms,
  directory: string,
  bytes: number,
): Promise<Contender[]> {
  const one = await OvsSwitch.start(programs, directory, bytes);
  return ovsTitles.map(({ rules, title }, i) => {
    const id = `ovs.${rules}.${bytes}`;
    const figure = { id, title: `OVS, ${title}, ${bytes} B`, unit: 'Mpps', bytes } as const;
    const contender = ovsContender(one, rules, figure);
    return i === 0 ? { ...contender, close: () => one.close() } : contender;
  });
}

const dpdkTitles: readonly { kind: TestpmdKind; title: string }[] = [
  { kind: 'memif', title: 'DPDK memif to memif' },
  { kind: 'null', title: 'DPDK net_null, copying' },
];

const dpdk: Group = {
  name: 'DPDK',
  turns,
  start: async (site, absent) => {
    const programs = await peers(site, (why) => absent({ what: 'DPDK', why }));
    if (programs === null) return [];
    const starts = sizes.flatMap((bytes) => [
      own(`dpdk.path.bridge.${bytes}`, `Ethernet, ${bytes} B`, { fabric: 'bridge', bytes }),
      ...dpdkTitles.map(({ kind, title }) => {
        const what = `${title}, ${bytes} B`;
        const figure = { id: `dpdk.${kind}.${bytes}`, title: what, unit: 'Mpps', bytes } as const;
        const spec = { kind, bytes };
        return { what, start: () => testpmdContender(programs, site.directory, spec, figure) };
      }),
    ]);
    return startAll(starts, absent);
  },
};

const linux: Group = {
  name: 'Linux',
  turns,
  start: async (site, absent) => {
    const { native } = site;
    const what = 'Linux, routing with stateful nftables';
    const programs = await peers(site, (why) => absent({ what, why }));
    if (programs === null) return [];
    if ('why' in native) {
      absent({ what, why: native.why });
      return [];
    }
    const udp = (bytes: number) => {
      const title = `${what}, UDP, ${bytes} B`;
      const figure = { id: `linux.udp.${bytes}`, title, unit: 'Mpps', bytes } as const;
      const spec = { what: 'udp', bytes } as const;
      return { what: title, start: () => kernelContender(native, programs, spec, figure) };
    };
    const title = `${what}, TCP`;
    const tcp = { id: 'linux.tcp', title, unit: 'Gbit/s' } as const;
    return startAll(
      [
        ...sizes.flatMap((bytes) => [
          own(`linux.path.vpc.${bytes}`, `VPC, ${bytes} B`, { bytes }),
          udp(bytes),
        ]),
        {
          what: title,
          start: () => kernelContender(native, programs, { what: 'tcp', bytes: 0 }, tcp),
        },
      ],
      absent,
    );
  },
};

/** Null, and why, where they cannot be had. */
async function peers(site: Site, absent: (why: string) => void): Promise<PeerPrograms | null> {
  try {
    return await PeerPrograms.get(site.packages);
  } catch (error) {
    site.signal.throwIfAborted();
    absent((error as Error).message);
    return null;
  }
}

export const peerGroups: readonly Group[] = [openVSwitch, dpdk, linux];
