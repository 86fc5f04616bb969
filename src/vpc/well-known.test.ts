import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMac, parseMac } from '../net/ethernet.ts';
import { formatIpv4 } from '../net/ipv4.ts';
import { formatIpv6 } from '../net/ipv6.ts';
import { linkLocalOf, resolverAddress, routerAddress, routerMac } from './well-known.ts';

test('a router has the base + 1, the resolver the base + 2 of the primary prefix', () => {
  const cidrs = ['10.1.0.0/16', '10.2.0.0/16'];
  assert.equal(formatIpv4(resolverAddress({ id: 'vpc-1', cidrs })), '10.1.0.2');
  const rest = { vpc: 'vpc-1', zone: 'us-east-1a', networkAcl: 'acl-1', routeTable: 'rtb-1' };
  const subnet = { id: 'subnet-1', cidr: '10.2.240.0/20', ...rest };
  assert.equal(formatIpv4(routerAddress(subnet)), '10.2.240.1');
});

test("a router's MAC is locally administered, its own, and always the same", () => {
  assert.equal(formatMac(routerMac('')), '0a:fe:81:1c:9d:c5', 'the offset basis of FNV-1a');
  assert.equal(formatMac(routerMac('a')), '0a:fe:e4:0c:29:2c', 'as the FNV page has it');
  assert.notEqual(routerMac('subnet-1'), routerMac('subnet-2'));
});

test('a link-local address holds the MAC as EUI-64', () => {
  const address = (mac: string): string => formatIpv6(linkLocalOf(parseMac(mac)));
  assert.equal(address('34:56:78:9a:bc:de'), 'fe80::3656:78ff:fe9a:bcde', 'RFC 2464, section 4');
  assert.equal(address('02:00:00:00:00:0a'), 'fe80::ff:fe00:a');
  assert.equal(address('ff:ff:ff:ff:ff:ff'), 'fe80::fdff:ffff:feff:ffff');
});
