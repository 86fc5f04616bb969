/**
 * What a VPC answers by itself, asked by stock clients in two guests: Linux's own ARP, neighbour
 * and router discovery, busybox's and ISC's DHCP clients, busybox's resolver, dig, chrony, ndisc6, ping.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Vm } from '../../src/host/guest/guest-vm.ts';
import { formatMac } from '../../src/net/ethernet.ts';
import { formatIpv6, parseIpv6 } from '../../src/net/ipv6.ts';
import type { VpcModel } from '../../src/vpc/model.ts';
import { macs, testModel } from '../../src/vpc/services/testing-vpc.ts';
import { everything, openAcl } from '../../src/vpc/testing-model.ts';
import { linkLocalOf, routerMac } from '../../src/vpc/well-known.ts';
import { clients } from './clients.ts';
import * as ethtool from './ethtool.ts';
import { sendFlows } from './flows.ts';
import { complaints, kernels, Pair, toolsOrSkip } from './pair.ts';

const router = formatMac(routerMac('subnet-a'));
const router6 = formatIpv6(linkLocalOf(routerMac('subnet-a')));
const prefix = '2600:1f18:aa:bb00::';

/** Interfaces a and b in one subnet, with all gates open. */
function model(): VpcModel {
  const base = testModel();
  const isHere = (vpc: string): boolean => vpc === 'vpc-1';
  return {
    ...base,
    vpcs: base.vpcs.filter(({ id }) => isHere(id)),
    subnets: base.subnets.filter(({ vpc }) => isHere(vpc)),
    instances: base.instances.slice(0, 2),
    interfaces: base.interfaces.slice(0, 2).map((one) => ({ ...one, groups: ['sg-1'] })),
    securityGroups: [everything('sg-1')],
    networkAcls: [openAcl('acl-1')],
    routeTables: [{ id: 'rtb-1', vpc: 'vpc-1', routes: [] }],
  };
}

for (const kernel of kernels)
  test(`stock clients of Linux ${kernel} in a VPC`, { timeout: 400_000 }, async (t) => {
    const tools = await toolsOrSkip(t, kernel, await clients());
    if (tools === null) return;
    const pair = await Pair.start({ kernel, vpc: model() }, tools);
    try {
      const { a, b } = pair.vms;
      await t.test('DHCP tells the subnet, its router, the resolver and MTU 9001', () =>
        leases(pair),
      );
      await t.test('a router advertisement gives the default route', () => advertised(a));
      await t.test('DHCPv6 tells the address and the resolver', () => leases6(a, b));
      await t.test('ARP and neighbour solicitations find who is there', () => neighbours(a));
      await t.test('the router answers pings, of 9001 bytes too', () => pings(a));
      await t.test('guests reach each other by the addresses that they were told', () => reach(a));
      await t.test('names are resolved, forward and back', () => names(a));
      await t.test('chrony takes the time', () => time(a));
      await t.test('what exceeds the link-local allowance shows in ethtool', () => allowance(a));
      for (const vm of [a, b]) assert.deepEqual(await complaints(vm, /ena|eth0/), []);
      assert.deepEqual(pair.refusals(), []);
    } finally {
      await pair.close();
    }
  });

async function leases(pair: Pair): Promise<void> {
  for (const name of ['a', 'b'] as const) assert.equal(await pair.up(name), 'eth0');
  const lease = await pair.vms.a.run('cat /run/virtfn/lease.eth0');
  const told = '10.0.0.10/24 mtu=9001 router=10.0.0.1 dns=10.0.0.2 server=10.0.0.1 lease=3600';
  assert.equal(lease.trim(), told);
  const isc = await pair.vms.b.run(`${dhclient(4)}; grep option /run/dhclient4`);
  assert.deepEqual(isc.trim().split(/\s*\n\s*/), [
    'option subnet-mask 255.255.255.0;',
    'option routers 10.0.0.1;',
    'option dhcp-lease-time 3600;',
    'option dhcp-message-type 5;',
    'option domain-name-servers 10.0.0.2;',
    'option dhcp-server-identifier 10.0.0.1;',
    'option interface-mtu 9001;',
    'option broadcast-address 10.0.0.255;',
    'option host-name "ip-10-0-0-11";',
    'option domain-name "ec2.internal";',
  ]);
}

