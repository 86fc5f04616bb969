// The catalogue beside facts of another origin: rows of the tables "Network specifications",
// "Platform summary" and "Security specifications" in the EC2 Instance Types Guide of 2024, copied by
// hand ('?': not there). Where a later API says more (ENA Express came to many types) it is not compared.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { familyOf, type InstanceType } from '../instance-type.ts';
import { InstanceTypes } from '../instance-types.ts';
import { knownFamilies, nitroVersionOf } from './nitro-versions.ts';

const types = InstanceTypes.load();

/** type | baseline / burst or fixed Gbps | EFA | ENA or VF | cards | interfaces | addresses | IPv6 | platform | encryption */
const guide = `
a1.medium       0.5/10       -    ena   1   2   4  v6  nitro2  -
c3.large        Moderate     -    vf    1   3  10  v6  xen     -
c4.8xlarge      10           -    vf    1   8  30  v6  xen     -
c5.large        0.75/10      -    ena   1   3  10  v6  nitro2  -
c5.9xlarge      12           -    ena   1   8  30  v6  nitro2  -
c5n.large       3/25         -    ena   1   3  10  v6  nitro3  yes
c5n.18xlarge    100          efa  ena   1  15  50  v6  nitro3  yes
c6a.48xlarge    50           efa  ena   1  15  50  v6  nitro4  yes
c6gn.16xlarge   100          efa  ena   1  15  50  v6  nitro4  yes
c6in.large      3.125/25     -    ena   1   3  10  v6  nitro4  yes
c6in.4xlarge    25/50        -    ena   1   8  30  v6  nitro4  yes
c6in.32xlarge   200          efa  ena   2  16  50  v6  nitro4  yes
c7gn.16xlarge   200          efa  ena   1  15  50  v6  nitro5  yes
c7i-flex.large  0.39/12.5    -    ena   1   3  10  v6  nitro4  yes
d2.xlarge       ?            -    vf    1   4  15  v6  xen     -
dl1.24xlarge    400          efa  ena   4  60  50  v6  nitro3  yes
g4dn.xlarge     5/25         -    ena   1   3  10  v6  nitro3  yes
g4dn.8xlarge    50           efa  ena   1   4  15  v6  nitro3  yes
g5.48xlarge     100          efa  ena   1   7  50  v6  nitro3  yes
g5g.xlarge      1.25/10      -    ena   1   4  15  v6  nitro2  -
hpc6a.48xlarge  100          efa  ena   1   2  50  v6  nitro4  ?
hpc6id.32xlarge 200          efa  ena   2   2  50  v6  nitro4  ?
hpc7a.96xlarge  300          efa  ena   2   4  50  v6  nitro4  ?
hpc7g.16xlarge  200          efa  ena   1   4  50  v6  nitro5  ?
i2.8xlarge      10           -    vf    1   8  30  v6  xen     -
inf1.24xlarge   100          efa  ena   1  11  30  v6  nitro3  yes
inf2.xlarge     2.083/15     -    ena   1   4  15  v6  nitro4  yes
m1.small        Low          -    no    1   2   4  -   xen     -
m4.large        Moderate     -    vf    1   2  10  v6  xen     -
m4.16xlarge     25           -    ena   1   8  30  v6  xen     -
p3dn.24xlarge   100          efa  ena   1  15  50  v6  nitro3  yes
p4d.24xlarge    400          efa  ena   4  60  50  v6  nitro3  yes
p5.48xlarge     3200         efa  ena  32  64  50  v6  nitro4  yes
r3.8xlarge      ?/10         -    vf    1   8  30  v6  xen     -
r4.large        0.75/10      -    ena   1   3  10  v6  xen     -
trn1.2xlarge    3.125/12.5   -    ena   1   4  15  v6  nitro4  yes
trn1.32xlarge   800          efa  ena   8  40  50  v6  nitro4  yes
`;

test('rows of the catalogue are as in the Instance Types Guide', () => {
  const rows = guide.trim().split('\n');
  assert.equal(rows.length, 37);
  for (const row of rows) {
    const [name = '', bandwidth, efa, nic, cards, interfaces, addresses, v6, platform, encryption] =
      row.split(/ +/);
    const type = types.get(name);
    assert.equal(bandwidthOf(type, bandwidth === '?' ? null : bandwidth), bandwidth, name);
    assert.equal(type.efaInterfaces > 0 ? 'efa' : '-', efa, name);
    assert.equal(nicOf(type), nic, name);
    assert.equal(`${type.networkCards}`, cards, name);
    assert.equal(`${type.maxInterfaces}`, interfaces, name);
    assert.equal(`${type.ipv4PerInterface}`, addresses, name);
    assert.equal(type.ipv6PerInterface > 0 ? 'v6' : '-', v6, name);
    assert.equal(platformOf(type), platform, name);
    if (encryption !== '?') assert.equal(type.encryptionInTransit ? 'yes' : '-', encryption, name);
  }
});

