// The command line: what is printed where, and the exit code.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, test } from 'node:test';
import { Command, Help } from 'commander';
import { commands } from './commands.ts';
import { run } from './run.ts';

const directory = mkdtempSync(join(tmpdir(), 'virtfn-cli-'));
after(() => rmSync(directory, { recursive: true }));
const bad = join(directory, 'bad.yaml');
const vpc = 'examples/three-tier-vpc.yaml';
writeFileSync(bad, 'instances:\n  a: {}\n  b: { type: c6i.lage }\n');

async function virtfn(
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const lines = { log: [] as string[], error: [] as string[] };
  const mocks = (['log', 'error'] as const).map((name) =>
    mock.method(console, name, (line: string) => lines[name].push(`${line}\n`)),
  );
  try {
    const code = await run(args);
    return { code, stdout: lines.log.join(''), stderr: lines.error.join('') };
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
}

test('help teaches: what it is, the commands, examples', async () => {
  for (const args of [[], ['--help'], ['help']]) {
    const { code, stdout } = await virtfn(...args);
    assert.equal(code, 0);
    assert.match(stdout, /Enhanced Networking/);
    assert.match(stdout, /^ +lab /m);
    assert.match(stdout, /^ +nic /m);
    assert.match(stdout, /Examples:/);
  }
  assert.match((await virtfn('lab', '--help')).stdout, /instances: /);
});

test('the help of the program writes each command as it is defined', async () => {
  for (const { name, term, load } of commands) {
    const command = new Command(name);
    (await load())(command, () => {});
    assert.equal(term, new Help().subcommandTerm(command));
  }
});

test('the version is the one of the package', async () => {
  assert.match((await virtfn('--version')).stdout, /^\d+\.\d+\.\d+\n$/);
});

const wrong: [args: string[], sentence: RegExp][] = [
  [['labb'], /unknown command 'labb'.*Did you mean lab/],
  [['lab', '--jsn'], /unknown option '--jsn'.*Did you mean --json/],
  [['lab', '--accel', 'xen'], /--accel.*'xen' is invalid.*auto, kvm, tcg/],
  [['lab', 'none.yaml'], /none\.yaml: there is no such file; expected a topology/],
  [['lab', bad], /bad\.yaml:3:14: instances\.b\.type is 'c6i\.lage', expected .* did you mean/],
  [['lab', '--pcap', 'x', '--guest', 'reference'], /--pcap captures what virtual machines send/],
  [
    ['lab', '--profile', 'nitro-v9'],
    /--profile nitro-v9 for a: expected a profile of ENA: .*nitro-v6.*; or type/,
  ],
  [
    ['lab', '--profile', 'nitro-v9', '--guest', 'reference'],
    /--profile nitro-v9 for a: expected a profile of ENA/,
  ],
  [['nic', '--socket', 'x', '--profile', 'nitro-v9'], /no ENA profile 'nitro-v9'/],
  [['nic', '--socket', 'x', '--profile', 'type'], /--profile type was given without --type/],
  [
    ['nic', '--socket', 'x', '--type', 'i3.large', '--profile', 'type'],
    /the generation of i3\.large is not known/,
  ],
  [['nic', '--socket', 'x', '--type', 'c4.large'], /c4\.large has no ENA; .* like c6i\.large/],
  [
    ['nic', '--socket', 'x', '--model', 'efa', '--type', 'c6in.large'],
    /c6in\.large has no EFA; expected a type like c5n\.18xlarge/,
  ],
  [['bench', '--only', 'speed'], /--only.*'speed' is invalid.*limits, path/],
  [['bench', '--rounds', '0'], /Expected a whole number from 1 to 1000/],
  [['nic'], /no --socket was given/],
  [['nic', '--socket', 'x', '--model', 'igb'], /no NIC model 'igb'; expected: ena/],
  [
    ['nic', '--socket', 'x', '--model', '82599vf', '--link-mbps', '25000'],
    /82599 VF cannot have 25000/,
  ],
  [
    ['nic', '--socket', 'x', '--model', '82599vf', '--access', 'llq'],
    /no access 'llq' to 82599 VF/,
  ],
  [
    ['nic', '--socket', 'x', '--model', '82599vf', '--type', 'c5.large'],
    /c5.large has no 82599 VF/,
  ],
  [['nic', '--socket', 'x', '--vlan', '5'], /ENA has no parent function/],
  [['nic', '--socket', 'x', '--vlan', '5000'], /--vlan.*VLAN from 1 to 4094/],
  [['nic', '--socket', 'x', '--link-mbps', 'fast'], /--link-mbps.*whole number of Mbit/],
  [['nic', '--socket', 'x', '--type', 'c6i.lage'], /not an instance type.*did you mean/],
  [['nic', '--socket', 'x', '--socket', 'x'], /vf0 and vf1 both have the socket/],
  [['nic', '--socket', '/nowhere/x.sock'], /x\.sock: there is no such directory; make it/],
  [['nic', '--vpc', bad, '--socket', 'x'], /bad\.yaml:3:14: instances\.b\.type/],
  [
    ['nic', '--vpc', vpc, '--socket', 'x', '--mac', '02:00:00:00:00:01'],
    /--mac and --vpc were both/,
  ],
  [
    ['nic', '--vpc', vpc, ...'abcde'.split('').flatMap((s) => ['--socket', s])],
    /5 .* for 4 instances/,
  ],
  [['nic', '--explain', 'cq-vectr'], /no rule 'cq-vectr'; did you mean cq-vector/],
  [['explain', vpc, '--from', 'web', '--to', 'dv', '--port', '1'], /no instance, .* 'dv'; .* web/],
  [['explain', vpc, '--from', 'web', '--to', 'db'], /TCP and UDP need --port/],
  [['explain', vpc, '--from', 'web', '--to', 'db', '--proto', 'tpc'], /Expected tcp, udp, icmp/],
  [['explain', '--from', 'a', '--to', 'b', '--port', '1', '--at', '/x.sock'], /nothing listens/],
  [['explain', 'none.yaml', '--from', 'a', '--to', 'b'], /none\.yaml: there is no such file/],
  [['explain', bad, '--from', 'a', '--to', 'b'], /bad\.yaml:3:14: instances\.b\.type/],
  [['trace', '--at', '/nowhere/x.sock'], /x\.sock: nothing listens there/],
  [['trace', '--reason', 'sg-egres-none'], /no such verdict; did you mean sg-egress-none/],
  [['trace', '--address', '10.0.0'], /Expected an address or a prefix/],
  [['trace', '--port', '70000'], /Expected a port/],
  [['vpc', 'aply', 'x'], /unknown command 'aply'.*Did you mean apply/],
  [['vpc', 'show', 'none.yaml'], /none\.yaml: there is no such file/],
  [['vpc', 'show', bad], /bad\.yaml:3:14: instances\.b\.type/],
  [['shell', 'nobody-has-this-name'], /no running lab has a guest/],
  [['check', 'hots'], /unknown command 'hots'.*Did you mean host/],
  [
    ['check', 'rules', 'host-driver-bond'],
    /no rule 'host-driver-bond'; did you mean host-driver-bound/,
  ],
  [['check', 'host', '--root', 'none'], /--root none is no directory/],
];
for (const [args, sentence] of wrong)
  test(`virtfn ${args.map((arg) => arg.replace(directory, '')).join(' ')} is one sentence and exit code 2`, async () => {
    const { code, stdout, stderr } = await virtfn(...args);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, sentence);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  });

