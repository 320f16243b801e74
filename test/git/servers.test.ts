import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../git/store.ts';
import { credentialFor } from '../../schemas/url.ts';
import type { CommitId, Credential, RepositoryUrl } from '../../schemas/values.ts';
import { type Authority, type HttpsOrigin, makeAuthority, startHttpsOrigin } from '../support/git/https-origin.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../support/git/origin.ts';
import { makeKey, type Sshd, startSshd } from '../support/git/sshd.ts';
import { aStore, failureOf, inCommit, NEVER, onDisk, release } from './test-store.ts';

let base: string;
let remove: () => void;
let origin: GitOrigin;
let commitId: CommitId;
let round = 0;

beforeAll(() => {
  ({ path: base, remove } = temporaryDirectory('servers'));
  origin = createOrigin(join(base, 'git/r.git'));
  for (let at = 0; at < 8; at++) commitId = origin.commit({ a: `${at}\n`, [`d/${at}`]: 'x'.repeat(at * 100) });
});
afterAll(() => remove());

/** A store of its own per test, that may use exactly these credentials; changing the array changes the settings. */
async function storeWith(credentials: Credential[], allowProtocols: string[]): Promise<Store> {
  return aStore(join(base, `agent-${round++}`), {
    credentialFor: (url) => credentialFor(credentials, url),
    allowProtocols,
  });
}

async function deploys(store: Store, url: string, id: CommitId = commitId): Promise<void> {
  await store.fetch({ url: url as RepositoryUrl, commitId: id }, NEVER);
  const directory = await release(store, join(store.directory, '../../../..'), id);
  expect(onDisk(directory)).toEqual(inCommit(origin.directory, id));
}

const refused = (store: Store, url: string, id: CommitId = commitId) =>
  failureOf(store.fetch({ url: url as RepositoryUrl, commitId: id }, NEVER));

