/**
 * Real guests in a VPC whose rules change while they run: what a step of a documented behaviour
 * (test/vpc-behaviours.ts) is for a guest, in programs, sockets and what they say.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dataplane } from '../../src/host/dataplane/dataplane.ts';
import { startVm, type Vm } from '../../src/host/guest/guest-vm.ts';
import type { Tools } from '../../src/host/guest/tools.ts';
import { type ReasonName, reasons } from '../../src/net/reasons.ts';
import type { Packet } from '../../src/vpc/evaluate-packet.ts';
import type { VpcModel } from '../../src/vpc/model.ts';
import type { Behaviour, Ending, Step } from '../vpc-behaviours.ts';
import { addresses, addresses6, macs, type Name } from '../vpc-pair.ts';
import { udpAsk, udpEcho } from './udp-programs.ts';

/** The third one forwards, where a route leads to it. */
const guests = ['a', 'b', 'm'] as const;

/** Exit codes of `udpAsk`. */
const asked = { answered: 0, nothing: 11, refused: 111 } as const;
/** For what shall work, on the slowest machine; and for what shall not, and is counted at once. */
const patienceMs = { works: 10_000, fails: 1200 } as const;
/** Verdicts of gates that no service of the network knows. */
const gates: readonly ReasonName[] = [
  'sgEgressNone',
  'aclOutDenied',
  'sgIngressNone',
  'aclInDenied',
];

type Connection = { readonly from: Vm; readonly file: string };

export class VpcGuests {
  readonly #dataplane: Dataplane;
  readonly #directory: string;
  readonly #vms: Record<Name, Vm>;
  readonly #connections = new Map<string, Connection>();
  /** Tells behaviours apart: pings and lines of one are none of another. */
  #turn = 0;
  #line = 0;
  #patienceMs: number = patienceMs.works;

  private constructor(dataplane: Dataplane, directory: string, vms: Record<Name, Vm>) {
    this.#dataplane = dataplane;
    this.#directory = directory;
    this.#vms = vms;
  }

