import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../lib/prng.ts';
import { MetadataService } from './service.ts';
import { testModel } from './testing-model.ts';
import { Tokens } from './tokens.ts';

function lab() {
  const tokens = new Tokens(new Uint8Array(32), new Prng(1));
  const service = new MetadataService(testModel, tokens, '2026-01-01T00:00:00Z');
  const ask = (path: string, headers: Record<string, string> = {}, id = 'i-a', method = 'GET') =>
    service.answer({ method, path, headers: new Map(Object.entries(headers)) }, id, 100);
  const text = (path: string): string => ask(`/latest/meta-data/${path}`).body;
  return { service, ask, text };
}

const ttl = 'x-aws-ec2-metadata-token-ttl-seconds';
const session = 'x-aws-ec2-metadata-token';

test('the tree of an instance, listed as EC2 lists it', () => {
  const { ask, text } = lab();
  assert.equal(ask('/latest').body, 'dynamic\nmeta-data\nuser-data');
  assert.deepEqual(text('').split('\n'), [
    ...['ami-id', 'ami-launch-index', 'ami-manifest-path', 'events/', 'hostname'],
    ...['instance-action', 'instance-id', 'instance-life-cycle', 'instance-type', 'ipv6'],
    ...['local-hostname', 'local-ipv4', 'mac', 'network/', 'placement/', 'profile'],
    ...['public-hostname', 'public-ipv4', 'public-keys/', 'security-groups', 'services/', 'system'],
    'tags/',
  ]);
  assert.equal(text('network/interfaces/macs/'), '02:00:00:00:00:0a/\n02:00:00:00:00:1a/');
  const interfaceTree = text('network/interfaces/macs/02:00:00:00:00:0a/').split('\n');
  assert.deepEqual(interfaceTree, [
    ...['device-number', 'interface-id', 'ipv4-associations/', 'ipv6s', 'local-hostname'],
    ...['local-ipv4s', 'mac', 'owner-id', 'public-hostname', 'public-ipv4s', 'security-group-ids'],
    ...['security-groups', 'subnet-id', 'subnet-ipv4-cidr-block', 'subnet-ipv6-cidr-blocks'],
    ...['vpc-id', 'vpc-ipv4-cidr-block', 'vpc-ipv4-cidr-blocks', 'vpc-ipv6-cidr-blocks'],
  ]);
});

test('values are those of the primary interface, whatever the order of the model', () => {
  const { text } = lab();
  const expected: Record<string, string> = {
    'ami-id': 'ami-0a1',
    'instance-id': 'i-a',
    'instance-type': 'c6i.large',
    'local-ipv4': '10.0.1.10',
    'local-hostname': 'ip-10-0-1-10.eu-west-1.compute.internal',
    hostname: 'ip-10-0-1-10.eu-west-1.compute.internal',
    mac: '02:00:00:00:00:0a',
    'public-ipv4': '198.51.100.10',
    'public-hostname': 'ec2-198-51-100-10.eu-west-1.compute.amazonaws.com',
    'security-groups': 'web\nssh',
    'placement/availability-zone': 'eu-west-1b',
    'placement/region': 'eu-west-1',
    'placement/group-name': 'together',
    'services/domain': 'amazonaws.com',
    'services/partition': 'aws',
    'public-keys/': '0=my-key',
    'public-keys/0/': 'openssh-key',
    'tags/instance': 'Name\ncost:center',
    'tags/instance/Name': 'web',
    'network/interfaces/macs/02:00:00:00:00:0a/ipv4-associations/': '198.51.100.10\n198.51.100.11',
    'network/interfaces/macs/02:00:00:00:00:0a/ipv4-associations/198.51.100.11': '10.0.1.11',
    'network/interfaces/macs/02:00:00:00:00:0a/local-ipv4s': '10.0.1.10\n10.0.1.11\n10.0.1.12',
    'network/interfaces/macs/02:00:00:00:00:0a/vpc-ipv4-cidr-blocks': '10.0.0.0/16\n10.9.0.0/16',
    'network/interfaces/macs/02:00:00:00:00:1a/device-number': '1',
  };
  for (const [path, value] of Object.entries(expected)) assert.equal(text(path), value, path);
  assert.match(text('public-keys/0/openssh-key'), /^ssh-ed25519 .* test\n$/);
});

test('with and without a slash at the end; under each version; what is not there is 404', () => {
  const { ask, text } = lab();
  assert.equal(text('placement'), text('placement/'));
  assert.equal(text('instance-id/'), 'i-a');
  assert.match(ask('/').body, /^1\.0\n2007-01-19\n.*\n2021-03-23\n.*\nlatest$/s);
  assert.equal(ask('/2021-03-23/meta-data/instance-id').body, 'i-a');
  assert.equal(ask('/1.0/meta-data/').body, text(''));
  const missing = [
    '/2020-01-01/meta-data/',
    '/latest/meta-data/iam/',
    '/latest/meta-data//instance-id',
  ];
  missing.push(
    '/latest/dynamic/instance-identity/pkcs7',
    '/latest/meta-data/mac/x',
    '/favicon.ico',
  );
  for (const path of missing) {
    const { status, type, body } = ask(path);
    assert.deepEqual([status, type], [404, 'text/html'], path);
    assert.match(body, /<title>404 - Not Found<\/title>/);
  }
});