/** ISC's client writes down what it was told, and changes nothing. */
const dhclient = (version: 4 | 6): string => {
  const files = `-lf /run/dhclient${version} -pf /run/dhclient.pid -sf /usr/bin/true`;
  return `dhclient -${version} -1 -q ${files} eth0 && kill $(cat /run/dhclient.pid)`;
};

async function advertised(vm: Vm): Promise<void> {
  const routes = await vm.run(
    `for try in $(seq 150); do
      ip -6 route show default | grep -q 'proto ra' && break
      sleep 0.1
    done
    ip -6 route show`,
  );
  const way = new RegExp(`^default via ${router6} dev eth0 proto ra .*hoplimit 255`, 'm');
  assert.match(routes, way);
  assert.match(
    routes,
    new RegExp(`^${prefix}/64 dev eth0 proto kernel`, 'm'),
    'the prefix is on the link',
  );
  const addresses = await vm.run('ip -6 addr show dev eth0 scope global');
  assert.equal(addresses.trim(), '', 'and is not for SLAAC');
}

async function leases6(a: Vm, b: Vm): Promise<void> {
  const ask = 'udhcpc6 -i eth0 -n -q -f -t 5 -T 2 -O dns -O search -s /usr/lib/virtfn/dhcp6';
  for (const vm of [a, b]) await vm.run(`${ask} 2>&1`);
  const lease = await b.run('cat /run/virtfn/lease6.eth0');
  // busybox writes addresses in full.
  const told = (name: string): string =>
    formatIpv6(parseIpv6(new RegExp(`^${name}=(.*)$`, 'm').exec(lease)?.[1] ?? ''));
  assert.equal(told('ipv6'), `${prefix}11`);
  assert.equal(told('dns'), 'fd00:ec2::253');
  assert.match(lease, /^search=ec2\.internal$/m);
  assert.match(lease, /^lease=450$/m);
  const isc = await a.run(`${dhclient(6)}; cat /run/dhclient6`);
  assert.match(isc, /renew 70;\s+rebind 112;/);
  for (const last of [10, 30])
    assert.match(
      isc,
      new RegExp(`iaaddr ${prefix}${last} \\{[^}]*preferred-life 140;\\s+max-life 450;`),
    );
  assert.match(isc, /option dhcp6\.name-servers fd00:ec2::253;/);
  const addresses = await a.run('ip -6 addr show dev eth0 scope global');
  assert.match(addresses, new RegExp(`inet6 ${prefix}(10|30)/128`));
}

async function neighbours(vm: Vm): Promise<void> {
  const found = await vm.run('arping -c 2 -I eth0 10.0.0.11');
  assert.match(found, new RegExp(`from 10.0.0.11 \\[${macs.b}\\]`, 'i'));
  const own = await vm.exec('arping -D -c 2 -I eth0 10.0.0.10');
  assert.equal(own.code, 0, 'its own address is no duplicate');
  const taken = await vm.exec('arping -D -c 2 -I eth0 10.0.0.11');
  assert.notEqual(taken.code, 0, "another one's is");
  const nobody = await vm.exec('arping -c 2 -w 3 -I eth0 10.0.0.99');
  assert.match(nobody.stdout, /Received 0 response/);
  await vm.run('ping -c 1 10.0.0.1 && ping -c 1 10.0.0.11');
  const table = await vm.run('ip neigh show dev eth0');
  assert.match(table, new RegExp(`^10.0.0.1 lladdr ${router} `, 'm'));
  assert.match(table, new RegExp(`^10.0.0.11 lladdr ${macs.b} `, 'm'));
  const neighbour = await vm.run(`ndisc6 -1 ${prefix}11 eth0`);
  assert.match(neighbour, new RegExp(`link-layer address: ${macs.b}`, 'i'));
  const said = await vm.run('rdisc6 -1 eth0');
  assert.match(said, /Stateful address conf\.\s*:\s*Yes/);
  assert.match(said, /MTU\s*:\s*9001/);
  assert.match(said, /Router lifetime\s*:\s*1800/);
}

