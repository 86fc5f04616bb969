/**
 * The commands: how each is written, and what it is for. The module that defines one is loaded when it
 * is asked for: all of them together take half a second, which the help does not need.
 */
import type { Command } from 'commander';

type Define = (command: Command, exit: (code: number) => void) => void;

export interface CommandEntry {
  readonly name: string;
  /** As the help of the program shows it: with its options and arguments. */
  readonly term: string;
  readonly summary: string;
  readonly load: () => Promise<Define>;
}

export const commands: readonly CommandEntry[] = [
  {
    name: 'lab',
    term: 'lab [options] [topology]',
    summary: 'boot Linux guests on NIC functions, measure, compare with other NICs',
    load: async () => (await import('./lab.ts')).defineLab,
  },
  {
    name: 'hpc',
    term: 'hpc [options] [file]',
    summary: 'boot Linux guests with EFA, run MPI over it and over TCP on ENA',
    load: async () => (await import('./hpc.ts')).defineHpc,
  },
  {
    name: 'bench',
    term: 'bench [options]',
    summary: "measure the data path beside its peers and the machine's limits",
    load: async () => (await import('./bench.ts')).defineBench,
  },
  {
    name: 'nic',
    term: 'nic [options]',
    summary: 'serve bare NIC functions at sockets, for any VMM that speaks vfio-user',
    load: async () => (await import('./nic.ts')).defineNic,
  },
  {
    name: 'shell',
    term: 'shell <guest> [command...]',
    summary: 'run commands in a guest of a lab that was started with --keep',
    load: async () => (await import('./shell.ts')).defineShell,
  },
  {
    name: 'trace',
    term: 'trace [options]',
    summary: 'print the verdict on each packet of a running lab or nic, and why',
    load: async () => (await import('./trace.ts')).defineTrace,
  },
  {
    name: 'vpc',
    term: 'vpc',
    summary: 'show a VPC, change the one of a running lab, ask what its instances reach',
    load: async () => (await import('./vpc.ts')).defineVpc,
  },
  {
    name: 'whatif',
    term: 'whatif [options]',
    summary: 'say what traffic would have met at the limits of an instance type',
    load: async () => (await import('./whatif.ts')).defineWhatIf,
  },
  {
    name: 'explain',
    term: 'explain [options] [file]',
    summary: 'say whether one instance reaches another in a VPC, and which gate is closed if not',
    load: async () => (await import('./reachability.ts')).defineExplain,
  },
  {
    name: 'check',
    term: 'check',
    summary:
      'say whether an image, host or account is ready for Enhanced Networking, and what to do if not',
    load: async () => (await import('./check.ts')).defineCheck,
  },
  {
    name: 'types',
    term: 'types [options] [pattern]',
    summary: 'find EC2 instance types by their network, or explain one',
    load: async () => (await import('./types.ts')).defineTypes,
  },
  {
    name: 'setup',
    term: 'setup [parts...]',
    summary: 'fetch what other commands need, to be offline afterwards',
    load: async () => (await import('./setup.ts')).defineSetup,
  },
];
