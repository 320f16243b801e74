import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { openForge, sendToForge } from '../../../serve/forges/open-forge.ts';
import { type ForgeAccount, type ForgeKind, forgeRepositoryOf } from '../../../serve/forges/repository.ts';
import { sendWithin } from '../../../serve/forges/request.ts';
import type { ForgeState, ForgeStatus } from '../../../serve/forges/status.ts';
import { type FakeForge, startFakeForge } from '../../support/serve/fake-forge.ts';

const COMMIT = 'c0ffee'.repeat(7).slice(0, 40);
const TOKEN = 'forge-token-canary-1234567890';
const never = new AbortController().signal;

let forge: FakeForge;
let directory: string;
let tokenFile: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'gitfleet-forges-'));
  tokenFile = join(directory, 'token');
  forge = await startFakeForge();
});
beforeEach(() => {
  writeFileSync(tokenFile, `${TOKEN}\n`);
  chmodSync(tokenFile, 0o600);
  forge.reset();
});
afterAll(async () => {
  await forge.close();
  rmSync(directory, { recursive: true });
});

const accountOf = (kind: ForgeKind): ForgeAccount => ({
  prefix: 'https://git.example.com',
  kind,
  api: forge.url,
  tokenFile,
  environment: 'production',
});
const open = (kind: ForgeKind) => {
  const found = openForge('https://git.example.com/acme/shop.git', [accountOf(kind)], sendToForge(systemClock));
  if (found === null) throw new Error('no forge');
  return found;
};
const status = (state: ForgeState, description = 'd-12: 998/1000'): ForgeStatus => ({
  commitId: COMMIT,
  ref: 'refs/heads/main',
  id: '/app/business/d-12',
  context: 'gitfleet/app/business',
  state,
  description,
  logUrl: 'https://deploy.example.com/',
});

describe('a deployment is told to', () => {
  const WRITES: Readonly<Record<ForgeKind, { opening: string[]; final: string[] }>> = {
    github: {
      opening: [
        'POST /repos/acme/shop/deployments',
        'POST /repos/acme/shop/deployments/100/statuses in_progress',
        `POST /repos/acme/shop/statuses/${COMMIT} pending`,
      ],
      final: [
        'POST /repos/acme/shop/deployments/100/statuses success',
        `POST /repos/acme/shop/statuses/${COMMIT} success`,
      ],
    },
    gitlab: {
      opening: [
        'POST /projects/acme%2Fshop/deployments running',
        `POST /projects/acme%2Fshop/statuses/${COMMIT} running`,
      ],
      final: [
        'PUT /projects/acme%2Fshop/deployments/100 success',
        `POST /projects/acme%2Fshop/statuses/${COMMIT} success`,
      ],
    },
    gitea: {
      opening: [`POST /repos/acme/shop/statuses/${COMMIT} pending`],
      final: [`POST /repos/acme/shop/statuses/${COMMIT} success`],
    },
    bitbucket: {
      opening: [`POST /repositories/acme/shop/commit/${COMMIT}/statuses/build INPROGRESS`],
      final: [`POST /repositories/acme/shop/commit/${COMMIT}/statuses/build SUCCESSFUL`],
    },
  };

  it.each(Object.keys(WRITES) as ForgeKind[])('%s: one opening and one final, in order', async (kind) => {
    await open(kind).tell(status('running'), never);
    await open(kind).tell(status('success', 'd-12 is proven'), never);
    expect(forge.told()).toEqual([...WRITES[kind].opening, ...WRITES[kind].final]);
  });

  it.each(['github', 'gitea'] as const)('%s: what is there already is not written again', async (kind) => {
    await open(kind).tell(status('running'), never);
    const before = forge.told().filter((line) => !line.includes(`shop/statuses/${COMMIT} `) || kind === 'gitea').length;
    await open(kind).tell(status('running'), never);
    const after = forge.told().filter((line) => !line.includes(`shop/statuses/${COMMIT} `) || kind === 'gitea').length;
    expect(after).toBe(before);
  });

  it('GitHub without automatic merge and required contexts, with our id, counts and the page', async () => {
    await open('github').tell(status('failure', 'd-12: 998/1000, 2 failed (web-7: HEALTH_FAILED)'), never);
    const [made, of] = forge.got.filter(({ method }) => method === 'POST').map(({ body }) => body);
    expect(made).toMatchObject({
      ref: COMMIT,
      auto_merge: false,
      required_contexts: [],
      environment: 'production',
      payload: { gitfleet: '/app/business/d-12' },
    });
    expect(of).toMatchObject({
      state: 'failure',
      description: 'd-12: 998/1000, 2 failed (web-7: HEALTH_FAILED)',
      log_url: 'https://deploy.example.com/',
    });
  });

  it('GitLab, which refuses a state that it has: that is told', async () => {
    forge.answer = ({ path, method }) =>
      method === 'POST' && path.includes('/statuses/')
        ? [400, { message: 'Cannot transition status via :run from :running (Reason(s): Status cannot transition)' }]
        : undefined;
    await expect(open('gitlab').tell(status('running'), never)).resolves.toBeUndefined();
  });

  it('GitHub in at most 140 characters', async () => {
    await open('github').tell(status('running', 'x'.repeat(200)), never);
    const [, of] = forge.got.filter(({ method }) => method === 'POST').map(({ body }) => String(body['description']));
    expect([...(of ?? '')].length).toBe(140);
  });
});

