/** What every card tells about itself, and the settings that need no machinery of their own. */
import {
  aenqResp,
  deviceAttrResp,
  EXTRA_PROPERTIES_STRING_BYTES,
  extraFlagsResp,
  extraStringsResp,
  FEATURE,
  hostInfo,
  hwTimestampResp,
  LINK_SPEEDS,
  linkResp,
  maxQueuesExtResp,
  maxQueuesResp,
  moderationResp,
  offloadResp,
  STATUS,
  setAenq,
  setFragBypass,
  setHostAttr,
  setHwTimestamp,
  setMtu,
} from '../../defs/ena-admin.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import type { EventQueue } from './event-queue.ts';
import type { Feature, FeatureCall } from './feature-call.ts';
import type { EnaProfile } from './profile.ts';
import { enaRules } from './rules.ts';

export const minMtu = 128;
const defaultMtu = 1500;
const hostInfoPageBytes = 4096;

/** What a driver tells of itself in its host info page. */
export type HostInfo = { osType: number; driverVersion: number; specVersion: number };

const linux = 1;

/** What the driver has set. */
export class Settings {
  /** Without L2. */
  mtu = defaultMtu;
  hostInfo: HostInfo | null = null;
  /** It has read the device attributes. */
  attributesRead = false;
  stampTx = false;
  stampRx = false;
  fragBypass = false;

  reset(): void {
    Object.assign(this, new Settings());
  }
}

/** Buffers that a received frame may take. */
export const maxRxDescs = (profile: EnaProfile, { hostInfo }: Settings): number =>
  hostInfo?.osType === linux ? profile.maxRxDescsOfLinux : profile.maxRxDescsPerPacket;

export type Identity = {
  readonly profile: EnaProfile;
  readonly queuePairs: number;
  readonly mac: Uint8Array;
  readonly linkMbps: number;
};

export function basicFeatures(
  identity: Identity,
  settings: Settings,
  events: EventQueue,
  memory: GuestMemory,
): [number, Feature][] {
  const { profile } = identity;
  return [
    [
      FEATURE.DEVICE_ATTRIBUTES,
      {
        get: (call) => {
          settings.attributesRead = true;
          return deviceAttributes(call, identity);
        },
      },
    ],
    [FEATURE.MAX_QUEUES_NUM, { get: (call) => maxQueues(call, identity, settings) }],
    [FEATURE.MAX_QUEUES_EXT, { get: (call) => maxQueuesExt(call, identity, settings) }],
    [FEATURE.STATELESS_OFFLOAD_CONFIG, { get: (call) => offload(call, profile) }],
    [FEATURE.LINK_CONFIG, { get: (call) => link(call, identity.linkMbps) }],
    [FEATURE.MTU, { set: (call) => takeMtu(call, profile, settings) }],
    [FEATURE.HOST_ATTR_CONFIG, { set: (call) => takeHostInfo(call, settings, memory) }],
    [FEATURE.AENQ_CONFIG, aenqFeature(profile, events)],
    [FEATURE.INTERRUPT_MODERATION, { get: (call) => moderation(call, profile) }],
    [FEATURE.EXTRA_PROPERTIES_STRINGS, { get: (call) => extraStrings(call, profile) }],
    [FEATURE.EXTRA_PROPERTIES_FLAGS, { get: (call) => extraFlags(call, profile) }],
    [
      FEATURE.FRAG_BYPASS,
      {
        set: (call) => {
          settings.fragBypass = call.as(setFragBypass.create()).enable === 1;
          return STATUS.SUCCESS;
        },
      },
    ],
    [FEATURE.HW_TIMESTAMP, timestampFeature(settings)],
  ];
}

function deviceAttributes(call: FeatureCall, { profile, mac }: Identity): number {
  const made = deviceAttrResp.create();
  made.impl_id = profile.controllerVersion >>> 24;
  made.device_version = profile.deviceVersion;
  made.supported_features = profile.features;
  made.capabilities = profile.capabilities;
  made.phys_addr_width = profile.dmaAddressBits;
  made.virt_addr_width = profile.dmaAddressBits;
  [made.mac_0, made.mac_1, made.mac_2] = [mac[0] ?? 0, mac[1] ?? 0, mac[2] ?? 0];
  [made.mac_3, made.mac_4, made.mac_5] = [mac[3] ?? 0, mac[4] ?? 0, mac[5] ?? 0];
  made.flow_steering_max_entries = profile.flowSteeringRules;
  made.max_mtu = profile.maxMtu;
  return call.answer(made);
}

function maxQueues(
  call: FeatureCall,
  { profile, queuePairs }: Identity,
  settings: Settings,
): number {
  const made = maxQueuesResp.create();
  made.max_sq_num = queuePairs;
  made.max_sq_depth = profile.maxSqDepth;
  made.max_cq_num = queuePairs;
  made.max_cq_depth = profile.maxCqDepth;
  made.max_header_size = profile.maxHeaderBytes;
  made.max_packet_tx_descs = profile.maxTxDescsPerPacket;
  made.max_packet_rx_descs = maxRxDescs(profile, settings);
  return call.answer(made);
}

