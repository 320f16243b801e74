import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createVouch, type Vouch, type VouchRules } from '../../../agent/door/vouch.ts';
import { openSignedTags } from '../../../agent/state/signed-tags.ts';
import { openVouched } from '../../../agent/state/vouched.ts';
import type { Store } from '../../../git/store.ts';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { classify } from '../../../runtime/errors.ts';
import type { VerifiedEnvelope } from '../../../schemas/target.ts';
import type { CommitId } from '../../../schemas/values.ts';
import { aStore, NEVER } from '../../git/test-store.ts';
import { allowedTarget } from '../../support/allowed-target.ts';
import { cleanEnvironment } from '../../support/commands.ts';
import { createOrigin, type GitOrigin, temporaryDirectory } from '../../support/git/origin.ts';
import { makeKey, startSshd } from '../../support/git/sshd.ts';
import { signedCommit, signedTag } from '../../support/signed-objects.ts';
import { type TestKey, TestSigners } from '../../support/signers.ts';

let base: ReturnType<typeof temporaryDirectory>;
let origin: GitOrigin;
let fork: GitOrigin;
let store: Store;
let appState: string;
let signers: TestSigners;
let [ann, eve, deployer] = [] as unknown as [TestKey, TestKey, TestKey];

const gitLine = (key: TestKey, options = '') =>
  `ann@example.com namespaces="git"${options === '' ? '' : `,${options}`} ${key.publicKey}`;

beforeAll(async () => {
  signers = await TestSigners.create();
  [ann, eve, deployer] = [await signers.key('ann'), await signers.key('eve'), await signers.key('deployer')];
});
afterAll(() => signers.remove());
beforeEach(async () => {
  base = temporaryDirectory('vouch');
  appState = join(base.path, 'state/apps/shop');
  origin = createOrigin(join(base.path, 'shop.git'));
  open(origin);
  store = await aStore(base.path);
  await signers.allow([gitLine(ann), `deploy@example.com namespaces="gitfleet@v1" ${deployer.publicKey}`]);
});
afterEach(() => base.remove());

/** As a forge: it gives every commit that it has, and commits without their files. */
function open(repository: GitOrigin): void {
  repository.git(['config', 'uploadpack.allowAnySHA1InWant', 'true']);
  repository.git(['config', 'uploadpack.allowFilter', 'true']);
}

const MAIN = ['refs/heads/main'];
type Verify = VouchRules['verify'];
const onBranch = (refs: readonly string[] = MAIN, url = origin.url): Verify => ({
  commit: 'off',
  reachableFrom: [{ url, refs }],
});
const signed = (more: object = {}): Verify => ({
  commit: 'required',
  reachableFrom: [],
  signersFile: signers.file,
  ...more,
});

const opened = async (verify: Verify): Promise<Vouch> =>
  createVouch({
    rules: () => ({ verify }),
    store,
    memory: await openVouched(appState),
    tags: await openSignedTags(appState),
    appState,
    ssh: { clock, env: cleanEnvironment() },
  });

const targetOf = (commitId: string, ref?: string, envelope: VerifiedEnvelope | null = null, url: string = origin.url) =>
  allowedTarget({ url, commitId, relativePath: 'shop', gitfleet: { ref } }, envelope);

let asked = 0;
const inTurn = async <T>(ask: () => Promise<T>) => {
  asked += 1;
  return await ask();
};

/** As the agent does it: fetch, vouch, look again. */
async function verdict(verify: Verify, target: ReturnType<typeof targetOf>, isCanary = false): Promise<string> {
  const vouch = await opened(verify);
  asked = 0;
  try {
    const { url, commitId, gitfleet } = target;
    await store.fetch({ url, commitId, ref: gitfleet?.ref, tips: vouch.tips(target, isCanary) }, NEVER);
    await vouch.vouch(target, { isCanary, inTurn }, NEVER);
  } catch (error) {
    expect(await vouch.vouched(target, isCanary)).toBe(false);
    return classify(error).code;
  }
  expect(await vouch.vouched(target, isCanary)).toBe(true);
  return 'vouched';
}