/** In the form of the table above: figures where it has figures, words where it has words. */
function bandwidthOf(type: InstanceType, written: string | null | undefined): string {
  const { baselineGbps, peakGbps, performance } = type;
  if (written === null) return '?';
  if (written !== undefined && /^[A-Z]/.test(written)) return performance;
  if (written?.startsWith('?/')) return `?/${peakGbps}`;
  if (baselineGbps === peakGbps) return `${peakGbps}`;
  return `${baselineGbps}/${peakGbps}`;
}

const nicOf = ({ ena, vf82599 }: InstanceType): string =>
  ena !== 'unsupported' ? 'ena' : vf82599 ? 'vf' : 'no';

function platformOf(type: InstanceType): string {
  const nitro = nitroVersionOf(type);
  return nitro === null ? type.hypervisor : `nitro${nitro.version}`;
}

test('the 82599 VF is where the User Guide says: C3, C4, D2, I2, M4 but m4.16xlarge, R3', () => {
  const families = ['c3', 'c4', 'd2', 'i2', 'm4', 'r3'];
  for (const type of types.all()) {
    const expected = families.includes(familyOf(type)) && type.name !== 'm4.16xlarge';
    assert.equal(type.vf82599, expected, type.name);
  }
});

test('ENA is a choice on Xen only; who has it there is as the User Guide lists', () => {
  const found = new Set<string>();
  for (const type of types.all())
    if (type.ena === 'supported') {
      assert.equal(type.hypervisor, 'xen', type.name);
      found.add(type.name === 'm4.16xlarge' ? type.name : familyOf(type));
    }
  for (const family of ['h1', 'i3', 'g3', 'm4.16xlarge', 'p2', 'p3', 'r4'])
    assert.ok(found.has(family), family);
  for (const type of types.all())
    if (type.hypervisor === 'nitro') assert.equal(type.ena, 'required', type.name);
});

test('what a family is built on is known for families that there are, and for each once', () => {
  const families = new Set(types.all().map(familyOf));
  const known = knownFamilies();
  assert.deepEqual(
    known.filter((family) => !families.has(family)),
    [],
  );
  const nitro = types.all().filter(({ hypervisor }) => hypervisor !== 'xen');
  const unknown = new Set(nitro.filter((type) => nitroVersionOf(type) === null).map(familyOf));
  assert.ok(unknown.size < families.size / 5, [...unknown].join(' '));
  assert.equal(nitroVersionOf(types.get('i3.metal'))?.version, 2);
  assert.equal(nitroVersionOf(types.get('i3.large')), null);
});

test('the cards of a type have its interfaces, and no card has more than all', () => {
  for (const type of types.all()) {
    const { name, cards, networkCards, maxInterfaces, peakGbps } = type;
    assert.equal(cards.length, networkCards, name);
    assert.equal(
      cards.reduce((sum, card) => sum + card.maxInterfaces, 0),
      maxInterfaces,
      name,
    );
    for (const card of cards) assert.ok((card.peakGbps ?? 0) <= peakGbps, name);
  }
});

test('a file that is no catalogue is refused with the line', () => {
  const header =
    'type vcpus memory_mib hypervisor arch ena ena_express efa vf82599 encryption performance baseline_gbps peak_gbps max_enis ipv4 ipv6 flexible weightings cards as_of'
      .split(' ')
      .join('\t');
  const good =
    'x1.y 2 4096 nitro x86_64 required no 0 no yes Words 1 10 3 10 10 no - 3:1:10:2:-:-:- 2026-08-02'
      .split(' ')
      .join('\t');
  const parse = (...lines: string[]) =>
    InstanceTypes.parse(['# about', header, ...lines].join('\n'));
  assert.deepEqual(parse(good).names(), ['x1.y']);
  const refused = (line: string, message: RegExp) =>
    assert.throws(() => parse(good, line), message);
  refused(good, /line 4: x1\.y for the second time/);
  refused('x2.y', /line 4: 1 columns, expected 20/);
  const changed = (from: string, to: string) => good.replace('x1', 'x2').replace(from, to);
  refused(changed('\t2\t', '\ttwo\t'), /line 4: vcpus is 'two', expected a number/);
  refused(changed('\t2\t', '\t\t'), /line 4: vcpus is '', expected a number/);
  refused(changed('nitro', 'vmware'), /hypervisor is 'vmware', expected nitro, xen, metal/);
  refused(changed('3:1:10', '3:1'), /cards is '3:1:2:-:-:-', expected cards like/);
  refused(changed('3:1:10', '0*3:1:10'), /cards is '0\*3/);
  refused(changed('3:1:10', '-:1:10'), /cards is '-:1/);
  assert.throws(() => InstanceTypes.parse(''), /line 1: other columns|no line with its columns/);
  assert.throws(() => InstanceTypes.parse('# only words'), /no line with its columns/);
});
