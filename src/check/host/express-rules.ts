/** ENA Express (SRD for TCP and UDP): what a host must be like for it, where it is switched on. */
import type { Fact } from '../fact.ts';
import { shellWord } from '../printable.ts';
import { fail, judge, notApplicable, pass, type Rule, type Verdict } from '../rule.ts';
import { eachInterface } from './cards.ts';
import type { HostFacts, InterfaceFacts } from './facts.ts';

const group = 'ENA Express';
const guide = 'EC2 User Guide, "Improve network performance with ENA Express"';
const script = 'amzn-ec2-ena-utilities, ena-express/check-ena-express-settings.sh';

/** A verdict per interface with ENA Express; `ena_srd_mode`: bit 0 for TCP, bit 1 for UDP. */
function withExpress(
  facts: HostFacts,
  how: (one: InterfaceFacts, counters: ReadonlyMap<string, number>) => Verdict,
): Verdict[] {
  return eachInterface(facts, ['ena'], (one) =>
    judge(one.counters, one.name, (counters, { subject }) => {
      const about = subject === undefined ? {} : { subject };
      const mode = counters.get('ena_srd_mode');
      if (mode === undefined || mode === 0) return notApplicable('ENA Express is off', about);
      return how(one, counters);
    }),
  );
}

/** A verdict on one number of each interface with ENA Express. */
const numberRule =
  (
    read: (facts: HostFacts, one: InterfaceFacts) => Fact<number | null>,
    isWell: (value: number) => boolean,
    what: string,
    mend: (name: string) => string,
  ) =>
  (facts: HostFacts): Verdict[] =>
    withExpress(facts, (one) =>
      judge(read(facts, one), one.name, (value, about) => {
        if (value === null) return notApplicable('this kernel has no such setting', about);
        const text = `${what} is ${value}`;
        if (isWell(value)) return pass(text, about);
        return fail(text, { ...about, mend: [mend(shellWord(one.name))] });
      }),
    );

const mtu: Rule<HostFacts> = {
  id: 'host-express-mtu',
  group,
  severity: 'warning',
  title: 'the MTU leaves room for ENA Express: 8900 at most',
  reason: 'Larger frames are sent without SRD, silently.',
  source: `${guide}; ${script}`,
  mend: 'sudo ip link set INTERFACE mtu 8900',
  evaluate: numberRule(
    (_facts, one) => one.mtu,
    (value) => value <= 8900,
    'the MTU',
    (name) => `sudo ip link set ${name} mtu 8900`,
  ),
};

const limit: Rule<HostFacts> = {
  id: 'host-express-tcp-limit',
  group,
  severity: 'warning',
  title: 'a TCP socket may have 1 MiB in the queues below',
  reason:
    'A flow may not have more bytes than this on their way to the card: with the small default it waits for completions.',
  source: script,
  mend: 'sudo sysctl -w net.ipv4.tcp_limit_output_bytes=1048576',
  evaluate: numberRule(
    (facts) => facts.tcpLimitOutputBytes,
    (value) => value >= 1 << 20,
    'net.ipv4.tcp_limit_output_bytes',
    () => 'sudo sysctl -w net.ipv4.tcp_limit_output_bytes=1048576',
  ),
};

const corking: Rule<HostFacts> = {
  id: 'host-express-autocorking',
  group,
  severity: 'note',
  title: 'small writes are not held back to fill segments',
  reason:
    'Autocorking holds small writes back while earlier ones of the flow still wait for completions.',
  source: script,
  mend: 'sudo sysctl -w net.ipv4.tcp_autocorking=0',
  evaluate: numberRule(
    (facts) => facts.tcpAutocorking,
    (value) => value === 0,
    'net.ipv4.tcp_autocorking',
    () => 'sudo sysctl -w net.ipv4.tcp_autocorking=0',
  ),
};

const rings: Rule<HostFacts> = {
  id: 'host-express-rx-ring',
  group,
  severity: 'note',
  title: 'receive rings hold 8192 packets',
  reason: "A longer ring takes longer bursts without loss; Amazon's own script asks for 8192.",
  source: script,
  mend: 'sudo ethtool -G INTERFACE rx 8192',
  evaluate: numberRule(
    (_facts, { rings: has }) => ('unknown' in has ? has : { ...has, value: has.value.rx }),
    (value) => value >= 8192,
    'the receive ring',
    (name) => `sudo ethtool -G ${name} rx 8192`,
  ),
};

const bql: Rule<HostFacts> = {
  id: 'host-express-bql',
  group,
  severity: 'warning',
  title: 'byte queue limits do not hold back an interface with ENA Express',
  reason:
    'They follow how soon completions come, and keep the card from having enough to send by SRD.',
  source: script,
  mend: 'sudo modprobe -r ena && sudo modprobe ena enable_bql=0   # from a console: the link goes down',
  evaluate: (facts) =>
    withExpress(facts, ({ name, hasBql }) =>
      judge(
        hasBql,
        name,
        (has, about) => {
          if (!has) return pass('they are off', about);
          const word = shellWord(name);
          return fail('they are on', {
            ...about,
            mend: [
              `sudo sh -c 'for q in /sys/class/net/${word.replaceAll("'", '')}/queues/tx-*; ` +
                `do echo max > $q/byte_queue_limits/limit_min; done'`,
            ],
          });
        },
        (has) => (has ? 'on' : 'off'),
      ),
    ),
};

const used: Rule<HostFacts> = {
  id: 'host-express-used',
  group,
  severity: 'note',
  title: 'packets that could go by SRD do',
  reason:
    'Both ends need ENA Express and the same zone; where one lacks it packets go without, silently.',
  source: guide,
  mend:
    'aws ec2 modify-network-interface-attribute --network-interface-id ENI-OF-PEER ' +
    '--ena-srd-specification EnaSrdEnabled=true',
  evaluate: (facts) =>
    withExpress(facts, ({ name }, counters) => {
      const tx = counters.get('ena_srd_tx_pkts') ?? 0;
      const eligible = counters.get('ena_srd_eligible_tx_pkts') ?? 0;
      const text = `${tx} of ${eligible} eligible packets were sent by SRD`;
      const seen = [{ value: text, at: { call: `ethtool -S ${name}` } }];
      if (eligible === 0)
        return notApplicable('no packet was eligible yet', { subject: name, seen });
      if (tx > 0) return pass(text, { subject: name, seen });
      return fail(text, { subject: name, seen, mend: [used.mend] });
    }),
};

export const expressRules: readonly Rule<HostFacts>[] = [mtu, limit, bql, corking, rings, used];
