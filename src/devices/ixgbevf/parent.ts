/**
 * The parent function, as far as it concerns this one: what an administrator sets (in the words of
 * `ip link set PF vf N`), and what the function asked for by mailbox. It does what Linux's ixgbe
 * does on an 82599 (`ixgbe_sriov.c`), and knows one function only: tables that real parents share
 * among their functions are this one's alone.
 */
import { API_VERSION, MBX_ANSWER, PF_CONTROL_MSG, XCAST_MODE } from '../../defs/ixgbevf-mbx.ts';
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';
import type { Filters } from './filters.ts';
import type { Mailbox } from './mailbox.ts';
import type { IxgbevfProfile } from './profile.ts';
import type { ParentRss } from './rss.ts';

/** Ethernet header and check sequence. */
const l2Bytes = 18;
export const standardFrameBytes = 1518;

/** What an administrator can set. */
export type ParentSettings = {
  /** 48 bits; 0: none. */
  mac: number;
  /** Set administratively. */
  macIsSet: boolean;
  trusted: boolean;
  /** Of VLANs; addresses are checked by the switch, which knows who has which. */
  spoofCheck: boolean;
  rssQuery: boolean;
  /** Enabled, or not whatever the wire says. */
  linkEnabled: boolean;
  /** Port VLAN and its priority; 0: none. */
  vlan: number;
  qos: number;
};

/** What he can change while the function runs. */
export type ParentChange =
  /** 48 bits; 0: the function may bring its own. */
  | { readonly what: 'mac'; readonly mac: number }
  | { readonly what: 'vlan'; readonly vlan: number; readonly qos: number }
  | { readonly what: 'trust' | 'rss-query'; readonly on: boolean };

export type ParentParts = {
  readonly profile: IxgbevfProfile;
  readonly filters: Filters;
  readonly rss: ParentRss;
  readonly queuePairs: number;
  readonly diagnostics: Diagnostics;
};

export class Parent {
  readonly settings: ParentSettings;
  readonly parts: ParentParts;
  /** What the function agreed to; on the wire. */
  api: number = API_VERSION['1.0'];
  xcastMode: number = XCAST_MODE.NONE;
  /** The function has said RESET since the parent last wanted it to. */
  clearToSend = false;
  /** The parent has told the driver to reset the function, and it has not done so yet. */
  restarts = false;
  /** VFRE: whether the function is given frames. */
  receives = false;
  /** The longest frame that it is given, with its check sequence. */
  maxFrameBytes: number;
  #mailbox: Mailbox | null = null;

  constructor(settings: ParentSettings, parts: ParentParts) {
    this.settings = settings;
    this.parts = parts;
    this.maxFrameBytes = parts.profile.parentMtu + l2Bytes;
    this.functionReset();
  }

  /** More than standard frames. */
  get isJumbo(): boolean {
    return this.parts.profile.parentMtu + l2Bytes > standardFrameBytes;
  }

  /** Tags that every frame of the function gets; -1: none. */
  get portTag(): number {
    const { vlan, qos } = this.settings;
    return vlan === 0 && qos === 0 ? -1 : (qos << 13) | vlan;
  }

  /** Where it writes to the function. */
  connect(mailbox: Mailbox): void {
    this.#mailbox = mailbox;
  }

  /** The function was reset, by itself or by its VMM. */
  functionReset(): void {
    const { filters, profile } = this.parts;
    const { vlan, mac, linkEnabled } = this.settings;
    filters.clearVlans();
    filters.addVlan(vlan);
    filters.acceptUntagged = vlan === 0;
    filters.acceptHashed = false;
    filters.acceptAllMulticast = false;
    filters.clearMacvlans();
    filters.setMac(mac);
    this.api = API_VERSION['1.0'];
    this.xcastMode = XCAST_MODE.NONE;
    this.receives = linkEnabled && (!this.isJumbo || profile.legacyOnJumbo);
  }

  refuse(rule: Rule, detail: () => string): false {
    this.parts.diagnostics.refuse(rule, detail);
    return false;
  }

  /** The address that the function wants; false: it belongs to somebody else. */
  takeMac(mac: number): boolean {
    if (!this.parts.filters.setMac(mac)) return false;
    this.settings.mac = mac;
    return true;
  }

  // What an administrator does.

  /** False: it cannot be. */
  administer(change: ParentChange): boolean {
    switch (change.what) {
      case 'mac':
        return this.setMac(change.mac);
      case 'vlan':
        this.setVlan(change.vlan, change.qos);
        return true;
      case 'trust':
        this.setTrusted(change.on);
        return true;
      case 'rss-query':
        this.settings.rssQuery = change.on;
        return true;
    }
  }

  /** The function hears of it at its next reset. False: the address is taken. */
  setMac(mac: number): boolean {
    if (!this.takeMac(mac)) return false;
    this.settings.macIsSet = mac !== 0;
    return true;
  }

  setSpoofCheck(on: boolean): void {
    this.settings.spoofCheck = on;
  }

  setTrusted(on: boolean): void {
    if (this.settings.trusted === on) return;
    this.settings.trusted = on;
    this.restartFunction();
  }

  setLink(enabled: boolean): void {
    this.settings.linkEnabled = enabled;
    const { legacyOnJumbo } = this.parts.profile;
    this.receives = enabled && (!this.isJumbo || legacyOnJumbo);
    this.restartFunction();
  }

  /** A port VLAN takes the place of "untagged"; 0 and 0: the function may have its own again. */
  setVlan(vlan: number, qos: number): void {
    const { filters } = this.parts;
    filters.removeVlan(this.settings.vlan);
    this.settings.vlan = vlan;
    this.settings.qos = qos;
    filters.removeVlan(0);
    filters.addVlan(vlan);
    filters.acceptUntagged = vlan === 0 && qos === 0;
  }

  /** The driver is to reset the function: it learns so from what is missing in the message. */
  restartFunction(): void {
    this.restarts ||= this.clearToSend;
    this.clearToSend = false;
    this.#mailbox?.post(PF_CONTROL_MSG);
  }

  /** Something that concerns the function has changed: it may want to look at its link. */
  ping(): void {
    this.#mailbox?.post((PF_CONTROL_MSG | (this.clearToSend ? MBX_ANSWER.CTS : 0)) >>> 0);
  }

  /** The parent itself is reset: what its functions have asked for is forgotten. */
  resetItself(inProgress: boolean): void {
    if (inProgress) {
      this.receives = false;
      this.clearToSend = false;
    } else {
      this.parts.filters.clearHashes();
      this.functionReset();
    }
    this.#mailbox?.parentResets(inProgress);
  }
}
