/** Questions to EC2 made facts: all pages of an answer, or why there is none. */
import { type Fact, known, unread } from '../../check/fact.ts';
import type { ReadAction } from './read-only-ec2.ts';

/** More than these are not gathered: an endpoint may go on for ever. */
const maxPages = 1000;
const maxItems = 200_000;

/** What keeps the whole check from being made, as a sentence. */
export class NoAccountError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NoAccountError';
  }
}

type Page = { readonly NextToken?: string | undefined };

/** All items of all pages. */
export function askAll<P extends Page, T>(
  action: ReadAction,
  ask: (token: { NextToken?: string }) => Promise<P>,
  items: (page: P) => readonly T[] | undefined,
): Promise<Fact<readonly T[]>> {
  return askOnce(action, async () => {
    const found: T[] = [];
    const tokens = new Set<string>();
    for (let token: string | undefined; ; ) {
      const page = await ask(token === undefined ? {} : { NextToken: token });
      for (const item of there(items(page))) found.push(item);
      token = page.NextToken;
      if (token === undefined || token === '') return found;
      if (tokens.has(token)) throw new Error('the same page is given again and again');
      if (tokens.add(token).size >= maxPages || found.length > maxItems)
        throw new Error(`there are more than ${found.length}`);
    }
  });
}

/** EC2 sends an empty list where it has nothing: without any list it is no answer. */
export function there<T>(list: readonly T[] | undefined): readonly T[] {
  if (list === undefined) throw new Error('the answer is not one of EC2');
  return list;
}

/** One answer. */
export async function askOnce<T>(action: ReadAction, ask: () => Promise<T>): Promise<Fact<T>> {
  try {
    return known(await ask(), { call: action });
  } catch (error) {
    return whyNot(action, error);
  }
}

function whyNot(action: ReadAction, error: unknown): Fact<never> {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const at = { call: action };
  if (/^(CredentialsProviderError|TokenProviderError)$/.test(name))
    throw new NoAccountError(`there are no credentials to ask EC2 with: ${message}`);
  if (
    /^(AuthFailure|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|RequestExpired)/.test(
      name,
    )
  )
    throw new NoAccountError(`EC2 does not take these credentials: ${name}: ${message}`);
  // The first question: where nobody answers, there is nothing to tell of an account.
  if (action === 'DescribeInstances' && error instanceof Error && 'syscall' in error)
    throw new NoAccountError(`EC2 cannot be reached: ${message}`);
  if (/UnauthorizedOperation|AccessDenied/.test(name))
    return unread(`ec2:${action} is not permitted`, at, [
      `# allow ec2:${action} to who asks; the managed policy AmazonEC2ReadOnlyAccess has all that is asked`,
    ]);
  if (/RequestLimitExceeded|Throttling/.test(name))
    return unread('EC2 throttled the question each time it was asked', at, ['# again, later']);
  if (name === 'TimeoutError' || name === 'AbortError')
    return unread('there was no answer in time', at, ['# again, later']);
  return unread(`${name}: ${message}`, at);
}
