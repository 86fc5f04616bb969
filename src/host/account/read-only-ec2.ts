/**
 * The one door to EC2's API: it asks, and cannot change anything. Held up three times: whoever has it has
 * functions for these questions and no client; each is called Describe (a type, and a test); and before a
 * request is signed a guard in the SDK's own stack looks at the action in its body.
 *
 * The SDK is heavy (megabytes of schemas) and loaded here, when the door is opened, and nowhere else.
 */
import type {
  DescribeAccountAttributesCommandInput,
  DescribeImagesCommandInput,
  DescribeInstancesCommandInput,
  DescribeInstanceTypesCommandInput,
  DescribeNetworkAclsCommandInput,
  DescribeNetworkInterfacesCommandInput,
  DescribePlacementGroupsCommandInput,
  DescribeSecurityGroupsCommandInput,
  DescribeSubnetsCommandInput,
  EC2Client,
} from '@aws-sdk/client-ec2';

export type Ec2Options = {
  readonly endpointUrl?: string;
  readonly region?: string;
  readonly profile?: string;
};

export type ReadOnlyEc2 = {
  /** As the SDK resolved it: option, environment, profile. */
  readonly region: string;
  readonly ask: Questions;
  readonly close: () => void;
};

type Sdk = typeof import('@aws-sdk/client-ec2');
export type Questions = ReturnType<typeof questionsOf>;

/** A name that changes something is an error of the compiler here. */
type OnlyReads<Name extends `Describe${string}` | `Get${string}`> = Name;
export type ReadAction = OnlyReads<keyof Questions>;

const attempts = 5;
const connectMs = 5000;
/** Of one question, with all its attempts. */
const questionMs = 60_000;

export async function openReadOnlyEc2(options: Ec2Options): Promise<ReadOnlyEc2> {
  // The SDK that we pin runs on Node 20; that a later one will not is nothing for whoever runs a check.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const sdk = await import('@aws-sdk/client-ec2');
  const { endpointUrl, region, profile } = options;
  const client = new sdk.EC2Client({
    ...(endpointUrl === undefined ? {} : { endpoint: endpointUrl }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    maxAttempts: attempts,
    requestHandler: { connectionTimeout: connectMs, requestTimeout: questionMs },
  });
  guardReads(client);
  return {
    region: await client.config.region(),
    ask: questionsOf(sdk, client),
    close: () => client.destroy(),
  };
}

/** Nothing leaves this client whose action does not begin with Describe or Get. */
export function guardReads(client: EC2Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const { body } = args.request as { body?: unknown };
        const [, action = ''] =
          /^Action=(\w+)(?:&|$)/.exec(typeof body === 'string' ? body : '') ?? [];
        if (!/^(Describe|Get)[A-Z]/.test(action))
          return Promise.reject(new Error(`${commandName} may change something, and was not sent`));
        return next(args);
      },
    { step: 'finalizeRequest', priority: 'high', name: 'onlyReads' },
  );
}

function questionsOf(sdk: Sdk, client: EC2Client) {
  const limit = () => ({ abortSignal: AbortSignal.timeout(questionMs) });
  return {
    DescribeInstances: (input: DescribeInstancesCommandInput) =>
      client.send(new sdk.DescribeInstancesCommand(input), limit()),
    DescribeInstanceTypes: (input: DescribeInstanceTypesCommandInput) =>
      client.send(new sdk.DescribeInstanceTypesCommand(input), limit()),
    DescribeImages: (input: DescribeImagesCommandInput) =>
      client.send(new sdk.DescribeImagesCommand(input), limit()),
    DescribeNetworkInterfaces: (input: DescribeNetworkInterfacesCommandInput) =>
      client.send(new sdk.DescribeNetworkInterfacesCommand(input), limit()),
    DescribeSecurityGroups: (input: DescribeSecurityGroupsCommandInput) =>
      client.send(new sdk.DescribeSecurityGroupsCommand(input), limit()),
    DescribeNetworkAcls: (input: DescribeNetworkAclsCommandInput) =>
      client.send(new sdk.DescribeNetworkAclsCommand(input), limit()),
    DescribeSubnets: (input: DescribeSubnetsCommandInput) =>
      client.send(new sdk.DescribeSubnetsCommand(input), limit()),
    DescribePlacementGroups: (input: DescribePlacementGroupsCommandInput) =>
      client.send(new sdk.DescribePlacementGroupsCommand(input), limit()),
    DescribeAccountAttributes: (input: DescribeAccountAttributesCommandInput) =>
      client.send(new sdk.DescribeAccountAttributesCommand(input), limit()),
  };
}