function maxQueuesExt(
  call: FeatureCall,
  { profile, queuePairs }: Identity,
  settings: Settings,
): number {
  const made = maxQueuesExtResp.create();
  made.version = 1;
  made.max_tx_sq_num = queuePairs;
  made.max_tx_cq_num = queuePairs;
  made.max_rx_sq_num = queuePairs;
  made.max_rx_cq_num = queuePairs;
  made.max_tx_sq_depth = profile.maxSqDepth;
  made.max_tx_cq_depth = profile.maxCqDepth;
  made.max_rx_sq_depth = profile.maxSqDepth;
  made.max_rx_cq_depth = profile.maxCqDepth;
  made.max_tx_header_size = profile.maxHeaderBytes;
  made.max_per_packet_tx_descs = profile.maxTxDescsPerPacket;
  made.max_per_packet_rx_descs = maxRxDescs(profile, settings);
  return call.answer(made);
}

function offload(call: FeatureCall, profile: EnaProfile): number {
  const made = offloadResp.create();
  made.tx = profile.offloadTx;
  made.rx_supported = profile.offloadRx;
  made.rx_enabled = profile.offloadRx;
  return call.answer(made);
}

const fullDuplex = 2;
const fastest = 0x200;

function link(call: FeatureCall, linkMbps: number): number {
  const made = linkResp.create();
  made.speed = linkMbps;
  made.supported = LINK_SPEEDS.find(([mbps]) => mbps >= linkMbps)?.[1] ?? fastest;
  made.flags = fullDuplex;
  return call.answer(made);
}

function takeMtu(call: FeatureCall, { maxMtu }: EnaProfile, settings: Settings): number {
  const { mtu } = call.as(setMtu.create());
  if (mtu < minMtu || mtu > maxMtu)
    return call.refuse(enaRules['mtu-range'], () => `${mtu}, allowed ${minMtu} to ${maxMtu}`);
  settings.mtu = mtu;
  return STATUS.SUCCESS;
}

function takeHostInfo(call: FeatureCall, settings: Settings, memory: GuestMemory): number {
  const cmd = call.as(setHostAttr.create());
  const iova = cmd.os_info_hi * 2 ** 32 + cmd.os_info_lo;
  const debug = cmd.debug_hi * 2 ** 32 + cmd.debug_lo;
  // The driver writes to it, for whoever looks into a guest from outside; the card never does.
  if (debug !== 0 && cmd.debug_area_size > 0 && memory.locate(debug, cmd.debug_area_size) === null)
    return call.refuse(enaRules['debug-area-memory'], () => `0x${debug.toString(16)}`);
  // A driver without a host info page leaves the address zero and sets the debug area only.
  if (iova === 0) return STATUS.SUCCESS;
  const page = new Uint8Array(hostInfoPageBytes);
  if (!memory.read(iova, page.length, page, 0))
    return call.refuse(enaRules['host-info-memory'], () => `0x${iova.toString(16)}`);
  const info = hostInfo.create();
  info.load(new Int32Array(page.buffer), 0);
  settings.hostInfo = {
    osType: info.os_type,
    driverVersion: info.driver_version,
    specVersion: info.ena_spec_version,
  };
  return STATUS.SUCCESS;
}

const aenqFeature = ({ aenqGroups }: EnaProfile, events: EventQueue): Feature => ({
  get: (call) => {
    const made = aenqResp.create();
    made.supported_groups = aenqGroups;
    made.enabled_groups = events.enabledGroups;
    return call.answer(made);
  },
  set: (call) => {
    const groups = call.as(setAenq.create()).enabled_groups;
    if ((groups & ~aenqGroups) !== 0)
      return call.refuse(enaRules['aenq-groups'], () => `0x${groups.toString(16)}`);
    events.enabledGroups = groups;
    return STATUS.SUCCESS;
  },
});

function moderation(call: FeatureCall, profile: EnaProfile): number {
  const made = moderationResp.create();
  made.intr_delay_resolution = profile.moderationResolutionUs;
  return call.answer(made);
}

/** The names of the properties, one after the other in the control buffer. */
function extraStrings(call: FeatureCall, { extraProperties }: EnaProfile): number {
  const text = new Uint8Array(extraProperties.length * EXTRA_PROPERTIES_STRING_BYTES);
  for (const [i, { name }] of extraProperties.entries())
    text.set(new TextEncoder().encode(name), i * EXTRA_PROPERTIES_STRING_BYTES);
  if (call.controlLength > 0 && !call.writeControl(text)) return STATUS.ILLEGAL_PARAMETER;
  const made = extraStringsResp.create();
  made.count = extraProperties.length;
  return call.answer(made);
}

function extraFlags(call: FeatureCall, { extraProperties }: EnaProfile): number {
  const made = extraFlagsResp.create();
  made.flags = extraProperties.reduce((flags, { on }, i) => flags | (on ? 1 << i : 0), 0);
  return call.answer(made);
}

const timestampFeature = (settings: Settings): Feature => ({
  get: (call) => {
    const made = hwTimestampResp.create();
    [made.version, made.tx, made.rx] = [1, 1, 1];
    return call.answer(made);
  },
  set: (call) => {
    const { tx, rx } = call.as(setHwTimestamp.create());
    if (tx > 1 || rx > 1) return call.refuse(enaRules['timestamp-mode'], () => `tx ${tx} rx ${rx}`);
    settings.stampTx = tx === 1;
    settings.stampRx = rx === 1;
    return STATUS.SUCCESS;
  },
});
