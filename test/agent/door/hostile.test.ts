import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDoor, type Door, type DoorRules, dependsOnServer, type Judgement } from '../../../agent/door/door.ts';
import { accept, judgeOrder, NOTHING_ACCEPTED } from '../../../agent/state/accepted.ts';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { NAMESPACE, type SignedTarget } from '../../../schemas/signed/signed-target.ts';
import { cleanEnvironment } from '../../support/commands.ts';
import { lineOf, sealed, signedConfig, type TestKey, TestSigners } from '../../support/signers.ts';

const NOW = Date.now();
const URL = 'https://git.example.com/shop.git';
const SAID: SignedTarget = {
  ...{ version: 1, audience: 'shop-production', app: '/app/shop', url: URL, commitId: 'a'.repeat(40) },
  ...{ relativePath: 'shop', ref: 'main', issuedAt: NOW },
};
const { url, commitId, relativePath } = SAID;

let signers: TestSigners;
let appState: string;
let [deploy, second, developer, unknown, rsa] = [] as unknown as [TestKey, TestKey, TestKey, TestKey, TestKey];

beforeAll(async () => {
  signers = await TestSigners.create();
  deploy = await signers.key('deploy');
  second = await signers.key('second');
  developer = await signers.key('developer');
  unknown = await signers.key('unknown');
  rsa = await signers.key('rsa', 'rsa');
});
afterAll(() => signers.remove());
beforeEach(async () => {
  appState = await mkdtemp(join(tmpdir(), 'gitfleet-door-'));
  await signers.allow([
    '# who may deploy',
    lineOf('ann@example.com', deploy),
    lineOf('bob@example.com', second),
    lineOf('rsa@example.com', rsa),
    `dev@example.com namespaces="git" ${developer.publicKey}`,
  ]);
});
afterEach(() => rm(appState, { recursive: true, force: true }));

const door = (rules: Partial<DoorRules['verify']> = {}, env = cleanEnvironment()): Door =>
  createDoor({
    rules: () => ({
      allowUrls: ['https://git.example.com/'],
      verify: { target: 'required', audience: 'shop-production', signersFile: signers.file, ...rules },
    }),
    app: '/app/shop',
    appState,
    ssh: { clock, env },
  });

const bytes = (config: unknown) => Buffer.from(JSON.stringify(config));
const verdict = async (config: unknown, at = door()) => {
  const judged = await at.judge(bytes(config));
  return judged.ok ? 'taken' : judged.failure.code;
};
const signedBy = (key: TestKey, said: object = {}, more: object = {}) =>
  signedConfig({ ...SAID, ...said } as SignedTarget, key, more);

/** Other bytes in the place of those that were signed. */
const withBytes = async (change: (text: string) => string) => {
  const { signature } = await sealed(JSON.stringify(SAID), deploy);
  const signed = Buffer.from(change(JSON.stringify(SAID))).toString('base64');
  return { url, commitId, relativePath, gitfleet: { signed, signature } };
};
/** Whatever these bytes are, a key of the list has signed them. */
const ofBytes = async (text: string) => ({ url, commitId, relativePath, gitfleet: await sealed(text, deploy) });
const withSignature = async (change: (armor: string) => string) => {
  const config = await signedBy(deploy);
  return { ...config, gitfleet: { ...config.gitfleet, signature: change(config.gitfleet.signature) } };
};