describe('https with a token and a certificate authority of its own', () => {
  let server: HttpsOrigin;
  let authority: Authority;
  let tokenFile: string;
  let credential: Credential;
  const TOKEN = 'canary-token-4711';

  beforeEach(async () => {
    authority = makeAuthority(join(base, `ca-${round}`));
    server = await startHttpsOrigin(join(base, 'git'), authority);
    server.allowed = [`gitfleet:${TOKEN}`, `deploy:${TOKEN}`];
    tokenFile = join(base, `token-${round}`);
    writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
    credential = { prefix: server.url(''), tokenFile, caFile: authority.caFile };
  });
  afterEach(() => server.stop());

  it('fetches with the token, and with a user name of its own', async () => {
    await deploys(await storeWith([credential], ['https']), server.url('r.git'));
    writeFileSync(tokenFile, `deploy:${TOKEN}`);
    await deploys(await storeWith([credential], ['https']), server.url('r.git'));
  });

  it('takes a rotated token without a restart', async () => {
    const store = await storeWith([credential], ['https']);
    writeFileSync(tokenFile, 'old-token\n');
    expect(await refused(store, server.url('r.git'))).toMatchObject({ code: 'AUTH', next: 'stall' });
    writeFileSync(tokenFile, `${TOKEN}\n`);
    await deploys(store, server.url('r.git'));
  });

  it('shows the token to nobody else: not to another prefix, not in any word', async () => {
    const store = await storeWith([{ ...credential, prefix: server.url('team/') }], ['https']);
    const failure = await refused(store, server.url('r.git'));
    expect(failure.code).toBe('TLS'); // Neither token nor authority reach beyond the prefix.
    const known = await storeWith([{ prefix: server.url(''), caFile: authority.caFile }], ['https']);
    expect(await refused(known, server.url('r.git'))).toMatchObject({ code: 'AUTH', next: 'stall' });
    expect(JSON.stringify(failure.toFailure())).not.toContain(TOKEN);
    expect(readFileSync(join(store.directory, 'config'), 'utf8')).not.toContain(TOKEN);
  });

  it('refuses an unknown authority, a redirect, a missing repository, and forgets no status', async () => {
    const store = await storeWith([credential], ['https']);
    const stranger = await storeWith([{ prefix: server.url(''), tokenFile }], ['https']);
    expect(await refused(stranger, server.url('r.git'))).toMatchObject({ code: 'TLS', next: 'stall' });
    expect(await refused(store, server.url('none.git'))).toMatchObject({ code: 'REPOSITORY_NOT_FOUND' });
    const other = await startHttpsOrigin(join(base, 'git'), authority);
    server.redirectTo = `https://127.0.0.1:${other.port}`;
    expect(await refused(store, server.url('r.git'))).toMatchObject({ code: 'REDIRECTED', next: 'stall' });
    expect(other.requests).toEqual([]);
    await other.stop();
    server.redirectTo = null;
    for (const [status, code, next] of [
      [503, 'ORIGIN_BUSY', 'retry'],
      [429, 'ORIGIN_BUSY', 'retry'],
      [500, 'FETCH_FAILED', 'retry'],
      [403, 'AUTH', 'stall'],
    ] as const) {
      server.status = status;
      expect(await refused(store, server.url('r.git')), String(status)).toMatchObject({ code, next });
    }
    server.status = null;
    await deploys(store, server.url('r.git'));
  });

  it('says which credential file is unsafe, absent or empty', async () => {
    const store = await storeWith([credential], ['https']);
    const reason = async () => {
      const failure = await refused(store, server.url('r.git'));
      expect(failure).toMatchObject({ code: 'CREDENTIAL_FILE', next: 'stall' });
      return failure.message;
    };
    chmodSync(tokenFile, 0o644);
    expect(await reason()).toContain('has mode 0644, which is open to others');
    chmodSync(tokenFile, 0o600);
    writeFileSync(tokenFile, '\n');
    expect(await reason()).toContain('does not hold a token');
    credential.tokenFile = join(base, 'absent');
    expect(await reason()).toContain('cannot be read (ENOENT)');
    credential.tokenFile = join(base, 'odd name');
    expect(await reason()).toContain('is not a plain absolute path');
    credential.tokenFile = tokenFile;
    writeFileSync(tokenFile, `${TOKEN}\n`);
    chmodSync(authority.caFile, 0o666);
    expect(await reason()).toContain('has mode 0666');
    expect(server.requests).toEqual([]);
  });
});

describe('plain http', () => {
  it('is fetched only where the settings list it', async () => {
    const server = await startHttpsOrigin(join(base, 'git'));
    try {
      await deploys(await storeWith([], ['http']), server.url('r.git'));
      expect((await refused(await storeWith([], ['https']), server.url('r.git'))).code).toBe('PROTOCOL_REFUSED');
    } finally {
      await server.stop();
    }
  });
});

