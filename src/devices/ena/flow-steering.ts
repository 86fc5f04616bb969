/**
 * Flow steering: rules that send a flow to one receive queue, ahead of RSS (feature 30). A rule
 * matches addresses and, for TCP and UDP, ports and the type of service, each under a mask; of
 * several that match, the one at the lowest location decides.
 */
import {
  FEATURE,
  FLOW_RULE_BYTES,
  FLOW_STEERING_ACTION,
  FLOW_STEERING_CHOOSE_LOCATION,
  FLOW_TYPE,
  flowRule,
  flowSteeringResp,
  STATUS,
  setFlowSteering,
} from '../../defs/ena-admin.ts';
import { read32 } from '../../net/bytes.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { fragment, type Headers } from '../../net/parse.ts';
import type { Feature, FeatureCall } from './feature-call.ts';
import { enaRules } from './rules.ts';

type Rule = {
  readonly queue: number;
  readonly ipVersion: 4 | 6;
  /** -1: any. */
  readonly protocol: number;
  readonly params: Uint8Array;
};

const familyOf = new Map<number, Pick<Rule, 'ipVersion' | 'protocol'>>([
  [FLOW_TYPE.IPV4, { ipVersion: 4, protocol: -1 }],
  [FLOW_TYPE.IPV6, { ipVersion: 6, protocol: -1 }],
  [FLOW_TYPE.IPV4_TCP, { ipVersion: 4, protocol: ipProtocol.tcp }],
  [FLOW_TYPE.IPV6_TCP, { ipVersion: 6, protocol: ipProtocol.tcp }],
  [FLOW_TYPE.IPV4_UDP, { ipVersion: 4, protocol: ipProtocol.udp }],
  [FLOW_TYPE.IPV6_UDP, { ipVersion: 6, protocol: ipProtocol.udp }],
]);

export class FlowSteering {
  readonly #rules: (Rule | null)[];
  #active: readonly Rule[] = [];

  constructor(maxRules: number) {
    this.#rules = new Array<Rule | null>(maxRules).fill(null);
  }

  /** Whether there is any rule. */
  get isActive(): boolean {
    return this.#active.length > 0;
  }

  reset(): void {
    this.#rules.fill(null);
    this.#list();
  }

  /** `rxQueues`: how many receive queues there are. */
  feature(rxQueues: () => number): [number, Feature] {
    return [FEATURE.FLOW_STEERING_CONFIG, { set: (call) => this.#configure(call, rxQueues()) }];
  }

  #configure(call: FeatureCall, rxQueues: number): number {
    const cmd = call.as(setFlowSteering.create());
    switch (cmd.action) {
      case FLOW_STEERING_ACTION.ADD_RULE:
        return this.#add(call, cmd, rxQueues);
      case FLOW_STEERING_ACTION.REMOVE_RULE:
        return this.#remove(call, cmd.rule_location);
      case FLOW_STEERING_ACTION.REMOVE_ALL_RULES:
        this.reset();
        return STATUS.SUCCESS;
      default:
        return call.refuse(enaRules['flow-steering'], () => `action ${cmd.action}`);
    }
  }

  #add(
    call: FeatureCall,
    cmd: ReturnType<typeof setFlowSteering.create>,
    rxQueues: number,
  ): number {
    const family = familyOf.get(cmd.flow_type);
    const wanted = cmd.rule_location;
    const at = wanted === FLOW_STEERING_CHOOSE_LOCATION ? this.#rules.indexOf(null) : wanted;
    if (family === undefined || cmd.rx_q_idx >= rxQueues || this.#rules[at] !== null)
      return call.refuse(
        enaRules['flow-steering'],
        () => `flow type ${cmd.flow_type} to queue ${cmd.rx_q_idx} at location ${wanted}`,
      );
    const params = call.readControl(FLOW_RULE_BYTES);
    if (params === null) return STATUS.ILLEGAL_PARAMETER;
    this.#rules[at] = { ...family, queue: cmd.rx_q_idx, params };
    this.#list();
    const made = flowSteeringResp.create();
    made.rule_location = at;
    return call.answer(made);
  }

  #remove(call: FeatureCall, at: number): number {
    if ((this.#rules[at] ?? null) === null)
      return call.refuse(enaRules['flow-steering'], () => `no rule at location ${at}`);
    this.#rules[at] = null;
    this.#list();
    return STATUS.SUCCESS;
  }

  #list(): void {
    this.#active = this.#rules.filter((rule) => rule !== null);
  }

  /** The receive queue (counted from 0) that a rule sends the packet to, or -1. */
  queueOf(headers: Headers, head: Uint8Array): number {
    const rules = this.#active;
    if (rules.length === 0 || headers.ipVersion === 0) return -1;
    const tos = serviceOf(headers, head);
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i] as Rule;
      if (matches(rule, headers, tos)) return rule.queue;
    }
    return -1;
  }
}

/** The type of service, or the traffic class. */
function serviceOf(h: Headers, head: Uint8Array): number {
  const at = h.l3Offset;
  if (h.ipVersion === 4) return head[at + 1] as number;
  return (((head[at] as number) & 15) << 4) | ((head[at + 1] as number) >>> 4);
}

function matches(rule: Rule, h: Headers, tos: number): boolean {
  if (rule.ipVersion !== h.ipVersion || !matchesAddresses(rule, h)) return false;
  const { params } = rule;
  if (((tos ^ (params[flowRule.tos] as number)) & (params[flowRule.tos_mask] as number)) !== 0)
    return false;
  if (rule.protocol < 0) return true;
  if (rule.protocol !== h.l4Protocol || h.fragment !== fragment.none || h.l4Offset < 0)
    return false;
  return (
    portUnder(params, flowRule.dst_port, flowRule.dst_port_mask, h.dstPort) &&
    portUnder(params, flowRule.src_port, flowRule.src_port_mask, h.srcPort)
  );
}

function matchesAddresses({ params }: Rule, h: Headers): boolean {
  if (h.ipVersion === 4)
    return (
      under(params, flowRule.dst_ip, flowRule.dst_ip_mask, h.dst) &&
      under(params, flowRule.src_ip, flowRule.src_ip_mask, h.src)
    );
  return (
    under(params, flowRule.dst_ip, flowRule.dst_ip_mask, h.dst0) &&
    under(params, flowRule.dst_ip + 4, flowRule.dst_ip_mask + 4, h.dst1) &&
    under(params, flowRule.dst_ip + 8, flowRule.dst_ip_mask + 8, h.dst2) &&
    under(params, flowRule.dst_ip + 12, flowRule.dst_ip_mask + 12, h.dst) &&
    under(params, flowRule.src_ip, flowRule.src_ip_mask, h.src0) &&
    under(params, flowRule.src_ip + 4, flowRule.src_ip_mask + 4, h.src1) &&
    under(params, flowRule.src_ip + 8, flowRule.src_ip_mask + 8, h.src2) &&
    under(params, flowRule.src_ip + 12, flowRule.src_ip_mask + 12, h.src)
  );
}

/** Ports are little-endian, unlike addresses. */
const port = (params: Uint8Array, at: number): number =>
  (params[at] as number) | ((params[at + 1] as number) << 8);

const portUnder = (params: Uint8Array, value: number, mask: number, found: number): boolean =>
  ((found ^ port(params, value)) & port(params, mask)) === 0;

const under = (params: Uint8Array, value: number, mask: number, word: number): boolean =>
  ((word ^ read32(params, value)) & read32(params, mask)) === 0;
