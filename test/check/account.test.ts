// `virtfn check account` with the real SDK against an endpoint of our own: what it says, and that it only asks.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { EC2Client, StopInstancesCommand } from '@aws-sdk/client-ec2';
import { accountRules } from '../../src/check/account/rules.ts';
import { check, type Report } from '../../src/check/report.ts';
import { gatherAccount } from '../../src/host/account/account.ts';
import { NoAccountError } from '../../src/host/account/ask.ts';
import { guardReads } from '../../src/host/account/read-only-ec2.ts';
import { Ec2Endpoint, type Xml } from './ec2-endpoint.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'AKIATEST';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';
process.env['AWS_EC2_METADATA_DISABLED'] = 'true';

let ec2: Ec2Endpoint;
before(async () => {
  ec2 = await Ec2Endpoint.start();
});
after(() => ec2.close());
beforeEach(() => {
  ec2.requests.length = 0;
  ec2.troubles.clear();
  ec2.pageSize = 1000;
  fill();
});

async function report(): Promise<Report> {
  const facts = await gatherAccount({ endpointUrl: ec2.url, region: 'eu-central-1' });
  return check({ kind: 'account', name: facts.region, detail: '' }, accountRules, facts, '');
}

const outcomesOf = ({ findings }: Report, rule: string): Record<string, string> =>
  Object.fromEntries(
    findings
      .filter((one) => one.rule.id === rule)
      .map(({ subject, outcome }) => [subject ?? '', outcome]),
  );

const instance = (id: string, type: string, more: { [name: string]: Xml } = {}): Xml => ({
  instanceId: id,
  instanceType: type,
  imageId: 'ami-1',
  instanceState: { code: 16, name: 'running' },
  placement: { availabilityZone: 'eu-central-1a', groupName: 'near' },
  enaSupport: true,
  tagSet: [{ key: 'Name', value: 'a \x1b[31mred\u202e name' }],
  ...more,
});

const eni = (id: string, owner: string, more: { [name: string]: Xml } = {}): Xml => ({
  networkInterfaceId: id,
  subnetId: 'subnet-1',
  vpcId: 'vpc-1',
  availabilityZone: 'eu-central-1a',
  interfaceType: 'interface',
  groupSet: [{ groupId: 'sg-1', groupName: 'one' }],
  attachment: { attachmentId: 'a', instanceId: owner, deviceIndex: 0, networkCardIndex: 0 },
  ...more,
});

const type = (name: string, net: { [name: string]: Xml } = {}): Xml => ({
  instanceType: name,
  supportedBootModes: ['legacy-bios', 'uefi'],
  networkInfo: {
    enaSupport: 'required',
    maximumNetworkInterfaces: 3,
    maximumNetworkCards: 1,
    efaSupported: false,
    enaSrdSupported: false,
    ...net,
  },
});

