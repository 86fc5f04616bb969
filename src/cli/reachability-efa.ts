/** `virtfn explain --efa`: the answer about two EFAs, for people and as a document. */
import { explainFabric, type FabricExplanation } from '../vpc/explain-fabric.ts';
import type { NetworkInterface, VpcModel } from '../vpc/model.ts';
import { renderTable } from './table.ts';
import { paintFor, widthOf, wrap } from './terminal.ts';

/** Prints the answer; the exit code. Throws a QuestionError for ends that have no EFA. */
export function answerAboutEfas(
  model: VpcModel,
  { from, to, json }: { readonly from: string; readonly to: string; readonly json?: boolean },
): number {
  const answer = explainFabric(model, from, to);
  if (json) console.log(JSON.stringify(documentOf(answer, from, to), null, 2));
  else for (const line of render(answer, from, to)) console.log(line);
  return answer.reachable ? 0 : 1;
}

function documentOf(
  { reachable, closed, text, gates, hint, ...ends }: FabricExplanation,
  from: string,
  to: string,
) {
  return {
    from: { name: from, interface: ends.from.id },
    to: { name: to, interface: ends.to.id },
    protocol: 'efa',
    reachable,
    closed: closed && { ...closed, text },
    gates,
    hints: hint === null ? [] : [hint],
  };
}

function render(answer: FabricExplanation, from: string, to: string): string[] {
  const paint = paintFor(process.stdout);
  const { gates, closed, text, hint } = answer;
  const columns = ['', 'of the', 'gate', 'of', 'rule'].map((title) => {
    return { title, align: 'left' as const };
  });
  const [, ...lines] = renderTable(
    columns,
    gates.map(({ passed, direction, gate, at, rule }) => [
      ...[passed ? 'passes' : 'closed', direction, gate, at, rule ?? ''],
    ]),
  );
  const width = Math.min(widthOf(process.stdout), 100) - 6;
  return [
    paint.bold(`${endOf(from, answer.from)} > ${endOf(to, answer.to)}  efa`),
    '',
    ...lines.map((line) => `  ${line.startsWith('closed') ? paint.red(line) : line}`),
    '',
    ...(closed === null
      ? [paint.green('reachable: SRD goes there, and its answers come back')]
      : [
          paint.red(
            `not reachable: the ${closed.direction} ends at the ${closed.gate} of ${closed.at}`,
          ),
          `  ${closed.reason}: ${text}`,
        ]),
    ...(hint === null
      ? []
      : wrap(hint.text, width).map((line, i) => `${i === 0 ? 'hint' : '    '}  ${line}`)),
    ...(hint === null ? [] : [`      (${hint.source})`]),
  ];
}

const endOf = (name: string, { id }: NetworkInterface): string =>
  name === id ? name : `${name} ${id}`;
