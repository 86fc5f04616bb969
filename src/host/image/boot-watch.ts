/**
 * What is around a booted image, and what is seen of it there: a VPC with one more instance, a card (for EFA an
 * ENA and an EFA), a capture. The image itself says nothing.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { known } from '../../check/fact.ts';
import type { BootedCard } from '../../check/image/facts.ts';
import type { DataplaneConfig, DataplaneEvent, FunctionConfig } from '../dataplane/config.ts';
import { type ModelName, modelOf } from '../dataplane/models.ts';
import type { QemuVm } from '../qemu/vm.ts';
import { parseVpc } from '../vpc/load.ts';
import { type CaptureFindings, MAX_CAPTURE_BYTES, readCapture } from './capture-reader.ts';

export interface WatchRequest {
  model: ModelName;
  profile?: string;
  /** What has been seen so far, in words. */
  onSeen: (text: string) => void;
}

const POLL_MS = 500;
const CONSOLE_LINES = 3;
const FABRIC_MAC = '02:00:00:00:0e:fa';
const TOPOLOGY = `
vpc: { cidr: 10.0.0.0/16 }
instances:
  checked: { address: 10.0.0.10 }
  other: {}
`;

export class BootWatch {
  readonly config: DataplaneConfig;
  readonly #request: WatchRequest;
  readonly #capture: string;
  /** Name of the function that was asked for. */
  readonly #asked: string;
  #bound = false;
  #found: CaptureFindings = readCapture(Buffer.alloc(0));

  /** @param directory for sockets and the capture */
  constructor(request: WatchRequest, directory: string) {
    const { model, profile } = request;
    this.#request = request;
    this.#capture = join(directory, 'boot.pcapng');
    const vpc = parseVpc(TOPOLOGY, 'boot.yaml');
    const mac = vpc.interfaces[0]?.mac ?? '';
    const card = (name: string, of: ModelName, its: string, chosen?: string): FunctionConfig => {
      const linkMbps = modelOf(of).defaultLinkMbps;
      const socket = join(directory, `${name}.sock`);
      return { name, model: of, socket, mac: its, linkMbps, ...(chosen && { profile: chosen }) };
    };
    // an EFA alone has no address: EC2's come with an ENA
    const functions = modelOf(model).isFabric
      ? [card('card', 'ena', mac), card('fabric', model, FABRIC_MAC, profile)]
      : [card('card', model, mac, profile)];
    this.#asked = functions.at(-1)?.name ?? '';
    this.config = { vpc, functions, pcap: this.#capture, trace: true };
  }

  hear(event: DataplaneEvent): void {
    if (event.kind !== 'trace' || event.function !== this.#asked) return;
    if (/^(admin|mailbox) .*SUCCESS$/.test(event.line)) this.#bound = true;
  }

  /** Resolves with the seconds that it took until all was seen, the time was over or the machine ended. */
  async wait(vm: QemuVm, timeoutMs: number, signal: AbortSignal | undefined): Promise<number> {
    const begin = performance.now();
    let ended = false;
    void vm.exited.then(() => {
      ended = true;
    });
    const spent = (): number => performance.now() - begin;
    while (!this.#look() && !ended && spent() < timeoutMs) {
      this.#request.onSeen(this.#words());
      await sleep(POLL_MS, undefined, signal && { signal });
    }
    return spent() / 1000;
  }

  result(console: string, seconds: number): BootedCard {
    const { model, profile } = this.#request;
    const card = profile === undefined ? model : `${model} ${profile}`;
    const place = { call: `${card}, booted for ${seconds.toFixed(0)} s` };
    const found = this.#found;
    const lines = console.split('\n').map((line) => line.trim());
    return {
      card,
      seconds,
      driver: known(this.#bound, place),
      asked: known(found.dhcpAsked, place),
      address: known(found.usesLease ? found.leased : null, place),
      metadata: known(found.metadataStatus, place),
      mtu: known(found.mtu, place),
      console: lines.filter((line) => line !== '').slice(-CONSOLE_LINES),
    };
  }

  /** True when all has been seen. */
  #look(): boolean {
    const size = statSync(this.#capture, { throwIfNoEntry: false })?.size ?? 0;
    if (size > 0 && size <= MAX_CAPTURE_BYTES)
      this.#found = readCapture(readFileSync(this.#capture));
    const { usesLease, metadataStatus, mtu } = this.#found;
    return this.#bound && usesLease && metadataStatus !== null && mtu !== null;
  }

  #words(): string {
    const { dhcpAsked, usesLease, leased, metadataAsked } = this.#found;
    const seen = [
      ...(this.#bound ? ['driver'] : []),
      ...(dhcpAsked ? ['DHCP'] : []),
      ...(usesLease ? [leased ?? ''] : []),
      ...(metadataAsked ? ['metadata'] : []),
    ];
    return seen.length === 0 ? 'nothing seen yet' : `seen: ${seen.join(', ')}`;
  }
}
