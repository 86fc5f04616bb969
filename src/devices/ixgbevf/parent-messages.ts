/**
 * What a function may ask its parent, message by message, as `ixgbe_rcv_msg_from_vf` answers on an
 * 82599. An answer overwrites the words of the question where it has something to say.
 */
import {
  API_VERSION,
  type ApiVersion,
  MAX_MULTICAST_HASHES,
  PF_FEATURE,
  QUEUES_WORD,
  RETA_ENTRIES,
  RETA_WORDS,
  RSS_KEY_WORDS,
  VF_MSG,
  XCAST_MODE,
} from '../../defs/ixgbevf-mbx.ts';
import { isGroupMac } from '../../net/ethernet.ts';
import { type Parent, standardFrameBytes } from './parent.ts';
import { ixgbevfRules } from './rules.ts';

export type MessageCall = {
  readonly parent: Parent;
  /** The question; the first word is not the answer's business. */
  readonly words: Uint32Array;
  /** Bits 23:16 of the first word. */
  readonly info: number;
};

export type Message = {
  readonly name: string;
  /** True: success. */
  readonly answer: (call: MessageCall) => boolean;
};

const maxJumboBytes = 9728;
const minFrameBytes = 68;
const maxVlanId = 0xfff;

/** In the order of the versions, which is not that of their numbers. */
const order: readonly ApiVersion[] = ['1.0', '1.1', '1.2', '1.3', '1.4', '1.5', '1.6', '1.7'];
const versionOf = (wire: number): number =>
  order.findIndex((version) => API_VERSION[version] === wire);

/** What comes with a version of the API, and the version. */
function since(version: ApiVersion, answer: Message['answer']): Message['answer'] {
  const needed = order.indexOf(version);
  return (call) =>
    versionOf(call.parent.api) >= needed
      ? answer(call)
      : call.parent.refuse(ixgbevfRules['mailbox-api'], () => `it came with API ${version}`);
}

/** Bytes 4 to 9 of the message. */
function macOf(words: Uint32Array): number {
  const [, low = 0, high = 0] = words;
  const bytes = [low, low >>> 8, low >>> 16, low >>> 24, high, high >>> 8];
  return bytes.reduce((mac, byte) => mac * 256 + (byte & 0xff), 0);
}

function putMac(words: Uint32Array, mac: number): void {
  const byte = (i: number): number => Math.floor(mac / 256 ** (5 - i)) & 0xff;
  words[1] = byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24);
  words[2] = byte(4) | (byte(5) << 8);
}

const isAddress = (mac: number): boolean => mac !== 0 && !isGroupMac(mac);
const hex = (value: number): string => `0x${value.toString(16)}`;

/** The function has been reset: its address, and how it is to hash multicasts. */
function reset({ parent, words }: MessageCall): boolean {
  const { mac, macIsSet } = parent.settings;
  words[3] = parent.parts.profile.multicastFilterType;
  if (mac === 0 || !macIsSet) return false;
  putMac(words, mac);
  return true;
}

function setMac({ parent, words }: MessageCall): boolean {
  const mac = macOf(words);
  const { macIsSet, trusted, mac: own } = parent.settings;
  if (!isAddress(mac)) return parent.refuse(ixgbevfRules['mailbox-mac'], () => hex(mac));
  if (macIsSet && !trusted && mac !== own)
    return parent.refuse(ixgbevfRules['mailbox-mac-set'], () => `${hex(mac)}, set ${hex(own)}`);
  if (parent.takeMac(mac)) return true;
  return parent.refuse(ixgbevfRules['mailbox-mac-taken'], () => hex(mac));
}

function setMulticast({ parent, words, info }: MessageCall): boolean {
  const { filters } = parent.parts;
  const count = Math.min(info, MAX_MULTICAST_HASHES);
  for (let i = 0; i < count; i++) {
    const word = words[1 + (i >>> 1)] as number;
    filters.addHash((i & 1) === 0 ? word & 0xffff : word >>> 16);
  }
  filters.acceptHashed = true;
  return true;
}

function setVlan({ parent, words, info }: MessageCall): boolean {
  const { filters } = parent.parts;
  const id = (words[1] as number) & maxVlanId;
  if (parent.settings.vlan !== 0)
    return parent.refuse(ixgbevfRules['mailbox-vlan-set'], () => `VLAN ${id}`);
  if (info === 0) {
    if (id !== 0) filters.removeVlan(id);
    return true;
  }
  if (filters.addVlan(id)) return true;
  return parent.refuse(ixgbevfRules['mailbox-vlan-full'], () => `VLAN ${id}`);
}

/** All functions of an 82599 share one limit: jumbo frames are for those that know them. */
function setFrameSize({ parent, words }: MessageCall): boolean {
  const bytes = words[1] as number;
  const detail = (): string => `${bytes} bytes`;
  if (bytes < minFrameBytes || bytes > maxJumboBytes)
    return parent.refuse(ixgbevfRules['mailbox-frame-size'], detail);
  const { legacyOnJumbo } = parent.parts.profile;
  const knowsJumbo = versionOf(parent.api) >= order.indexOf('1.1');
  const fits = parent.isJumbo
    ? knowsJumbo || (legacyOnJumbo && bytes <= standardFrameBytes)
    : bytes <= standardFrameBytes;
  parent.receives = fits && parent.settings.linkEnabled;
  if (!fits) return parent.refuse(ixgbevfRules['mailbox-frame-size'], detail);
  parent.maxFrameBytes = Math.max(parent.maxFrameBytes, bytes);
  return true;
}