const child = (parent: string, repository = origin) =>
  repository.git(['commit-tree', `${parent}^{tree}`, '-p', parent, '-m', 'more']) as CommitId;

describe('reachableFrom', () => {
  let [first, second, tip] = [] as unknown as [CommitId, CommitId, CommitId];
  beforeEach(() => {
    first = origin.commit({ f: '1' });
    second = origin.commit({ f: '2' });
    tip = origin.commit({ f: '3' });
  });

  const hostile: [string, () => CommitId, string?][] = [
    [
      'the commit of a fork, which the forge serves below the url of the repository',
      () => {
        fork = createOrigin(join(base.path, 'fork.git'));
        appendFileSync(join(fork.directory, 'objects/info/alternates'), `${origin.directory}/objects\n`);
        appendFileSync(join(origin.directory, 'objects/info/alternates'), `${fork.directory}/objects\n`);
        fork.branch('main', tip);
        return fork.commit({ f: 'evil' });
      },
    ],
    ['the commit of a branch that was never merged', () => origin.commit({ f: 'evil' }, { branch: 'feature' })],
    [
      'the commit of a branch that was deleted',
      () => {
        const evil = origin.commit({ f: 'evil' }, { branch: 'feature' });
        origin.branch('feature', null);
        return evil;
      },
    ],
    [
      'a commit that a forced push took off the branch',
      () => {
        origin.branch('main', second);
        return tip;
      },
    ],
    ['a child of the tip', () => child(tip)],
    ['a commit without parents', () => origin.git(['commit-tree', `${tip}^{tree}`, '-m', 'evil']) as CommitId],
    [
      'the commit of a pull request',
      () => {
        const evil = child(tip);
        origin.git(['update-ref', 'refs/pull/1/head', evil]);
        return evil;
      },
    ],
    [
      'a branch whose name begins alike',
      () => {
        const evil = child(tip);
        origin.branch('main2', evil);
        origin.branch('x/refs/heads/main', evil);
        return evil;
      },
    ],
    [
      'a tag with the name of the branch',
      () => {
        const evil = child(tip);
        origin.git(['update-ref', 'refs/tags/main', evil]);
        return evil;
      },
    ],
    [
      'a replacement of the tip on the server',
      () => {
        const evil = child(first);
        origin.git(['replace', tip, child(evil)]);
        return evil;
      },
    ],
    [
      'a replacement that the server offers as a branch of its own',
      () => {
        const evil = child(first);
        origin.git(['update-ref', `refs/replace/${second}`, evil]);
        origin.branch(`refs/replace/${second}`, evil);
        return evil;
      },
    ],
    [
      'a graft on the server',
      () => {
        const evil = child(first);
        writeFileSync(join(origin.directory, 'info/grafts'), `${tip} ${evil}\n`);
        return evil;
      },
      'FETCH_FAILED',
    ],
    [
      'a commit behind the cut of a shallow repository',
      () => {
        writeFileSync(join(origin.directory, 'shallow'), `${second}\n`);
        return first;
      },
    ],
    [
      'every commit, where the branch is gone',
      () => {
        origin.branch('main', null);
        return first;
      },
    ],
    [
      'a commit that is no tip, where the server has no filter',
      () => {
        origin.git(['config', 'uploadpack.allowFilter', 'false']);
        return first;
      },
      'NO_FILTER',
    ],
  ];
  it.each(hostile)('refuses %s; the next good one is taken', async (_, make, code = 'NOT_ON_BRANCH') => {
    expect(await verdict(onBranch(), targetOf(make()))).toBe(code);
    rmSync(join(origin.directory, 'info/grafts'), { force: true });
    rmSync(join(origin.directory, 'shallow'), { force: true });
    origin.git(['config', 'uploadpack.allowFilter', 'true']);
    origin.branch('main', tip);
    expect(await verdict(onBranch(), targetOf(child(tip)))).toBe('NOT_ON_BRANCH');
    expect(await verdict(onBranch(), targetOf(second))).toBe('vouched');
  });

  it('takes the tip of a branch, older commits, and the second parent of a merge', async () => {
    expect(await verdict(onBranch(), targetOf(tip))).toBe('vouched');
    expect(await verdict(onBranch(), targetOf(first))).toBe('vouched');
    const side = child(first);
    const merge = origin.git(['commit-tree', `${tip}^{tree}`, '-p', tip, '-p', side, '-m', 'merge']);
    origin.branch('main', merge as CommitId);
    expect(await verdict(onBranch(), targetOf(side))).toBe('vouched');
  });

  it('asks for the tip of the branch in the request of the fetch, and connects a second time only for older ones', async () => {
    const bare = { ...onBranch() };
    // Without a filter, too: a tip needs no history.
    origin.git(['config', 'uploadpack.allowFilter', 'false']);
    expect(await verdict(bare, targetOf(tip))).toBe('vouched');
    expect(asked).toBe(0);
    origin.git(['config', 'uploadpack.allowFilter', 'true']);
    expect(await verdict(bare, targetOf(second))).toBe('vouched');
    expect(asked).toBe(1);
    expect(await verdict(bare, targetOf(second))).toBe('vouched');
    expect(asked).toBe(0);
  });

  it('takes a tag by its own commit alone, and the others where one name is missing', async () => {
    origin.git(['tag', '-a', '-m', 'release', 'v1', second]);
    const refs = ['refs/tags/v1', 'refs/heads/gone', 'refs/heads/stable'];
    expect(await verdict(onBranch(refs), targetOf(first))).toBe('NOT_ON_BRANCH');
    expect(await verdict(onBranch(refs), targetOf(second))).toBe('vouched');
    expect(await verdict(onBranch(refs), targetOf(tip))).toBe('NOT_ON_BRANCH');
    origin.branch('stable', tip);
    expect(await verdict(onBranch(refs), targetOf(first))).toBe('vouched');
  });

  it('takes an older commit where git refuses what a branch has now, and asks no tip where the signer answers', async () => {
    const blob = origin.git(['rev-parse', `${tip}:f`]);
    const entry = Buffer.concat([Buffer.from('100644 .git\0'), Buffer.from(blob, 'hex')]);
    const tree = origin.git(['hash-object', '--literally', '-t', 'tree', '-w', '--stdin'], entry);
    origin.branch('main', origin.git(['commit-tree', tree, '-p', tip, '-m', 'odd']) as CommitId);
    expect(await verdict(onBranch(), targetOf(second))).toBe('vouched');
    const vouch = await opened(onBranch());
    const envelope = { signer: 'ann', digest: 'x', issuedAt: 1 };
    expect(vouch.tips(targetOf(first, undefined, envelope), false)).toBeUndefined();
    expect(vouch.tips(targetOf(first, undefined, envelope), true)?.refs).toEqual(MAIN);
  });

  it('leaves nothing of a killed git in its repository of commits', async () => {
    expect(await verdict(onBranch(), targetOf(second))).toBe('vouched');
    const half = join(appState, 'history.git/objects/pack/tmp_pack_killed');
    writeFileSync(half, 'half a pack');
    expect(await verdict(onBranch(), targetOf(first))).toBe('vouched');
    expect(existsSync(half)).toBe(false);
  });

  it('keeps what it found: over a restart, for this repository alone, while the branch is in the settings', async () => {
    expect(await verdict(onBranch(), targetOf(second))).toBe('vouched');
    origin.branch('main', null);
    const restarted = await opened(onBranch());
    expect(await restarted.vouched(targetOf(second), false)).toBe(true);
    expect(await restarted.vouched(targetOf(first), false)).toBe(false);
    const other = await opened(onBranch(MAIN, `${origin.url}2` as never));
    expect(await other.vouched(targetOf(second, undefined, null, `${origin.url}2`), false)).toBe(false);
    expect(await other.vouched(targetOf(second), false)).toBe(false);
    expect(await (await opened(onBranch(['refs/heads/dev']))).vouched(targetOf(second), false)).toBe(false);
    writeFileSync(join(appState, 'vouched.json'), '{"format":1,"found":');
    expect(await (await opened(onBranch())).vouched(targetOf(second), false)).toBe(false);
  });

  it('leaves a signed target to its signer, except on a canary', async () => {
    const evil = origin.commit({ f: 'evil' }, { branch: 'feature' });
    const envelope = { signer: 'ann', digest: 'x', issuedAt: 1 };
    expect(await verdict(onBranch(), targetOf(evil, undefined, envelope))).toBe('vouched');
    expect(await verdict(onBranch(), targetOf(evil, undefined, envelope), true)).toBe('NOT_ON_BRANCH');
    expect(await verdict(onBranch(), targetOf(tip, undefined, envelope), true)).toBe('vouched');
  });

  it('goes 5,000 commits deep in steps, and says how far it went', async () => {
    const commit = (at: number) => `commit refs/heads/long\ncommitter A <a@b> ${at} +0000\ndata 1\nx\n`;
    const stream = Array.from({ length: 5_200 }, (_, at) => commit(1_700_000_000 + at)).join('');
    origin.git(['fast-import', '--quiet'], stream);
    const at = (back: number) => origin.git(['rev-parse', `long~${back}`]) as CommitId;
    const long = onBranch(['refs/heads/long']);
    expect(await verdict(long, targetOf(at(300)))).toBe('vouched');
    expect(await verdict(long, targetOf(at(4_900)))).toBe('vouched');
    const vouch = await opened(long);
    const failure = vouch.vouch(targetOf(at(5_100)), { isCanary: false, inTurn }, NEVER);
    await expect(failure).rejects.toThrow('looked through the newest 5000 commits of refs/heads/long');
  });

  it('survives damage and a lock in its repository of commits, which it makes again', async () => {
    expect(await verdict(onBranch(), targetOf(second))).toBe('vouched');
    writeFileSync(join(appState, 'history.git/shallow.lock'), '');
    expect(await verdict(onBranch(), targetOf(first))).toBe('vouched');
    rmSync(join(appState, 'vouched.json'));
    rmSync(join(appState, 'history.git/objects'), { recursive: true });
    expect(await verdict(onBranch(), targetOf(first))).toBe('vouched');
  });

  it.each([true, false])('judges alike over ssh, where the server knows protocol v2: %s', async (protocolV2) => {
    const sshd = await startSshd({ directory: join(base.path, 'sshd'), protocolV2 });
    try {
      const key = makeKey(join(base.path, 'client'));
      sshd.authorize(key.publicKey);
      const knownHosts = join(base.path, 'known_hosts');
      writeFileSync(knownHosts, sshd.hostLine);
      const credentialFor = () => ({ prefix: sshd.url('/'), sshKeyFile: key.file, knownHosts });
      store = await aStore(join(base.path, 'ssh'), { credentialFor, allowProtocols: ['ssh'] });
      const url = sshd.url(origin.directory);
      const rule = onBranch(MAIN, url as GitOrigin['url']);
      const judged = (commitId: string) => verdict(rule, targetOf(commitId, undefined, null, url));
      expect(await judged(child(tip))).toBe('NOT_ON_BRANCH');
      expect(await judged(tip)).toBe('vouched');
      expect(asked).toBe(0);
      origin.git(['config', 'uploadpack.allowFilter', 'false']);
      expect(await judged(first)).toBe('NO_FILTER');
      origin.git(['config', 'uploadpack.allowFilter', 'true']);
      expect(await judged(first)).toBe('vouched');
    } finally {
      await sshd.stop();
    }
  });

  it('judges a sha256 repository alike', async () => {
    const other = createOrigin(join(base.path, 'sha256.git'), { format: 'sha256' });
    open(other);
    const old = other.commit({ f: '1' });
    other.commit({ f: '2' });
    const evil = other.commit({ f: 'evil' }, { branch: 'feature' });
    const rule = onBranch(MAIN, other.url);
    expect(await verdict(rule, targetOf(evil, undefined, null, other.url))).toBe('NOT_ON_BRANCH');
    expect(await verdict(rule, targetOf(old, undefined, null, other.url))).toBe('vouched');
  });
});

