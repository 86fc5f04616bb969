/** GET_FEATURE and SET_FEATURE. A feature that the profile lacks is answered as unsupported. */
import {
  aenqResp,
  deviceAttrResp,
  eventQueueAttrResp,
  FEATURE,
  featureCmd,
  hostInfo,
  hwHintsResp,
  networkAttrResp,
  queueAttr1Resp,
  queueAttr2Resp,
  STATUS,
  setAenqCmd,
} from '../../defs/efa-admin.ts';
import { INLINE_MAX_BYTES } from '../../defs/efa-io.ts';
import type { FunctionHost } from '../../pci/function.ts';
import type { EventRing } from '../amazon/event-ring.ts';
import { maxHandles } from './address-handles.ts';
import { doorbellBarIndex, maxCqs, maxQps, sqSliceBytes } from './bar.ts';
import { maxEventQueueDepth } from './event-queues.ts';
import { gidOf } from './gid.ts';
import { maxRegions } from './memory-regions.ts';
import type { EfaProfile } from './profile.ts';
import type { Refusals } from './refusals.ts';
import { efaRules } from './rules.ts';

export const maxPds = 256;
export const maxUars = 256;
/** FATAL_ERROR, WARNING, NOTIFICATION, KEEP_ALIVE. */
export const aenqGroups = 0x1e;
const addressBits = 48;
const linux = 0;
const names = new Map<number, string>(Object.entries(FEATURE).map(([name, id]) => [id, name]));
const pow32 = 2 ** 32;

export type Identity = {
  readonly profile: EfaProfile;
  readonly mac: number;
  readonly linkMbps: number;
};

/** Anything that can be written as an answer. */
type Made = { store(words: Int32Array, at: number): void };

export class Features {
  readonly #identity: Identity;
  readonly #host: FunctionHost;
  readonly #events: EventRing;
  readonly #refusals: Refusals;
  readonly #command = featureCmd.create();
  readonly #aenq = setAenqCmd.create();

  constructor(identity: Identity, host: FunctionHost, events: EventRing, refusals: Refusals) {
    this.#identity = identity;
    this.#host = host;
    this.#events = events;
    this.#refusals = refusals;
  }