/** Three instances: one well, one without ENA, one of Xen; EFA whose group lets nothing in. */
function fill(): void {
  const allOut = { ipProtocol: '-1', ipRanges: [{ cidrIp: '0.0.0.0/0' }] };
  const sets: Record<string, { name: string; items: Xml[] }> = {
    DescribeInstances: {
      name: 'reservationSet',
      items: [
        {
          instancesSet: [
            instance('i-well', 'c5.large'),
            instance('i-bare', 'c5.large', { enaSupport: false }),
          ],
        },
        { instancesSet: [instance('i-xen', 'r4.large')] },
        {
          instancesSet: [
            instance('i-gone', 'c5.large', { instanceState: { code: 48, name: 'terminated' } }),
          ],
        },
      ],
    },
    DescribeInstanceTypes: {
      name: 'instanceTypeSet',
      items: [type('c5.large'), type('r4.large', { enaSupport: 'supported' })],
    },
    DescribeImages: {
      name: 'imagesSet',
      items: [
        {
          imageId: 'ami-1',
          name: 'ours',
          enaSupport: true,
          virtualizationType: 'hvm',
          bootMode: 'uefi',
        },
      ],
    },
    DescribeNetworkInterfaces: {
      name: 'networkInterfaceSet',
      items: [
        eni('eni-a', 'i-well'),
        eni('eni-b', 'i-bare', { interfaceType: 'efa' }),
        eni('eni-c', 'i-xen'),
      ],
    },
    DescribeSecurityGroups: {
      name: 'securityGroupInfo',
      items: [
        { groupId: 'sg-1', groupName: 'one', ipPermissions: [], ipPermissionsEgress: [allOut] },
      ],
    },
    DescribeNetworkAcls: {
      name: 'networkAclSet',
      items: [
        {
          networkAclId: 'acl-1',
          associationSet: [{ subnetId: 'subnet-1' }],
          entrySet: [
            {
              ruleNumber: 100,
              protocol: '6',
              ruleAction: 'allow',
              egress: false,
              cidrBlock: '0.0.0.0/0',
              portRange: { from: 443, to: 443 },
            },
            {
              ruleNumber: 32767,
              protocol: '-1',
              ruleAction: 'deny',
              egress: true,
              cidrBlock: '0.0.0.0/0',
            },
          ],
        },
      ],
    },
    DescribeSubnets: {
      name: 'subnetSet',
      items: [
        {
          subnetId: 'subnet-1',
          vpcId: 'vpc-1',
          cidrBlock: '10.0.0.0/24',
          availableIpAddressCount: 200,
        },
      ],
    },
    DescribePlacementGroups: {
      name: 'placementGroupSet',
      items: [{ groupName: 'near', strategy: 'cluster' }],
    },
    DescribeAccountAttributes: {
      name: 'accountAttributeSet',
      items: [
        {
          attributeName: 'vpc-max-security-groups-per-interface',
          attributeValueSet: [{ attributeValue: '5' }],
        },
      ],
    },
  };
  for (const [action, set] of Object.entries(sets)) ec2.sets.set(action, set);
}

test('an account is judged by what EC2 says of it', async () => {
  const told = await report();
  assert.equal(told.readiness, 'notReady');
  assert.deepEqual(outcomesOf(told, 'account-instance-ena'), {
    'i-well': 'pass',
    'i-bare': 'fail',
    'i-xen': 'notApplicable',
  });
  assert.deepEqual(outcomesOf(told, 'account-instance-enhanced')['i-xen'], 'pass');
  assert.deepEqual(outcomesOf(told, 'account-efa-type')['i-bare'], 'fail');
  assert.deepEqual(outcomesOf(told, 'account-efa-group-in'), { 'eni-b': 'fail' });
  assert.deepEqual(outcomesOf(told, 'account-efa-group-out'), { 'eni-b': 'fail' });
  assert.deepEqual(outcomesOf(told, 'account-acl-replies'), { 'acl-1': 'fail' });
  assert.deepEqual(outcomesOf(told, 'account-image-ena'), { 'ami-1': 'pass' });
  assert.deepEqual(outcomesOf(told, 'account-image-boot-mode')['i-well'], 'pass');
  assert.deepEqual(outcomesOf(told, 'account-subnet-addresses'), { 'subnet-1': 'pass' });
  assert.deepEqual(outcomesOf(told, 'account-interface-groups')['eni-a'], 'pass');
  const untold = told.findings.filter(({ outcome }) => outcome === 'unknown');
  assert.deepEqual(untold, []);
});

test('the whole check asks by Describe actions and no other', async () => {
  await report();
  const actions = [...new Set(ec2.requests.map(({ action }) => action))].sort();
  assert.deepEqual(actions, [
    'DescribeAccountAttributes',
    'DescribeImages',
    'DescribeInstanceTypes',
    'DescribeInstances',
    'DescribeNetworkAcls',
    'DescribeNetworkInterfaces',
    'DescribePlacementGroups',
    'DescribeSecurityGroups',
    'DescribeSubnets',
  ]);
  for (const { action, host } of ec2.requests) {
    assert.match(action, /^(Describe|Get)[A-Z]/);
    assert.match(host, /^127\.0\.0\.1:/);
  }
});

test('a command that changes something does not leave a guarded client', async () => {
  const client = new EC2Client({ endpoint: ec2.url, region: 'eu-central-1', maxAttempts: 1 });
  guardReads(client);
  await assert.rejects(
    client.send(new StopInstancesCommand({ InstanceIds: ['i-well'] })),
    /StopInstancesCommand may change something, and was not sent/,
  );
  assert.deepEqual(ec2.requests, []);
  client.destroy();
});

