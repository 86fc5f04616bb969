/**
 * `--format sarif`: SARIF 2.1.0 (OASIS, Errata 01), for code scanning. It holds what somebody has to
 * look at: what failed, and, as kind `open`, what could not be told. Passes are only counted, because
 * GitHub makes an alert of every result without regard to its kind.
 */
import { placeText } from '../fact.ts';
import { countsOf, type Finding, type Report } from '../report.ts';
import type { RuleInfo } from '../rule.ts';

/** Files are named relative to the root of what was checked, which need not be this machine's. */
const rootId = 'ROOT';

export function toSarif(report: Report, rules: readonly RuleInfo[], version: string): string {
  const { target, time, findings } = report;
  const results = findings.filter(({ outcome }) => outcome === 'fail' || outcome === 'unknown');
  const log = {
    $schema:
      'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'virtfn check',
            semanticVersion: version,
            rules: rules.map(descriptorOf),
          },
        },
        automationDetails: { id: `virtfn-check/${target.kind}/${target.name}` },
        invocations: [
          { executionSuccessful: true, endTimeUtc: time, properties: { ...countsOf(findings) } },
        ],
        originalUriBaseIds: {
          [rootId]: { description: { text: `the root of ${target.kind} ${target.name}` } },
        },
        columnKind: 'utf16CodeUnits',
        results: results.map((finding) => resultOf(finding, rules)),
        properties: { readiness: report.readiness },
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function descriptorOf({ id, title, reason, source, severity, mend, group }: RuleInfo) {
  return {
    id,
    name: pascalCase(id),
    shortDescription: { text: title },
    fullDescription: { text: `${reason} (${source})` },
    help: { text: `Why: ${reason}\nSource: ${source}\nMend: ${mend}` },
    defaultConfiguration: { level: severity },
    properties: { tags: [group] },
  };
}

function resultOf(finding: Finding, rules: readonly RuleInfo[]) {
  const { rule, outcome, subject, text, evidence, mend } = finding;
  const failed = outcome === 'fail';
  const about = subject === null ? '' : `${subject}: `;
  const sentence = failed ? `${about}${text}` : `${about}could not tell: ${text}`;
  const how = mend.length === 0 ? '' : `\nMend: ${mend.join('\n      ')}`;
  const seen = evidence.map(({ value, at }) => `\nSeen: ${placeText(at)}: ${value}`).join('');
  return {
    ruleId: rule.id,
    ruleIndex: rules.findIndex(({ id }) => id === rule.id),
    kind: failed ? 'fail' : 'open',
    level: failed ? rule.severity : 'none',
    message: { text: `${sentence}.${seen}${how}` },
    locations: [locationOf(finding)],
    partialFingerprints: { 'virtfnCheck/v1': `${rule.id}:${subject ?? ''}` },
    properties: { mend },
  };
}

/** One location: the first file that was looked at, and what it is about in words. */
function locationOf({ evidence, subject, rule }: Finding) {
  const name = subject ?? rule.group;
  const logicalLocations = [{ name, fullyQualifiedName: `${rule.group}/${name}` }];
  const first = evidence.find(({ at }) => 'file' in at)?.at;
  if (first === undefined || !('file' in first)) return { logicalLocations };
  const region = first.line === undefined ? {} : { region: { startLine: first.line } };
  const artifactLocation = { uri: relativeUri(first.file), uriBaseId: rootId };
  return { physicalLocation: { artifactLocation, ...region }, logicalLocations };
}

/** A relative reference (RFC 3986): no leading slash, and no colon in its first segment. */
function relativeUri(file: string): string {
  const segments = file.replace(/^\/+/, '').split('/');
  return segments.map((segment) => encodeURIComponent(segment)).join('/');
}

function pascalCase(id: string): string {
  return id
    .split('-')
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join('');
}
