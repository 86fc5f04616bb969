// Makes data/instance-types.tsv, the catalogue that src/vpc/instance-types.ts reads:
//
//     node tools/catalogue.mjs FACTS.tsv > data/instance-types.tsv
//
// FACTS.tsv: one instance type per line, with a header line that names at least the columns
// below; collected from published DescribeInstanceTypes results.
import { readFileSync } from 'node:fs';

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error('usage: node tools/catalogue.mjs FACTS.tsv > data/instance-types.tsv');
  process.exit(2);
}
const [header, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
const columns = header.split('\t');
const needed = ['type', 'vcpus', 'memory_mib', 'hypervisor', 'ena', 'efa', 'efa_max_interfaces'];
needed.push('sriov82599', 'network_performance', 'baseline_gbps', 'peak_gbps', 'network_cards');
needed.push('max_enis', 'cards', 'snapshot');
for (const name of needed)
  if (!columns.includes(name)) throw new Error(`${path}: no column is named ${name}`);

const newest = lines
  .map((line) => row(line).snapshot.split('/')[1])
  .sort()
  .at(-1);
const out = lines.map((line) => compact(row(line))).sort();
console.log(`# EC2 instance types, from published API results (DescribeInstanceTypes) as of ${newest};
# retired types from earlier results; 82599 VF support from the EC2 User Guide.
# Made by tools/catalogue.mjs: do not edit. '-': not published.
# hypervisor: nitro, xen, metal. ena: required, supported, unsupported. efa: interfaces at most.
# gbps: of the one network card, of all together where there are several.
# queues: ENA queues per interface as launched, and at most.`);
console.log(
  'type vcpus memory_mib hypervisor ena efa vf82599 baseline_gbps peak_gbps cards max_enis queues max_queues'
    .split(' ')
    .join('\t'),
);
for (const line of out) console.log(line);

function row(line) {
  const values = line.split('\t');
  return Object.fromEntries(columns.map((name, i) => [name, values[i]]));
}

function compact(r) {
  // The only published figure of a few retired types is the text: "10 Gigabit".
  const inText = r.network_performance.match(/([\d.]+) Gigabit/)?.[1] ?? '-';
  const [card] = r.cards.split(';');
  const [, , , , queues, maxQueues] = card.split('/');
  return [
    r.type,
    r.vcpus,
    r.memory_mib,
    r.hypervisor === '-' ? 'metal' : r.hypervisor,
    r.ena,
    r.efa === 'yes' ? Math.max(1, Number(r.efa_max_interfaces)) : 0,
    r.sriov82599 === 'yes' ? 'yes' : 'no',
    r.baseline_gbps === '-' ? inText : r.baseline_gbps,
    r.peak_gbps === '-' ? inText : r.peak_gbps,
    r.network_cards,
    r.max_enis,
    queues,
    maxQueues === '-' ? queues : maxQueues,
  ].join('\t');
}
