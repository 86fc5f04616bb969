/** Walks over the cards of a host, for the rules. */
import { type Fact, isKnown } from '../fact.ts';
import { judgeEach, type Verdict } from '../rule.ts';
import type { CardFacts, CardKind, HostFacts, InterfaceFacts } from './facts.ts';

/** A verdict per card of these kinds. */
export function eachCard(
  { cards }: HostFacts,
  kinds: readonly CardKind[],
  how: (card: CardFacts) => Verdict,
): Verdict[] {
  return judgeEach(only(cards, kinds), how);
}

/** A verdict per network interface of these kinds of cards. */
export function eachInterface(
  { cards }: HostFacts,
  kinds: readonly CardKind[],
  how: (one: InterfaceFacts, card: CardFacts) => Verdict,
): Verdict[] {
  const found = only(cards, kinds);
  if (!isKnown(found)) return judgeEach<InterfaceFacts>(found, never);
  return found.value.flatMap((card) => judgeEach(card.interfaces, (one) => how(one, card)));
}

export const netKinds: readonly CardKind[] = ['ena', '82599vf', 'x540vf'];

function only(
  cards: Fact<readonly CardFacts[]>,
  kinds: readonly CardKind[],
): Fact<readonly CardFacts[]> {
  if (!isKnown(cards)) return cards;
  return { ...cards, value: cards.value.filter(({ kind }) => kinds.includes(kind)) };
}

function never(): never {
  throw new Error('what is not known has no parts');
}
