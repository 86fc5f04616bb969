// The metadata service as stock software sees it: busybox's wget, and the distribution's cloud-init.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Dataplane } from '../../src/host/dataplane/dataplane.ts';
import { startVm, type Vm } from '../../src/host/guest/guest-vm.ts';
import type { Tools } from '../../src/host/guest/tools.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import { ensureSet } from '../../src/host/packages/sets.ts';
import { parseVpc } from '../../src/host/vpc/load.ts';
import type { VpcModel } from '../../src/vpc/model.ts';
import { cloudImage } from './cloud-image.ts';
import { toolsOrSkip } from './pair.ts';

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHZpcnRmbnRlc3RrZXl2aXJ0Zm50ZXN0a2V5dmlydGZu lab';

const vpc = parseVpc(
  `
vpc: { cidr: 10.0.0.0/16 }
instances:
  a:
    address: 10.0.0.10
    keys: { lab: ${key} }
    tags: { Name: a }
    metadata: { tags: true }
    user-data: |
      #!/bin/sh
      echo "user data ran on $(hostname)" > /var/lib/ran
  b: {}
`,
  'metadata.yaml',
);

/** One guest in the VPC, with an address; ends with the test. */
async function instance(
  t: TestContext,
  tools: Tools,
  cloudRoot?: string,
): Promise<[Vm, Dataplane]> {
  const directory = mkdtempSync(join(tmpdir(), 'virtfn-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const socket = join(directory, 'a.sock');
  const [image] = tools.guestImages;
  const [a] = vpc.interfaces;
  assert.ok(image && a);
  const dataplane = await Dataplane.start({
    functions: [{ name: 'a', model: 'ena', socket, mac: a.mac, linkMbps: 10_000 }],
    ...{ vpc, trace: false },
  });
  t.after(() => dataplane.close());
  const vm = await startVm({
    ...{ qemu: tools.qemu, accelerator: 'tcg', name: 'a', nics: [{ kind: 'vfio-user', socket }] },
    image: cloudRoot === undefined ? image : cloudImage(image, cloudRoot, directory),
    memoryMb: cloudRoot === undefined ? 512 : 1024,
    ec2: { instance: 'i-a', type: 'c6i.large' },
  });
  t.after(() => vm.close());
  const iface = await vm.waitForDriver('ena');
  assert.equal(await vm.dhcp(iface), '10.0.0.10/20');
  return [vm, dataplane];
}

test('busybox reads its metadata, and sees an update of the model at once', async (t) => {
  const tools = await toolsOrSkip(t, '6.12');
  if (tools === null) return;
  const [vm, dataplane] = await instance(t, tools);
  const get = (path: string): Promise<string> =>
    vm.run(`busybox wget -q -O - http://169.254.169.254/latest/${path}`);
  assert.equal(await get('meta-data/instance-id'), 'i-a');
  assert.match(await get(''), /^dynamic\nmeta-data\nuser-data$/);
  assert.equal(await get('meta-data/public-keys/0/openssh-key'), `${key}\n`);
  const other: VpcModel = {
    ...vpc,
    instances: vpc.instances.map((one) => ({ ...one, tags: { Name: 'renamed' } })),
  };
  assert.deepEqual(await dataplane.setVpc(other), []);
  assert.equal(await get('meta-data/tags/instance/Name'), 'renamed');
  const required = vpc.instances.map(
    (one) => ({ ...one, metadata: { tokens: 'required' } }) as const,
  );
  await dataplane.setVpc({ ...vpc, instances: required });
  const { stderr } = await vm.exec(
    'busybox wget -O - http://169.254.169.254/latest/meta-data/ > /dev/null',
  );
  assert.match(stderr, /401 Unauthorized/);
  const many = await vm.run(`
    for i in $(seq 100); do
      busybox wget -q -O - http://169.254.169.254/latest/meta-data/ > /dev/null 2>&1 || echo refused
    done`);
  assert.equal(many, 'refused\n'.repeat(100), 'a hundred connections in a row are all answered');
});

test('cloud-init of the distribution comes up: name, key and user data', async (t) => {
  const tools = await toolsOrSkip(t, '6.12');
  if (tools === null) return;
  const options = { cache: cacheDirectory(), progress: noProgress };
  const { root } = await ensureSet('cloud-init', ({ sets }) => sets.cloudInit, options);
  const [vm] = await instance(t, tools, root);
  const within = { timeoutMs: 170_000 };
  await vm.run(`
    mount -t proc proc /cloud/proc && mount -t sysfs sys /cloud/sys && mount --bind /dev /cloud/dev
    mount -t tmpfs run /cloud/run && chmod 1777 /cloud/tmp`);
  const cloud = (command: string): Promise<string> => vm.run(`chroot /cloud ${command}`, within);
  for (const stage of ['init', 'modules --mode=config', 'modules --mode=final'])
    await cloud(`/usr/bin/cloud-init ${stage}`);
  assert.equal(await vm.run('hostname'), 'ip-10-0-0-10\n');
  assert.equal(await vm.run('cat /cloud/home/debian/.ssh/authorized_keys'), `${key}\n`);
  assert.equal(await vm.run('cat /cloud/var/lib/ran'), 'user data ran on ip-10-0-0-10\n');
  const result = JSON.parse(await vm.run('cat /cloud/run/cloud-init/result.json'));
  assert.deepEqual(result.v1.errors, []);
  const { v1 } = JSON.parse(await vm.run('cat /cloud/run/cloud-init/instance-data.json'));
  assert.deepEqual(
    [v1.cloud_name, v1.instance_id, v1.local_hostname, v1.region],
    ['aws', 'i-a', 'ip-10-0-0-10', 'us-east-1'],
  );
});