async function pings(vm: Vm): Promise<void> {
  for (const to of ['10.0.0.1', `${router6}%eth0`]) {
    const small = await vm.run(`ping -c 3 -i 0.2 ${to}`);
    assert.match(small, / 3 received, 0% packet loss/);
  }
  assert.match(await vm.run('ping -c 2 -M do -s 8973 10.0.0.1'), / 2 received, 0% packet loss/);
  assert.notEqual((await vm.exec('ping -c 2 -W 1 10.0.0.2')).code, 0, 'the resolver does not');
}

async function reach(vm: Vm): Promise<void> {
  for (const to of ['10.0.0.11', `${prefix}11`])
    assert.match(await vm.run(`ping -c 3 -i 0.2 -s 5000 ${to}`), / 3 received, 0% packet loss/, to);
}

async function names(vm: Vm): Promise<void> {
  const short = async (question: string): Promise<string> =>
    (await vm.run(`dig +short +tries=1 ${question}`)).trim();
  for (const server of ['10.0.0.2', '169.254.169.253', 'fd00:ec2::253'])
    assert.equal(await short(`@${server} ip-10-0-0-11.ec2.internal`), '10.0.0.11', server);
  assert.equal(await short('@10.0.0.2 i-0b1.ec2.internal AAAA'), `${prefix}11`);
  assert.equal(await short('@10.0.0.2 -x 10.0.0.11'), 'ip-10-0-0-11.ec2.internal.');
  assert.equal(await short(`@10.0.0.2 -x ${prefix}11`), 'i-0b1.ec2.internal.');
  assert.equal(await short('@10.0.0.2 ec2-54-1-2-3.compute-1.amazonaws.com'), '10.0.0.10');
  const status = async (question: string): Promise<string> =>
    /status: (\w+)/.exec(await vm.run(`dig +tries=1 @10.0.0.2 ${question}`))?.[1] ?? '';
  assert.equal(await status('nobody.ec2.internal'), 'NXDOMAIN');
  assert.equal(await status('ip-10-0-0-11.ec2.internal MX'), 'NOERROR');
  assert.equal(await status('example.com'), 'SERVFAIL');
  assert.equal(await short('+tcp @10.0.0.2 ip-10-0-0-11.ec2.internal'), '10.0.0.11');
  const whole = await vm.run('dig +tries=1 @10.0.0.2 nobody.ec2.internal');
  assert.match(whole, /flags: qr rd ra;/);
  assert.match(whole, /EDNS: version: 0, .*udp: 4096/);
  assert.match(whole, /^ec2\.internal\.\s+60\s+IN\s+SOA\s+ns0\.ec2\.internal\./m);
  const busybox = await vm.run('busybox nslookup i-0a1.ec2.internal');
  assert.match(busybox, /Server:\s+10\.0\.0\.2/);
  assert.match(busybox, /Address: 10\.0\.0\.10/);
}

async function time(vm: Vm): Promise<void> {
  for (const server of ['169.254.169.123', 'fd00:ec2::123']) {
    const ask = `chronyd -Q -t 20 'server ${server} iburst maxsamples 4' 'user root' 2>&1`;
    const said = await vm.run(ask, { timeoutMs: 30_000 });
    const [, offset] = /System clock wrong by (-?[\d.]+) seconds/.exec(said) ?? [];
    assert.ok(offset !== undefined && Math.abs(Number(offset)) < 5, said);
  }
}

/** More than 1024 packets in a second, from the kernel's own generator. */
async function allowance(vm: Vm): Promise<void> {
  const name = 'linklocal_allowance_exceeded';
  const before = (await ethtool.statistics(vm, 'eth0'))[name];
  const flood = {
    from: '10.0.0.10',
    to: '169.254.169.253',
    toMac: router,
    ports: [9],
    count: 5000,
  };
  const seconds = await sendFlows(vm, 'eth0', flood);
  const after = (await ethtool.statistics(vm, 'eth0'))[name];
  if (before === undefined || after === undefined) {
    assert.ok(!(await ethtool.driverKnows(vm, name)), 'this driver knows it');
    return;
  }
  const allowed = 1024 * (seconds + 2);
  assert.ok(after - before > 5000 - allowed && after > before, `${after - before} in ${seconds} s`);
}
