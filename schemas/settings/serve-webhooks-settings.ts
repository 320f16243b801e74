import * as z from 'zod';
import { parseRelativePath } from '../relative-path.ts';
import { ANY_URL } from '../target.ts';
import { parseUrl } from '../url.ts';
import { duration, listenAddress, notThis, path } from './setting-values.ts';

const NAME = /^[a-z0-9][a-z0-9-]{0,49}$/;
const BRANCH = /^(?!.*(?:\.\.|\/\/|\/\.|\.lock(?:\/|$)))[A-Za-z0-9_][A-Za-z0-9_.+#@=,/-]{0,199}$/;

/** As people name jobs. */
const CHECK = /^[^\u0000-\u001f\u007f]{1,200}$/;

const installation = () =>
  z
    .strictObject({
      /** Names the path `/hook/<name>` and `serve/seen/<name>`. */
      name: z.string().regex(NAME, notThis('must be a plain name such as shop: a-z, 0-9 and -')),
      forge: z.enum(['github', 'gitlab', 'gitea', 'bitbucket']),
      url: checked((text) => {
        const parsed = parseUrl(text, ANY_URL);
        if (!parsed.ok) return { problem: parsed.failure.reason };
        return isDecodable(parsed.url) ? { value: parsed.url } : { problem: 'has a % that encodes no character' };
      }),
      /** One branch: a slow look must know which one is meant. */
      branch: z.string().regex(BRANCH, notThis('must be the name of one branch such as main')).prefault('main'),
      relativePath: checked((text) => {
        const parsed = parseRelativePath(text);
        return parsed.ok ? { value: parsed.relativePath } : { problem: parsed.failure.reason };
      }),
      /** Each holds one secret. Several, so that a secret can be replaced without a gap. */
      secretFiles: z.array(path()).max(5).prefault([]),
      /** `checks-passed`: only commits whose named checks are green, as the forge says. */
      when: z.enum(['pushed', 'checks-passed']).prefault('pushed'),
      /** The names of these checks. */
      checks: z
        .array(z.string().regex(CHECK, notThis('must be the name of a check such as test')))
        .max(20)
        .prefault([]),
      /** How often the branch is looked at without being told. */
      poll: duration('10m', { least: '10s', most: '24h' }),
    })
    .refine(
      ({ when, checks }) => (when === 'checks-passed') === checks.length > 0,
      'when: checks-passed needs checks, the names of those that must be green; and checks needs it',
    );
export type Installation = z.infer<ReturnType<typeof installation>>;

/** A delivery names the repository decoded, so the path of the url must decode. */
function isDecodable(url: string): boolean {
  try {
    decodeURI(URL.canParse(url) ? new URL(url).pathname : '');
    return true;
  } catch {
    return false;
  }
}

function checked<T>(judge: (text: string) => { readonly value: T } | { readonly problem: string }) {
  return z.string().transform((text, context): T => {
    const judged = judge(text);
    if ('value' in judged) return judged.value;
    context.addIssue({ code: 'custom', message: judged.problem });
    return z.NEVER;
  });
}

/** `serve.webhooks`: the branches that `gitfleet serve --webhooks` publishes, and where forges ring. */
export const webhooks = () =>
  z
    .strictObject({
      /** A proxy with TLS stands before it, so this machine alone by default. */
      listen: listenAddress(0).prefault('127.0.0.1:9182'),
      installations: z
        .array(installation())
        .max(100)
        .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'names one installation twice')
        .prefault([]),
    })
    .prefault({});
