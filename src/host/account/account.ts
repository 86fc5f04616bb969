/** Gathers what `virtfn check account` judges: asks EC2, page by page, and changes nothing. */
import type { AccountFacts, ImageFacts, TypeFacts } from '../../check/account/facts.ts';
import { type Fact, isKnown, known } from '../../check/fact.ts';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import {
  aclFacts,
  eniFacts,
  groupFacts,
  imageFacts,
  instanceFacts,
  publishedType,
  subnetFacts,
  toldType,
} from './answers.ts';
import { askAll, askOnce, there } from './ask.ts';
import { type Ec2Options, openReadOnlyEc2, type Questions } from './read-only-ec2.ts';

/** DescribeInstanceTypes takes so many names, and DescribeImages no more than it can answer at once. */
const namesPerQuestion = 100;
const pageSize = 1000;

export async function gatherAccount(options: Ec2Options): Promise<AccountFacts> {
  const ec2 = await openReadOnlyEc2(options);
  try {
    return await gather(ec2.region, ec2.ask);
  } finally {
    ec2.close();
  }
}

async function gather(region: string, ask: Questions): Promise<AccountFacts> {
  const catalogue = InstanceTypes.load();
  // The first alone: without credentials or an answer nothing else is worth asking.
  const instances = await readInstances(ask);
  const used = isKnown(instances) ? instances.value : [];
  const types = [...new Set(used.map(({ type }) => type))].filter((name) => name !== '');
  const images = [...new Set(used.map(({ image }) => image))].filter((id) => id !== '');
  const has82599 = (name: string): boolean => catalogue.has(name) && catalogue.get(name).vf82599;
  const [interfaces, groups, acls, subnets, placementGroups, limit, told, seen] = await Promise.all(
    [
      askAll(
        'DescribeNetworkInterfaces',
        (token) => ask.DescribeNetworkInterfaces({ MaxResults: pageSize, ...token }),
        (page) => page.NetworkInterfaces?.map(eniFacts),
      ),
      askAll(
        'DescribeSecurityGroups',
        (token) => ask.DescribeSecurityGroups({ MaxResults: pageSize, ...token }),
        (page) => page.SecurityGroups?.map(groupFacts),
      ),
      askAll(
        'DescribeNetworkAcls',
        (token) => ask.DescribeNetworkAcls({ MaxResults: pageSize, ...token }),
        (page) => page.NetworkAcls?.map(aclFacts),
      ),
      askAll(
        'DescribeSubnets',
        (token) => ask.DescribeSubnets({ MaxResults: pageSize, ...token }),
        (page) => page.Subnets?.map(subnetFacts),
      ),
      readPlacementGroups(ask),
      readGroupsPerInterface(ask),
      isKnown(instances) ? readTypes(ask, types, has82599) : instances,
      readImages(ask, images),
    ],
  );
  return {
    region,
    instances,
    images: seen,
    interfaces,
    groups,
    acls,
    subnets,
    placementGroups,
    told,
    published: types.flatMap((name) =>
      catalogue.has(name) ? [publishedType(catalogue.get(name))] : [],
    ),
    groupsPerInterface: limit,
  };
}

/** Those that are not gone. */
function readInstances(ask: Questions): Promise<AccountFacts['instances']> {
  return askAll(
    'DescribeInstances',
    (token) => ask.DescribeInstances({ MaxResults: pageSize, ...token }),
    (page) =>
      page.Reservations?.flatMap(({ Instances }) => Instances ?? [])
        .map(instanceFacts)
        .filter(({ state }) => state !== 'terminated' && state !== 'shutting-down'),
  );
}

async function readTypes(
  ask: Questions,
  names: readonly string[],
  has82599: (name: string) => boolean,
): Promise<Fact<readonly TypeFacts[]>> {
  const found: TypeFacts[] = [];
  for (const some of chunksOf(names)) {
    const answer = await askAll(
      'DescribeInstanceTypes',
      // A filter: a name that the Region does not have is then no error for all others.
      (token) =>
        ask.DescribeInstanceTypes({
          Filters: [{ Name: 'instance-type', Values: [...some] }],
          ...token,
        }),
      (page) =>
        page.InstanceTypes?.map((one) => toldType(one, has82599(one.InstanceType ?? ''))).filter(
          (one) => one !== null,
        ),
    );
    if (!isKnown(answer)) return answer;
    found.push(...answer.value);
  }
  return known(found, { call: 'DescribeInstanceTypes' });
}

/** Own ones, then those of instances that are of somebody else. */
async function readImages(
  ask: Questions,
  used: readonly string[],
): Promise<Fact<readonly ImageFacts[]>> {
  const own = await askAll(
    'DescribeImages',
    (token) => ask.DescribeImages({ Owners: ['self'], MaxResults: pageSize, ...token }),
    (page) => page.Images?.map((one) => imageFacts(one, true)),
  );
  if (!isKnown(own)) return own;
  const others = used.filter((id) => !own.value.some((image) => image.id === id));
  const found = [...own.value];
  for (const some of chunksOf(others)) {
    const answer = await askAll(
      'DescribeImages',
      (token) =>
        ask.DescribeImages({ Filters: [{ Name: 'image-id', Values: [...some] }], ...token }),
      (page) => page.Images?.map((one) => imageFacts(one, false)),
    );
    if (!isKnown(answer)) return answer;
    found.push(...answer.value);
  }
  return known(found, own.at);
}

function readPlacementGroups(ask: Questions): Promise<AccountFacts['placementGroups']> {
  return askOnce('DescribePlacementGroups', async () => {
    const { PlacementGroups = [] } = await ask.DescribePlacementGroups({});
    return new Map(
      PlacementGroups.map(({ GroupName = '', Strategy = '' }) => [GroupName, Strategy]),
    );
  });
}

const limitName = 'vpc-max-security-groups-per-interface';

function readGroupsPerInterface(ask: Questions): Promise<Fact<number>> {
  return askOnce('DescribeAccountAttributes', async () => {
    const { AccountAttributes } = await ask.DescribeAccountAttributes({});
    const found = there(AccountAttributes).find(({ AttributeName }) => AttributeName === limitName);
    const value = found?.AttributeValues?.[0]?.AttributeValue ?? '';
    if (!/^\d{1,3}$/.test(value)) throw new Error(`the account has no ${limitName}`);
    return Number(value);
  });
}

function chunksOf<T>(list: readonly T[]): T[][] {
  const chunks: T[][] = [];
  for (let i = 0; i < list.length; i += namesPerQuestion)
    chunks.push(list.slice(i, i + namesPerQuestion));
  return chunks;
}
