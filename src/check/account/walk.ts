/** Walks over an account, for its rules. */
import { type Fact, isKnown, known, type Place, unread } from '../fact.ts';
import { type Judged, judge, judgeEach, type Verdict } from '../rule.ts';
import type { AccountFacts, EniFacts, ImageFacts, InstanceFacts, TypeFacts } from './facts.ts';

export const call = (action: string, id = ''): Place => ({ call: `${action} ${id}`.trim() });

export const about = (action: string, id: string, value: string) => ({
  subject: id,
  seen: [{ value, at: call(action, id) }],
});

/** As EC2 says it; as the catalogue has it where EC2 was not asked or did not know. */
export function typeNamed({ told, published }: AccountFacts, name: string): Fact<TypeFacts> {
  const own = isKnown(told) ? told.value.find((type) => type.name === name) : undefined;
  if (own !== undefined) return known(own, call('DescribeInstanceTypes', name));
  const other = published.find((type) => type.name === name);
  if (other !== undefined) return known(other, { call: `virtfn types ${name}` });
  return isKnown(told) ? unread(`nobody knows the type '${name}'`) : told;
}

/** A verdict per instance, with its type. */
export function eachInstance(
  facts: AccountFacts,
  how: (instance: InstanceFacts, type: TypeFacts, about: Judged) => Verdict,
): Verdict[] {
  return judgeEach(facts.instances, (instance) =>
    judge(
      typeNamed(facts, instance.type),
      instance.id,
      (type, { seen }) => how(instance, type, { subject: instance.id, seen }),
      ({ name, ena }) => `${instance.name || 'it'} is a ${name}: ENA ${ena}`,
    ),
  );
}

export const isEfa = ({ kind }: EniFacts): boolean => kind === 'efa' || kind === 'efa-only';

/** Interfaces of an instance. */
export function interfacesOf(
  { interfaces }: AccountFacts,
  { id }: InstanceFacts,
): Fact<readonly EniFacts[]> {
  if (!isKnown(interfaces)) return interfaces;
  const own = interfaces.value.filter(({ attachment }) => attachment?.instance === id);
  return known(own, call('DescribeNetworkInterfaces', id));
}

/** The instance that an interface is attached to; null: none, or one of a service. */
export function instanceOf(
  { instances }: AccountFacts,
  { attachment }: EniFacts,
): Fact<InstanceFacts | null> {
  if (!isKnown(instances)) return instances;
  const found = instances.value.find(({ id }) => id === attachment?.instance);
  return known(found ?? null, call('DescribeInstances', attachment?.instance ?? ''));
}

/** An instance's image; null: it is gone, or may not be seen. */
export function imageOf(
  { images }: AccountFacts,
  { image }: InstanceFacts,
): Fact<ImageFacts | null> {
  if (!isKnown(images)) return images;
  const found = images.value.find(({ id }) => id === image);
  return known(found ?? null, call('DescribeImages', image));
}
