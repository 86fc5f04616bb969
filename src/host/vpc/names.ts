/** What a `vpc:` section calls things, the ids that they get, and what is wrong with a name. */
import type { z } from 'zod';
import { nearest } from '../../lib/nearest.ts';
import type { VpcSection } from './section.ts';

export type Path = readonly (string | number)[];
export type Issue = z.core.$ZodIssueCustom;

/** Collects what is wrong, with its place in the file. */
export class Issues {
  readonly all: Issue[] = [];

  /** `what`: was expected there. */
  add(path: Path, what: string): void {
    this.all.push({ code: 'custom', path: [...path], message: `expected ${what}`, input: '' });
  }
}

export const defaultName = 'default';
export const mainTable = 'main';

/** Ids by name, of what can be referred to. */
export type Names = {
  readonly subnets: ReadonlyMap<string, string>;
  readonly groups: ReadonlyMap<string, string>;
  readonly acls: ReadonlyMap<string, string>;
  readonly tables: ReadonlyMap<string, string>;
  readonly lists: ReadonlyMap<string, string>;
  readonly placementGroups: ReadonlyMap<string, string>;
  /** Gateways, and instances by their first interface. */
  readonly targets: ReadonlyMap<string, string>;
};

export function namesOf(section: VpcSection, instances: readonly string[]): Names {
  const ids = (prefix: string, table: object | undefined, ...more: string[]) =>
    new Map([...more, ...Object.keys(table ?? {})].map((name) => [name, `${prefix}-${name}`]));
  const { subnets = { [defaultName]: {} }, gateways = {} } = section;
  return {
    subnets: ids('subnet', subnets),
    groups: ids('sg', section.groups, defaultName),
    acls: ids('acl', section.acls, defaultName),
    tables: ids('rtb', section.routes, mainTable),
    lists: ids('pl', section['prefix-lists']),
    placementGroups: ids('pg', section['placement-groups']),
    targets: new Map([
      ...instances.map((name) => [name, interfaceId(name)] as const),
      ...Object.entries(gateways).map(([name, kind]) => {
        const prefix = kind.nat ? 'nat' : kind['egress-only'] ? 'eigw' : 'igw';
        return [name, `${prefix}-${name}`] as const;
      }),
    ]),
  };
}

export const interfaceId = (instance: string): string => `eni-${instance}`;
/** The second interface of an instance that has an EFA of its own. */
export const efaInterfaceId = (instance: string): string => `eni-${instance}-efa`;

/** The id of what is called so; an issue where nothing is, with the names that there are. */
export function idOf(
  names: ReadonlyMap<string, string>,
  name: string,
  what: string,
  at: { readonly path: Path; readonly issues: Issues },
): string {
  const id = names.get(name);
  if (id !== undefined) return id;
  const all = [...names.keys()];
  const near = nearest(name, all);
  const hint = near.length === 0 ? '' : `; did you mean ${near.join(', ')}?`;
  const there = all.length === 0 ? 'there is none' : `there are: ${all.join(', ')}`;
  at.issues.add(at.path, `the name of ${what} (${there})${hint}`);
  return '';
}

const sections: Readonly<Record<string, string>> = {
  ...{ subnet: 'subnets', sg: 'groups', acl: 'acls', rtb: 'routes', pl: 'prefix-lists' },
  ...{ igw: 'gateways', eigw: 'gateways', nat: 'gateways', pg: 'placement-groups' },
};

/** Where a thing of the model, which a sentence begins with, stands in the file. */
export function placeOf(sentence: string): Path {
  const [, prefix = '', name = ''] = /^([a-z]+)-([a-z0-9-]+)/.exec(sentence) ?? [];
  if (prefix === 'i') return ['instances', name];
  if (prefix === 'eni') return ['instances', name.replace(/-efa$/, '')];
  const section = sections[prefix];
  return section === undefined ? ['vpc'] : ['vpc', section, name];
}
