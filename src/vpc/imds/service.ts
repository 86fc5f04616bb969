/**
 * The instance metadata service, versions 1 and 2 (EC2 User Guide, "Use the Instance Metadata
 * Service"): what is answered to a request of an instance. Answers come from the model of now.
 */
import type { VpcModel } from '../model.ts';
import { type Placed, place, versionTree } from './metadata.ts';
import type { HttpRequest } from './request.ts';
import { errorPage, type HttpResponse, notAllowed, plain } from './response.ts';
import type { Tokens } from './tokens.ts';
import { type Directory, find } from './tree.ts';

/** What `GET /` lists, as EC2 was seen to list it in 2023. All of them have the same content here. */
const versions = [
  ...['1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15', '2008-02-01'],
  ...['2008-09-01', '2009-04-04', '2011-01-01', '2011-05-01', '2012-01-12', '2014-02-25'],
  ...['2014-11-05', '2015-10-20', '2016-04-19', '2016-06-30', '2016-09-02', '2018-03-28'],
  ...['2018-08-17', '2018-09-24', '2019-10-01', '2020-10-27', '2021-01-03', '2021-03-23'],
  ...['2021-07-15', '2022-07-09', '2022-09-24', 'latest'],
];
const tokenPath = '/latest/api/token';
const ttlHeader = 'x-aws-ec2-metadata-token-ttl-seconds';
const ttlName = 'X-Aws-Ec2-Metadata-Token-Ttl-Seconds';
const mostSeconds = 21_600;

export class MetadataService {
  readonly #tokens: Tokens;
  readonly #launchTime: string;
  #model: VpcModel;
  /** Made when first asked for; as old as the model. */
  #trees = new Map<string, Directory | null>();

  /** `launchTime`: of instances whose model does not say, ISO 8601. */
  constructor(model: VpcModel, tokens: Tokens, launchTime: string) {
    this.#model = model;
    this.#tokens = tokens;
    this.#launchTime = launchTime;
  }

  update(model: VpcModel): void {
    this.#model = model;
    this.#trees = new Map();
  }

  /** The answer to a request from instance `id`, at `seconds` of the clock. */
  answer(request: HttpRequest, id: string, seconds: number): HttpResponse {
    const instance = this.#model.instances.find((one) => one.id === id);
    const options = instance?.metadata ?? {};
    if (instance === undefined || options.endpoint === false) return errorPage(403);
    if (request.path === tokenPath) return this.#token(request, id, seconds);
    if (request.method !== 'GET' && request.method !== 'HEAD') return notAllowed('GET, HEAD');
    const token = request.headers.get('x-aws-ec2-metadata-token');
    if (token === undefined)
      return options.tokens === 'required' ? errorPage(401) : this.#document(request.path, id);
    const left = this.#tokens.remaining(token, id, seconds);
    if (left === 0) return errorPage(401);
    const found = this.#document(request.path, id);
    return { ...found, headers: { ...found.headers, [ttlName]: `${left}` } };
  }

  /** A session begins. Whoever relays requests of others says so, and gets none. */
  #token({ method, headers }: HttpRequest, id: string, seconds: number): HttpResponse {
    if (method !== 'PUT') return notAllowed('OPTIONS, PUT');
    if (headers.has('x-forwarded-for')) return errorPage(403);
    const asked = headers.get(ttlHeader) ?? '';
    const ttl = /^\d{1,5}$/.test(asked) ? Number(asked) : 0;
    if (ttl < 1 || ttl > mostSeconds) return errorPage(400);
    const token = this.#tokens.issue(id, seconds, ttl);
    return { ...plain(token), headers: { [ttlName]: `${ttl}` } };
  }

  #document(path: string, id: string): HttpResponse {
    if (path === '/') return plain(versions.join('\n'));
    const [, version = ''] = path.split('/', 2);
    const tree = versions.includes(version) ? this.#treeOf(id) : null;
    const rest = path.slice(1 + version.length);
    const text = tree === null ? null : find(tree, rest === '' ? '/' : rest);
    if (text === null) return errorPage(404);
    const isUserData = /^\/user-data\/?$/.test(rest);
    return isUserData ? { ...plain(text), type: 'application/octet-stream' } : plain(text);
  }

  #treeOf(id: string): Directory | null {
    let tree = this.#trees.get(id);
    if (tree === undefined) {
      const placed: Placed | null = place(this.#model, id, this.#launchTime);
      tree = placed === null ? null : versionTree(placed);
      this.#trees.set(id, tree);
    }
    return tree;
  }
}

/** Whether an answer carries a token: its packets get no further than the hop limit allows. */
export const carriesToken = (request: HttpRequest, response: HttpResponse): boolean =>
  request.method === 'PUT' && response.status === 200;
