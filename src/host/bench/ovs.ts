/**
 * Open vSwitch with DPDK: one core polls a port that plays a capture for ever (net_pcap, which copies
 * each frame once), the rules decide, and a port that drops takes what is let through (net_null). No
 * guest is asked to keep up, so that what is measured is the switch: its CPU time per frame.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, spawnChild } from '../qemu/process.ts';
import type { FigureSpec } from './figures.ts';
import { writePcap } from './pcap.ts';
import { dpdkOptions, type PeerPrograms, threadNamed, threadNs } from './peer-programs.ts';
import type { Contender } from './turns.ts';

/** Rules by name: what the switch is to do with each frame. */
export const ovsRules = {
  plain: ['in_port=source,actions=output:sink'],
  acl: [
    'priority=40,udp,nw_src=192.168.0.0/16,actions=drop',
    'priority=30,tcp,nw_dst=10.0.0.0/16,tp_dst=22,actions=drop',
    'priority=20,udp,nw_src=10.0.0.0/24,nw_dst=10.0.1.0/24,tp_dst=1024,actions=output:sink',
    'priority=20,udp,nw_src=10.0.1.0/24,nw_dst=10.0.0.0/24,tp_src=1024,actions=output:sink',
    'priority=0,actions=drop',
  ],
  /** Tracked at the sender and at the receiver, and above that the same rules. */
  ct: [
    'table=0,priority=10,udp,actions=ct(table=1,zone=1)',
    'table=1,priority=20,ct_state=+trk+est,udp,actions=ct(table=2,zone=2)',
    'table=1,priority=10,ct_state=+trk+new,udp,nw_src=10.0.0.0/16,actions=ct(commit,zone=1),ct(table=2,zone=2)',
    'table=2,priority=20,ct_state=+trk+est,udp,actions=output:sink',
    'table=2,priority=10,ct_state=+trk+new,udp,nw_dst=10.0.0.0/16,tp_dst=1024,actions=ct(commit,zone=2),output:sink',
    'table=2,priority=10,ct_state=+trk+new,udp,nw_dst=10.0.0.0/16,tp_src=1024,actions=ct(commit,zone=2),output:sink',
  ],
} as const;

export type OvsRules = keyof typeof ovsRules;

const flows = 256;
/** Flow tables are exchanged, and caches of flows fill, in less than that. */
const settleMs = 300;
const bootMs = 20_000;
/** Its counters are asked for by another process, which takes some milliseconds. */
const shortestMs = 500;
/** More bytes a second than any core forwards: a policer that is asked and lets all pass. */
const policer = [
  'type=egress-policer',
  'other-config:cir=100000000000',
  'other-config:cbs=9000000',
];

/** A switch that plays frames of one size; stopped, in the sense of signals, between its slices. */
export class OvsSwitch {
  readonly bytes: number;
  readonly #programs: PeerPrograms;
  readonly #directory: string;
  readonly #database: Child;
  readonly #daemon: Child;
  #pmd = 0;
  #rules: OvsRules | null = null;

