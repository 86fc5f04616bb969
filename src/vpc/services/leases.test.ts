import assert from 'node:assert/strict';
import { test } from 'node:test';
import { R } from '../../net/reasons.ts';
import {
  bytesOf,
  datagram,
  type Host,
  ip,
  mac,
  macs,
  readDatagram,
  routers,
  ServicesLab,
  testModel,
  text,
  withOptions,
} from './testing-vpc.ts';

type Ask = {
  host?: Host;
  client?: string;
  type: number;
  options?: number[];
  from?: string;
  to?: string;
};

/** RFC 2131, figure 1. */
function ask(lab: ServicesLab, spec: Ask) {
  const { host = 'a', client = macs[host], type, options = [] } = spec;
  const from = spec.from ?? '0.0.0.0';
  const fixed = [1, 1, 6, 0, 0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 0, ...ip(from), ...Array(12).fill(0)];
  const rest = [...mac(client), ...Array(10 + 192).fill(0), 0x63, 0x82, 0x53, 0x63];
  const payload = [...fixed, ...rest, 53, 1, type, ...options, 255];
  const way = { from, to: spec.to ?? '255.255.255.255', port: 67, fromPort: 68 };
  return lab.ask(host, datagram({ host, ...way, payload }));
}

function read(answer: Uint8Array | number) {
  const { payload, ...way } = readDatagram(answer);
  const options: Record<number, number[]> = {};
  for (let at = 240; payload[at] !== 255; at += 2 + (payload[at + 1] as number))
    options[payload[at] as number] = [
      ...payload.subarray(at + 2, at + 2 + (payload[at + 1] as number)),
    ];
  return { ...way, address: [...payload.subarray(16, 20)], options };
}

test("an interface gets its address and what EC2 tells with it, from its subnet's router", () => {
  const lab = new ServicesLab();
  assert.equal(read(ask(lab, { type: 1 })).options[53]?.[0], 2);
  const ack = read(
    ask(lab, { type: 3, options: [50, 4, ...ip('10.0.0.10'), 54, 4, ...ip('10.0.0.1')] }),
  );
  assert.deepEqual(ack, {
    toMac: mac(macs.a),
    fromMac: mac(routers.a),
    from: '10.0.0.1',
    to: '10.0.0.10',
    ports: [67, 68],
    address: ip('10.0.0.10'),
    options: {
      1: ip('255.255.255.0'),
      3: ip('10.0.0.1'),
      6: ip('10.0.0.2'),
      12: text('ip-10-0-0-10'),
      15: text('ec2.internal'),
      26: bytesOf(2, 9001),
      28: ip('10.0.0.255'),
      51: bytesOf(4, 3600),
      53: [5],
      54: ip('10.0.0.1'),
    },
  });
});

test('secondary interfaces, other subnets, other VPCs and Regions have leases of their own', () => {
  const lab = new ServicesLab();
  const c = read(ask(lab, { host: 'c', type: 1 }));
  assert.deepEqual(
    [c.address, c.options[3], c.options[6]],
    [ip('10.0.1.20'), ip('10.0.1.1'), ip('10.0.0.2')],
  );
  const other = read(ask(lab, { host: 'other', type: 1 }));
  assert.deepEqual(other.options[1], ip('255.255.240.0'));
  assert.deepEqual(other.options[15], text('eu-west-1.compute.internal'));
  assert.deepEqual(other.fromMac, mac(routers.other));
});

test('renewing is unicast to the router; an address that has moved is refused', () => {
  const lab = new ServicesLab();
  const renew = { type: 3, from: '10.0.0.10', to: '10.0.0.1' } as const;
  assert.equal(read(ask(lab, renew)).options[53]?.[0], 5);
  lab.services.update(testModel({ a: { addresses: [{ address: '10.0.0.40' }] } }));
  assert.equal(read(ask(lab, renew)).options[53]?.[0], 6);
  assert.deepEqual(read(ask(lab, { type: 1 })).address, ip('10.0.0.40'));
  assert.equal(ask(lab, { ...renew, to: '10.0.1.1' }), R.notCarried, "another subnet's router");
});

test("an option set of the VPC's own is told, and nothing that it does not say", () => {
  const set = {
    domainName: 'corp.example',
    domainNameServers: ['10.0.0.53', 'AmazonProvidedDNS', '2600:1f18::53'],
    ntpServers: ['10.0.0.123', 'fd00:ec2::123'],
    netbiosNameServers: ['10.0.0.137'],
    netbiosNodeType: 2,
  } as const;
  const { options } = read(ask(new ServicesLab(withOptions(set)), { type: 1 }));
  assert.deepEqual(options[15], text('corp.example'));
  assert.deepEqual(options[6], [...ip('10.0.0.53'), ...ip('10.0.0.2')]);
  assert.deepEqual(options[42], ip('10.0.0.123'));
  assert.deepEqual([options[44], options[46]], [ip('10.0.0.137'), [2]]);
  const empty = read(ask(new ServicesLab(withOptions({})), { type: 1 }));
  assert.deepEqual(Object.keys(empty.options).map(Number), [1, 3, 12, 26, 28, 51, 53, 54]);
});

test('who asks in the name of another MAC is given nothing', () => {
  assert.equal(ask(new ServicesLab(), { client: macs.b, type: 1 }), R.notCarried);
});
