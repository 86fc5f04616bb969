// Makes data/instance-types.tsv, the catalogue that src/vpc/instance-types.ts reads:
//
//     npm run build && node tools/catalogue.mjs FACTS.tsv > data/instance-types.tsv
//
// FACTS.tsv: one instance type per line, with a header line that names at least the columns
// below; collected from published DescribeInstanceTypes results.
import { readFileSync } from 'node:fs';
import { catalogueColumns } from '../dist/src/vpc/catalogue-rows.js';

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error('usage: node tools/catalogue.mjs FACTS.tsv > data/instance-types.tsv');
  process.exit(2);
}
const [header, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
const columns = header.split('\t');
const needed = ['type', 'vcpus', 'memory_mib', 'hypervisor', 'arch', 'ena', 'ena_srd', 'efa'];
needed.push('efa_max_interfaces', 'sriov82599', 'encryption_in_transit', 'network_performance');
needed.push('baseline_gbps', 'peak_gbps', 'max_enis', 'ipv4_per_eni', 'ipv6_per_eni');
needed.push('flexible_ena_queues', 'bandwidth_weightings', 'cards', 'snapshot');
for (const name of needed)
  if (!columns.includes(name)) throw new Error(`${path}: no column is named ${name}`);

const dates = lines.map((line) => dateOf(row(line))).sort();
const out = lines.map((line) => compact(row(line))).sort();
console.log(`# EC2 instance types, from published API results (DescribeInstanceTypes) as of ${dates.at(-1)};
# retired types from earlier results; 82599 VF support from the EC2 User Guide.
# Made by tools/catalogue.mjs: do not edit. '-': not published.
# hypervisor: nitro, xen, metal. ena: required, supported, unsupported. efa: interfaces at most.
# gbps: of the one network card, of all together where there are several. performance: EC2's words.
# cards: [how many alike*]interfaces:baseline:peak:queues:queues per interface:queues:more interfaces, of
# one card; queues are ENA's, as launched, then at most. flexible: queues can be chosen per interface.`);
console.log(catalogueColumns.join('\t'));
for (const line of out) console.log(line);

function row(line) {
  const values = line.split('\t');
  return Object.fromEntries(columns.map((name, i) => [name, values[i]]));
}

function dateOf({ snapshot }) {
  return snapshot.split('/')[1];
}

function compact(r) {
  // The only published figure of a few retired types is the text: "10 Gigabit".
  const inText = r.network_performance.match(/([\d.]+) Gigabit/)?.[1] ?? '-';
  return [
    ...[r.type, r.vcpus, r.memory_mib, r.hypervisor === '-' ? 'metal' : r.hypervisor, r.arch],
    ...[r.ena, yes(r.ena_srd)],
    r.efa === 'yes' ? Math.max(1, Number(r.efa_max_interfaces)) : 0,
    ...[yes(r.sriov82599), yes(r.encryption_in_transit), r.network_performance],
    r.baseline_gbps === '-' ? inText : r.baseline_gbps,
    r.peak_gbps === '-' ? inText : r.peak_gbps,
    ...[r.max_enis, r.ipv4_per_eni, r.ipv6_per_eni],
    r.flexible_ena_queues === 'supported' ? 'yes' : 'no',
    ...[r.bandwidth_weightings, cardsOf(r), dateOf(r)],
  ].join('\t');
}

function yes(value) {
  return value === 'yes' ? 'yes' : 'no';
}

/** Cards that are alike and follow each other become one: `2*8:200:200:32:32:256:4`. */
function cardsOf(r) {
  const runs = [];
  for (const [i, card] of r.cards.split(';').entries()) {
    const [index, ...rest] = card.split('/');
    if (Number(index) !== i) throw new Error(`${r.type}: the cards are not numbered in order`);
    const last = runs.at(-1);
    const text = rest.join(':');
    if (last?.text === text) last.count++;
    else runs.push({ text, count: 1 });
  }
  return runs.map(({ text, count }) => (count === 1 ? text : `${count}*${text}`)).join(';');
}
