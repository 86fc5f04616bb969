// A lab in a VPC as a person runs it: real guests, an appliance between two of them, and rules that
// change while they run.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { LabReport, Reachability } from '../../src/host/lab/report.ts';
import { toolsOrSkip } from './pair.ts';
import { Program } from './program.ts';

const example = 'examples/three-tier-vpc.yaml';
const scratch = mkdtempSync(join(tmpdir(), 'virtfn-vpc-lab-test-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** What it printed, when it has ended well. */
async function output(...args: string[]): Promise<string> {
  const program = new Program(...args);
  assert.equal(await program.code, 0, program.stderr);
  return program.stdout;
}

/** `web>app 8080` for each question that was answered. */
function reached({ probes }: Reachability): string[] {
  return probes.flatMap(({ from, to, port, reached }) =>
    reached ? [`${from}>${to} ${port ?? 'ping'}`] : [],
  );
}

const expected = [
  ...['web>app 8080'],
  ...['ping', 80, 443, 5432, 8080].map((what) => `web>appliance ${what}`),
  ...['ping', 80, 443].map((what) => `app>web ${what}`),
  ...['app>db ping', 'app>db 5432'],
  ...['ping', 80, 443, 5432, 8080].map((what) => `app>appliance ${what}`),
  ...['ping', 80, 443].map((what) => `appliance>web ${what}`),
];

test('instances of a VPC reach what the rules say, are traced, and get other rules while they run', async (t) => {
  if ((await toolsOrSkip(t, '6.12')) === null) return;
  const pcap = join(scratch, 'lab.pcapng');
  const lab = new Program('lab', example, '--json', '--keep', '--pcap', pcap);
  try {
    await lab.says(/Stop with Ctrl-C/);
    const { reachability, measured } = JSON.parse(lab.stdout) as LabReport;
    assert.ok(reachability);
    assert.equal(measured, null);
    assert.deepEqual(reached(reachability), expected);
    for (const probe of reachability.probes) assert.equal(probe.reached, probe.expected);

    const at = ['--at', join(lab.directory, 'control.sock')];
    await traced(lab, at);
    await changed(at, join(lab.directory, 'web.shell'));
  } finally {
    lab.child.kill('SIGINT');
  }
  assert.equal(await lab.code, 0, lab.stderr);
  lab.assertNothingLeft();
  const capture = readFileSync(pcap, 'latin1');
  assert.match(capture, /sgIngressNone: .* \[no inbound rule in sg-db matches\]/);
  assert.match(
    capture,
    /delivered: .* \[sg-db inbound sgr-db-in-1: tcp 5432 from 10\.0\.1\.0\/24\]/,
  );
});

/** One ping that is dropped, with its rule. */
async function traced(lab: Program, at: readonly string[]): Promise<void> {
  const only = ['--instance', 'web', '--instance', 'db', '--dropped', '--count', '1'];
  const [json, text] = [['--json'], []].map((how) => new Program('trace', ...at, ...only, ...how));
  assert.ok(json && text);
  await text.says(/Watching/);
  const shell = new Program('shell', join(lab.directory, 'web.shell'), 'ping -c 5 -W 1 10.0.2.10');
  assert.equal(await shell.code, 1);
  assert.deepEqual(await Promise.all([json.code, text.code]), [0, 0]);
  const { time: _, ...verdict } = JSON.parse(json.stdout);
  assert.deepEqual(verdict, {
    ...{ reason: 'sgIngressNone', rule: 'no inbound rule in sg-db matches', from: 'web', to: 'db' },
    ...{ bytes: 98, why: 'no inbound rule in sg-db matches' },
    packet: {
      ...{ kind: 'ip', source: '10.0.0.10', destination: '10.0.2.10', protocol: 1 },
      ...{ icmpType: 8, icmpCode: 0 },
    },
  });
  assert.equal(
    text.stdout,
    'sg-ingress-none   web 10.0.0.10 > db 10.0.2.10 icmp echo-request  no inbound rule in sg-db matches\n',
  );
}

/** Lets the web in, by group and ACL, and gives it another address; then refuses what cannot be. */
async function changed(at: readonly string[], shell: string): Promise<void> {
  const before = readFileSync(example, 'utf8');
  const file = join(scratch, 'changed.yaml');
  writeFileSync(
    file,
    before
      .replace('10.0.0.10, 10.0.0.11', '10.0.0.10, 10.0.0.12')
      .replace('- tcp 5432 from 10.0.1.0/24', '- tcp 5432 from 10.0.1.0/24 web')
      .replace('120: deny all', '115: allow tcp 5432 from 10.0.0.0/24\n        120: deny all')
      .replace(
        '110: allow icmp to 10',
        '115: allow tcp to 10.0.0.0/24\n        110: allow icmp to 10',
      ),
  );
  const now = JSON.parse(await output('vpc', 'apply', file, ...at, '--reach', '--json'));
  assert.deepEqual(
    reached(now).filter((one) => !expected.includes(one)),
    ['web>db 5432'],
  );
  const addresses = await output('shell', shell, 'ip -4 -br addr show dev eth0');
  assert.match(addresses, / 10\.0\.0\.10\/24 10\.0\.0\.12\/24 *\n$/);
  writeFileSync(file, before.replace('10.0.0.10, 10.0.0.11', '10.0.0.20'));
  const refused = new Program('vpc', 'apply', file, ...at);
  assert.equal(await refused.code, 1);
  assert.match(refused.stderr, /web has the address 10\.0\.0\.10 and cannot get 10\.0\.0\.20/);
  assert.match(refused.stderr, /Nothing has changed/);
  assert.deepEqual(JSON.parse(await output('vpc', 'reach', ...at, '--json')), now);
}