test('user data are served as they are, and are absent where there are none', () => {
  const { ask } = lab();
  assert.deepEqual(ask('/latest/user-data'), {
    ...{ status: 200, type: 'application/octet-stream', body: '#!/bin/sh\necho ö\n' },
  });
  const token = ask('/latest/api/token', { [ttl]: '60' }, 'i-b', 'PUT').body;
  assert.equal(ask('/latest/user-data', { [session]: token }, 'i-b').status, 404);
  assert.equal(ask('/latest/', { [session]: token }, 'i-b').body, 'dynamic\nmeta-data');
});

test('the identity document is JSON as EC2 writes it, not signed', () => {
  const { ask } = lab();
  const { body } = ask('/latest/dynamic/instance-identity/document');
  assert.match(body, /^\{\n {2}"accountId" : "123456789012",\n/);
  assert.deepEqual(JSON.parse(body), {
    accountId: '123456789012',
    architecture: 'x86_64',
    availabilityZone: 'eu-west-1b',
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: 'ami-0a1',
    instanceId: 'i-a',
    instanceType: 'c6i.large',
    kernelId: null,
    pendingTime: '2026-03-01T12:00:00Z',
    privateIp: '10.0.1.10',
    ramdiskId: null,
    region: 'eu-west-1',
    version: '2017-09-30',
  });
  assert.equal(ask('/latest/dynamic/').body, 'instance-identity/');
});

test('a session begins by PUT with a time to live of 1 to 21600 seconds', () => {
  const { ask } = lab();
  const put = (headers: Record<string, string>) => ask('/latest/api/token', headers, 'i-a', 'PUT');
  for (const wrong of ['', '0', '21601', '-1', '1.5', ' 60', '0x10', '99999999'])
    assert.equal(put({ [ttl]: wrong }).status, 400, wrong);
  assert.equal(put({}).status, 400);
  const { status, body, headers } = put({ [ttl]: '21600' });
  assert.deepEqual([status, headers], [200, { 'X-Aws-Ec2-Metadata-Token-Ttl-Seconds': '21600' }]);
  const found = ask('/latest/meta-data/instance-id', { [session]: body });
  assert.deepEqual([found.status, found.body], [200, 'i-a']);
  assert.ok(found.headers?.['X-Aws-Ec2-Metadata-Token-Ttl-Seconds']);
});

test('whoever relays for others gets no token; another method than PUT is not allowed', () => {
  const { ask } = lab();
  const relayed = { [ttl]: '60', 'x-forwarded-for': '' };
  assert.equal(ask('/latest/api/token', relayed, 'i-a', 'PUT').status, 403);
  const { status, headers } = ask('/latest/api/token');
  assert.deepEqual([status, headers], [405, { Allow: 'OPTIONS, PUT' }]);
  assert.equal(ask('/latest/meta-data/', {}, 'i-a', 'POST').status, 405);
});

test('where tokens are required version 1 is 401; a wrong token is 401 everywhere', () => {
  const { ask } = lab();
  assert.equal(ask('/latest/meta-data/', {}, 'i-b').status, 401);
  assert.equal(ask('/', {}, 'i-b').status, 401);
  assert.equal(ask('/latest/meta-data/', { [session]: 'guess' }).status, 401);
  const token = ask('/latest/api/token', { [ttl]: '60' }, 'i-a', 'PUT').body;
  assert.equal(
    ask('/latest/meta-data/', { [session]: token }, 'i-b').status,
    401,
    "another's token",
  );
  assert.equal(ask('/latest/meta-data/', { [session]: token }, 'i-a').status, 200);
});

test('where the service is turned off everything is forbidden', () => {
  const { ask } = lab();
  for (const path of ['/', '/latest/meta-data/', '/latest/api/token'])
    assert.equal(ask(path, { [ttl]: '60' }, 'i-c', 'PUT').status, 403);
  assert.equal(ask('/', {}, 'i-c').status, 403);
});

test('a new model answers from the next request on, and sessions go on', () => {
  const { service, ask, text } = lab();
  const token = ask('/latest/api/token', { [ttl]: '60' }, 'i-a', 'PUT').body;
  assert.match(text(''), /tags/);
  const [a, ...rest] = testModel.instances;
  assert.ok(a);
  service.update({
    ...testModel,
    instances: [{ ...a, type: 'c6i.xlarge', metadata: {} }, ...rest],
  });
  assert.equal(ask('/latest/meta-data/instance-type', { [session]: token }).body, 'c6i.xlarge');
  assert.doesNotMatch(text(''), /tags/);
});