  static async start(tools: Tools, model: VpcModel): Promise<VpcGuests> {
    const directory = mkdtempSync(join(tmpdir(), 'virtfn-test-'));
    const socket = (name: Name): string => join(directory, `${name}.sock`);
    const dataplane = await Dataplane.start({
      functions: guests.map((name) => {
        return { name, model: 'ena', socket: socket(name), mac: macs[name], linkMbps: 12_500 };
      }),
      vpc: model,
      trace: false,
    });
    try {
      const [image] = tools.guestImages;
      if (image === undefined) throw new Error('there is no guest image');
      const rest = { qemu: tools.qemu, accelerator: 'tcg', image, cpus: 1 } as const;
      const [a, b, m] = await Promise.all(
        guests.map((name) =>
          startVm({ ...rest, name, nics: [{ kind: 'vfio-user', socket: socket(name) }] }),
        ),
      );
      if (a === undefined || b === undefined || m === undefined)
        throw new Error('three guests were to start');
      await Promise.all([bringUp(a, 'a'), bringUp(b, 'b'), bringUp(m, 'm')]);
      await m.run('echo 1 > /proc/sys/net/ipv4/ip_forward');
      return new VpcGuests(dataplane, directory, { a, b, m });
    } catch (error) {
      await dataplane.close();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#vms).map((vm) => vm.close()));
    await this.#dataplane.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async play({ model, steps }: Behaviour): Promise<void> {
    this.#turn++;
    assert.deepEqual(await this.#dataplane.setVpc(model), []);
    try {
      for (const [i, step] of steps.entries()) await this.#step(step, `step ${i + 1}`);
    } finally {
      await Promise.all(guests.map((name) => this.#vms[name].exec('killall nc sleep udp-echo')));
      this.#connections.clear();
    }
  }

  async #step(step: Step, where: string): Promise<void> {
    if ('change' in step) assert.deepEqual(await this.#dataplane.setVpc(step.change), []);
    else if ('wait' in step) await sleep(step.wait * 1000);
    else if ('service' in step) await this.#service(step.packet, where);
    else if ('packet' in step) await this.#packet(step.packet, step.is, where);
    else await this.#expect(step, where, () => this.#tries(step));
  }

  /** Does what a step says, and whether it worked. */
  #tries(
    step: Exclude<Step, { packet: Packet } | { wait: number } | { change: VpcModel }>,
  ): Promise<boolean> {
    if ('connect' in step) return this.#connect(step);
    if ('talk' in step) return this.#talk(step.talk);
    return 'ask' in step ? this.#ask(step) : this.#ping(step);
  }

  /** It works; or it does not, and the network counts why. */
  async #expect({ fails }: Ending, where: string, tries: () => Promise<boolean>): Promise<void> {
    const before = this.#counts();
    this.#patienceMs = patienceMs[fails === undefined ? 'works' : 'fails'];
    const worked = await tries();
    assert.equal(
      worked,
      fails === undefined,
      `${where}: ${worked ? 'it works' : this.#changes(before)}`,
    );
    if (fails !== undefined) this.#assertCounted(before, fails, where);
  }

  #assertCounted(before: Counts, reason: ReasonName, where: string): void {
    const grown = (this.#counts().get(reason) ?? 0) - (before.get(reason) ?? 0);
    assert.ok(grown > 0, `${where}: ${reason} is not why: ${this.#changes(before)}`);
  }

  // What guests do.

  async #connect(step: Extract<Step, { connect: string }>): Promise<boolean> {
    const { connect, port, version, to } = step;
    const server = this.#vms[to];
    const from = this.#vms[step.from];
    const file = `/tmp/${this.#turn}-${connect}`;
    await server.run(`nc -l -p ${port} -e cat > /dev/null 2>&1 &
      echo $! > ${file}.server
      until ss -ltn | grep -q ':${port} '; do sleep 0.05; done`);
    const address = (version === 6 ? addresses6 : addresses)[to];
    await from.run(`mkfifo ${file}.in
      nc ${address} ${port} < ${file}.in > ${file}.out 2>&1 &
      echo $! > ${file}.client
      sleep 1000 > ${file}.in &`);
    this.#connections.set(connect, { from, file });
    if (await this.#talk(connect)) return true;
    // Its SYN would come again, and could find a gate open that a later step is about.
    await from.exec(`kill $(cat ${file}.client)`);
    await server.exec(`kill $(cat ${file}.server)`);
    return false;
  }

  /** A line, which the server sends back. */
  async #talk(name: string): Promise<boolean> {
    const { from, file } = this.#connections.get(name) ?? assert.fail(`no connection ${name}`);
    const line = `line-${this.#line++}.`;
    const tenths = this.#patienceMs / 100;
    const { code } = await from.exec(`timeout 20 sh -c 'echo ${line} > ${file}.in'
      for i in $(seq ${tenths}); do grep -q ${line} ${file}.out && exit 0; sleep 0.1; done; exit 1`);
    return code === 0;
  }

  async #ask({ from, to, ask, closed }: Extract<Step, { ask: number }>): Promise<boolean> {
    if (!closed) {
      await this.#install(this.#vms[to], 'udp-echo', udpEcho(ask));
      await this.#vms[to].run(`/tmp/udp-echo > /dev/null 2>&1 &
        until ss -lun | grep -q ':${ask} '; do sleep 0.05; done`);
    }
    const code = await this.#udp(this.#vms[from], udpAsk(addresses[to], ask));
    assert.ok(
      code === asked.answered || code === asked.nothing || code === asked.refused,
      `exit ${code}`,
    );
    return code === (closed ? asked.refused : asked.answered);
  }

  async #ping({ ping, from, to, version }: Extract<Step, { ping: number }>): Promise<boolean> {
    const address = (version === 6 ? addresses6 : addresses)[to];
    const id = this.#turn * 16 + ping;
    const { code } = await this.#vms[from].exec(`ping -c 1 -W 2 -e ${id} ${address}`);
    return code === 0;
  }

  /** One packet, of the kinds that a guest's programs send. */
  async #packet(packet: Packet, is: ReasonName, where: string): Promise<void> {
    if (packet.protocol !== 6 && packet.protocol !== 17) return;
    const before = this.#counts();
    await this.#sendOne(packet);
    if (is === 'delivered') this.#assertPassed(before, 'received', where);
    else this.#assertCounted(before, is, where);
  }

  /** Whatever a service makes of it: none of the gates stands before it. */
  async #service(packet: Packet, where: string): Promise<void> {
    const before = this.#counts();
    await this.#sendOne(packet);
    this.#assertPassed(before, 'sent', where);
  }

  /** No gate was closed, and frames went on. */
  #assertPassed(before: Counts, frames: 'sent' | 'received', where: string): void {
    const after = this.#counts();
    for (const gate of gates)
      assert.equal(after.get(gate), before.get(gate), `${where}: ${this.#changes(before)}`);
    const grown = (after.get(frames) ?? 0) - (before.get(frames) ?? 0);
    assert.ok(grown > 0, `${where}: nothing was ${frames}`);
  }

  async #sendOne({
    from,
    protocol,
    destination,
    destinationPort = 0,
    sourcePort = 0,
  }: Packet): Promise<void> {
    const vm = this.#vms[from.replace('eni-', '') as Name];
    if (protocol === 17) await this.#udp(vm, udpAsk(destination, destinationPort, sourcePort));
    else await vm.exec(`timeout 1 nc ${destination} ${destinationPort} < /dev/null`);
  }