  /** @throws Error that says why it does not run */
  static async start(programs: PeerPrograms, directory: string, bytes: number): Promise<OvsSwitch> {
    const own = join(directory, `ovs-${bytes}`);
    mkdirSync(own);
    const schema = join(programs.root, 'usr/share/openvswitch/vswitch.ovsschema');
    const file = join(own, 'conf.db');
    await programs.run('usr/bin/ovsdb-tool', ['create', file, schema], { directory: own });
    const start = (program: string, args: readonly string[]): Promise<Child> => {
      const [command = '', ...prefix] = programs.isolated(program, own);
      const log = `--log-file=${join(own, `${args.length}.log`)}`;
      return spawnChild(command, [...prefix, ...args, log, '-vconsole:off'], 0);
    };
    const socket = join(own, 'db.sock');
    const database = await start('usr/sbin/ovsdb-server', [
      ...[file, `--remote=punix:${socket}`, `--unixctl=${join(own, 'db.ctl')}`],
    ]);
    try {
      const set = (args: readonly string[]): Promise<string> =>
        programs.run('usr/bin/ovs-vsctl', [`--db=unix:${socket}`, '--no-wait', ...args], {
          directory: own,
        });
      await retried(() => set(['init']));
      const plugins = programs.plugins(['mempool_ring', 'net_null', 'net_pcap']);
      const extra = [...dpdkOptions, '--legacy-mem', ...plugins].join(' ');
      await set([
        ...['set', 'Open_vSwitch', '.', 'other_config:dpdk-init=true'],
        ...[`other_config:dpdk-extra="${extra}"`, 'other_config:pmd-cpu-mask=0x2'],
      ]);
      const daemon = await start('usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk', [
        ...[`unix:${socket}`, `--unixctl=${join(own, 'switch.ctl')}`],
      ]);
      const made = new OvsSwitch(programs, own, { bytes, database, daemon });
      await made.#plug().catch(async (error: unknown) => {
        await made.close();
        throw new Error(`Open vSwitch: ${complaintIn(own) ?? (error as Error).message}`);
      });
      return made;
    } catch (error) {
      database.kill();
      throw error;
    }
  }

  private constructor(
    programs: PeerPrograms,
    directory: string,
    { bytes, database, daemon }: { bytes: number; database: Child; daemon: Child },
  ) {
    this.bytes = bytes;
    this.#programs = programs;
    this.#directory = directory;
    this.#database = database;
    this.#daemon = daemon;
  }

  /** Million frames a second that one core of it forwards by these rules. */
  async measure(rules: OvsRules, ms: number): Promise<number> {
    process.kill(this.#daemon.pid, 'SIGCONT');
    try {
      if (this.#rules !== rules) await this.#setRules(rules);
      const before = await this.#look();
      await sleep(Math.max(ms, shortestMs));
      const after = await this.#look();
      // The counters are not read at the same moment; rules that drop let nothing at all through.
      const passed = (after.passed - before.passed) / (after.frames - before.frames);
      if (!(passed > 0.1))
        throw new Error(`Open vSwitch let ${passed.toFixed(2)} of all frames through`);
      return ((after.frames - before.frames) / (after.ns - before.ns)) * 1e3;
    } finally {
      process.kill(this.#daemon.pid, 'SIGSTOP');
    }
  }

  async close(): Promise<void> {
    for (const child of [this.#daemon, this.#database]) {
      child.kill();
      await child.exited;
    }
  }

  async #plug(): Promise<void> {
    const capture = join(this.#directory, 'frames.pcap');
    writePcap(capture, this.bytes, flows);
    const port = (name: string, args: string): string[] => [
      ...['--', 'add-port', 'bench', name, '--', 'set', 'Interface', name, 'type=dpdk'],
      `options:dpdk-devargs="${args}"`,
    ];
    await this.#vsctl([
      ...['add-br', 'bench', '--', 'set', 'bridge', 'bench', 'datapath_type=netdev'],
      ...port('sink', 'net_null0,no-rx=1'),
      ...port('source', `net_pcap0,rx_pcap=${capture},infinite_rx=1`),
      ...['--', 'set', 'port', 'sink', 'qos=@policer'],
      ...['--', '--id=@policer', 'create', 'qos', ...policer],
    ]);
    const errors = await this.#vsctl(['--columns=error', '--bare', 'list', 'Interface']);
    if (errors.trim() !== '') throw new Error(`Open vSwitch: ${errors.trim().split('\n')[0]}`);
    this.#pmd = await retried(async () => threadNamed(this.#daemon.pid, 'pmd-'));
    process.kill(this.#daemon.pid, 'SIGSTOP');
  }

  #vsctl(args: readonly string[]): Promise<string> {
    const directory = this.#directory;
    const server = [`--db=unix:${join(directory, 'db.sock')}`, `--timeout=${bootMs / 1000}`];
    return this.#programs.run('usr/bin/ovs-vsctl', [...server, ...args], {
      ...{ directory, timeoutMs: bootMs + 2000 },
    });
  }

  async #setRules(rules: OvsRules): Promise<void> {
    const directory = this.#directory;
    const bridge = `unix:${join(directory, 'bench.mgmt')}`;
    const ofctl = (args: readonly string[]): Promise<string> =>
      this.#programs.run('usr/bin/ovs-ofctl', args, { directory });
    await ofctl(['del-flows', bridge]);
    for (const rule of ovsRules[rules]) await ofctl(['add-flow', '--names', bridge, rule]);
    this.#rules = rules;
    await sleep(settleMs);
  }

  /** Frames so far, those that came out, and the CPU time of the thread that polls. */
  async #look(): Promise<{ frames: number; passed: number; ns: number }> {
    const directory = this.#directory;
    const args = ['-t', join(directory, 'switch.ctl'), 'dpif-netdev/pmd-stats-show', '-pmd', '1'];
    const text = await this.#programs.run('usr/bin/ovs-appctl', args, { directory });
    const ns = threadNs(this.#daemon.pid, this.#pmd);
    const bridge = `unix:${join(directory, 'bench.mgmt')}`;
    const port = await this.#programs.run('usr/bin/ovs-ofctl', ['dump-ports', bridge, 'sink'], {
      directory,
    });
    const frames = Number(/packets received: (\d+)/.exec(text)?.[1] ?? Number.NaN);
    const passed = Number(/tx pkts=(\d+)/.exec(port)?.[1] ?? Number.NaN);
    return { frames, passed, ns };
  }
}

/** One rule set of a switch as a contender; the switch is closed by whoever started it. */
export const ovsContender = (one: OvsSwitch, rules: OvsRules, figure: FigureSpec): Contender => ({
  figures: [figure],
  measure: async (ms) => [await one.measure(rules, ms)],
  close: async () => {},
});

/** The first thing that its log warns of, which is where it went wrong. */
function complaintIn(directory: string): string | undefined {
  const logs = readdirSync(directory).filter((name) => name.endsWith('.log'));
  const lines = logs.flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n'));
  const found = lines.map((line) => /\|(?:WARN|ERR|EMER)\|(.*)/.exec(line)?.[1]);
  return found.find((text) => text !== undefined && !text.includes('ovs_datapath'));
}

async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 20; ; left--)
    try {
      return await work();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(100);
    }
}