  /** The feature's name in a command, for traces. */
  nameOf(command: Int32Array): string {
    this.#command.load(command, 0);
    return nameOf(this.#command.feature_id);
  }

  get(command: Int32Array, answer: Int32Array): number {
    const id = this.#offered(command);
    if (id < 0) return STATUS.UNSUPPORTED_OPCODE;
    const made = this.#make(id);
    if (made === null)
      return this.#refusals.illegal(efaRules['set-only-feature'], () => nameOf(id));
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  set(command: Int32Array): number {
    const id = this.#offered(command);
    if (id < 0) return STATUS.UNSUPPORTED_OPCODE;
    if (id === FEATURE.AENQ_CONFIG) return this.#setGroups(command);
    if (id === FEATURE.HOST_INFO) return this.#setHostInfo();
    return this.#refusals.illegal(efaRules['read-only-feature'], () => nameOf(id));
  }

  #offered(command: Int32Array): number {
    this.#command.load(command, 0);
    const id = this.#command.feature_id;
    if (id < 32 && (this.#identity.profile.features & (1 << id)) !== 0) return id;
    this.#refusals.illegal(
      efaRules['unsupported-feature'],
      () => `${nameOf(id)} (profile ${this.#identity.profile.name})`,
    );
    return -1;
  }

  #make(id: number): Made | null {
    switch (id) {
      case FEATURE.DEVICE_ATTR:
        return this.#deviceAttributes();
      case FEATURE.QUEUE_ATTR_1:
        return this.#queueAttributes();
      case FEATURE.QUEUE_ATTR_2: {
        const made = queueAttr2Resp.create();
        made.inline_buf_size_ex = INLINE_MAX_BYTES;
        return made;
      }
      case FEATURE.EVENT_QUEUE_ATTR: {
        const made = eventQueueAttrResp.create();
        made.max_eq = this.#identity.profile.eventQueues;
        made.max_eq_depth = maxEventQueueDepth;
        made.event_bitmask = 1;
        return made;
      }
      case FEATURE.AENQ_CONFIG: {
        const made = aenqResp.create();
        made.supported_groups = aenqGroups;
        made.enabled_groups = this.#events.enabledGroups;
        return made;
      }
      case FEATURE.NETWORK_ATTR: {
        const made = networkAttrResp.create();
        [made.addr_0, made.addr_1, made.addr_2, made.addr_3] = gidOf(this.#identity.mac);
        made.mtu = this.#identity.profile.mtu;
        return made;
      }
      case FEATURE.HW_HINTS:
        return hwHintsResp.create(); // all zero: the driver's own
      default:
        return null;
    }
  }

  #deviceAttributes(): Made {
    const { profile, mac, linkMbps } = this.#identity;
    const made = deviceAttrResp.create();
    const [min, max] = profile.pageShift;
    made.supported_features_lo = profile.features;
    made.page_size_cap_lo = pageSizes(min, Math.min(max, 31));
    made.page_size_cap_hi = max > 31 ? pageSizes(0, max - 32) : 0;
    made.fw_version = 1;
    made.admin_api_version = 1;
    made.device_version = profile.deviceVersion;
    made.db_bar = doorbellBarIndex;
    made.phys_addr_width = profile.dmaAddressBits;
    made.virt_addr_width = addressBits;
    made.device_caps = profile.deviceCaps;
    made.max_rdma_size = profile.maxRdmaBytes;
    const [, , high, low] = gidOf(mac);
    made.guid_lo = high;
    made.guid_hi = low;
    made.max_link_speed_gbps = Math.floor(linkMbps / 1000);
    return made;
  }

  #queueAttributes(): Made {
    const { profile } = this.#identity;
    const made = queueAttr1Resp.create();
    made.max_qp = maxQps;
    made.max_sq_depth = profile.maxSqDepth;
    made.inline_buf_size = INLINE_MAX_BYTES;
    made.max_rq_depth = profile.maxRqDepth;
    made.max_cq = maxCqs;
    made.max_cq_depth = profile.maxCqDepth;
    made.sub_cqs_per_cq = profile.subCqsPerCq;
    made.min_sq_depth = profile.minSqDepth;
    made.max_wr_send_sges = profile.maxSendSges;
    made.max_wr_recv_sges = profile.maxRecvSges;
    made.max_mr = maxRegions;
    made.max_mr_pages = profile.maxMrPages;
    made.max_pd = maxPds;
    made.max_ah = maxHandles;
    made.max_llq_size = sqSliceBytes;
    made.max_wr_rdma_sges = 1;
    made.max_tx_batch = profile.maxTxBatch;
    return made;
  }

  #setGroups(command: Int32Array): number {
    this.#aenq.load(command, 0);
    const groups = this.#aenq.enabled_groups;
    if ((groups & ~aenqGroups) !== 0)
      return this.#refusals.illegal(efaRules['aenq-groups'], () => `0x${groups.toString(16)}`);
    this.#events.enabledGroups = groups;
    return STATUS.SUCCESS;
  }

  #setHostInfo(): number {
    const { control_length: length, control_addr_hi, control_addr_lo } = this.#command;
    const iova = control_addr_hi * pow32 + control_addr_lo;
    const range = this.#host.memory.range(iova, hostInfo.sizeBytes, 'read');
    if (range === null || length < hostInfo.sizeBytes - 4)
      return this.#refusals.illegal(efaRules['host-info-memory'], () => `${length} bytes`);
    range.pull(0, hostInfo.sizeBytes / 4);
    const info = hostInfo.create();
    info.load(range.words, range.base);
    if (info.os_type !== linux)
      return this.#refusals.illegal(efaRules['host-info-os'], () => `${info.os_type}`);
    this.#host.trace?.(() => {
      const v = info.driver_ver;
      return `driver ${v >>> 24}.${(v >>> 16) & 0xff}.${(v >>> 8) & 0xff}`;
    });
    return STATUS.SUCCESS;
  }
}

const nameOf = (id: number): string => names.get(id) ?? `feature ${id}`;

const pageSizes = (min: number, max: number): number => {
  let bits = 0;
  for (let shift = min; shift <= max; shift++) bits += 2 ** shift;
  return bits;
};
