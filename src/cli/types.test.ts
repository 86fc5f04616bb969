// `virtfn types`: what it prints, and the exit code.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, test } from 'node:test';
import { run } from './run.ts';

const directory = mkdtempSync(join(tmpdir(), 'virtfn-types-'));
after(() => rmSync(directory, { recursive: true }));

async function types(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const lines = { log: [] as string[], error: [] as string[] };
  const mocks = (['log', 'error'] as const).map((name) =>
    mock.method(console, name, (line: string) => lines[name].push(`${line}\n`)),
  );
  try {
    const code = await run(['types', ...args]);
    return { code, stdout: lines.log.join(''), stderr: lines.error.join('') };
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
}

test('types are found, sorted and counted', async () => {
  const { code, stdout } = await types('--efa', '--sort', '-gbps', '--limit', '2');
  assert.equal(code, 0);
  const [head, first, second, rest] = stdout.split('\n');
  assert.match(head ?? '', /^type +vCPUs +GiB +arch +on +network +baseline +peak Gbps/);
  assert.match(first ?? '', /^p6-b300\.48xlarge +192 +4096 +x86_64 +Nitro v6 +ENA +6400 +6400 +17/);
  assert.match(second ?? '', /^p5\.48xlarge /);
  assert.match(rest ?? '', /^2 of \d{3} types; --limit 0 shows all$/);
});

test('a family is listed by size', async () => {
  const { stdout } = await types('C6in');
  const names = stdout.split('\n').map((line) => line.split(' ')[0]);
  assert.deepEqual(names.slice(1, 4), ['c6in.large', 'c6in.xlarge', 'c6in.2xlarge']);
  assert.equal(names.at(-2), 'c6in.metal');
});

test('a type is explained: what a guest sees, the limits and how they are known, what to watch', async () => {
  const { code, stdout } = await types('c6in.large');
  assert.equal(code, 0);
  assert.match(stdout, /^c6in\.large {2}2 vCPUs, 4 GiB, x86_64, Nitro v4$/m);
  assert.match(stdout, /^ {2}driver +ena, required$/m);
  assert.match(stdout, /^ {2}queues +2 pairs per interface; 3 MSI-X vectors$/m);
  assert.match(stdout, /^bandwidth, sustained +3\.125 {2}Gbps in, and out +published \[1\]$/m);
  assert.match(stdout, /^packets, in and out +2,200,000 {2}a second +assumed \[\d\]$/m);
  assert.match(
    stdout,
    /^ {2}EFA +Not on this size: c6in has EFA from c6in\.32xlarge on\. \[\d\]$/m,
  );
  assert.match(stdout, /^ {2}\[1\] +DescribeInstanceTypes, NetworkInfo\.NetworkCards$/m);
  assert.match(stdout, /--type c6in\.large --profile nitro-v4$/m);
});

test('of each type something can be said', async () => {
  for (const name of ['t1.micro', 'cc2.8xlarge', 'm4.large', 'p6-b300.48xlarge', 'mac1.metal']) {
    const { code, stdout } = await types(name);
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /NaN|undefined|null|Infinity/, name);
  }
});

test('as JSON: a list, and one type with each limit, its provenance and its source', async () => {
  const list = JSON.parse((await types('--efa', '--family', 'c6*', '--json')).stdout);
  assert.equal(list.count, list.types.length);
  assert.match(list.provenance, /DescribeInstanceTypes/);
  assert.ok(
    list.types.every(
      ({ efaInterfaces, nitro }: Record<string, unknown>) => efaInterfaces && nitro === 4,
    ),
  );
  const one = JSON.parse((await types('m5.large', '--json')).stdout);
  assert.deepEqual(Object.keys(one), [
    'provenance',
    'type',
    'nitro',
    'guest',
    'allowance',
    'notes',
  ]);
  assert.deepEqual(
    [one.allowance.gatewayGbps.value, one.allowance.gatewayGbps.provenance],
    [5, 'published'],
  );
  assert.deepEqual(JSON.parse((await types('--min-gbps', '9999', '--json')).stdout).types, []);
});

test('nothing found: which condition is in the way, how near one comes, and exit code 1', async () => {
  const { code, stdout } = await types('--min-gbps', '500', '--max-vcpus', '16');
  assert.equal(code, 1);
  assert.match(stdout, /^None of \d{4} types is as wanted\.$/m);
  assert.match(stdout, /^--min-gbps 500 +\d+ {2}hpc7g\.4xlarge has 200 Gbps$/m);
  const two = await types('--82599vf', '--efa', '--min-nitro', '7');
  assert.match(two.stdout, /Leaving out one of the conditions is not enough:/);
  assert.match(two.stdout, /^--min-nitro 7 +0$/m);
});

test("an account's own file replaces the catalogue", async () => {
  const file = join(directory, 'mine.json');
  const card = {
    ...{ NetworkCardIndex: 0, MaximumNetworkInterfaces: 2, BaselineBandwidthInGbps: 1 },
    ...{ PeakBandwidthInGbps: 7 },
  };
  const type = {
    InstanceType: 'z9.large',
    Hypervisor: 'nitro',
    ProcessorInfo: { SupportedArchitectures: ['arm64'] },
    VCpuInfo: { DefaultVCpus: 2 },
    MemoryInfo: { SizeInMiB: 2048 },
    NetworkInfo: {
      NetworkPerformance: 'Up to 7 Gigabit',
      MaximumNetworkInterfaces: 2,
      NetworkCards: [card],
      Ipv4AddressesPerInterface: 4,
      EnaSupport: 'required',
    },
    SupportedBootModes: ['uefi'],
  };
  writeFileSync(file, JSON.stringify({ InstanceTypes: [type] }));
  assert.match(
    (await types('--from', file)).stdout,
    /^z9\.large +2 +2 +arm64 +Nitro +ENA +1 +up to 7/m,
  );
  assert.match((await types('z9.large', '--from', file)).stdout, /^ {2}boot +uefi$/m);
  const other = await types('c5.large', '--from', file);
  assert.equal(other.code, 2);
  assert.match(other.stderr, /mine\.json has no c5\.large; without --from it is found/);
});

const bad = join(directory, 'bad.json');
writeFileSync(bad, '{\n  "InstanceTypes": [ { "InstanceType": 5 } ]\n}\n');
const wrong: [args: string[], sentence: RegExp][] = [
  [['c6in.larg'], /'c6in\.larg' is no instance type and no family; did you mean c6in\.large/],
  [['c6inx'], /did you mean c6in\?/],
  [['c6in.unheard-of-size'], /virtfn types c6in has its family/],
  [['no-such-thing-at-all'], /a pattern, like 'c6\*', finds more than one/],
  [['--sort', 'speed'], /no such column; expected name, vcpus/],
  [['--ena', 'maybe'], /--ena.*required, supported, unsupported/],
  [['--min-gbps', 'fast'], /--min-gbps.*Expected a number/],
  [['--min-vcpus', '1.5'], /--min-vcpus.*Expected a whole number/],
  [['--limit', '-1'], /--limit.*Expected a whole number/],
  [['--from', 'none.json'], /none\.json: there is no such file; expected the output of aws ec2/],
  [['--from', directory], /it cannot be read \(EISDIR\)/],
  [['--from', bad], /bad\.json:2:40: InstanceTypes\[0\]\.InstanceType is not as it should be/],
];
for (const [args, sentence] of wrong)
  test(`virtfn types ${args.map((arg) => arg.replace(directory, '')).join(' ')} is one sentence and exit code 2`, async () => {
    const { code, stdout, stderr } = await types(...args);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, sentence);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  });