  async #udp(vm: Vm, program: Buffer): Promise<number> {
    await this.#install(vm, 'udp-ask', program);
    return (await vm.exec('/tmp/udp-ask')).code;
  }

  async #install(vm: Vm, name: string, program: Buffer): Promise<void> {
    const path = `/tmp/${name}`;
    await vm.run(
      `rm -f ${path}; echo ${program.toString('base64')} | base64 -d > ${path}; chmod +x ${path}`,
    );
  }

  // What the network counts.

  /** Frames of all ports together: refused ones by reason, and those that were sent and received. */
  #counts(): Counts {
    const sums = new Map<string, number>();
    for (const counters of Object.values(this.#dataplane.counters()))
      for (const [name, n = 0] of Object.entries(counters)) {
        const key = frameCounters[name] ?? name.replace(/^[rt]x_/, '');
        sums.set(key, (sums.get(key) ?? 0) + n);
      }
    return sums;
  }

  #changes(before: Counts): string {
    const changes = [...this.#counts()].flatMap(([reason, n]) => {
      const grown = n - (before.get(reason) ?? 0);
      return grown > 0 && reason in reasons ? [`${reason} +${grown}`] : [];
    });
    return changes.join(', ') || 'nothing was counted';
  }
}

type Counts = ReadonlyMap<string, number>;
const frameCounters: Readonly<Record<string, string>> = {
  tx_frames: 'sent',
  rx_frames: 'received',
};

/** IPv4 as DHCP says; the IPv6 address by hand, its router by the advertisement. */
async function bringUp(vm: Vm, name: Name): Promise<void> {
  const nic = await vm.waitForDriver('ena');
  const got = await vm.dhcp(nic);
  assert.equal(got.split('/')[0], addresses[name]);
  await vm.run(`ip -6 addr add ${addresses6[name]}/64 dev ${nic} nodad
    for i in $(seq 50); do ip -6 route | grep -q default && exit 0; sleep 0.1; done
    echo 'no router has advertised itself' >&2; ip -6 route >&2; exit 1`);
}