describe('an agent that requires signed targets', () => {
  it('takes what a key of its list signed, and reads the ref from the signed bytes', async () => {
    const judged = await door().judge(bytes(await signedBy(deploy, {}, { ref: 'refs/heads/evil', deployment: 7 })));
    expect(judged).toMatchObject({
      ok: true,
      target: { gitfleet: { ref: 'main', deployment: 7 }, envelope: { signer: 'ann@example.com', issuedAt: NOW } },
    });
    expect(await verdict(await signedBy(rsa))).toBe('taken');
  });

  const hostile: [string, () => Promise<unknown>, string][] = [
    ['no envelope', async () => ({ url, commitId, relativePath }), 'SIGNATURE_MISSING'],
    [
      'a foreign writer with members of ours',
      async () => ({ ...contract, gitfleet: { ref: 'main' } }),
      'SIGNATURE_MISSING',
    ],
    ['bytes without a signature', async () => without(await signedBy(deploy), 'signature'), 'SIGNATURE_MISSING'],
    ['a signature without bytes', async () => without(await signedBy(deploy), 'signed'), 'SIGNATURE_MISSING'],
    ['a key that nobody lists', () => signedBy(unknown), 'UNKNOWN_SIGNER'],
    ['the key of a developer, listed for commits', () => signedBy(developer), 'UNKNOWN_SIGNER'],
    [
      'another namespace',
      async () => ({ ...contract, gitfleet: await sealed(JSON.stringify(SAID), deploy, 'git') }),
      'SIGNATURE_INVALID',
    ],
    [
      'another namespace that begins alike',
      async () => ({ ...contract, gitfleet: await sealed(JSON.stringify(SAID), deploy, 'gitfleet@v12') }),
      'SIGNATURE_INVALID',
    ],
    ['one byte more', () => withBytes((text) => `${text} `), 'SIGNATURE_INVALID'],
    [
      'another commit in the bytes',
      () => withBytes((text) => text.replace(/a{40}/, 'b'.repeat(40))),
      'SIGNATURE_INVALID',
    ],
    [
      'a later time in the bytes',
      () => withBytes((text) => text.replace(String(NOW), String(NOW + 1))),
      'SIGNATURE_INVALID',
    ],
    [
      'another commit beside the bytes',
      async () => ({ ...(await signedBy(deploy)), commitId: 'b'.repeat(40) }),
      'SIGNATURE_INVALID',
    ],
    [
      'another repository beside the bytes',
      async () => ({ ...(await signedBy(deploy)), url: 'https://git.example.com/fork.git' }),
      'SIGNATURE_INVALID',
    ],
    [
      'another path beside the bytes',
      async () => ({ ...(await signedBy(deploy)), relativePath: 'admin' }),
      'SIGNATURE_INVALID',
    ],
    [
      'the url spelt otherwise beside the bytes',
      () => signedBy(deploy, { url: 'https://GIT.example.com/shop.git' }),
      'URL',
    ],
    [
      'a sha256 commit beside the bytes of a sha1 one',
      async () => ({ ...(await signedBy(deploy)), commitId: 'a'.repeat(64) }),
      'SIGNATURE_INVALID',
    ],
    ['the target of staging', () => signedBy(deploy, { audience: 'shop-staging' }), 'AUDIENCE'],
    ['the target of another app', () => signedBy(deploy, { app: '/app/other' }), 'AUDIENCE'],
    ['the app below a chroot of its own', () => signedBy(deploy, { app: '/app/shop/' }), 'AUDIENCE'],
    ['two signatures', () => withSignature((armor) => armor + armor), 'SIGNATURE_INVALID'],
    ['words before the signature', () => withSignature((armor) => `trust me\n${armor}`), 'SIGNATURE_INVALID'],
    ['half a signature', () => withSignature((armor) => armor.slice(0, 150)), 'SIGNATURE_INVALID'],
    ['an empty signature', () => withSignature(() => ''), 'SIGNATURE_INVALID'],
    [
      'a signature of another kind',
      () => withSignature((armor) => armor.replaceAll('SSH', 'PGP')),
      'SIGNATURE_INVALID',
    ],
    ['a signature with a bit turned', () => withSignature(turnedBit), 'SIGNATURE_INVALID'],
    [
      'the signature of another target',
      async () => ({
        ...(await signedBy(deploy)),
        gitfleet: {
          ...(await signedBy(deploy)).gitfleet,
          signature: (await signedBy(deploy, { relativePath: 'x' })).gitfleet.signature,
        },
      }),
      'SIGNATURE_INVALID',
    ],
    [
      'the name of a listed key around the signature of another',
      () => withSignature(() => forged),
      'SIGNATURE_INVALID',
    ],
    ['bytes that are no base64', async () => withSigned(await signedBy(deploy), '%%%'), 'SIGNATURE_INVALID'],
    ['base64 of other spelling', async () => respelt(await signedBy(deploy)), 'SIGNATURE_INVALID'],
    ['empty bytes', async () => withSigned(await signedBy(deploy), ''), 'SIGNATURE_INVALID'],
    ['signed bytes that are no JSON', () => ofBytes('deploy it'), 'SIGNATURE_INVALID'],
    [
      'a member twice',
      () => ofBytes(JSON.stringify(SAID).replace('{', `{"commitId":"${'b'.repeat(40)}",`)),
      'SIGNATURE_INVALID',
    ],
    ['a member that is not known', () => ofBytes(JSON.stringify({ ...SAID, steps: ['sh'] })), 'SIGNATURE_INVALID'],
    ['a member too few', () => ofBytes(JSON.stringify({ ...SAID, audience: undefined })), 'SIGNATURE_INVALID'],
    ['a later version', () => ofBytes(JSON.stringify({ ...SAID, version: 2 })), 'SIGNATURE_INVALID'],
    ['a time that is text', () => ofBytes(JSON.stringify({ ...SAID, issuedAt: '1' })), 'SIGNATURE_INVALID'],
    ['a time before time', () => ofBytes(JSON.stringify({ ...SAID, issuedAt: -1 })), 'SIGNATURE_INVALID'],
    ['a time that is no whole number', () => ofBytes(JSON.stringify({ ...SAID, issuedAt: 1.5 })), 'SIGNATURE_INVALID'],
    ['more bytes than a target has', () => ofBytes(JSON.stringify(SAID) + ' '.repeat(9_000)), 'SIGNATURE_INVALID'],
    [
      'a url outside the list, well signed',
      () => signedBy(deploy, { url: 'https://evil.example.com/shop.git' }),
      'NOT_ALLOWED',
    ],
    ['a path that leaves the root, well signed', () => signedBy(deploy, { relativePath: '../etc' }), 'PATH'],
    ['a commit that is a branch, well signed', () => signedBy(deploy, { commitId: 'main' }), 'COMMIT'],
  ];
  const contract = { url, commitId, relativePath };
  let forged = '';
  beforeAll(async () => {
    // The public key of `deploy`, and a signature that `unknown` made.
    const [own, other] = await Promise.all([
      sealed(JSON.stringify(SAID), deploy),
      sealed(JSON.stringify(SAID), unknown),
    ]);
    const [a, b] = [own, other].map(({ signature }) =>
      Buffer.from(signature.replace(/-----.*-----|\n/g, ''), 'base64'),
    );
    const text = Buffer.concat([(a as Buffer).subarray(0, -64), (b as Buffer).subarray(-64)]).toString('base64');
    forged = `-----BEGIN SSH SIGNATURE-----\n${text.match(/.{1,70}/g)?.join('\n')}\n-----END SSH SIGNATURE-----\n`;
  });

  it.each(hostile)('refuses %s', async (_, make, code) => {
    const one = door();
    expect(await verdict(await make(), one)).toBe(code);
    // The next good one is taken.
    expect(await verdict(await signedBy(deploy, { issuedAt: NOW + 1 }), one)).toBe('taken');
  });

  it('refuses the same as the base of a rollout, which has its envelope beside the members', async () => {
    const good = await signedBy(deploy);
    const { signed, signature } = good.gitfleet;
    expect((await door().judgeKept({ ...contract, signed, signature })).ok).toBe(true);
    expect(await door().judgeKept(contract)).toMatchObject({ failure: { code: 'SIGNATURE_MISSING' } });
    const other = { ...contract, commitId: 'b'.repeat(40), signed, signature };
    expect(await door().judgeKept(other)).toMatchObject({ failure: { code: 'SIGNATURE_INVALID' } });
  });

  const LISTS: [string, () => string[], string][] = [
    ['the line is gone: the key was revoked', () => [lineOf('bob@example.com', second)], 'UNKNOWN_SIGNER'],
    ['the key is over', () => [lineOf('ann', deploy, 'valid-before="20200101"')], 'UNKNOWN_SIGNER'],
    ['the key is for later', () => [lineOf('ann', deploy, 'valid-after="20990101"')], 'UNKNOWN_SIGNER'],
    [
      'the key is over here, and holds for commits still',
      () => [lineOf('ann', deploy, 'valid-before="20200101"'), `ann ${deploy.publicKey}`],
      'UNKNOWN_SIGNER',
    ],
    ['the line names no namespace', () => [`ann ${deploy.publicKey}`], 'UNKNOWN_SIGNER'],
    ['the line names all namespaces', () => [`ann namespaces="*" ${deploy.publicKey}`], 'UNKNOWN_SIGNER'],
    ['the line excludes ours', () => [`ann namespaces="!${NAMESPACE},*" ${deploy.publicKey}`], 'UNKNOWN_SIGNER'],
    [
      'the line excludes and names ours',
      () => [`ann namespaces="!${NAMESPACE},${NAMESPACE}" ${deploy.publicKey}`],
      'UNKNOWN_SIGNER',
    ],
    [
      'the line is an authority',
      () => [`ann cert-authority,namespaces="${NAMESPACE}" ${deploy.publicKey}`],
      'UNKNOWN_SIGNER',
    ],
    ['the line has an option that is not known', () => [lineOf('ann', deploy, 'verify-required')], 'UNKNOWN_SIGNER'],
    ['the line is a comment', () => [`#${lineOf('ann', deploy)}`], 'UNKNOWN_SIGNER'],
    ['the list is no list', () => ['\u0000\u0001{}'], 'UNKNOWN_SIGNER'],
    ['two keys overlap', () => [lineOf('ann', second), lineOf('ann', deploy)], 'taken'],
    ['the principal is a pattern', () => [lineOf('*@example.com', deploy)], 'taken'],
    [
      'the line names another namespace too',
      () => [`ann namespaces="git,${NAMESPACE}" ${deploy.publicKey} ann`],
      'taken',
    ],
    ['the key is for now', () => [lineOf('ann', deploy, 'valid-after="20200101",valid-before="20990101"')], 'taken'],
  ];
  it.each(LISTS)('reads its list at each use: %s', async (_, lines, expected) => {
    const one = door();
    const config = await signedBy(deploy);
    expect(await verdict(config, one)).toBe('taken');
    await signers.allow(lines());
    expect(await verdict(config, one)).toBe(expected);
  });

  it('counts a list for nothing that others than root may change, or that is not there', async () => {
    const config = await signedBy(deploy);
    const file = join(signers.directory, 'other');
    await writeFile(file, lineOf('ann', deploy));
    expect(await verdict(config, door({ signersFile: file }))).toBe('taken');
    await chmod(file, 0o664);
    expect(await verdict(config, door({ signersFile: file }))).toBe('SIGNERS_FILE');
    await rm(file);
    expect(await verdict(config, door({ signersFile: file }))).toBe('SIGNERS_FILE');
    await mkdir(file);
    expect(await verdict(config, door({ signersFile: file }))).toBe('SIGNERS_FILE');
    await chmod(file, 0o777);
    await writeFile(join(file, 'signers'), lineOf('ann', deploy));
    expect(await verdict(config, door({ signersFile: join(file, 'signers') }))).toBe('SIGNERS_FILE');
    const link = join(signers.directory, 'link');
    await symlink(join(file, 'signers'), link);
    expect(await verdict(config, door({ signersFile: link }))).toBe('SIGNERS_FILE');
    await rm(link);
    await rm(file, { recursive: true });
  });

  it('counts a list for nothing if a link on the way to it lies where others than root may replace the link', async () => {
    const config = await signedBy(deploy);
    const [file, open] = [join(signers.directory, 'kept'), join(signers.directory, 'open')];
    await writeFile(file, lineOf('ann', deploy));
    await mkdir(open);
    await symlink(file, join(open, 'signers'));
    await symlink('../open', join(open, 'around'));
    await symlink('open/around/../open/signers', join(signers.directory, 'link'));
    const ways = [join(open, 'signers'), join(open, 'around/signers'), join(signers.directory, 'link')];
    const verdicts = async () => {
      const found: string[] = [];
      for (const signersFile of ways) found.push(await verdict(config, door({ signersFile })));
      return found;
    };
    expect(await verdicts()).toEqual(ways.map(() => 'taken'));
    await chmod(open, 0o777);
    expect(await verdicts()).toEqual(ways.map(() => 'SIGNERS_FILE'));
    await rm(open, { recursive: true });
    await rm(join(signers.directory, 'link'));
    await rm(file);
  });

  it('counts a list for nothing that all may write, sticky or not, and one behind links without end', async () => {
    const config = await signedBy(deploy);
    const [file, loop] = [join(signers.directory, 'sticky'), join(signers.directory, 'loop')];
    await writeFile(file, lineOf('ann', deploy));
    await chmod(file, 0o1666);
    expect(await verdict(config, door({ signersFile: file }))).toBe('SIGNERS_FILE');
    await symlink('loop', loop);
    expect(await verdict(config, door({ signersFile: loop }))).toBe('SIGNERS_FILE');
    await rm(file);
    await rm(loop);
  });

  it('waits where ssh-keygen is not there, and takes nothing meanwhile', async () => {
    const judged = await door({}, { PATH: '/nonexistent' }).judge(bytes(await signedBy(deploy)));
    expect(judged).toMatchObject({ ok: false, failure: { code: 'NO_SSH_KEYGEN', next: 'wait' } });
  });

  it('judges again what this server hindered, and not what the target lacks', async () => {
    const config = await signedBy(deploy);
    const again = (judged: Judgement) => !judged.ok && dependsOnServer(judged.failure);
    await mkdir(join(appState, 'verify', 'signers'), { recursive: true }); // As bad as a full disk.
    expect(again(await door().judge(bytes(config)))).toBe(true);
    await rm(join(appState, 'verify'), { recursive: true });
    const killed = join(appState, 'ssh-keygen');
    await writeFile(killed, '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
    const hindered = await door({}, { PATH: `${appState}:/usr/bin:/bin` }).judge(bytes(config));
    expect(hindered).toMatchObject({ failure: { code: 'NO_SSH_KEYGEN', next: 'wait' } });
    expect(again(hindered)).toBe(true);
    expect(again(await door().judge(bytes(await signedBy(unknown))))).toBe(true);
    expect(again(await door().judge(bytes(contract)))).toBe(false);
    expect(again(await door().judge(bytes(await withSignature(turnedBit))))).toBe(false);
  });

  it('reads no envelope where none is required, whatever it holds', async () => {
    const off = door({ target: 'off' });
    expect(await verdict({ ...contract, gitfleet: { signed: '%', signature: 'x' } }, off)).toBe('taken');
  });
});

describe('what is well signed is taken in its order', () => {
  let one: Door;
  beforeEach(() => {
    one = door();
  });
  const envelopeOf = async (said: object) => {
    const judged = await one.judge(bytes(await signedBy(deploy, said)));
    if (!judged.ok || !judged.target.envelope) throw new Error('a good target was refused');
    return judged.target.envelope;
  };
  const HOUR = 3_600_000;

  it('and not ahead of the clock of the server, nor after its time, nor before what was accepted', async () => {
    const [first, same, ahead, later, over, until] = (await Promise.all(
      [
        { issuedAt: NOW - HOUR },
        { issuedAt: NOW - HOUR, ref: 'other' },
        { issuedAt: NOW + 6 * 60_000 },
        { issuedAt: NOW },
        { issuedAt: NOW, notAfter: NOW - 1 },
        { issuedAt: NOW, notAfter: NOW + 1 },
      ].map(envelopeOf),
    )) as [never, never, never, never, never, never];
    const code = (envelope: never, memory = accept(NOTHING_ACCEPTED, first, SAID)) =>
      judgeOrder(memory, envelope, NOW)?.code ?? 'taken';
    expect(code(first, NOTHING_ACCEPTED)).toBe('taken');
    expect(code(first)).toBe('taken');
    expect(code(same)).toBe('REPLAYED');
    expect(code(ahead)).toBe('CLOCK');
    expect(code(later)).toBe('taken');
    expect(code(over)).toBe('EXPIRED');
    expect(code(until)).toBe('taken');
    expect(code(first, accept(NOTHING_ACCEPTED, later, SAID))).toBe('REPLAYED');
    // What was accepted in its time stays accepted after it.
    expect(code(over, accept(NOTHING_ACCEPTED, over, SAID))).toBe('taken');
  });
});

const turnedBit = (armor: string): string => {
  const at = armor.length - 60;
  return armor.slice(0, at) + (armor[at] === 'A' ? 'B' : 'A') + armor.slice(at + 1);
};

interface Config {
  readonly gitfleet: { readonly signed: string; readonly signature: string };
}

const without = (config: Config, member: 'signed' | 'signature') => ({
  ...config,
  gitfleet: { ...config.gitfleet, [member]: undefined },
});
const withSigned = (config: Config, signed: string) => ({ ...config, gitfleet: { ...config.gitfleet, signed } });
const respelt = (config: Config) =>
  withSigned(config, `${config.gitfleet.signed.slice(0, 8)}\n${config.gitfleet.signed.slice(8)}`);
