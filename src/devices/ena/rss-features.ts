/** The three features of receive-side scaling: function and key, inputs, indirection table. */
import {
  FEATURE,
  hashFunctionResp,
  hashInputResp,
  indTableResp,
  RSS_KEY_WORDS,
  STATUS,
  setHashFunction,
  setHashInput,
  setIndTable,
} from '../../defs/ena-admin.ts';
import { bytesOf, type Feature, type FeatureCall } from './feature-call.ts';
import type { EnaProfile } from './profile.ts';
import type { Queues } from './queues.ts';
import type { Rss } from './rss.ts';
import { enaRules } from './rules.ts';

const noInlineEntry = 0xffff_ffff;
/** ena_admin_feature_rss_flow_hash_control: a count, a reserved word, the key. */
const keyAt = 8;
const keyControlBytes = keyAt + RSS_KEY_WORDS * 4;
const oneEntryUpdate = 1;

export function rssFeatures(profile: EnaProfile, rss: Rss, queues: Queues): [number, Feature][] {
  return [
    [
      FEATURE.RSS_HASH_FUNCTION,
      { get: (call) => hashFunction(call, rss), set: (call) => takeHashFunction(call, rss) },
    ],
    [
      FEATURE.RSS_HASH_INPUT,
      {
        get: (call) => hashInput(call, profile, rss),
        set: (call) => takeHashInput(call, profile, rss),
      },
    ],
    [
      FEATURE.RSS_INDIRECTION_TABLE_CONFIG,
      {
        get: (call) => indTable(call, profile, rss),
        set: (call) => takeIndTable(call, profile, rss, queues),
      },
    ],
  ];
}

function hashFunction(call: FeatureCall, rss: Rss): number {
  const key = new Uint8Array(keyControlBytes);
  key[0] = RSS_KEY_WORDS;
  key.set(rss.key, keyAt);
  // A driver that wants to know the functions only sends no buffer for the key.
  if (call.controlLength > 0 && !call.writeControl(key)) return STATUS.ILLEGAL_PARAMETER;
  const made = hashFunctionResp.create();
  made.supported_func = rss.supportedFunctions;
  made.selected_func = rss.selectedFunction;
  made.init_val = rss.initialValue;
  return call.answer(made);
}

function takeHashFunction(call: FeatureCall, rss: Rss): number {
  const { selected_func: selected, init_val: initial } = call.as(setHashFunction.create());
  const one = selected !== 0 && (selected & (selected - 1)) === 0;
  if (!one || (selected & rss.supportedFunctions) === 0)
    return call.refuse(enaRules['rss-function'], () => `functions 0x${selected.toString(16)}`);
  const control = call.readControl(keyControlBytes);
  if (control === null) return STATUS.ILLEGAL_PARAMETER;
  const parts = control[0] as number;
  if (parts !== RSS_KEY_WORDS)
    return call.refuse(enaRules['rss-function'], () => `${parts} key words`);
  rss.setKey(control.subarray(keyAt));
  rss.setFunction(selected, initial);
  return STATUS.SUCCESS;
}

function hashInput(call: FeatureCall, profile: EnaProfile, rss: Rss): number {
  if (!call.writeControl(bytesOf(rss.hashControl()))) return STATUS.ILLEGAL_PARAMETER;
  const made = hashInputResp.create();
  made.supported_input_sort = profile.rssInputSort;
  made.enabled_input_sort = rss.sort.enabled;
  return call.answer(made);
}

/** Drivers switch every kind of sorting on, whatever is offered: those count that are. */
function takeHashInput(call: FeatureCall, profile: EnaProfile, rss: Rss): number {
  const control = call.readControl(rss.hashControl().byteLength);
  if (control === null) return STATUS.ILLEGAL_PARAMETER;
  if (!rss.setHashControl(new Int32Array(control.buffer)))
    return call.refuse(enaRules['rss-input'], () => 'fields that are not supported');
  rss.sort.enabled = call.as(setHashInput.create()).enabled_input_sort & profile.rssInputSort;
  return STATUS.SUCCESS;
}

/** Drivers of before ENA_ADMIN_RSS_FEATURE_VERSION_1 know one size only, and are told of no other. */
const sizesVersion = 1;
const oldTableLog = 7;

function indTable(call: FeatureCall, profile: EnaProfile, rss: Rss): number {
  const made = indTableResp.create();
  const [min, max] = profile.rssTableLog;
  const only = Math.min(Math.max(oldTableLog, min), max);
  const isOld = call.head.feature_version < sizesVersion;
  [made.min_size, made.max_size] = isOld ? [only, only] : [min, max];
  made.size = rss.tableLog ?? made.max_size;
  made.flags = oneEntryUpdate;
  made.inline_index = noInlineEntry;
  // A driver first asks for the sizes without a buffer, then for the table.
  if (call.controlLength > 0 && !call.writeControl(bytesOf(rss.tableWords(made.size))))
    return STATUS.ILLEGAL_PARAMETER;
  return call.answer(made);
}

/** The whole table from the control buffer, or one entry that the command itself holds. */
function takeIndTable(call: FeatureCall, profile: EnaProfile, rss: Rss, queues: Queues): number {
  const cmd = call.as(setIndTable.create());
  const [min, max] = profile.rssTableLog;
  const isRx = (queue: number): boolean => queues.rxQueue(queue) !== null;
  if (cmd.inline_index !== noInlineEntry) {
    if (isRx(cmd.inline_cq_idx) && rss.setTableEntry(cmd.inline_index, cmd.inline_cq_idx))
      return STATUS.SUCCESS;
    return call.refuse(
      enaRules['rss-table-entry'],
      () => `entry ${cmd.inline_index}, queue ${cmd.inline_cq_idx}`,
    );
  }
  if (cmd.size < min || cmd.size > max)
    return call.refuse(
      enaRules['rss-table-size'],
      () => `2^${cmd.size}, allowed 2^${min} to 2^${max}`,
    );
  const control = call.readControl(4 << cmd.size);
  if (control === null) return STATUS.ILLEGAL_PARAMETER;
  const entries = new Int32Array(control.buffer);
  const stray = entries.find((entry) => !isRx(entry & 0xffff));
  if (stray !== undefined)
    return call.refuse(enaRules['rss-table-entry'], () => `queue ${stray & 0xffff}`);
  rss.setTable(entries);
  return STATUS.SUCCESS;
}
