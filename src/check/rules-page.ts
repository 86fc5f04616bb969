/** docs/check-rules.md, made of the rules. `tools/check-rules.mjs` writes it; a test compares. */
import { catalogue, kinds } from './catalogue.ts';
import type { RuleInfo } from './rule.ts';

const head = `# The rules of \`virtfn check\`

Made from the code by \`node tools/check-rules.mjs\` after a build: do not edit. [check.md](check.md) says
how to run them, what outcomes mean, and what the formats look like. A failed \`error\` makes the exit code 1;
a \`warning\` works, but worse than it could, or not for long; a \`note\` is good to know.
`;

export function rulesPage(): string {
  const parts = kinds.filter((kind) => catalogue[kind].length > 0);
  return [head, ...parts.map((kind) => `## virtfn check ${kind}\n\n${section(catalogue[kind])}`)]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

function section(rules: readonly RuleInfo[]): string {
  const groups = [...new Set(rules.map(({ group }) => group))];
  return groups
    .map((group) => {
      const own = rules.filter((rule) => rule.group === group);
      return `### ${group}\n\n${own.map(entry).join('\n')}`;
    })
    .join('\n');
}

function entry({ id, severity, title, reason, source, mend }: RuleInfo): string {
  return `**\`${id}\`** (${severity}): ${title}. ${reason}
_Source: ${source}._

    ${mend}
`;
}
