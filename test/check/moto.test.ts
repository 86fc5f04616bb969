// A second witness: moto, an independent model of EC2, where somebody has it (pip install 'moto[server]').
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import {
  AuthorizeSecurityGroupIngressCommand,
  CreateNetworkInterfaceCommand,
  DescribeSubnetsCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { accountRules } from '../../src/check/account/rules.ts';
import { check } from '../../src/check/report.ts';
import { gatherAccount } from '../../src/host/account/account.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'AKIATEST';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';
process.env['AWS_EC2_METADATA_DISABLED'] = 'true';

const region = 'us-east-1';
let moto: ChildProcess | undefined;
after(() => moto?.kill());

function hasMoto(): boolean {
  try {
    execFileSync('moto_server', ['--help'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

const skip = hasMoto() ? false : 'there is no moto_server';

test("moto's account is read whole: instances, types, images, interfaces, groups, ACLs, subnets", {
  skip,
}, async () => {
  const endpoint = await startMoto();
  const client = new EC2Client({ endpoint, region });
  const { Subnets = [] } = await client.send(new DescribeSubnetsCommand({}));
  const SubnetId = Subnets[0]?.SubnetId ?? assert.fail('moto has no subnet');
  const launched = await client.send(
    new RunInstancesCommand({
      ImageId: 'ami-12c6146b',
      InstanceType: 'c5.large',
      MinCount: 2,
      MaxCount: 2,
      SubnetId,
    }),
  );
  const ids = (launched.Instances ?? []).map(({ InstanceId }) => InstanceId ?? '');
  const { NetworkInterface } = await client.send(new CreateNetworkInterfaceCommand({ SubnetId }));
  const GroupId = NetworkInterface?.Groups?.[0]?.GroupId ?? assert.fail('no group');
  const IpPermissions = [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId }] }];
  await client
    .send(new AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions }))
    .catch(() => {});
  client.destroy();

  const facts = await gatherAccount({ endpointUrl: endpoint, region });
  const { findings } = check(
    { kind: 'account', name: region, detail: '' },
    accountRules,
    facts,
    '',
  );
  const about = (rule: string) => findings.filter((one) => one.rule.id === rule);
  assert.deepEqual(
    about('account-instance-interfaces').map(({ subject, outcome }) => [subject, outcome]),
    ids.map((id) => [id, 'pass']),
  );
  assert.equal(about('account-subnet-addresses').length, Subnets.length);
  assert.ok(about('account-interface-groups').length >= 3);
  assert.ok(about('account-image-boot-mode').every(({ outcome }) => outcome !== 'fail'));
  // Of all that it is asked moto lacks placement groups; they are asked about for EFA only.
  const untold = findings.filter(({ outcome }) => outcome === 'unknown');
  assert.deepEqual(
    untold.map(({ rule, text }) => `${rule.id}: ${text}`),
    [],
  );
});

async function startMoto(): Promise<string> {
  const port = await freePort();
  moto = spawn('moto_server', ['-H', '127.0.0.1', '-p', `${port}`], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 300; i++) {
    const answers = await fetch(url).then(
      () => true,
      () => false,
    );
    if (answers) return url;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return assert.fail('moto_server did not start');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === 'object' && address !== null ? address.port : 0),
      );
    });
  });
}