describe('a proxy of a prefix', () => {
  it('is asked for the repository, and no variable of the environment is', async () => {
    const server = await startHttpsOrigin(join(base, 'git'));
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const { method, headers } = request;
      const forward = httpRequest(String(request.url), { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      request.pipe(forward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const port = (proxy.address() as AddressInfo).port;
    try {
      const grant = { prefix: server.url(''), proxy: `http://127.0.0.1:${port}` };
      await deploys(await storeWith([grant], ['http']), server.url('r.git'));
      expect(asked[0]).toBe(`GET ${server.url('r.git')}/info/refs?service=git-upload-pack`);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
      await server.stop();
    }
  });
});

describe('ssh', () => {
  let sshd: Sshd;
  let credential: Credential & { sshKeyFile: string; knownHosts: string };

  async function prepare(options: { protocolV2?: boolean } = {}): Promise<void> {
    const directory = join(base, `ssh-${round}`);
    sshd = await startSshd({ directory, ...options });
    mkdirSync(directory, { recursive: true });
    const key = makeKey(join(directory, 'id'));
    sshd.authorize(key.publicKey);
    const knownHosts = join(directory, 'known_hosts');
    writeFileSync(knownHosts, sshd.hostLine);
    credential = { prefix: `ssh://127.0.0.1:${sshd.port}/`, sshKeyFile: key.file, knownHosts };
  }
  afterEach(() => sshd.stop());

  it('fetches with the key of its prefix, and takes a rotated one without a restart', async () => {
    await prepare();
    const store = await storeWith([credential], ['ssh']);
    const first = origin.git(['rev-parse', `${commitId}~2`]) as CommitId;
    await deploys(store, sshd.url(origin.directory), first);
    const rotated = makeKey(credential.sshKeyFile);
    expect(await refused(store, sshd.url(origin.directory))).toMatchObject({ code: 'AUTH', next: 'stall' });
    sshd.authorize(rotated.publicKey);
    await deploys(store, sshd.url(origin.directory));
  });

  it('refuses an unknown and a changed host key, and a key that others can read', async () => {
    await prepare();
    const store = await storeWith([credential], ['ssh']);
    const good = readFileSync(credential.knownHosts);
    writeFileSync(credential.knownHosts, '');
    expect(await refused(store, sshd.url(origin.directory))).toMatchObject({ code: 'HOST_KEY', next: 'stall' });
    const other = makeKey(join(base, `other-${round}`));
    writeFileSync(credential.knownHosts, `[127.0.0.1]:${sshd.port} ${other.publicKey}\n`);
    expect(await refused(store, sshd.url(origin.directory))).toMatchObject({ code: 'HOST_KEY', next: 'stall' });
    writeFileSync(credential.knownHosts, good);
    chmodSync(credential.sshKeyFile, 0o640);
    expect(await refused(store, sshd.url(origin.directory))).toMatchObject({ code: 'CREDENTIAL_FILE' });
    chmodSync(credential.sshKeyFile, 0o600);
    expect(await refused(await storeWith([], ['ssh']), sshd.url(origin.directory))).toMatchObject({ code: 'HOST_KEY' });
    const { sshKeyFile: _, ...keyless } = credential;
    expect(await refused(await storeWith([keyless], ['ssh']), sshd.url(origin.directory))).toMatchObject({
      code: 'AUTH',
    });
    expect(await refused(store, sshd.url('/nowhere/at/all'))).toMatchObject({ code: 'REPOSITORY_NOT_FOUND' });
    await deploys(store, sshd.url(origin.directory));
  });

  it('finds a commit that a v0 server does not advertise, with and without a hint, and believes that one is absent', async () => {
    await prepare({ protocolV2: false });
    const old = origin.git(['rev-parse', `${commitId}~5`]) as CommitId;
    const oldest = origin.git(['rev-parse', `${commitId}~7`]) as CommitId;
    const hinted = await storeWith([credential], ['ssh']);
    const url = sshd.url(origin.directory) as RepositoryUrl;
    for (const ref of ['main', 'refs/heads/main', 'no/such/branch', '--upload-pack=touch x', '../../x']) {
      const store = await storeWith([credential], ['ssh']);
      expect(await store.fetch({ url, commitId: old, ref }, NEVER), ref).toEqual({ network: true });
      expect(await store.pinned()).toEqual([old]);
    }
    await deploys(hinted, url, commitId); // The tip itself is advertised: one exact fetch, shallow.
    expect(readFileSync(join(hinted.directory, 'shallow'), 'utf8').trim()).toBe(commitId);
    await deploys(hinted, url, oldest);
    await deploys(hinted, url, old);
    // Forced away from every branch: what the hook pinned is a tip, what came before it is found through the pin.
    const gone = origin.commit({ g: '1' }, { branch: 'forced' });
    const pinned = origin.commit({ g: '2' }, { branch: 'forced' });
    origin.git(['update-ref', 'refs/deployments/app+business/7', pinned]);
    origin.branch('forced', null);
    await deploys(await storeWith([credential], ['ssh']), url, pinned);
    await deploys(await storeWith([credential], ['ssh']), url, gone);
    const absent = 'ab'.repeat(20) as CommitId;
    expect(await refused(hinted, url, absent)).toMatchObject({ code: 'COMMIT_NOT_FOUND', next: 'retry' });
    expect((await hinted.pinned()).sort()).toEqual([commitId, oldest, old].sort());
  }, 240_000);
});