/** `info`: 0 no further addresses, 1 the first of a new list, else one more. */
function setMacvlan({ parent, words, info }: MessageCall): boolean {
  const { filters, profile } = parent.parts;
  const { macIsSet, trusted } = parent.settings;
  const mac = macOf(words);
  if (info > 0) {
    if (macIsSet && !trusted)
      return parent.refuse(ixgbevfRules['mailbox-mac-set'], () => `further ${hex(mac)}`);
    if (!isAddress(mac)) return parent.refuse(ixgbevfRules['mailbox-mac'], () => hex(mac));
  }
  if (info <= 1) filters.clearMacvlans();
  if (info === 0) return true;
  if (filters.macvlans === profile.maxMacvlans)
    return parent.refuse(ixgbevfRules['mailbox-macvlan-full'], () => hex(mac));
  if (filters.addMacvlan(mac)) return true;
  return parent.refuse(ixgbevfRules['mailbox-mac-taken'], () => hex(mac));
}

function negotiateApi({ parent, words }: MessageCall): boolean {
  const wanted = words[1] as number;
  const spoken = parent.parts.profile.apiVersions;
  if (spoken.some((version) => API_VERSION[version] === wanted)) {
    parent.api = wanted;
    return true;
  }
  // Drivers begin with the newest version that they know: no fault of theirs.
  const isKnown = Object.values(API_VERSION).some((wire) => wire === wanted);
  if (!isKnown) parent.refuse(ixgbevfRules['mailbox-api-version'], () => `number ${wanted}`);
  return false;
}

function getQueues({ parent, words }: MessageCall): boolean {
  words[QUEUES_WORD.TX] = parent.parts.queuePairs;
  words[QUEUES_WORD.RX] = parent.parts.queuePairs;
  words[QUEUES_WORD.TRANS_VLAN] = parent.portTag >= 0 ? 1 : 0;
  words[QUEUES_WORD.DEF_QUEUE] = 0;
  return true;
}

/** 128 entries of 2 bits: an 82599 has four queues per function at most. */
function getReta({ parent, words }: MessageCall): boolean {
  if (!parent.settings.rssQuery)
    return parent.refuse(ixgbevfRules['mailbox-rss-query'], () => 'RETA');
  const { table } = parent.parts.rss;
  words.fill(0, 1, 1 + RETA_WORDS);
  for (let i = 0; i < RETA_ENTRIES; i++) {
    const at = 1 + (i >>> 4);
    words[at] = (words[at] as number) | (((table[i] as number) & 3) << (2 * (i & 15)));
  }
  return true;
}

function getRssKey({ parent, words }: MessageCall): boolean {
  if (!parent.settings.rssQuery)
    return parent.refuse(ixgbevfRules['mailbox-rss-query'], () => 'key');
  const { key } = parent.parts.rss;
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  for (let i = 0; i < RSS_KEY_WORDS; i++) words[1 + i] = view.getUint32(4 * i, true);
  return true;
}

/** An untrusted function that asks for more than some multicasts is given those. */
function updateXcastMode({ parent, words }: MessageCall): boolean {
  const wanted = words[1] as number;
  const { filters } = parent.parts;
  const refused = (): boolean =>
    parent.refuse(ixgbevfRules['mailbox-xcast'], () => `mode ${wanted}`);
  if (versionOf(parent.api) < order.indexOf('1.3') && wanted === XCAST_MODE.PROMISC)
    return refused();
  const mode = parent.settings.trusted ? wanted : Math.min(wanted, XCAST_MODE.MULTI);
  if (mode > XCAST_MODE.ALLMULTI) return refused();
  filters.acceptHashed = mode >= XCAST_MODE.MULTI;
  filters.acceptAllMulticast = mode === XCAST_MODE.ALLMULTI;
  parent.xcastMode = mode;
  words[1] = mode;
  return true;
}

function refuseIpsec({ parent }: MessageCall): boolean {
  return parent.refuse(ixgbevfRules['mailbox-ipsec'], () => 'IPsec');
}

function getLinkState({ parent, words }: MessageCall): boolean {
  words[1] = parent.settings.linkEnabled ? 1 : 0;
  return true;
}

function refuseLinkQuery({ parent }: MessageCall): boolean {
  return parent.refuse(ixgbevfRules['mailbox-link-query'], () => 'link');
}

function negotiateFeatures({ parent, words }: MessageCall): boolean {
  const offered = parent.parts.profile.features & (PF_FEATURE.IPSEC | PF_FEATURE.ESX_MBX);
  words[1] = (words[1] as number) & offered;
  return true;
}

const answers: { readonly [K in keyof typeof VF_MSG]: Message['answer'] } = {
  RESET: reset,
  SET_MAC_ADDR: setMac,
  SET_MULTICAST: setMulticast,
  SET_VLAN: setVlan,
  SET_LPE: setFrameSize,
  SET_MACVLAN: setMacvlan,
  API_NEGOTIATE: negotiateApi,
  GET_QUEUES: since('1.1', getQueues),
  GET_RETA: since('1.2', getReta),
  GET_RSS_KEY: since('1.2', getRssKey),
  UPDATE_XCAST_MODE: since('1.2', updateXcastMode),
  IPSEC_ADD: since('1.4', refuseIpsec),
  IPSEC_DEL: since('1.4', refuseIpsec),
  GET_LINK_STATE: since('1.2', getLinkState),
  GET_PF_LINK_STATE: since('1.6', refuseLinkQuery),
  FEATURES_NEGOTIATE: since('1.7', negotiateFeatures),
};

/** By the low half of the first word. */
export const messages: ReadonlyMap<number, Message> = new Map(
  Object.entries(answers).map(([name, answer]) => {
    return [VF_MSG[name as keyof typeof VF_MSG], { name, answer }];
  }),
);