test('all pages are read', async () => {
  ec2.pageSize = 1;
  const told = await report();
  assert.equal(Object.keys(outcomesOf(told, 'account-instance-ena')).length, 3);
  assert.equal(ec2.requests.filter(({ action }) => action === 'DescribeInstances').length, 3);
});

test('what may not be asked could not be told, and says which permission it takes', async () => {
  ec2.troubles.set('DescribeNetworkAcls', {
    code: 'UnauthorizedOperation',
    status: 403,
    times: 99,
  });
  const told = await report();
  const acl = told.findings.find(({ rule }) => rule.id === 'account-acl-replies');
  assert.equal(acl?.outcome, 'unknown');
  assert.equal(acl?.text, 'ec2:DescribeNetworkAcls is not permitted');
  assert.match(acl?.mend.join() ?? '', /allow ec2:DescribeNetworkAcls/);
});

test('without permission to list instances nothing about them is well', async () => {
  ec2.troubles.set('DescribeInstances', { code: 'UnauthorizedOperation', status: 403, times: 99 });
  const { readiness, findings } = await report();
  assert.notEqual(readiness, 'ready');
  const about = findings.filter(({ rule }) => rule.id.startsWith('account-instance-'));
  assert.deepEqual([...new Set(about.map(({ outcome }) => outcome))], ['unknown']);
});

test('what is throttled is asked again', async () => {
  ec2.troubles.set('DescribeSubnets', { code: 'RequestLimitExceeded', status: 503, times: 2 });
  const told = await report();
  assert.deepEqual(outcomesOf(told, 'account-subnet-addresses'), { 'subnet-1': 'pass' });
  assert.equal(ec2.requests.filter(({ action }) => action === 'DescribeSubnets').length, 3);
});

test('garbage in place of an answer could not be told, whatever it is', async () => {
  const garbage = [
    '',
    'not XML at all',
    '<DescribeSubnetsResponse><subnetSet><item>',
    '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
    `<a>${'<b>'.repeat(20_000)}</a>`,
    '\x1b[2J\x07\0',
    '{"json": true}',
  ];
  for (const raw of garbage) {
    ec2.troubles.set('DescribeSubnets', { raw });
    const { findings } = await report();
    const told = findings.filter(({ rule }) => rule.id === 'account-subnet-addresses');
    assert.deepEqual([told.length, told[0]?.outcome], [1, 'unknown'], raw.slice(0, 60));
    const words = JSON.stringify(told.map(({ rule: _rule, ...said }) => said));
    assert.doesNotMatch(words, /\\u00[01]|[\x7f-\x9f]/);
  }
});

test('an account that has nothing is no failure, and nothing in it is well', async () => {
  for (const [action, { name }] of ec2.sets) ec2.sets.set(action, { name, items: [] });
  const { readiness, findings } = await report();
  assert.equal(readiness, 'unknown');
  assert.deepEqual([...new Set(findings.map(({ outcome }) => outcome))], ['notApplicable']);
});

test('an endpoint that gives the same page for ever is not followed', async () => {
  ec2.troubles.set('DescribeSubnets', {
    raw: '<DescribeSubnetsResponse><subnetSet/><nextToken>again</nextToken></DescribeSubnetsResponse>',
  });
  const { findings } = await report();
  const subnets = findings.find(({ rule }) => rule.id === 'account-subnet-addresses');
  assert.match(subnets?.text ?? '', /same page/);
  assert.equal(ec2.requests.filter(({ action }) => action === 'DescribeSubnets').length, 2);
});

test('where nobody answers the check ends in one sentence', async () => {
  const nobody = gatherAccount({ endpointUrl: 'http://127.0.0.1:1', region: 'eu-central-1' });
  await assert.rejects(nobody, /EC2 cannot be reached: connect ECONNREFUSED/);
});

test('credentials that EC2 does not take end the check in one sentence', async () => {
  ec2.troubles.set('DescribeInstances', { code: 'AuthFailure', status: 401, times: 99 });
  await assert.rejects(report(), NoAccountError);
});