test('a rule is explained with its source, and all can be listed', async () => {
  const { code, stdout } = await virtfn('nic', '--explain', 'ena/cq-vector');
  assert.equal(code, 0);
  assert.match(stdout, /^ena\/cq-vector\n {2}rule .*\n {2}source .*\n$/);
  const list = (await virtfn('nic', '--explain', 'list')).stdout;
  assert.match(list, /^vfio-user\/\S+ {2,}\S/m);
  assert.match(list, /^ena\/\S+ {2,}\S/m);
});

test('explain names the gates of the request and of the reply, and exits 0 when both arrive', async () => {
  const { code, stdout } = await virtfn(
    'explain',
    vpc,
    '--from',
    'web',
    '--to',
    'app',
    '--port',
    '8080',
  );
  assert.equal(code, 0);
  assert.match(stdout, /^web 10\.0\.0\.10 > app 10\.0\.1\.10 {2}tcp 8080\n/);
  assert.match(stdout, /^ {2}passes {2}inbound groups +eni-app +sgr-app-in-1 +rule$/m);
  assert.match(stdout, /^ {2}passes {2}outbound groups +eni-app +sgr-app-in-1 +tracked$/m);
  assert.match(stdout, /^reachable: /m);
});

test('explain says which gate is closed, and exits 1', async () => {
  const args = ['explain', vpc, '--from', 'web', '--to', 'app', '--proto', 'icmp'];
  const { code, stdout } = await virtfn(...args);
  assert.equal(code, 1);
  assert.match(stdout, /^ {2}closed {2}inbound groups +eni-app +sgIngressNone$/m);
  assert.match(stdout, /^not reachable: the request ends at the inbound groups of eni-app$/m);
  assert.match(stdout, /^hint {2}ping needs a rule/m);
  const { reachable, closed, hints } = JSON.parse((await virtfn(...args, '--json')).stdout);
  assert.deepEqual(
    [reachable, closed.gate, closed.reason],
    [false, 'inbound groups', 'sgIngressNone'],
  );
  assert.deepEqual(
    hints.map(({ id }: { id: string }) => id),
    ['ping'],
  );
});

test('a VPC of a file is shown: who is where, each rule, and the whole model as JSON', async () => {
  const { code, stdout } = await virtfn('vpc', 'show', vpc);
  assert.equal(code, 0);
  assert.match(stdout, /^web +10\.0\.0\.10 10\.0\.0\.11 +subnet-web 10\.0\.0\.0\/24 /m);
  assert.match(stdout, /^sg-db outbound: nothing$/m);
  assert.match(stdout, /^acl-databases inbound 100: allow tcp 5432 from 10\.0\.1\.0\/24$/m);
  assert.match(stdout, /^rtb-inspected 10\.0\.2\.0\/24 to eni-appliance$/m);
  const json = JSON.parse((await virtfn('vpc', 'show', vpc, '--json')).stdout);
  assert.equal(json.instances.length, 4);
});