describe('the checks of a commit', () => {
  const READ: readonly [ForgeKind, (path: string) => unknown, Record<string, string>][] = [
    [
      'github',
      (path) =>
        path.includes('/check-runs')
          ? {
              check_runs: [
                { name: 'build', status: 'completed', conclusion: 'success' },
                { name: 'lint', status: 'completed', conclusion: 'neutral' },
                { name: 'test', status: 'in_progress', conclusion: null },
                { name: 'twice', status: 'completed', conclusion: 'success' },
                { name: 'twice', status: 'completed', conclusion: 'failure' },
                { name: 'skipped', status: 'completed', conclusion: 'skipped' },
              ],
            }
          : {
              statuses: [
                { context: 'ci/old', state: 'error' },
                { context: 'ci/new', state: 'success' },
              ],
            },
      {
        build: 'green',
        lint: 'green',
        test: 'pending',
        twice: 'red',
        skipped: 'red',
        'ci/old': 'red',
        'ci/new': 'green',
      },
    ],
    [
      'gitlab',
      () => [
        { name: 'build', status: 'success' },
        { name: 'test', status: 'running' },
        { name: 'deploy', status: 'manual' },
        { name: 'lint', status: 'canceled' },
      ],
      { build: 'green', test: 'pending', deploy: 'pending', lint: 'red' },
    ],
    [
      'gitea',
      () => ({
        statuses: [
          { context: 'ci/build', status: 'success' },
          { context: 'ci/test', status: 'pending' },
          { context: 'ci/lint', status: 'warning' },
        ],
      }),
      { 'ci/build': 'green', 'ci/test': 'pending', 'ci/lint': 'red' },
    ],
    [
      'bitbucket',
      () => ({
        values: [
          { key: 'b1', name: 'Build', state: 'SUCCESSFUL' },
          { key: 't1', name: 'Test', state: 'INPROGRESS' },
          { key: 'l1', state: 'STOPPED' },
        ],
      }),
      { b1: 'green', Build: 'green', t1: 'pending', Test: 'pending', l1: 'red' },
    ],
  ];

  it.each(READ)('%s gives each by name, the worst of several', async (kind, answer, expected) => {
    forge.answer = ({ path }) => [200, answer(path)];
    expect(Object.fromEntries(await open(kind).readChecks(COMMIT, never))).toEqual(expected);
  });

  it('are read page after page', async () => {
    const page = Number;
    forge.answer = ({ path }) => {
      const n = page(new URL(path, forge.url).searchParams.get('page'));
      const size = n < 3 ? 100 : 5;
      return [200, Array.from({ length: size }, (_, at) => ({ name: `job ${n}-${at}`, status: 'success' }))];
    };
    expect((await open('gitlab').readChecks(COMMIT, never)).size).toBe(205);
  });

  it('that cannot be read are a refusal, never none', async () => {
    forge.answer = () => [200, { hello: 'world' }];
    for (const kind of ['github', 'gitlab', 'bitbucket'] as const) {
      await expect(open(kind).readChecks(COMMIT, never), kind).rejects.toMatchObject({ code: 'DELIVERY_REFUSED' });
    }
  });
});