describe('commit: required', () => {
  let plain: CommitId;
  beforeEach(() => {
    plain = origin.commit({ f: '1' });
  });
  const sign = (key: TestKey, more: Parameters<typeof signedCommit>[2] = {}) => signedCommit(origin, key, more);
  const pgp = '-----BEGIN PGP SIGNATURE-----\n \n iQEzBAABCAAdFiEE\n -----END PGP SIGNATURE-----';

  const hostile: [string, () => Promise<string> | string, string][] = [
    ['a commit without a signature', () => plain, 'COMMIT_UNSIGNED'],
    ['a key that is not listed', () => sign(eve), 'COMMIT_SIGNER'],
    ['a key that is listed for targets alone', () => sign(deployer), 'COMMIT_SIGNER'],
    ['a signature for another namespace', () => sign(ann, { namespace: 'gitfleet@v1' }), 'COMMIT_SIGNATURE'],
    [
      'another message',
      () => sign(ann, { change: (object) => object.replace('a signed', 'an evil') }),
      'COMMIT_SIGNATURE',
    ],
    [
      'another author date',
      () => sign(ann, { change: (object) => object.replace('1700000000', '1700000001') }),
      'COMMIT_SIGNATURE',
    ],
    [
      'a parent that was added',
      () => sign(ann, { change: (object) => object.replace('\nauthor', `\nparent ${plain}\nauthor`) }),
      'COMMIT_SIGNATURE',
    ],
    [
      'a header behind the signature',
      () => sign(ann, { change: (object) => object.replace('\n\na signed', '\nencoding x\n\na signed') }),
      'COMMIT_SIGNATURE',
    ],
    [
      'two signatures',
      () => sign(ann, { change: (object) => object.replace(/(gpgsig [\s\S]*?-----END SSH SIGNATURE-----\n)/, '$1$1') }),
      'COMMIT_SIGNATURE',
    ],
    ['the signature of the other hash', () => sign(ann, { header: 'gpgsig-sha256' }), 'COMMIT_SIGNATURE'],
    [
      'a signature in the message',
      () =>
        sign(ann, { change: (object) => object.replace(/(gpgsig [\s\S]*?END SSH SIGNATURE-----\n)([\s\S]*)/, '$2$1') }),
      'COMMIT_UNSIGNED',
    ],
    [
      'a PGP signature',
      () => sign(ann, { change: (object) => object.replace(/-----BEGIN[\s\S]*END SSH SIGNATURE-----/, pgp) }),
      'COMMIT_SIGNATURE',
    ],
    [
      'half a signature',
      () => sign(ann, { change: (object) => object.replace(/\n -----END SSH SIGNATURE-----/, '') }),
      'COMMIT_SIGNATURE',
    ],
    [
      'the signature of another commit',
      async () => {
        const other = origin.git(['cat-file', 'commit', await sign(ann, { parent: plain })]);
        const [own = ''] = /gpgsig [\s\S]*?END SSH SIGNATURE-----/.exec(other) ?? [];
        return sign(ann, { change: (object) => object.replace(/gpgsig [\s\S]*?END SSH SIGNATURE-----/, own) });
      },
      'COMMIT_SIGNATURE',
    ],
    ['a tag in place of the commit', () => signedTag(origin, 'v1', ann, { about: plain }), 'NOT_A_COMMIT'],
  ];
  it.each(hostile)('refuses %s; the next good one is taken', async (_, make, code) => {
    expect(await verdict(signed(), targetOf(await make()))).toBe(code);
    expect(await verdict(signed(), targetOf(await sign(ann, { parent: plain, at: 1_800_000_000 })))).toBe('vouched');
  });

  it('takes what git itself signed, and nothing that was changed after it, of both hashes', async () => {
    const other = createOrigin(join(base.path, 'sha256.git'), { format: 'sha256' });
    open(other);
    for (const repository of [other, origin]) {
      if (repository === origin) store = await aStore(join(base.path, 'sha1'));
      repository.commit({ f: '2' });
      const own = ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${ann.file}`];
      const byGit = repository.git([...own, 'commit-tree', 'main^{tree}', '-p', 'main', '-S', '-m', 'by git']);
      const changed = repository.git(['cat-file', 'commit', byGit]).replace('by git', 'by eve');
      const forged = repository.git(['hash-object', '-t', 'commit', '-w', '--stdin'], changed);
      expect(await verdict(signed(), targetOf(forged, undefined, null, repository.url))).toBe('COMMIT_SIGNATURE');
      expect(await verdict(signed(), targetOf(byGit, undefined, null, repository.url))).toBe('vouched');
    }
  });

  it('judges a key now, and not at the date that the author wrote, as git verify-commit does', async () => {
    const over = gitLine(ann, 'valid-before="20200101"');
    await signers.allow([over]);
    const backdated = await sign(ann, { parent: plain, at: 1_500_000_000 });
    expect(await verdict(signed(), targetOf(backdated))).toBe('COMMIT_SIGNER');
    // What is avoided: git itself takes that commit of an expired key.
    const list = join(base.path, 'signers');
    writeFileSync(list, `${over}\n`);
    const config = ['-c', `gpg.ssh.allowedSignersFile=${list}`];
    expect(() => origin.git([...config, 'verify-commit', backdated])).not.toThrow();
    expect(() => origin.git([...config, 'verify-commit', `${plain}`])).toThrow();
    await signers.allow([gitLine(ann, 'valid-after="20990101"')]);
    expect(await verdict(signed(), targetOf(backdated))).toBe('COMMIT_SIGNER');
    await signers.allow([gitLine(ann, 'valid-after="20200101",valid-before="20990101"')]);
    expect(await verdict(signed(), targetOf(backdated))).toBe('vouched');
  });

  it('counts no key of the revoked ones, by their public halves or as a list of ssh-keygen', async () => {
    const commit = await sign(ann, { parent: plain });
    const revokedFile = join(signers.directory, 'revoked');
    await expect(verdict(signed({ revokedFile }), targetOf(commit))).resolves.toBe('SIGNERS_FILE');
    writeFileSync(revokedFile, `${eve.publicKey}\n`, { mode: 0o644 });
    expect(await verdict(signed({ revokedFile }), targetOf(commit))).toBe('vouched');
    writeFileSync(revokedFile, `${eve.publicKey}\n${ann.publicKey}\n`);
    expect(await verdict(signed({ revokedFile }), targetOf(commit))).toBe('COMMIT_SIGNER');
    execFileSync('ssh-keygen', ['-q', '-k', '-f', revokedFile, `${eve.file}.pub`], { env: cleanEnvironment() });
    expect(await verdict(signed({ revokedFile }), targetOf(commit))).toBe('vouched');
    execFileSync('ssh-keygen', ['-q', '-k', '-u', '-f', revokedFile, `${ann.file}.pub`], { env: cleanEnvironment() });
    expect(await verdict(signed({ revokedFile }), targetOf(commit))).toBe('COMMIT_SIGNER');
  });

  const tags: [string, () => Promise<unknown>, string][] = [
    ['an annotated tag that a listed key signed', () => signedTag(origin, 'v1', ann, { about: plain }), 'vouched'],
    ['a tag of a key that is not listed', () => signedTag(origin, 'v1', eve, { about: plain }), 'COMMIT_SIGNER'],
    ['a signed tag of another commit', () => signedTag(origin, 'v1', ann, { about: child(plain) }), 'COMMIT_SIGNATURE'],
    [
      'a signed tag that was turned to this commit',
      () => {
        const evil = child(plain);
        const change = (object: string) => object.replace(evil, plain);
        return signedTag(origin, 'v1', ann, { about: evil, change });
      },
      'COMMIT_SIGNATURE',
    ],
    [
      'a signed tag of a signed tag',
      async () => {
        const inner = await signedTag(origin, 'v0', ann, { about: plain });
        return await signedTag(origin, 'v1', ann, { about: inner, kind: 'tag' });
      },
      'COMMIT_SIGNATURE',
    ],
    [
      'words behind the signature of a tag',
      () => signedTag(origin, 'v1', ann, { about: plain, change: (object) => `${object}more\n` }),
      'COMMIT_SIGNATURE',
    ],
    [
      'an annotated tag without a signature',
      async () => origin.git(['tag', '-a', '-m', 'x', 'v1', plain]),
      'COMMIT_UNSIGNED',
    ],
    ['a plain tag', async () => origin.git(['tag', 'v1', plain]), 'COMMIT_UNSIGNED'],
    ['no such tag', async () => {}, 'COMMIT_UNSIGNED'],
  ];
  it.each(tags)('of a commit without a signature, takes or refuses %s', async (_, make, code) => {
    await make();
    expect(await verdict(signed(), targetOf(plain, 'v1'))).toBe(code);
    expect(await verdict(signed(), targetOf(await sign(ann, { parent: plain }), 'v1'))).toBe('vouched');
  });

  it('keeps a tag that signed a commit: over a restart, and for a rollback, which names no tag', async () => {
    await signedTag(origin, 'v1', ann, { about: plain });
    expect(await verdict(signed(), targetOf(plain, 'v1'))).toBe('vouched');
    origin.git(['update-ref', '-d', 'refs/tags/v1']);
    expect(await (await opened(signed())).vouched(targetOf(plain), false)).toBe(true);
    expect(await verdict(signed(), targetOf(plain))).toBe('vouched');
    const tags = readFileSync(join(appState, 'signed-tags.json'), 'utf8');
    const other = await sign(eve, { parent: plain });
    writeFileSync(join(appState, 'signed-tags.json'), tags.replaceAll(plain, other));
    expect(await verdict(signed(), targetOf(other))).toBe('COMMIT_SIGNER');
    writeFileSync(join(appState, 'signed-tags.json'), '{"format":1,');
    expect(await (await opened(signed())).vouched(targetOf(plain), false)).toBe(false);
    writeFileSync(join(appState, 'signed-tags.json'), tags);
    await signers.allow([gitLine(eve)]);
    expect(await (await opened(signed())).vouched(targetOf(plain), false)).toBe(false);
  });

  it('fetches a tag although a killed git left its lock in the store, and reads no tag of any size', async () => {
    await signedTag(origin, 'v1', ann, { about: plain });
    await store.fetch({ url: origin.url, commitId: plain }, NEVER);
    writeFileSync(join(appState, 'store.git/shallow.lock'), '');
    expect(await verdict(signed(), targetOf(plain, 'v1'))).toBe('vouched');
    const large = await sign(eve, { parent: plain });
    const words = 'x'.repeat(100_000);
    origin.git(['-c', 'gpg.format=ssh', '-c', `user.signingkey=${ann.file}`, 'tag', '-s', '-m', words, 'v2', large]);
    expect(await verdict(signed(), targetOf(large, 'v2'))).toBe('COMMIT_SIGNER');
  });

  it('asks for both, the branch and the signature', async () => {
    const both = signed({ reachableFrom: [{ url: origin.url, refs: MAIN }] });
    const beside = await sign(ann, { parent: plain });
    expect(await verdict(both, targetOf(beside))).toBe('NOT_ON_BRANCH');
    expect(await verdict(both, targetOf(plain))).toBe('COMMIT_UNSIGNED');
    origin.branch('main', beside);
    expect(await verdict(both, targetOf(beside))).toBe('vouched');
  });
});