describe('a request', () => {
  const post = (url: string, bounds = { timeoutMs: 15_000, maxBytes: 1_000_000 }) =>
    sendWithin({ clock: systemClock, ...bounds })(
      { method: 'POST', url: new URL(url), headers: { Authorization: TOKEN }, body: '{}' },
      never,
    );

  it.each([
    [302, 'DELIVERY_REFUSED'],
    [401, 'DELIVERY_REFUSED'],
    [404, 'DELIVERY_REFUSED'],
    [429, 'NOT_DELIVERED'],
    [500, 'NOT_DELIVERED'],
    [503, 'NOT_DELIVERED'],
  ])('answered with %i is %s, and a redirect is not followed', async (code, expected) => {
    forge.answer = () => [code, { message: 'no' }];
    await expect(open('gitea').tell(status('running'), never)).rejects.toMatchObject({ code: expected });
    expect(forge.got).toHaveLength(1);
  });

  it('that its reply repeats gives no token away', async () => {
    for (const said of [{ headers: { authorization: `token ${TOKEN}` } }, `got ${TOKEN}`]) {
      forge.answer = () => [401, said];
      const error = await open('gitea')
        .tell(status('running'), never)
        .catch((thrown: Error) => thrown);
      expect(String(error)).toMatch(/401.*\*\*\*/);
      expect(String(error)).not.toContain(TOKEN);
    }
  });

  it('goes nowhere without encryption, but for this machine', async () => {
    await expect(post('http://git.example.com/')).rejects.toMatchObject({ code: 'DELIVERY_REFUSED' });
    await expect(post('ftp://127.0.0.1/')).rejects.toMatchObject({ code: 'DELIVERY_REFUSED' });
    await expect(post('http://localhost.example.com/')).rejects.toMatchObject({ code: 'DELIVERY_REFUSED' });
    await expect(post(forge.url)).resolves.toMatchObject({ status: 201 });
  });

  it('ends at its bounds of time and size, and when it is interrupted', async () => {
    let release = () => {};
    forge.taken = () => new Promise<void>((resolve) => (release = resolve));
    await expect(post(forge.url, { timeoutMs: 50, maxBytes: 10 })).rejects.toMatchObject({ code: 'NOT_DELIVERED' });
    release();
    forge.taken = undefined;
    forge.answer = () => [200, 'x'.repeat(100)];
    await expect(post(forge.url, { timeoutMs: 15_000, maxBytes: 10 })).rejects.toMatchObject({
      code: 'DELIVERY_REFUSED',
    });
    const gone = new AbortController();
    gone.abort(new Error('stopped'));
    await expect(open('gitea').tell(status('running'), gone.signal)).rejects.toThrow('stopped');
  });

  it('keeps its token out of every failure', async () => {
    forge.answer = () => [403, { message: 'forbidden' }];
    const error = await open('github')
      .tell(status('running'), never)
      .then(
        () => null,
        (thrown: unknown) => thrown,
      );
    expect(forge.got[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(TOKEN);
  });

  it('is not sent with a token that others may read', async () => {
    chmodSync(tokenFile, 0o644);
    await expect(open('github').tell(status('running'), never)).rejects.toMatchObject({ code: 'SETTINGS' });
    expect(forge.got).toEqual([]);
  });
});

describe('the repository of a url', () => {
  const account = (prefix: string, kind: ForgeKind): ForgeAccount => ({
    prefix,
    kind,
    tokenFile: '/t',
    environment: 'production',
  });
  it.each([
    ['https://github.com/acme/shop.git', 'https://github.com', 'github', 'https://api.github.com/', 'acme/shop'],
    ['ssh://git@github.com/acme/shop', 'ssh://git@github.com', 'github', 'https://api.github.com/', 'acme/shop'],
    [
      'https://ghe.example.com/acme/shop',
      'https://ghe.example.com',
      'github',
      'https://ghe.example.com/api/v3/',
      'acme/shop',
    ],
    ['https://gitlab.com/a/b/c.git', 'https://gitlab.com/a', 'gitlab', 'https://gitlab.com/api/v4/', 'a/b/c'],
    ['https://g.example:8443/a/b', 'https://g.example:8443', 'gitea', 'https://g.example:8443/api/v1/', 'a/b'],
    ['ssh://git@g.example:2222/a/b', 'ssh://git@g.example:2222', 'gitea', 'https://g.example/api/v1/', 'a/b'],
    ['https://codeberg.org/acme/shop/', 'https://codeberg.org', 'gitea', 'https://codeberg.org/api/v1/', 'acme/shop'],
    [
      'https://bitbucket.org/acme/shop',
      'https://bitbucket.org',
      'bitbucket',
      'https://api.bitbucket.org/2.0/',
      'acme/shop',
    ],
  ] as const)('%s', (url, prefix, kind, api, path) => {
    const found = forgeRepositoryOf(url, [account(prefix, kind)]);
    expect([found?.api.href, found?.path]).toEqual([api, path]);
  });

  it('is none below another prefix, or of another shape', () => {
    const accounts = [account('https://github.com/acme', 'github')];
    for (const url of [
      'https://github.com/acmecorp/shop',
      'https://evil.example.com/acme/shop',
      'https://github.com/acme',
      'https://github.com/acme/shop/extra',
      'https://github.com/acme/..',
      'https://github.com/acme/a%2fb',
    ]) {
      expect(forgeRepositoryOf(url, accounts), url).toBeNull();
    }
  });

  it('belongs to the longest prefix', () => {
    const accounts = [account('https://git.example.com', 'gitea'), account('https://git.example.com/lab', 'gitlab')];
    expect(forgeRepositoryOf('https://git.example.com/lab/shop', accounts)?.account.kind).toBe('gitlab');
  });
});
